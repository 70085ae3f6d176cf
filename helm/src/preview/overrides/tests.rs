//! Each class, by renders of the real helm.

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::pack::PackedChart;
use crate::preview::tests::{bench, chart, documents};
use crate::preview::{PreviewOptions, Previewed};

fn options(limit: Duration) -> PreviewOptions {
    PreviewOptions { overrides: Some(limit) }
}

const OLD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  works: {{ .Values.works | quote }}\n  server: {{ .Values.replicas | quote }}\n  \
                   notes: {{ .Values.said | quote }}\n  lost: {{ .Values.lost | quote }}\n  idle: {{ .Values.idle | quote }}\n  list: {{ .Values.list | toJson | quote }}\n  \
                   changed: {{ .Values.changed | quote }}\n  same: {{ .Values.same | quote }}\n  map: {{ .Values.map | toJson | quote }}\n  r: {{ randAlphaNum 9 }}\n";
const NEW: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  works: {{ .Values.works | quote }}\n  server: {{ .Values.server.replicas | quote }}\n  \
                   notes: {{ .Values.fresh.name | quote }}\n  {{- if .Values.enabled }}\n  idle: {{ .Values.idle | quote }}\n  {{- end }}\n  list: {{ .Values.list | toJson | quote }}\n  \
                   changed: {{ .Values.changed | quote }}\n  same: {{ .Values.same | quote }}\n  map: {{ .Values.map | toJson | quote }}\n  r: {{ randAlphaNum 9 }}\n  need: {{ required \"need it\" .Values.need }}\n";

fn charts() -> (PackedChart, PackedChart) {
    let old = "works: a\nreplicas: 1\nsaid: x\nlist: [one]\nchanged: 1\nsame: 1\n";
    let new = "works: a\nserver: {replicas: 1}\nfresh: {name: x}\nlist: [one, two]\nchanged: 2\nsame: 5\nenabled: false\n";
    let notes = "# 2\n`said` is now `fresh.name`.\n";
    let old = chart("1.0.0", &[("templates/a.yaml", OLD), ("values.yaml", old)]);
    (old, chart("2.0.0", &[("templates/a.yaml", NEW), ("values.yaml", new), ("UPGRADE.md", notes)]))
}

const VALUES: &str = "works: b\nreplicas: 3\nsaid: name\nlost: z\nidle: q\nlist: [mine]\nchanged: 7\nsame: 5\ntypo: 1\nother: {typo2: 1}\nneed: n\nmap: {any: {password: hunter2}}\n";

fn classes(made: &Previewed) -> Vec<String> {
    let word = |class: &OverrideClass| match class {
        OverrideClass::Gone { moved_to, because } => format!("gone to {} ({because})", moved_to.as_deref().unwrap_or("nowhere")),
        OverrideClass::HidesNewItems { items } => format!("hides {}", json!(items)),
        other => format!("{other:?}"),
    };
    made.input.overrides.iter().flatten().map(|verdict| format!("{}: {}", verdict.path, word(&verdict.class))).collect()
}

#[tokio::test]
async fn every_key_is_classed_by_renders() {
    let (old, new) = charts();
    let (mut bench, values) = (bench(), documents(&[VALUES]));
    let cache = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    bench.preview.cache = Some(cache.path().to_owned());
    bench.preview.progress = Some(Arc::new(move |step| hears.lock().unwrap().push(step)));
    let limit = options(Duration::from_secs(120));
    let run = || bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, limit);
    let made = run().await.unwrap();
    let expected = [
        "changed: DefaultChanged",
        "idle: NoEffect",
        "list: hides [\"two\"]",
        "lost: gone to nowhere (the new chart has no such key, neither in its defaults nor in its templates)",
        "map.any.password: Works",
        "need: Works",
        "other.typo2: NeverWorked",
        "replicas: gone to server.replicas (setting it changes the render as the old key did)",
        "said: gone to fresh.name (UPGRADE.md:2 says so, and setting it changes the render as the old key did)",
        "same: NowDefault",
        "typo: NeverWorked",
        "works: Works",
    ];
    assert_eq!(classes(&made), expected);
    assert!(made.input.not_checked.is_empty(), "{:?}", made.input.not_checked);
    let verdicts = made.input.overrides.as_ref().unwrap();
    let works = verdicts.iter().find(|verdict| verdict.path == "works").unwrap();
    assert_eq!((works.affects.as_slice(), works.document.as_str()), (["ConfigMap/ops/a".to_owned()].as_slice(), "v0.yaml"));
    let secret = verdicts.iter().find(|verdict| verdict.path == "map.any.password").unwrap();
    assert_eq!(secret.given, json!("(secret)"));
    let steps = heard.lock().unwrap().drain(..).collect::<Vec<_>>();
    assert!(steps.len() >= 10 && steps.iter().all(|step| step.done <= step.total), "{steps:?}");

    let kept: String = std::fs::read_dir(cache.path().join("overrides"))
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    assert!(kept.contains("ConfigMap/ops/a") && !kept.contains("hunter2") && !kept.contains("works"), "{kept}");
    assert_eq!(classes(&run().await.unwrap()), expected);
    let again = heard.lock().unwrap().drain(..).map(|step| step.what).collect::<Vec<_>>();
    assert!(!again.iter().any(|what| what == "works" || what == "typo"), "tried again: {again:?}");
}

#[tokio::test]
async fn without_time_nothing_is_claimed() {
    let (old, new) = charts();
    let (bench, values) = (bench(), documents(&[VALUES]));
    let made = bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, options(Duration::ZERO)).await.unwrap();
    let classes = classes(&made);
    assert!(classes.contains(&"same: NowDefault".to_owned()), "known without a render: {classes:?}");
    assert_eq!(classes.iter().filter(|class| class.ends_with("NotTried")).count(), classes.len() - 1, "{classes:?}");
    assert!(made.input.not_checked[0].next.contains("--overrides-limit"));
}

