use super::super::testing::says;

fn role(kind: &str, rules: &str) -> String {
    format!(
        "kind: {kind}\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {{name: op{}}}\nrules: [{rules}]",
        if kind == "Role" { ", namespace: ns" } else { "" }
    )
}

fn bound(kind: &str, subject: &str) -> String {
    let (binding, namespace) = if kind == "Role" { ("RoleBinding", ", namespace: ns") } else { ("ClusterRoleBinding", "") };
    format!(
        "kind: {binding}\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {{name: op{namespace}}}\nroleRef: {{kind: {kind}, name: op}}\nsubjects: [{{kind: ServiceAccount, name: {subject}, namespace: ns}}]"
    )
}

fn rule(groups: &str, resources: &str, verbs: &str) -> String {
    format!("{{apiGroups: [{groups}], resources: [{resources}], verbs: [{verbs}]}}")
}

fn cluster(rules: &str) -> String {
    [role("ClusterRole", rules), bound("ClusterRole", "operator")].join("\n---\n")
}

fn grows(old: &str, new: &str) -> String {
    says(super::items, &cluster(old), &cluster(new))
}

#[test]
fn what_grows_is_said_in_words() {
    let get = rule("''", "pods, secrets", "get, list");
    insta::assert_snapshot!(grows(&get, &rule("''", "pods, secrets", "get, list, delete")), @"
    look rbac-secrets ClusterRole/op: operator may now delete secrets in every namespace
    look rbac-grows ClusterRole/op: operator may now delete pods in every namespace
    ");
    insta::assert_snapshot!(grows(&get, &rule("''", "'*'", "'*'")), @"look rbac-wildcard ClusterRole/op: operator may now do anything with all resources in every namespace, a wildcard");
    insta::assert_snapshot!(grows(&get, &format!("{get}, {}", rule("rbac.authorization.k8s.io", "clusterroles", "bind, escalate"))), @"look rbac-escalation ClusterRole/op: operator may now bind and escalate clusterroles in every namespace, with which it can give itself more rights");
    insta::assert_snapshot!(grows(&get, &format!("{get}, {}", rule("policy", "podsecuritypolicies", "use"))), @"look rbac-privilege ClusterRole/op: operator may now use podsecuritypolicies.policy in every namespace");
    insta::assert_snapshot!(grows(&get, &format!("{get}, {{nonResourceURLs: [/metrics], verbs: [get]}}, {}, {}", rule("discovery.k8s.io", "endpointslices", "get, watch, list"), rule("''", "nodes", "create"))), @"look rbac-grows ClusterRole/op: operator may now create nodes; get the URL /metrics; get, list and watch endpointslices.discovery.k8s.io in every namespace");
}

#[test]
fn the_same_rights_in_other_words_are_none() {
    let one = rule("''", "pods, services", "get, list");
    assert_eq!(grows(&one, &format!("{}, {}", rule("''", "services", "list, get"), rule("''", "pods", "get, list"))), "");
    assert_eq!(grows(&rule("'*'", "'*'", "'*'"), &rule("'*'", "'*'", "'*'")), "");
    insta::assert_snapshot!(grows(&rule("'*'", "'*'", "'*'"), &one), @"
    know rbac-shrinks 1 right is taken away
        operator may no longer do anything with all resources of any group in every namespace
    ");
}

#[test]
fn a_role_of_a_namespace_that_becomes_one_of_the_cluster_grows() {
    let both = |kind: &str| [role(kind, &rule("''", "endpoints", "get")), bound(kind, "operator")].join("\n---\n");
    insta::assert_snapshot!(says(super::items, &both("Role"), &both("ClusterRole")), @"look rbac-grows ClusterRole/op: operator may now get endpoints in every namespace");
    insta::assert_snapshot!(says(super::items, &both("ClusterRole"), &both("Role")), @"
    know rbac-shrinks 1 right is taken away
        operator may no longer get endpoints in every namespace
    ");
}

#[test]
fn who_is_new_and_roles_of_others() {
    let rules = rule("''", "pods", "get");
    let other = [role("ClusterRole", &rules), bound("ClusterRole", "other")].join("\n---\n");
    insta::assert_snapshot!(says(super::items, &cluster(&rules), &other), @"
    look rbac-grows ClusterRole/op: other is new and may get pods in every namespace
    know rbac-shrinks 1 right is taken away
        operator may no longer get pods in every namespace
    ");
    insta::assert_snapshot!(says(super::items, "", &bound("ClusterRole", "operator").replace("name: op}", "name: cluster-admin}")), @"
    ACT rbac-wildcard ClusterRoleBinding/cluster-admin: operator is new and may do all that ClusterRole cluster-admin allows (it is not of this chart) in every namespace, a wildcard
        -> let somebody who may give the whole cluster away decide on it, or switch it off by the values
    ");
    let aggregate =
        role("ClusterRole", &rules).replace("{name: op}", "{name: op, labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}");
    insta::assert_snapshot!(says(super::items, "", &aggregate), @"look rbac-grows ClusterRole/op: whoever has the role view may now get pods in every namespace");
    insta::assert_snapshot!(says(super::items, "", &role("ClusterRole", &rules)), @"know rbac-unbound ClusterRole/op: whoever is bound to it may now get pods; the chart itself binds it to nobody");
    insta::assert_snapshot!(says(super::items, "", &role("ClusterRole", &rule("'*'", "'*'", "'*'"))), @"look rbac-unbound ClusterRole/op: whoever is bound to it may now do anything with all resources of any group, a wildcard; the chart itself binds it to nobody");
}

#[test]
fn webhooks() {
    let hook = |policy: &str, resources: &str| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: w}}\nwebhooks: [{{name: rules.x, failurePolicy: {policy}, clientConfig: {{caBundle: Zm9v, service: {{name: s}}}}, rules: [{{apiGroups: [monitoring.coreos.com], operations: [UPDATE, CREATE], resources: [{resources}]}}]}}]"
        )
    };
    insta::assert_snapshot!(says(super::items, &hook("Ignore", "prometheusrules"), &hook("Fail", "prometheusrules, alertmanagerconfigs")), @"
    look webhook-failure-policy ValidatingWebhookConfiguration/w: rules.x goes from Ignore to Fail: when it does not answer, they are refused
    look webhook-rules ValidatingWebhookConfiguration/w: rules.x is now asked about CREATE and UPDATE of prometheusrules and alertmanagerconfigs (monitoring.coreos.com) where it was asked about CREATE and UPDATE of prometheusrules (monitoring.coreos.com)
    ");
    let (bare, port) = (hook("Fail", "a"), hook("Fail", "a").replace("service: {name: s}", "service: {name: s, port: 443}"));
    assert_eq!(says(super::items, &bare, &port), "", "443 is the default");
    assert!(says(super::items, &bare, &port.replace("443", "8443")).contains("webhook-service"));
    insta::assert_snapshot!(says(super::items, "", &hook("Fail", "prometheusrules")), @"look webhook-added ValidatingWebhookConfiguration/w: is new and is asked about CREATE and UPDATE of prometheusrules (monitoring.coreos.com) (when it does not answer, they are refused)");
    assert_eq!(says(super::items, &hook("Fail", "a"), &hook("Fail", "a").replace("Zm9v", "YmFy")), "");
}

#[test]
fn a_webhook_in_another_order_is_the_same() {
    let hook = |selectors: &str, timeout: u8| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: w}}\nwebhooks: [{{name: x.y, timeoutSeconds: {timeout}, namespaceSelector: {{matchExpressions: [{selectors}]}}}}]"
        )
    };
    let (one, other) = ("{key: a, operator: NotIn, values: [p, q]}", "{key: b, operator: Exists}");
    let turned = format!("{other}, {}", one.replace("p, q", "q, p"));
    let ordered = format!("{one}, {other}");
    assert_eq!(says(super::items, &hook(&ordered, 5), &hook(&turned, 5)), "");
    let said = says(super::items, &hook(&ordered, 5), &hook(&turned, 6));
    assert!(said.starts_with("look webhook-timeout") && said.lines().count() == 1, "{said}");
    assert!(says(super::items, &hook(&ordered, 5), &hook(one, 5)).starts_with("look webhook-scope"));
}

