{{- define "agent.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "agent.account" -}}
{{ .Values.serviceAccount.name | default (include "agent.name" .) }}
{{- end }}

{{/* Cluster-scoped names carry the namespace: two agents in one cluster must not share rights. */}}
{{- define "agent.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace (include "agent.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "agent.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "agent.labels" -}}
{{ include "agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: agent
app.kubernetes.io/part-of: groundswell
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "agent.subject" -}}
- kind: ServiceAccount
  name: {{ include "agent.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
