//! Issue test 3: what `groundswell values` says is what `helm get values` has, byte for byte of meaning.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::RolloutState;
use groundswell_tests::{Chart, Fleet, NAMESPACE, Release};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);
/// Tries to end its scalar in every style that YAML has, and to become a key of its own.
const EVIL: &str = "x\"\nadmin: true\n'}, {admin: true} # &x *y ((cluster_name)) {{ .Values }}\n...\n---\nadmin: true";

const DEFAULTS: &str = "kept: from the chart\ndropped: from the chart\nlist: [a, b, c]\nnested: {a: 1, b: 2}\n";

const VALUES: &str = r#"yes: yes
switch: on
text: "yes"
octal: 0777
modern: 0o777
hex: 0xff
float: 1e3
big: 9007199254740993
date: 2024-01-01
empty:
dropped: null
list: [x]
nested: {a: 5}
deep:
  list: [{name: one, size: 1}, {name: two}]
cluster: ((cluster_name))
sentence: this is ((cluster_name)) of ((foundation))
quoted: "at ((cluster_name)): ((evil))"
single: 'at ((cluster_name)): ((evil))'
plain: before ((evil)) after
whole: ((evil))
zones: ((zones))
limits: ((limits))
number: ((number))
flow: {a: ((cluster_name)), b: [((number)), "((evil))"]}
literal: ((!cluster_name))
block: |
  line of ((cluster_name))
  # no comment ((foundation))
# a comment: ((nobody_knows_this))
((cluster_name)): a key is left alone
"#;

const OVERRIDE: &str = "text: no\nlist: [y, z]\nnested: {b: null, c: 3}\ndeep: {more: true}\n";

fn variables(cluster: &str) -> Value {
    json!({"evil": EVIL, "zones": ["a", "b"], "limits": {"cpu": "500m", "n": 2}, "number": 42, "cluster": cluster})
}

#[test]
fn what_values_says_is_what_helm_has() -> Result<()> {
    Fleet::play(&[("east-01", "foundation=east"), ("west-01", "foundation=west,role=federation")], |fleet| {
        Chart::mirror(&fleet.folder("values")?, DEFAULTS)?;
        for cluster in ["east-01", "west-01"] {
            let file = fleet.folder("values")?.join(format!("{cluster}.json"));
            fs::write(&file, variables(cluster).to_string())?;
            let file = file.to_str().context("a path that is no UTF-8")?;
            fleet.stand.cli_ok(&["cluster", "vars", "set", cluster, "-f", file])?;
        }
        let release = Release::new("mirror", "./mirror", "").values(VALUES).over("role=federation", OVERRIDE);
        let id = fleet.apply("values", "mirror", &release)?;
        let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
        ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
        for cluster in ["east-01", "west-01"] {
            both_say_the_same(fleet, cluster)?;
        }
        the_chart_got_what_was_meant(fleet)?;
        origins_are_named(fleet)
    })
}

fn said(fleet: &Fleet, cluster: &str) -> Result<Value> {
    fleet.stand.cli_json(&["values", "mirror", "--cluster", cluster])
}

fn both_say_the_same(fleet: &Fleet, cluster: &str) -> Result<()> {
    let (said, has) = (said(fleet, cluster)?["merged"].clone(), fleet.helm_values(cluster, "mirror")?);
    ensure!(said == has, "{cluster}: groundswell says\n{said:#}\nhelm has\n{has:#}");
    Ok(())
}

/// What the templates saw, with Helm's own merge over the chart's defaults.
fn rendered(fleet: &Fleet, cluster: &str) -> Result<Value> {
    let map = fleet.stand.cluster(cluster)?.api().get(&format!("/api/v1/namespaces/{NAMESPACE}/configmaps/mirror"))?;
    Ok(serde_json::from_str(map["data"]["values"].as_str().context("the ConfigMap shows no values")?)?)
}

fn the_chart_got_what_was_meant(fleet: &Fleet) -> Result<()> {
    for cluster in ["east-01", "west-01"] {
        let (seen, foundation) = (rendered(fleet, cluster)?, &cluster[..4]);
        let expected = [
            ("switch", json!(true)),
            ("octal", json!(511)),
            ("hex", json!(255)),
            ("float", json!(1000)),
            ("date", json!("2024-01-01")),
            ("kept", json!("from the chart")),
            ("cluster", json!(cluster)),
            ("sentence", json!(format!("this is {cluster} of {foundation}"))),
            ("quoted", json!(format!("at {cluster}: {EVIL}"))),
            ("single", json!(format!("at {cluster}: {EVIL}"))),
            ("plain", json!(format!("before {EVIL} after"))),
            ("whole", json!(EVIL)),
            ("zones", json!(["a", "b"])),
            ("limits", json!({"cpu": "500m", "n": 2})),
            ("number", json!(42)),
            ("flow", json!({"a": cluster, "b": [42, EVIL]})),
            ("literal", json!("((cluster_name))")),
            ("block", json!(format!("line of {cluster}\n# no comment {foundation}\n"))),
            ("((cluster_name))", json!("a key is left alone")),
        ];
        for (key, value) in expected {
            // Helm gives 1e3 as a float and 0777 as an integer; which of the two JSON kinds it is means nothing to a chart.
            let same = seen[key] == value || (seen[key].is_number() && seen[key].as_f64() == value.as_f64());
            ensure!(same, "{cluster}: {key} is {} and should be {value}", seen[key]);
        }
        let keys = seen.as_object().context("no map")?;
        ensure!(!keys.contains_key("admin"), "{cluster}: a value broke out of its scalar: {seen:#}");
        ensure!(!keys.contains_key("dropped"), "{cluster}: null does not take the chart's default away: {seen:#}");
    }
    // The override's `no` and `y` are what YAML 1.1 makes of them, as with `helm --values`.
    let (east, west) = (rendered(fleet, "east-01")?, rendered(fleet, "west-01")?);
    ensure!(east["text"] == "yes" && west["text"] == false, "{} {}", east["text"], west["text"]);
    ensure!(
        east["list"] == json!(["x"]) && west["list"] == json!([true, "z"]),
        "lists are replaced whole: {} {}",
        east["list"],
        west["list"]
    );
    ensure!(
        east["nested"] == json!({"a": 5, "b": 2}) && west["nested"] == json!({"a": 5, "c": 3}),
        "{} {}",
        east["nested"],
        west["nested"]
    );
    Ok(())
}

fn origins_are_named(fleet: &Fleet) -> Result<()> {
    let west = said(fleet, "west-01")?;
    let origin = |path: &str| west["origin"][path].as_str().unwrap_or_default().to_owned();
    ensure!(origin("text").contains("role=federation"), "text comes from {:?}", origin("text"));
    ensure!(origin("cluster") == "values", "cluster comes from {:?}", origin("cluster"));
    Ok(())
}
