//! From two renders to a summary.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::compare::{Comparison, Pair, compare, compare_crds, compare_hooks};
use crate::input::{Chart, Input, flattened, is_list};
use crate::section::{self, Context};
use crate::summary::{API_VERSION, ChartBrief, Counts, KIND, Noise, NoiseCount, NoiseKind, Summary, TargetBrief};
use crate::verdict;

/// Objects that are named for each kind of noise.
const EXAMPLES: usize = 3;

/// Says what changes.
#[must_use]
pub fn summarise(input: &Input) -> Summary {
    let input: &Input = &without_lists(input);
    let objects = compare(&input.old, &input.new, &input.target);
    let hooks = compare_hooks(&input.old, &input.new, &input.target);
    let sections = section::all(&Context { input, objects: &objects, hooks: &hooks });
    let crds = compare_crds(&input.old, &input.new, &input.target);
    let changed = [&objects, &hooks, &crds].into_iter().any(Comparison::changed);
    Summary {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        old: brief(&input.old.chart),
        new: brief(&input.new.chart),
        target: TargetBrief {
            from: input.target.from.clone(),
            kube_version: input.target.kube_version.clone(),
            api_versions: input.target.api_versions.len(),
            release: input.target.release.clone(),
            namespace: input.target.namespace.clone(),
            values: input.documents.clone(),
        },
        verdict: verdict::judge(&sections, input, changed),
        noise: noise(&objects, &hooks, input),
        counts: counts(&objects, input),
        sections,
    }
}

/// Helm takes the items of a `List` for objects of their own, and so do we.
fn without_lists(input: &Input) -> Cow<'_, Input> {
    let sides = [&input.old, &input.new];
    if !sides.iter().any(|side| [&side.objects, &side.hooks, &side.crds].iter().any(|objects| objects.iter().any(is_list))) {
        return Cow::Borrowed(input);
    }
    let mut input = input.clone();
    for side in [&mut input.old, &mut input.new] {
        for objects in [&mut side.objects, &mut side.hooks, &mut side.crds] {
            *objects = flattened(std::mem::take(objects));
        }
    }
    Cow::Owned(input)
}

fn brief(chart: &Chart) -> ChartBrief {
    ChartBrief {
        name: chart.name.clone(),
        version: chart.version.clone(),
        app_version: chart.app_version.clone(),
        digest: chart.digest.clone(),
    }
}

fn counts(objects: &Comparison<'_>, input: &Input) -> Counts {
    let changed = objects.pairs.iter().filter(|pair| pair.changed()).count();
    Counts {
        old: input.old.objects.len(),
        new: input.new.objects.len(),
        added: objects.added.len(),
        removed: objects.removed.len(),
        changed,
        unchanged: objects.pairs.len() - changed,
    }
}