#[tokio::test]
async fn a_key_that_only_brings_crds_works() {
    let top =
        "apiVersion: v2\nname: beacon\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 0.1.0, condition: crds.active, alias: crds}\n";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {}\n";
    let files = [
        ("Chart.yaml", top),
        ("values.yaml", "crds: {active: true}\n"),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
        ("charts/sub/crds/a.yaml", crd),
    ];
    let chart = chart("1.0.0", &files);
    let (bench, values) = (bench(), documents(&["crds: {active: false}\n"]));
    let limit = options(Duration::from_secs(60));
    let made = bench.preview.input((&chart).into(), (&chart).into(), &bench.target, &values, limit).await.unwrap();
    assert_eq!(classes(&made), ["crds.active: Works"]);
    assert_eq!(made.input.overrides.unwrap()[0].affects, ["CRDs of beacon/sub"]);
}

#[tokio::test]
async fn keys_that_cover_each_other_work() {
    let map = |name: &str, either: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{v: '{{{{ if or {either} }}}}on{{{{ end }}}}'}}\n"
        )
    };
    let old = map("a", ".Values.a .Values.b") + &map("b", ".Values.c .Values.d .Values.e") + &map("c", ".Values.f .Values.g");
    let new = map("a", ".Values.a .Values.b") + &map("b", ".Values.c .Values.d .Values.e");
    let (old, new) = (chart("1.0.0", &[("templates/a.yaml", old.as_str())]), chart("2.0.0", &[("templates/a.yaml", new.as_str())]));
    let values = "a: true\nb: true\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\ntypo: 1\nzypo: 1\n";
    let (bench, values) = (bench(), documents(&[values]));
    let limit = options(Duration::from_secs(60));
    let made = bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, limit).await.unwrap();
    let classes = classes(&made);
    assert!(classes[..5].iter().all(|class| class.ends_with(": Works")), "{classes:?}");
    assert!(classes[5..7].iter().all(|class| class.contains("gone to nowhere")), "{classes:?}");
    assert!(classes[7..].iter().all(|class| class.ends_with(": NeverWorked")), "{classes:?}");
    assert_eq!(made.input.overrides.unwrap()[1].affects, ["ConfigMap/ops/a"]);
}

/// Both versions with these values; classes of the keys.
async fn classed(old: [(&str, &str); 2], new: [(&str, &str); 2], values: &[&str]) -> Vec<groundswell_change::input::OverrideVerdict> {
    classed_of(&old, &new, values).await
}

async fn classed_of(old: &[(&str, &str)], new: &[(&str, &str)], values: &[&str]) -> Vec<groundswell_change::input::OverrideVerdict> {
    let (old, new) = (chart("1.0.0", old), chart("2.0.0", new));
    let (bench, values) = (bench(), documents(values));
    let limit = options(Duration::from_secs(120));
    let made = bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, limit).await.unwrap();
    assert!(made.input.not_checked.is_empty(), "{:?}", made.input.not_checked);
    made.input.overrides.unwrap()
}

