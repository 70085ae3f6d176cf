use super::super::testing::says;

fn service(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: ns, labels: {{app: s}}}}\nspec: {{{spec}}}")
}

fn both(one: &str, other: &str) -> String {
    [one, other].join("\n---\n")
}

#[test]
fn services() {
    let change = |old: &str, new: &str| says(super::items, &service(old), &service(new));
    insta::assert_snapshot!(change("ports: [{name: web, port: 9090}]", "ports: [{name: http-web, port: 9090, protocol: TCP}]"), @"look port-renamed Service/ns/s: port 9090 is called http-web where it was web: monitors, Ingresses and scrape configs of your own that name it need the new name");
    insta::assert_snapshot!(change("ports: [{name: web, port: 9090}, {name: old, port: 1}]", "ports: [{name: web, port: 80, targetPort: 9090}, {name: new, port: 2}]"), @"
    look port-number Service/ns/s: port web goes from 9090 to 80: whatever calls it by number fails
    look port-removed Service/ns/s: port 1 (old) is gone
    know port-added Service/ns/s: port 2 (new) is new
    ");
    insta::assert_snapshot!(change("type: LoadBalancer, ports: [{port: 1, nodePort: 30001}]", "type: NodePort, ports: [{port: 1, nodePort: 30002, targetPort: web}]"), @"
    look service-type Service/ns/s: its type goes from LoadBalancer to NodePort: it is reached on every node
    know port-target Service/ns/s: port 1 leads to web of the pods where it led to 1
    look node-port Service/ns/s: port 1 is 30002 on the nodes where it was 30001
    ");
    insta::assert_snapshot!(change("clusterIP: None, selector: {app: a}", "selector: {app: b, x: y-z}"), @"
    look service-headless Service/ns/s: stays headless until it is deleted and made anew: the new version asks for an address and the API server keeps clusterIP None
    look service-selector Service/ns/s: selects pods by other labels (app and x): until they have them it leads nowhere
    ");
    for empty in ["selector: {}", ""] {
        assert_eq!(
            change("selector: {app: a}", empty),
            "look service-selector Service/ns/s: selects no pods any more: it leads to whatever endpoints somebody else writes for it\n"
        );
    }
    assert_eq!(
        change("ports: [{name: web, port: 9090}]", "type: ClusterIP, ports: [{name: web, port: 9090, targetPort: 9090, protocol: TCP}]"),
        ""
    );
    insta::assert_snapshot!(says(super::items, &service("ports: [{name: web, port: 1}]"), &service("type: LoadBalancer, ports: [{port: 53, protocol: UDP}]").replace("name: s,", "name: t,")), @"
    look service-removed Service/ns/s: is gone, with port 1 (web): whatever calls it by this name fails
    look service-added Service/ns/t: is new, with port 53/UDP, and asks for a load balancer that is reached from outside
    ");
}

#[test]
fn a_monitor_whose_port_nothing_has_any_more() {
    let monitor = |port: &str| {
        format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {{name: m, namespace: ns}}\nspec: {{selector: {{matchLabels: {{app: s}}}}, endpoints: [{{port: {port}}}]}}"
        )
    };
    let (web, http) = (service("ports: [{name: web, port: 9090}]"), service("ports: [{name: http-web, port: 9090}]"));
    insta::assert_snapshot!(says(super::items, &both(&web, &monitor("web")), &both(&http, &monitor("web"))), @"
    ACT monitor-port ServiceMonitor/ns/m: scrapes port web, which no Service that it selects has any more (there is http-web): its targets disappear
        -> correct the port in the values that make this monitor or that object
    look port-renamed Service/ns/s: port 9090 is called http-web where it was web: monitors, Ingresses and scrape configs of your own that name it need the new name
    ");
    assert!(!says(super::items, &both(&web, &monitor("web")), &both(&http, &monitor("http-web"))).contains("monitor-"));
    assert!(!says(super::items, &both(&web, &monitor("x")), &both(&http, &monitor("x"))).contains("monitor-"), "it was so before");
    insta::assert_snapshot!(says(super::items, &both(&web, &monitor("web")), &both(&web.replace("app: s", "app: t"), &monitor("web"))), @"
    ACT monitor-selects-none ServiceMonitor/ns/m: selects no Service of the chart any more: its targets disappear
        -> compare its selector with the labels of the new objects
    ");
}

#[test]
fn a_port_that_no_pod_has() {
    let pods = |name: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d, namespace: ns}}\nspec: {{template: {{metadata: {{labels: {{app: a, x: y}}}}, spec: \
             {{containers: [{{name: c, ports: [{{containerPort: 80, name: {name}}}]}}]}}}}}}"
        )
    };
    let leads = |to: &str| service(&format!("selector: {{app: a}}, ports: [{{port: 80, targetPort: {to}}}]"));
    let old = both(&leads("http"), &pods("http"));
    insta::assert_snapshot!(says(super::items, &old, &both(&leads("web"), &pods("http"))), @"
    know port-target Service/ns/s: port 80 leads to web of the pods where it led to http
    ACT port-target-missing Service/ns/s: leads to port web of its pods, which none of them has (they have http): nothing answers there, unless an injected container has it
        -> correct targetPort or the name of the container's port in the values that make them
    ");
    assert!(
        says(super::items, &old, &both(&leads("http"), &pods("web"))).contains("ACT port-target-missing Service/ns/s: leads to port http")
    );
    assert!(says(super::items, &pods("http"), &both(&leads("web"), &pods("http"))).contains("port-target-missing"), "a new one");
    for fine in [
        both(&leads("8080"), &pods("web")),
        both(&leads("no--name"), &pods("web")),
        leads("web"),
        both(&leads("web").replace("app: a", "app: b"), &pods("http")),
    ] {
        assert!(!says(super::items, &old, &fine).contains("port-target-missing"), "{fine}");
    }
    let wrong = both(&leads("web"), &pods("http"));
    assert!(!says(super::items, &wrong, &both(&leads("web"), &pods("h2"))).contains("missing"), "it was so before");
}

#[test]
fn ways_in() {
    let old = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: i, namespace: ns, annotations: {kubernetes.io/ingress.class: nginx}}\nspec: {rules: [{host: a.corp, http: {paths: [{path: /, backend: {serviceName: s, servicePort: 80}}]}}]}";
    let new = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: ns}\nspec: {ingressClassName: nginx, rules: [{host: a.corp, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}";
    let report = says(super::items, old, new);
    assert!(!report.contains("ingress-backend") && !report.contains("ingress-class"), "{report}");
    insta::assert_snapshot!(says(super::items, new, &new.replace("a.corp", "b.corp").replace("nginx", "contour").replace("spec: {", "spec: {tls: [{hosts: [b.corp]}], ")), @"
    look ingress-path-removed Ingress/ns/i: a.corp/ no longer leads here
    look ingress-path-added Ingress/ns/i: b.corp/ leads here now
    look ingress-class Ingress/ns/i: is served by class contour where it was nginx
    look ingress-tls Ingress/ns/i: is encrypted now (TLS)
    ");
    insta::assert_snapshot!(says(super::items, new, ""), @"look ingress-removed Ingress/ns/i: is gone: a.corp no longer leads here");
    let policy =
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: ns}\nspec: {policyTypes: [Ingress, Egress]}";
    insta::assert_snapshot!(says(super::items, "", policy), @"look network-policy NetworkPolicy/ns/p: is new: traffic into and out of its pods that it does not name is cut off");
    insta::assert_snapshot!(says(super::items, policy, ""), @"look network-policy NetworkPolicy/ns/p: is gone: what it kept out may come in");
    let route =
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: ns}\nspec: {hostnames: [a.corp]}";
    insta::assert_snapshot!(says(super::items, route, &route.replace("a.corp", "b.corp")), @"look route-changed HTTPRoute/ns/r: b.corp leads here where a.corp did");
}

#[test]
fn volumes() {
    let claim = |spec: &str| format!("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: c, namespace: ns}}\nspec: {{{spec}}}");
    let size = |size: &str| claim(&format!("resources: {{requests: {{storage: {size}}}}}, accessModes: [ReadWriteOnce]"));
    insta::assert_snapshot!(says(super::items, &size("10Gi"), &size("5Gi")), @"
    ACT volume-shrinks PersistentVolumeClaim/ns/c: the volume goes from 10Gi to 5Gi: a volume cannot shrink
        -> keep the old size in your values, or make a new volume and copy the data
    ");
    insta::assert_snapshot!(says(super::items, &size("10Gi"), &size("1Ti").replace("Once", "Many").replace("spec: {", "spec: {storageClassName: fast, ")), @"
    look volume-grows PersistentVolumeClaim/ns/c: the volume goes from 10Gi to 1Ti: its storage class must allow that
    look volume-class PersistentVolumeClaim/ns/c: the volume asks for class fast where it asked for none: claims that exist keep theirs
    look volume-modes PersistentVolumeClaim/ns/c: the volume asks for ReadWriteMany where it asked for ReadWriteOnce
    ");
    assert_eq!(says(super::items, &size("1Gi"), &size("1024Mi")), "");
    insta::assert_snapshot!(says(super::items, &size("10Gi"), ""), @"
    ACT claim-removed PersistentVolumeClaim/ns/c: is no longer in the chart, so Helm deletes it, and with most storage classes its data
        -> keep it: kubectl -n ns annotate pvc c helm.sh/resource-policy=keep
    ");
    let prometheus = |storage: &str| {
        format!("apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {{name: p, namespace: ns}}\nspec: {{{storage}}}")
    };
    let stored = prometheus("storage: {volumeClaimTemplate: {spec: {resources: {requests: {storage: 50Gi}}}}}");
    insta::assert_snapshot!(says(super::items, &stored, &prometheus("replicas: 1")), @"
    ACT volume-removed Prometheus/ns/p: the volume for its data is gone: it starts without the data, which stays behind in the old claim
        -> decide whether that data is needed, and move it first
    ");
    insta::assert_snapshot!(says(super::items, &stored, &stored.replace("50Gi", "60Gi")), @"look volume-grows Prometheus/ns/p: the volume for its data goes from 50Gi to 60Gi: its storage class must allow that, and the claims that exist are not made larger by it");
}

#[test]
fn ports_of_nodes() {
    let set = |pod: &str| {
        format!("apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: d, namespace: ns}}\nspec: {{template: {{spec: {{{pod}}}}}}}")
    };
    insta::assert_snapshot!(says(super::items, &set("containers: [{name: c, ports: [{containerPort: 9100}]}]"), &set("hostNetwork: true, containers: [{name: c, ports: [{containerPort: 9100}]}]")), @"look host-port DaemonSet/ns/d: now takes port 9100 of its node");
}

#[test]
fn addresses_in_another_order_are_the_same() {
    let change = |old: &str, new: &str| {
        let spec = |ranges: &str| service(&format!("type: LoadBalancer, loadBalancerSourceRanges: [{ranges}]"));
        says(super::items, &spec(old), &spec(new))
    };
    assert_eq!(change("10.0.0.0/8, 11.0.0.0/8", "11.0.0.0/8, 10.0.0.0/8"), "");
    assert!(change("10.0.0.0/8", "10.0.0.0/8, 11.0.0.0/8").starts_with("look service-sources"));
}