#[test]
fn the_whole_cluster_given_away_asks_for_a_decision() {
    let binding = |subject: &str, role: &str| {
        format!(
            "kind: ClusterRoleBinding\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {{name: b}}\nroleRef: {{kind: ClusterRole, name: {role}}}\nsubjects: [{subject}]"
        )
    };
    let all =
        [role("ClusterRole", &rule("'*'", "'*'", "'*'")), binding("{kind: ServiceAccount, name: a, namespace: ns}", "op")].join("\n---\n");
    let secrets =
        [role("ClusterRole", &rule("''", "secrets", "get")), binding("{kind: Group, name: 'system:authenticated'}", "op")].join("\n---\n");
    for (new, starts) in [
        (
            binding("{kind: Group, name: 'system:unauthenticated'}", "cluster-admin"),
            "ACT rbac-wildcard ClusterRoleBinding/b: anybody, without logging in, is new",
        ),
        (
            binding("{kind: User, name: 'system:anonymous'}", "cluster-admin"),
            "ACT rbac-wildcard ClusterRoleBinding/b: anybody, without logging in, is new",
        ),
        (binding("{kind: ServiceAccount, name: a, namespace: ns}", "cluster-admin"), "ACT rbac-wildcard ClusterRoleBinding/b: a is new"),
        (all, "ACT rbac-wildcard ClusterRole/op: a is new"),
        (secrets, "ACT rbac-secrets ClusterRole/op: everybody who is logged in is new"),
        (binding("{kind: Group, name: 'system:authenticated'}", "view"), "look rbac-grows"),
    ] {
        let said = says(super::items, "", &new);
        assert!(said.starts_with(starts), "{said}");
        assert_eq!(says(super::items, &new, &new), "", "it was so before");
    }
}

