{{- define "server.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "server.account" -}}
{{ .Values.serviceAccount.name | default (include "server.name" .) }}
{{- end }}

{{- define "server.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "server.labels" -}}
{{ include "server.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: server
app.kubernetes.io/part-of: groundswell
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Every listener binds to all addresses of the pod: the Services and the policy say who reaches it. */}}
{{- define "server.config" -}}
{{- $ports := .Values.ports -}}
{{/* A folder below the mount: the root of a volume may hold lost+found, and its mode is not ours. */}}
{{- $sessions := dict "listen" (printf "0.0.0.0:%d" (int $ports.sessions)) -}}
{{- with .Values.sessionsUrl }}{{ $_ := set $sessions "url" . }}{{ end -}}
{{- $names := list "localhost" "127.0.0.1" -}}
{{- range $service, $_ := .Values.services -}}
{{- $names = append $names (printf "%s-%s.%s.svc" (include "server.name" $) $service $.Release.Namespace) -}}
{{- end -}}
{{- $own := dict
  "dataDir" "/var/lib/groundswell/data"
  "enrolment" (dict "listen" (printf "0.0.0.0:%d" (int $ports.enrolment)))
  "sessions" $sessions
  "operators" (dict "listen" (printf "0.0.0.0:%d" (int $ports.operators)))
  "admin" (dict "listen" (printf "0.0.0.0:%d" (int $ports.admin)))
  "names" (concat $names .Values.names)
  "log" (dict "format" .Values.logFormat "filter" .Values.logLevel) -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.config)) }}
{{- end }}