fn words(verdicts: &[groundswell_change::input::OverrideVerdict]) -> Vec<String> {
    verdicts.iter().map(|verdict| format!("{} {:?}", verdict.path, verdict.class)).collect()
}

#[tokio::test]
async fn a_default_that_a_template_makes_is_seen() {
    let map = |app: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{back: '{{{{ .Values.back | default {app:?} }}}}', now: '{{{{ .Values.now | default \
             {app:?} }}}}', both: '{{{{ .Values.both | default \"same\" }}}}', port: {{{{ .Values.port | quote }}}}, mine: '{{{{ .Values.mine | default {app:?} }}}}'}}\n"
        )
    };
    let (old, new) = (map("1.0"), map("2.0"));
    let old = [("templates/a.yaml", old.as_str()), ("values.yaml", "port: 80\nback: \"\"\n")];
    let new = [("templates/a.yaml", new.as_str()), ("values.yaml", "port: 8080\nback: \"\"\n")];
    let verdicts = classed(old, new, &["back: '1.0'\nnow: '2.0'\nboth: same\nport: '8080'\nmine: '3.0'\n"]).await;
    assert_eq!(words(&verdicts), ["back DefaultChanged", "both NowDefault", "mine Works", "now NowDefault", "port NowDefault"]);
}

#[tokio::test]
async fn a_key_has_gone_where_the_same_change_is_made_in_the_same_object() {
    let pods = |name: &str, key: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: {{{{ .Values.{key}.replicas }}}}}}\n"
        )
    };
    let old = pods("web", "x");
    let gone = async |new: String| {
        let new = [("templates/a.yaml", new.as_str()), ("values.yaml", "p: {replicas: 1}\nq: {replicas: 1}\n")];
        let verdicts =
            classed([("templates/a.yaml", old.as_str()), ("values.yaml", "x: {replicas: 1}\n")], new, &["x: {replicas: 3}\n"]).await;
        let OverrideClass::Gone { moved_to, because } = verdicts[0].class.clone() else { panic!("{verdicts:?}") };
        (moved_to, because)
    };
    assert_eq!(gone(pods("web", "q") + &pods("aux", "p")).await.0.as_deref(), Some("q.replicas"), "the other scales something else");
    assert_eq!(gone(pods("web2", "q")).await.0.as_deref(), Some("q.replicas"), "it has another name now");
    let (to, because) = gone(pods("web2", "q") + &pods("aux", "p")).await;
    assert_eq!(
        (to, because.as_str()),
        (None, "p.replicas and q.replicas each change the new render as it changed the old one: set the one that is meant")
    );
    let joined = pods("web", "q").replace(".replicas }}", ".replicas }}-{{ .Values.p.replicas }}");
    assert_eq!(gone(joined).await.0, None, "3 is not 3-1");
}

#[tokio::test]
async fn a_key_that_became_two_has_gone_to_both() {
    let map = |values: [&str; 3]| {
        let one = |(name, key): (&str, &str)| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{v: 'x-{{{{ .Values.{key} }}}}'}}\n")
        };
        ["a", "b", "c"].into_iter().zip(values).map(one).collect::<String>()
    };
    let old = map(["tag", "tag", "other"]);
    let gone = async |new: [&str; 3], defaults: &str| {
        let new = map(new);
        let new = [("templates/a.yaml", new.as_str()), ("values.yaml", defaults)];
        let verdicts = classed([("templates/a.yaml", old.as_str()), ("values.yaml", "tag: 1\nother: 1\n")], new, &["tag: 7\n"]).await;
        format!("{:?}", verdicts[0].class)
    };
    let both = gone(["image.tag", "image2.tag", "other"], "image: {tag: 1}\nimage2: {tag: 1}\nother: 1\n").await;
    assert!(both.contains("Some(\"image.tag and image2.tag\")") && both.contains("as the old key did"), "{both}");
    let one = gone(["image.tag", "other", "other"], "image: {tag: 1}\nimage2: {tag: 1}\nother: 1\n").await;
    assert!(one.contains("Some(\"image.tag\")"), "{one}");
}