fn noise(objects: &Comparison<'_>, hooks: &Comparison<'_>, input: &Input) -> Noise {
    let pairs: Vec<&Pair<'_>> = objects.pairs.iter().chain(&hooks.pairs).collect();
    let mut by_kind: BTreeMap<NoiseKind, Vec<String>> = BTreeMap::new();
    for pair in &pairs {
        for kind in &pair.noise {
            by_kind.entry(*kind).or_default().push(pair.object.to_string());
        }
    }
    let count = |(kind, mut examples): (NoiseKind, Vec<String>)| {
        let objects = examples.len();
        examples.truncate(EXAMPLES);
        NoiseCount { kind, objects, examples }
    };
    let mut kinds: Vec<NoiseCount> = by_kind.into_iter().map(count).collect();
    kinds.sort_by(|a, b| b.objects.cmp(&a.objects).then(a.kind.cmp(&b.kind)));
    let fields = input.old.random.iter().chain(&input.new.random);
    let mut random: Vec<String> = fields.map(|field| format!("{}: {}", field.object, field.path)).collect();
    random.sort();
    random.dedup();
    let objects = pairs.iter().filter(|pair| !pair.changed() && !pair.noise.is_empty()).count();
    Noise { objects, kinds, random }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::input::{OverrideClass, OverrideVerdict, Rendered, Side};
    use crate::summary::Level;

    fn input(old: Vec<Value>, new: Vec<Value>) -> Input {
        let side = |values: Vec<Value>| {
            let objects = values.into_iter().map(|value| Rendered { source: "c/templates/x.yaml".to_owned(), value }).collect();
            Side { objects, ..Side::default() }
        };
        let mut input = Input { old: side(old), new: side(new), ..Input::default() };
        input.target.namespace = "ns".to_owned();
        input
    }

    #[test]
    fn nothing_but_noise() {
        let map = |version: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"helm.sh/chart": version}}});
        let summary = summarise(&input(vec![map("a-1")], vec![map("a-2")]));
        assert_eq!(summary.verdict.level, Level::Nothing);
        assert_eq!(summary.noise.objects, 1);
        assert_eq!((summary.counts.unchanged, summary.counts.changed), (1, 0));
        assert_eq!(summary.noise.kinds[0].kind, NoiseKind::VersionLabel);
    }

    #[test]
    fn a_list_is_its_items() {
        let role = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [role]});
        let summary = summarise(&input(vec![role.clone()], vec![list]));
        assert_eq!(summary.verdict.level, Level::Nothing);
        assert_eq!(summary.counts.new, 1);
    }

    /// Plants a secret wherever charts put them, and looks for it in all that is said.
    #[test]
    fn no_secret_leaves() {
        let objects = |secret: &str, more: &str| {
            let pod = json!({"spec": {"containers": [{
                "name": "a",
                "args": ["--password", secret, format!("--api-key={secret}")],
                "env": [{"name": "DB_PASSWORD", "value": secret}, {"name": "DB_PW", "value": secret}, {"name": "SENTRY_DSN", "value": secret}, {"name": "URL", "value": format!("https://user:{secret}@host/{more}")}],
            }]}});
            vec![
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"x": secret, more: secret}}),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("b{more}")}, "stringData": {"x": secret}}),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}, "immutable": true, "data": {"x": format!("{secret}{more}")}}),
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {
                    "grafana.ini": format!("[security]\nadmin_password = {secret}\nx = {more}"),
                    "c.yaml": format!("slack_api_url: https://hooks.chat/services/T0/{secret}\nhook: https://chat/{secret}A1b2C3d4E5f6G7h8{more}/x"),
                    "a.json": format!("{{\"token\": \"{secret}\", \"more\": \"{more}\"}}"),
                }}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": pod}}),
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": pod}}),
                json!({"apiVersion": "demo.io/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"auth": {"password": secret, "n": more}}}),
                json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "a"}, "parameters": {"secretKey": secret, "n": more}}),
            ]
        };
        let mut input = input(objects("hunter2old", "1"), objects("hunter2new", "2"));
        input.old.hooks = input.old.objects.clone();
        input.new.hooks = input.new.objects.clone();
        let verdict = |path: &str, class: OverrideClass, given: Value, affects: &[&str]| OverrideVerdict {
            path: path.to_owned(),
            document: "prod.yaml".to_owned(),
            also_in: Vec::new(),
            class,
            given,
            old_default: Some(json!("hunter2old")),
            new_default: Some(json!("hunter2new")),
            affects: affects.iter().map(|name| (*name).to_owned()).collect(),
        };
        let keys = [
            "grafana.adminPassword",
            "pass",
            "pw",
            "pwd",
            "dsn",
            "connectionString",
            "webhookUrl",
            "auth",
            "key",
            "tlsKey",
            "slack_api_url",
            "htpasswd",
            "credentials",
            "hub.api.token",
            "client-secret",
        ];
        let changed = |key: &&str| verdict(key, OverrideClass::DefaultChanged, json!("hunter2"), &[]);
        let same = |key: &&str| verdict(key, OverrideClass::NowDefault, json!("hunter2"), &[]);
        let mut overrides: Vec<OverrideVerdict> = keys.iter().map(changed).chain(keys.iter().map(same)).collect();
        // What reaches nothing but Secrets is one, whatever its key.
        overrides.push(verdict("smtp", OverrideClass::DefaultChanged, json!("hunter2"), &["Secret/demo/s"]));
        overrides.push(verdict(
            "list",
            OverrideClass::HidesNewItems { items: vec![json!("hunter2")] },
            json!([]),
            &["Secret/demo/s", "SealedSecret/demo/t"],
        ));
        input.overrides = Some(overrides);
        let summary = serde_json::to_string_pretty(&summarise(&input)).unwrap();
        let lines: Vec<&str> = summary.lines().filter(|line| line.contains("hunter2")).collect();
        assert!(lines.is_empty(), "{lines:#?}");
        assert!(summary.contains("(secret)"), "the changes are told nevertheless");
    }

    fn any_object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z0-9:/=\\- ]{0,8}".prop_map(Value::from)
        ];
        let field = prop::sample::select(vec![
            "name",
            "spec",
            "template",
            "containers",
            "env",
            "image",
            "args",
            "resources",
            "limits",
            "replicas",
            "selector",
            "matchLabels",
            "labels",
            "data",
            "rules",
            "groups",
            "alert",
            "expr",
            "ports",
            "port",
            "volumes",
            "configMap",
            "metadata",
            "versions",
            "schema",
            "roleRef",
        ]);
        let body = leaf.prop_recursive(6, 48, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(field.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
            ]
        });
        let kind = prop::sample::select(vec![
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("batch/v1", "CronJob"),
            ("v1", "Service"),
            ("v1", "Secret"),
            ("v1", "ConfigMap"),
            ("v1", "List"),
            ("networking.k8s.io/v1beta1", "Ingress"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            ("monitoring.coreos.com/v1", "Prometheus"),
            ("monitoring.coreos.com/v1", "PrometheusRule"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ]);
        (kind, body.clone(), body.clone(), prop::sample::select(vec!["a", "b"])).prop_map(|((api, kind), spec, other, name)| {
            json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": other}, "spec": spec, "data": other, "rules": spec, "items": [spec]})
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn any_two_renders_are_summarised(old in prop::collection::vec(any_object(), 0..5), new in prop::collection::vec(any_object(), 0..5)) {
            let mut input = input(old, new);
            input.target.kube_version = Some("v1.30.0".to_owned());
            input.old.crds = input.old.objects.clone();
            input.new.crds = input.new.objects.clone();
            let summary = summarise(&input);
            prop_assert!(summary.verdict.reasons.len() <= 7);
            prop_assert!(!summary.verdict.line.is_empty());
        }

        #[test]
        fn one_render_is_no_change(objects in prop::collection::vec(any_object(), 0..5)) {
            // That two templates make one object is told, whatever changes.
            let mut seen = std::collections::BTreeSet::new();
            let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
            let objects: Vec<Value> = objects.into_iter().filter(|object| object["kind"] != "List" && seen.insert(name(object))).collect();
            let mut input = input(objects.clone(), objects);
            input.old.hooks = input.old.objects.clone();
            input.new.hooks = input.new.objects.clone();
            let summary = summarise(&input);
            prop_assert_eq!(summary.counts.changed + summary.counts.added + summary.counts.removed, 0);
            prop_assert_eq!(summary.verdict.level, Level::Nothing, "{}", summary.verdict.line);
        }
    }
}