#[test]
fn accounts_of_other_namespaces_are_named_with_it() {
    let new = [role("Role", &rule("''", "pods", "get")), bound("Role", "x").replace("name: x, namespace: ns", "name: x, namespace: other")];
    let said = says(super::items, "", &new.join("\n---\n"));
    assert!(said.starts_with("look rbac-grows Role/ns/op: x of namespace other is new and may get pods in namespace ns"), "{said}");
}

#[test]
fn pods_that_run_as_another_account() {
    let pods = |account: &str| {
        let spec = format!("{{{account}containers: [{{name: c}}]}}");
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d, namespace: ns}}\nspec: {{template: {{spec: {spec}}}}}")
    };
    let rights = [role("Role", &rule("''", "pods", "get")), bound("Role", "sa")].join("\n---\n");
    let with = |account: &str| [rights.clone(), pods(account)].join("\n---\n");
    insta::assert_snapshot!(says(super::items, &with(""), &with("serviceAccountName: sa, ")), @"look account-changed Deployment/ns/d: its pods run as account sa, which may get pods in namespace ns, where they ran as default");
    insta::assert_snapshot!(says(super::items, &with("serviceAccountName: sa, "), &with("serviceAccountName: other, ")), @"look account-changed Deployment/ns/d: its pods run as account other where they ran as sa; this chart gives it no rights");
    assert_eq!(says(super::items, &with(""), &with("serviceAccountName: default, ")), "");
}

#[test]
fn what_gives_too_much_to_be_taken_apart_is_told() {
    let many = |start: &str, count: usize| (0..count).map(|n| format!("{start}{n}")).collect::<Vec<_>>().join(", ");
    let wide = |groups: usize| rule(&many("g", groups), &many("r", 60), &many("v", 10));
    let everything = rule("'*'", "'*'", "'*'");
    let too_large = "ACT rbac-too-large ClusterRole/op: gives more rights than are taken apart (5000 of a role, 100000 in all): what is said about \
                     it is not all\n    -> read what the new version writes there, or let somebody who may give the whole cluster away decide on it\n";
    let all =
        "ACT rbac-wildcard ClusterRole/op: operator may now do anything with all resources of any group in every namespace, a wildcard";
    let said = grows(&wide(10), &format!("{}, {everything}", wide(10)));
    assert!(said.starts_with(all) && said.ends_with(too_large), "{said}");
    assert_eq!(grows(&wide(10), &wide(11)), too_large, "no right of which nobody knows whether it was there");
    assert_eq!(grows(&wide(10), &wide(10)), "");
    // The role stays as it is, and somebody else has it too.
    let (old, new) =
        (cluster(&wide(10)), [cluster(&wide(10)), bound("ClusterRole", "other").replace("{name: op}", "{name: more}")].join("\n---\n"));
    let said = says(super::items, &old, &new);
    assert!(said.starts_with("look rbac-grows ClusterRole/op: other is new") && said.ends_with(too_large), "{said}");
}

#[test]
fn many_roles_are_taken_apart_in_part() {
    let many = |start: &str, count: usize| (0..count).map(|n| format!("{start}{n}")).collect::<Vec<_>>().join(", ");
    let one = |n: usize, more: &str| {
        let rules = format!("{}{more}", rule(&many("g", 5), &many(&format!("r{n}x"), 100), &many("v", 10)));
        cluster(&rules).replace("name: op", &format!("name: op{n}"))
    };
    let all = |more: &str| (0..25).map(|n| one(n, if n == 24 { more } else { "" })).collect::<Vec<_>>().join("\n---\n");
    let said = says(super::items, &all(""), &all(&format!(", {}", rule("'*'", "secrets", "get"))));
    assert!(said.starts_with("ACT rbac-too-large ClusterRole/op24: gives more rights than are taken apart"), "{said}");
    assert_eq!(says(super::items, &all(""), &all("")), "");
}
