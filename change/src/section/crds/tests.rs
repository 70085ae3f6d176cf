use super::super::testing::says;

fn crd(marker: &str, more: &str, schema: &str) -> String {
    format!(
        "{marker}apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: as.b.c{more}}}
spec: {{group: b.c, scope: Namespaced, names: {{kind: A, plural: as}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{{schema}}}}}}}}}}}}}]}}"
    )
}

fn in_crds(schema: &str) -> String {
    crd("# crds/\n", "", schema)
}

fn object(spec: &str) -> String {
    format!("apiVersion: b.c/v1\nkind: A\nmetadata: {{name: a, namespace: ns}}\nspec: {{{spec}}}")
}

fn both(one: String, other: String) -> String {
    [one, other].join("\n---\n")
}

#[test]
fn come_and_go() {
    let (folder, template) = (in_crds(""), crd("", "", ""));
    let keep = crd("", ", annotations: {helm.sh/resource-policy: keep}", "");
    insta::assert_snapshot!(says(super::items, "", &folder), @"
    ACT crd-added CustomResourceDefinition/as.b.c: is new, and Helm does not create it on an upgrade
        -> apply it before the upgrade: the step that applies the CRDs has the command
    ");
    insta::assert_snapshot!(says(super::items, "", &template), @"know crd-added CustomResourceDefinition/as.b.c: is new; the chart makes it");
    insta::assert_snapshot!(says(super::items, &folder, ""), @"look crd-removed CustomResourceDefinition/as.b.c: is no longer in the chart; Helm never deletes it, so it stays in the cluster with its objects");
    insta::assert_snapshot!(says(super::items, &template, ""), @"
    ACT crd-deleted CustomResourceDefinition/as.b.c: is no longer in the chart, so Helm deletes it, and with it every object of that kind in the cluster
        -> keep it first: kubectl annotate crd as.b.c helm.sh/resource-policy=keep
    ");
    insta::assert_snapshot!(says(super::items, &keep, ""), @"look crd-removed CustomResourceDefinition/as.b.c: is no longer in the chart; it stays in the cluster, since it is marked to be kept");
    insta::assert_snapshot!(says(super::items, &template, &folder), @"
    ACT crd-deleted CustomResourceDefinition/as.b.c: moves from the templates to crds/, so Helm deletes it, and with it every object of that kind in the cluster
        -> keep it first: kubectl annotate crd as.b.c helm.sh/resource-policy=keep
    ");
    insta::assert_snapshot!(says(super::items, &folder, &template), @"
    STOP crd-adopted CustomResourceDefinition/as.b.c: moves from crds/ to the templates, and Helm refuses to import one that is not marked as its own (invalid ownership metadata)
        -> mark it as part of the release before the upgrade: the steps have the commands
    ");
    assert_eq!(says(super::items, &keep, &folder), "");
    let hook = crd("", ", annotations: {helm.sh/hook: crd-install}", "");
    assert_eq!(says(super::items, &hook, &folder), "", "from Helm 2 to 3");
    let hook = crd("", ", annotations: {helm.sh/hook: pre-upgrade}", "");
    insta::assert_snapshot!(says(super::items, "", &hook), @"know crd-added CustomResourceDefinition/as.b.c: is new; a hook of the upgrade makes it");
}

#[test]
fn fields_by_who_notices() {
    let (old, new) = (
        "a: {type: string}, b: {type: string}, c: {type: string, default: first}",
        "b: {type: integer}, c: {type: string, default: second}, d: {type: string}",
    );
    insta::assert_snapshot!(says(super::items, &in_crds(old), &in_crds(new)), @"
    look crd-field-removed CustomResourceDefinition/as.b.c: spec.a is removed (was string); no object of either render notices
        -> objects that other people made are not seen here: kubectl get as.b.c -A -o yaml
    look crd-field-retyped CustomResourceDefinition/as.b.c: spec.b takes another type (string to integer); no object of either render notices
        -> objects that other people made are not seen here: kubectl get as.b.c -A -o yaml
    know crd-field-default CustomResourceDefinition/as.b.c: spec.c has another default (first to second)
    know crd-fields-added CustomResourceDefinition/as.b.c: has 1 new field
        as.b.c: 1
    ");
    insta::assert_snapshot!(says(super::items, &both(in_crds(old), object("a: x")), &both(in_crds(new), object("b: 1"))), @"
    ACT crd-field-used A/ns/a: has spec.a, which the new CRD as.b.c does not have: it is dropped as soon as the CRD is applied
        -> check that nothing needs it, and look for objects of your own: kubectl get as.b.c -A
    look crd-field-retyped CustomResourceDefinition/as.b.c: spec.b takes another type (string to integer); no object of either render notices
        -> objects that other people made are not seen here: kubectl get as.b.c -A -o yaml
    know crd-field-default CustomResourceDefinition/as.b.c: spec.c has another default (first to second)
    know crd-fields-added CustomResourceDefinition/as.b.c: has 1 new field
        as.b.c: 1
    ");
    insta::assert_snapshot!(says(super::items, &both(in_crds(old), object("a: x")), &both(in_crds(new), object("a: x, b: text"))), @"
    ACT crd-field-used A/ns/a: sets spec.a, which the new CRD as.b.c does not have: it is dropped
        -> find which of your values sets it on A/ns/a, and take it out or correct it
    STOP crd-field-used A/ns/a: has a value at spec.b that the new CRD as.b.c refuses (string to integer)
        -> find which of your values sets it on A/ns/a, and take it out or correct it
    know crd-field-default CustomResourceDefinition/as.b.c: spec.c has another default (first to second)
    know crd-fields-added CustomResourceDefinition/as.b.c: has 1 new field
        as.b.c: 1
    ");
}

#[test]
fn many_fields_are_one_claim() {
    let old = "a: {type: string}, b: {type: string}, c: {type: string}, d: {type: string, enum: [one, two]}, e: {type: integer}";
    let new = "d: {type: string, enum: [one]}, e: {type: integer, maximum: 5, x-kubernetes-validations: [{rule: 'self > 1', message: must be large}]}";
    insta::assert_snapshot!(says(super::items, &in_crds(old), &in_crds(new)), @"
    look crd-field-removed CustomResourceDefinition/as.b.c: 3 fields are removed: spec.a, spec.b and spec.c; no object of either render notices
        spec.a: was string
        spec.b: was string
        spec.c: was string
        -> objects that other people made are not seen here: kubectl get as.b.c -A -o yaml
    look crd-field-enum CustomResourceDefinition/as.b.c: spec.d takes fewer values (no longer two); no object of either render notices
    look crd-field-tightened CustomResourceDefinition/as.b.c: 1 field changed in several ways: spec.e; no object of either render notices
        spec.e: maximum: none to 5
        spec.e: rules: must be large
    ");
}

#[test]
fn the_crd_as_a_whole() {
    let old = "# crds/\nkind: CustomResourceDefinition\nmetadata: {name: as.b.c}\nspec: {group: b.c, scope: Namespaced, names: {kind: A, plural: as}, versions: [{name: v1alpha1, served: true, storage: true}, {name: v1, served: true, storage: false}]}";
    let new = "# crds/\nkind: CustomResourceDefinition\nmetadata: {name: as.b.c}\nspec: {group: b.c, scope: Cluster, conversion: {strategy: Webhook}, names: {kind: A, plural: aes}, versions: [{name: v1, served: true, storage: true}, {name: v2, served: true, storage: false}]}";
    insta::assert_snapshot!(says(super::items, old, new), @"
    STOP crd-scope CustomResourceDefinition/as.b.c: its scope goes from Namespaced to Cluster, which Kubernetes refuses: the CRD and all its objects would have to be made anew
        -> save every A object, delete the CRD, and make both again
    STOP crd-names CustomResourceDefinition/as.b.c: its plural goes from as to aes, which Kubernetes refuses
    STOP crd-version-gone CustomResourceDefinition/as.b.c: version v1alpha1 is gone, and objects were stored in it: Kubernetes refuses the new CRD while status.storedVersions names it
        -> store the objects in another version first: the steps have the commands
    know crd-version-added CustomResourceDefinition/as.b.c: version v2 is new
    look crd-storage CustomResourceDefinition/as.b.c: objects are stored as v1 where they were stored as v1alpha1: after that the old CRD cannot come back as it was
        -> check status.storedVersions: kubectl get crd as.b.c -o jsonpath='{.status.storedVersions}'
    look crd-conversion CustomResourceDefinition/as.b.c: conversion between its versions goes from None to Webhook: without its webhook no object of it can be read
    ");
}

#[test]
fn what_the_upgrade_does_not_write_is_refused_later() {
    let says = |old: &str, new: &str, before: &str, after: &str| {
        let page = says(super::items, &both(in_crds(old), object(before)), &both(in_crds(new), object(after)));
        page.lines().filter(|line| line.contains("crd-field-used")).map(str::to_owned).collect::<Vec<_>>()
    };
    let later = "not now, but at its next write";
    let (wide, narrow) = ("a: {type: string, enum: [x, z]}, b: {type: string}", "a: {type: string, enum: [x]}, b: {type: string}");
    let enums = "A/ns/a: has a value at spec.a that the new CRD as.b.c refuses (no longer z)";
    assert_eq!(says(wide, narrow, "a: z", "a: z"), [format!("ACT crd-field-used {enums}: {later}")]);
    assert_eq!(says(wide, narrow, "a: z, b: p", "a: z, b: q"), [format!("STOP crd-field-used {enums}")]);
    let types = "A/ns/a: has a value at spec.a that the new CRD as.b.c refuses (string to integer)";
    assert_eq!(says("a: {type: string}", "a: {type: integer}", "a: z", "a: z"), [format!("ACT crd-field-used {types}: {later}")]);
    let dropped = "ACT crd-field-used A/ns/a: sets spec.b, which the new CRD as.b.c does not have: it is dropped";
    assert_eq!(says(wide, "a: {type: string}", "a: x, b: p", "a: x, b: q"), [dropped]);
    assert_eq!(says(wide, "a: {type: string}", "a: x, b: p", "a: x, b: p"), [dropped]);
}

#[test]
fn a_rule_that_is_not_evaluated_is_said_where_an_object_sets_the_field() {
    let (old, new) = ("a: {type: string}, b: {type: string}", "a: {type: string, pattern: ^z}, b: {type: string}");
    let says = |before: &str, after: &str| says(super::items, &both(in_crds(old), object(before)), &both(in_crds(new), object(after)));
    insta::assert_snapshot!(says("a: one", "a: two"), @"
    ACT crd-rule-unevaluated A/ns/a: sets a field whose new rule was not evaluated: spec.a (CRD as.b.c, pattern: none to ^z)
        -> check A/ns/a against the rule, or apply it with --dry-run=server once the new CRD is there
    ");
    insta::assert_snapshot!(says("a: one", "a: one, b: two"), @"
    look crd-rule-unevaluated A/ns/a: sets a field as before whose new rule was not evaluated: spec.a (CRD as.b.c, pattern: none to ^z)
        -> check A/ns/a against the rule, or apply it with --dry-run=server once the new CRD is there
    ");
    insta::assert_snapshot!(says("b: one", "b: two"), @"look crd-field-tightened CustomResourceDefinition/as.b.c: spec.a has a tighter rule (pattern: none to ^z); no object of either render notices");
    let rule = "a: {type: integer, x-kubernetes-validations: [{rule: self > 5}]}";
    let page = super::super::testing::says(
        super::items,
        &both(in_crds("a: {type: integer}"), object("a: 1")),
        &both(in_crds(rule), object("a: 2")),
    );
    insta::assert_snapshot!(page, @"
    ACT crd-rule-unevaluated A/ns/a: sets a field whose new rule was not evaluated: spec.a (CRD as.b.c, rules: self > 5)
        -> check A/ns/a against the rule, or apply it with --dry-run=server once the new CRD is there
    ");
}

#[test]
fn a_map_that_loses_its_values_drops_them() {
    let (old, new) = ("labels: {type: object, additionalProperties: {type: string}}", "labels: {type: object}");
    let says = |before: &str, after: &str| says(super::items, &both(in_crds(old), object(before)), &both(in_crds(new), object(after)));
    insta::assert_snapshot!(says("labels: {team: x}", "labels: {team: x}"), @"
    ACT crd-field-used A/ns/a: sets spec.labels.team, which the new CRD as.b.c does not have: it is dropped
        -> find which of your values sets it on A/ns/a, and take it out or correct it
    ");
    insta::assert_snapshot!(says("labels: {}", "labels: {}"), @"look crd-field-closed CustomResourceDefinition/as.b.c: spec.labels keeps no unknown fields any more; no object of either render notices");
}