#[tokio::test]
async fn a_key_that_makes_a_part_has_gone_there_in_part() {
    let map = |a: &str, b: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{a: '{{{{ .Values.{a} }}}}', b: '{{{{ .Values.{b} }}}}'}}\n"
        )
    };
    let because = async |new: String| {
        let old = map("x", "x");
        let new = [("templates/a.yaml", new.as_str()), ("values.yaml", "p: {x: \"0\"}\nq: \"0\"\n")];
        let verdicts = classed([("templates/a.yaml", old.as_str()), ("values.yaml", "x: \"0\"\n")], new, &["x: \"7\"\n"]).await;
        format!("{:?}", verdicts[0].class)
    };
    let part = because(map("p.x", "q")).await;
    assert!(part.contains("Some(\"p.x\")") && part.contains("makes a part of the change"), "{part}");
    let other = because(map("p.x", "p.x | sha256sum")).await;
    assert!(other.contains("Some(\"p.x\")") && other.contains("changes the render as the old key did"), "{other}");
}

#[tokio::test]
async fn what_may_be_in_a_random_field_is_not_called_dead() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {day: '{{ .Values.day }} since {{ now | date \"2006-01-02\" }}', quiet: '{{ and .Values.quiet \"\" }}'}\n";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: {{ include \"a\" . | b64enc }}, u: {{ range $k, $v := .Values.users }}{{ htpasswd $k $v | b64enc }}{{ end }}}\n";
    let helper = "{{- define \"a\" }}{{ randAlphaNum (int .Values.length) }}{{ end }}";
    let old = [
        ("templates/a.yaml", map),
        ("templates/s.yaml", secret),
        ("templates/_a.tpl", helper),
        ("values.yaml", "day: x\nlength: 8\nquiet: x\nusers: {}\n"),
    ];
    let values = "day: y\nlength: 32\nusers: {ann: hunter2}\nquiet: z\ntypo: 1\nother: {length: 1}\n";
    let verdicts = classed_of(&old, &old, &[values]).await;
    let expected = ["day Works", "length Unclear", "other.length NeverWorked", "quiet Unclear", "typo NeverWorked", "users.ann Unclear"];
    assert_eq!(words(&verdicts), expected);
    assert_eq!(verdicts[5].given, json!("(secret)"));
}

#[tokio::test]
async fn what_reaches_a_secret_is_one_and_earlier_documents_are_named() {
    let template = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {tag: {{ .Values.tag | quote }}}}\nstringData: {a: {{ .Values.smtp | quote }}}\n---\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {sum: {{ .Values.smtp | sha256sum | quote }}, tag: {{ .Values.tag | quote }}}\n";
    let side = |defaults| [("templates/a.yaml", template), ("values.yaml", defaults)];
    let same = classed(side("smtp: a\ntag: one\n"), side("smtp: hunter2\ntag: one\n"), &["smtp: hunter2\ntag: one\n"]).await;
    assert_eq!(words(&same), ["smtp NowDefault", "tag NowDefault"]);
    assert_eq!(
        (&same[0].given, &same[0].old_default, &same[0].new_default),
        (&json!("(secret)"), &Some(json!("(secret)")), &Some(json!("(secret)")))
    );
    assert_eq!(same[1].given, json!("one"));
    let verdicts = classed(side("smtp: a\ntag: a\n"), side("smtp: b\ntag: b\n"), &["smtp: x\ntag: one\n", "smtp: hunter2\n"]).await;
    assert_eq!(words(&verdicts), ["smtp DefaultChanged", "tag DefaultChanged"]);
    assert_eq!((&verdicts[0].given, &verdicts[1].given), (&json!("(secret)"), &json!("one")), "a label of a Secret is none");
    assert_eq!((verdicts[0].document.as_str(), verdicts[0].also_in.as_slice()), ("v1.yaml", ["v0.yaml".to_owned()].as_slice()));
    assert_eq!(verdicts[0].affects, ["ConfigMap/ops/m", "Secret/ops/s"]);
}

#[tokio::test]
async fn whoever_is_stopped_keeps_what_was_found() {
    let (old, new) = charts();
    let (mut bench, values) = (bench(), documents(&[VALUES]));
    let cache = tempfile::tempdir().unwrap();
    let (tell, mut told) = tokio::sync::watch::channel(0);
    bench.preview.cache = Some(cache.path().to_owned());
    bench.preview.progress = Some(Arc::new(move |step: crate::preview::Progressed| {
        tell.send_replace(step.done);
    }));
    let work = bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, options(Duration::from_secs(120)));
    tokio::select! {
        _ = work => panic!("it was to be stopped"),
        reached = told.wait_for(|done| *done >= 4) => assert!(reached.is_ok()),
    }
    let kept =
        std::fs::read_dir(cache.path().join("overrides")).unwrap().filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
    assert!(kept.collect::<String>().contains("ConfigMap/ops/a"));
}
