//! Steps as a person reads them.

use serde_json::Value;

use super::super::testing::{input, page, run, says};
use super::*;
use crate::input::OverrideVerdict;

fn workload(kind: &str, selector: &str, labels: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{selector: {{matchLabels: {{{selector}}}}}, \
         template: {{metadata: {{labels: {{{labels}}}}}, spec: {{{spec}}}}}}}"
    )
}

#[test]
fn a_selector_changed_and_the_new_one_adopts() {
    let page = says(items, &workload("Deployment", "a: b, c: d", "a: b, c: d", ""), &workload("Deployment", "a: b", "a: b, c: e", ""));
    insta::assert_snapshot!(page, @r"
    ACT recreate Deployment/ns/x: Delete it before the upgrade, which makes it anew: spec.selector cannot be changed. Its pods run on and are adopted by the new one, which then replaces them.
        -> kubectl delete deployment.apps x --namespace ns --cascade=orphan
    ");
}

#[test]
fn a_selector_changed_and_the_old_pods_stay() {
    let page = says(items, &workload("Deployment", "a: b", "a: b", ""), &workload("Deployment", "c: d", "c: d", ""));
    insta::assert_snapshot!(page, @r"
    ACT recreate Deployment/ns/x: Delete it before the upgrade, which makes it anew: spec.selector cannot be changed. Its pods run on beside the new ones until the step after the upgrade deletes them.
        -> kubectl delete deployment.apps x --namespace ns --cascade=orphan
    ACT clean-up Deployment/ns/x: Afterwards delete what the old Deployment left running: the new one does not adopt it.
        -> kubectl delete replicasets.apps --namespace ns --selector a=b
    ");
}

#[test]
fn pods_that_cannot_run_side_by_side() {
    let old = workload("DaemonSet", "a: b", "a: b", "hostNetwork: true");
    let page = says(items, &old, &workload("DaemonSet", "c: d", "c: d", "hostNetwork: true"));
    assert!(
        page.contains("Its pods stop until the upgrade has made it anew: they hold ports of their nodes")
            && page.contains("-> kubectl delete daemonset.apps x --namespace ns\n"),
        "{page}"
    );
    let old = workload("Deployment", "a: b", "a: b", "volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]");
    assert!(says(items, &old, &workload("Deployment", "c: d", "c: d", "")).contains("they hold a volume"));
    let old = workload("Deployment", "a: b", "a: b", "");
    assert!(
        says(items, &old, &workload("Deployment", "c: d", "a: b, c: d", "")).contains("cannot be told apart"),
        "cleaning up would take the new"
    );
}

#[test]
fn claims_are_never_deleted() {
    let claim =
        |class: &str| format!("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: x}}\nspec: {{storageClassName: {class}}}");
    let page = says(items, &claim("a"), &claim("b"));
    assert!(page.contains("deletes its data") && !page.contains("kubectl delete"), "{page}");
}

#[test]
fn crds_come_first_and_values_before_them() {
    let crd = |name: &str, more: &str| {
        format!(
            "# crds/\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {name}}}\nspec: {{a: {more}}}"
        )
    };
    let old = [crd("a", "1"), crd("b", "1"), workload("Deployment", "a: b", "a: b", "")].join("\n---\n");
    let new = [crd("a", "1"), crd("b", "2"), crd("c", "1"), workload("Deployment", "c: d", "c: d", "")].join("\n---\n");
    let mut input = input(&old, &new);
    (input.new.chart.name, input.new.chart.version) = ("demo".to_owned(), "2.0.0".to_owned());
    input.overrides = Some(vec![OverrideVerdict {
        path: "a.b".to_owned(),
        document: "prod.yaml".to_owned(),
        also_in: Vec::new(),
        class: OverrideClass::Gone { moved_to: Some("a.c".to_owned()), because: "the same render".to_owned() },
        given: Value::Null,
        old_default: None,
        new_default: None,
        affects: Vec::new(),
    }]);
    input.rename = Some(RenameTrial { set: vec![("nameOverride".to_owned(), "old".to_owned())], replaced_without: 100, replaced_with: 3 });
    let items = run(items, &input);
    let codes: Vec<&str> = items.iter().map(|item| item.code.as_str()).collect();
    assert_eq!(codes, ["keep-names", "move-value", "apply-crds", "recreate", "clean-up"]);
    let page = page(&items);
    assert!(page.contains("Apply 2 CRDs of the new version first (1 new, 1 changed)"), "{page}");
    assert!(page.contains("helm show crds demo --version 2.0.0 | kubectl apply --server-side --force-conflicts -f -"), "{page}");
    assert!(page.contains("Set nameOverride=old: 97 of 100 objects"), "{page}");
}

#[test]
fn the_chart_is_named_as_it_was_typed() {
    let path = |path: &str| Some(ChartSource::Path(path.to_owned()));
    let oci = |oci: &str| Some(ChartSource::Oci(oci.to_owned()));
    let repository = ChartSource::Repository { url: "https://h/charts".to_owned(), name: "demo".to_owned() };
    for (from, expected) in [
        (None, "demo --version 2.0.0"),
        (path("./demo"), "./demo"),
        (path("demo-2.0.0.tgz"), "./demo-2.0.0.tgz"),
        (path("~/my charts/demo"), "~/'my charts/demo'"),
        (oci("oci://h:5000/charts/demo"), "oci://h:5000/charts/demo --version 2.0.0"),
        (oci("oci://h/demo@sha256:01"), "'oci://h/demo@sha256:01'"),
        (Some(ChartSource::Url("https://h/demo-2.0.0.tgz".to_owned())), "https://h/demo-2.0.0.tgz"),
        (Some(repository), "demo --version 2.0.0 --repo https://h/charts"),
    ] {
        let chart = Chart { name: "demo".to_owned(), version: "2.0.0".to_owned(), from, ..Chart::default() };
        assert_eq!(named(&chart), expected);
    }
}

#[test]
fn a_trial_that_saves_little_is_not_proposed() {
    let mut input = input("", "");
    input.rename = Some(RenameTrial { set: vec![("nameOverride".to_owned(), "old".to_owned())], replaced_without: 10, replaced_with: 9 });
    assert_eq!(run(items, &input).len(), 0);
}

#[test]
fn names_are_words_of_a_shell() {
    assert_eq!(recreate::word("x-1.y"), "x-1.y");
    assert_eq!(recreate::word("x; rm -rf '/'"), r"'x; rm -rf '\''/'\'''");
    assert_eq!(recreate::word(""), "''");
}

#[test]
fn a_crd_that_becomes_a_template_is_marked_first() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.b.c}\nspec: {group: b.c}";
    let mut input = input(&format!("# crds/\n{crd}"), crd);
    input.target.release = "rel".to_owned();
    insta::assert_snapshot!(page(&run(items, &input)), @"
    ACT adopt-crd CustomResourceDefinition/as.b.c: Mark CRD as.b.c as part of the release: it was in crds/, and the templates make it from now on.
        -> kubectl label crd as.b.c app.kubernetes.io/managed-by=Helm --overwrite && kubectl annotate crd as.b.c meta.helm.sh/release-name=rel meta.helm.sh/release-namespace=ns --overwrite
    ");
}

#[test]
fn a_stored_version_that_goes_is_migrated_first() {
    let crd = |versions: &str| {
        format!(
            "# crds/\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: as.b.c}}\n\
             spec: {{group: b.c, names: {{kind: A, plural: as}}, versions: [{versions}]}}"
        )
    };
    let (v1, beta) = ("{name: v1, served: true, storage: true}", "{name: v1beta1, served: true, storage: true}");
    let items = run(items, &input(&crd(beta), &crd(v1)));
    let codes: Vec<&str> = items.iter().map(|item| item.code.as_str()).collect();
    assert_eq!(codes, ["migrate-stored", "apply-crds"]);
    insta::assert_snapshot!(page(&items[..1]), @r#"
    ACT migrate-stored CustomResourceDefinition/as.b.c: Store the objects of as.b.c as v1: v1beta1 goes, and Kubernetes refuses that while status.storedVersions names it. Apply the new CRD with v1beta1 added to its versions (served: true, storage: false), then run the commands.
        where the installed release holds objects as v1beta1, upgrade before v1beta1 is taken out: helm reads them
        where there are no objects, the second command is enough
        -> kubectl get as.b.c --all-namespaces -o json | kubectl replace -f - && kubectl patch crd as.b.c --subresource=status --type=merge -p '{"status":{"storedVersions":["v1"]}}'
    "#);
    let old = crd(&format!("{v1}, {}", beta.replace("storage: true", "storage: false")));
    assert!(!says(super::items, &old, &crd(v1)).contains("migrate-stored"), "objects are stored as v1");
}

#[test]
fn pods_of_the_same_template_are_left_as_they_are() {
    let set = |size: &str, image: u8| {
        format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: x}}\nspec: {{template: {{spec: {{containers: [{{name: a, image: 'a:{image}'}}]}}}}, \
             volumeClaimTemplates: [{{metadata: {{name: d}}, spec: {{resources: {{requests: {{storage: {size}}}}}}}}}]}}"
        )
    };
    assert!(says(items, &set("1Gi", 1), &set("2Gi", 1)).contains("adopted by the new one, which leaves them as they are"));
    assert!(says(items, &set("1Gi", 1), &set("2Gi", 2)).contains("adopted by the new one, which then replaces them one by one"));
    let refused = set("2Gi", 1).replace("image: 'a:1'", "image: 'a:1', ports: [{containerPort: '80'}]");
    assert_eq!(says(items, &set("1Gi", 1), &refused), "", "deleted, it would be gone");
    let drawn = |size| set(size, 1).replace("a:1", "a:(random)");
    assert!(says(items, &drawn("1Gi"), &drawn("2Gi")).contains("which then replaces them one by one"), "a mark is another value each time");
    let of = |service: &str| set("1Gi", 1).replace("spec: {template", &format!("spec: {{serviceName: {service}, template"));
    let page = says(items, &of("a"), &of("b"));
    assert!(page.contains("which leaves them as they are; each keeps its old DNS name until it restarts."), "{page}");
}
