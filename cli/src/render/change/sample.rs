//! Summaries by hand, for tests.

use groundswell_change::summary::{
    API_VERSION, ChartBrief, Counts, Evidence, Item, KIND, Level, Noise, NoiseCount, NoiseKind, NotChecked, ObjectRef, Provenance, Section,
    SectionId, Summary, TargetBrief, Verdict, Weight,
};
use serde_json::json;

pub(super) fn object(group: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
}

fn brief(version: &str, app: &str) -> ChartBrief {
    ChartBrief { name: "beacon".into(), version: version.into(), app_version: Some(app.into()), digest: "ab".repeat(32) }
}

/// Nothing found.
pub(super) fn nothing() -> Summary {
    Summary {
        api_version: API_VERSION.into(),
        kind: KIND.into(),
        old: brief("1.0.0", "1"),
        new: brief("1.0.1", "1"),
        target: TargetBrief { release: "beacon".into(), namespace: "demo".into(), ..TargetBrief::default() },
        verdict: Verdict {
            level: Level::Nothing,
            line: "Nothing of substance changes.".into(),
            reasons: Vec::new(),
            not_checked: Vec::new(),
        },
        sections: SectionId::ALL.map(|id| Section { id, items: Vec::new() }).into(),
        noise: Noise::default(),
        counts: Counts { old: 3, new: 3, unchanged: 3, ..Counts::default() },
    }
}

/// A bit of everything.
pub(super) fn blocked() -> Summary {
    let mut summary = nothing();
    summary.new = brief("2.0.0", "2");
    summary.target = TargetBrief {
        from: "--kube-version".into(),
        kube_version: Some("1.36.3".into()),
        values: vec!["values.yaml".into()],
        ..summary.target
    };
    summary.verdict = Verdict {
        level: Level::Blocked,
        line: "A plain upgrade would be refused: 1 immutable field changes.".into(),
        reasons: vec!["StatefulSet/demo/beacon: spec.serviceName cannot change".into()],
        not_checked: vec![NotChecked {
            what: "objects in the cluster".into(),
            why: "no cluster was asked".into(),
            next: "add --cluster".into(),
        }],
    };
    summary.counts = Counts { old: 12, new: 13, added: 2, removed: 1, changed: 3, unchanged: 8 };
    summary.noise = Noise {
        objects: 7,
        kinds: vec![NoiseCount { kind: NoiseKind::VersionLabel, objects: 7, examples: vec!["ConfigMap/demo/beacon".into()] }],
        random: vec!["Secret/demo/beacon data.password".into()],
    };
    let from = |at: &str| Provenance::new(Evidence::Render, at);
    let mut stop =
        Item::new("immutable-field", Weight::Stop, "Kubernetes refuses a change of this field", from("beacon/templates/sts.yaml"))
            .about(object("apps", "StatefulSet", "demo", "beacon"))
            .field("spec.serviceName", Some(json!("beacon")), Some(json!("beacon-headless")))
            .next("kubectl -n demo delete statefulset beacon --cascade=orphan");
    stop.detail = vec!["pods go on running".into()];
    let mut rbac = Vec::new();
    for index in 0..9 {
        rbac.push(
            Item::new(
                "verb-added",
                if index == 0 { Weight::Look } else { Weight::Know },
                format!("may now list thing{index}"),
                from("beacon/templates/role.yaml"),
            )
            .about(object("rbac.authorization.k8s.io", "ClusterRole", "", "beacon")),
        );
    }
    let mut image = Item::new("image-tag", Weight::Know, "image of container beacon", from("beacon/templates/sts.yaml")).field(
        "image",
        Some(json!("registry.example/beacon:1")),
        Some(json!("registry.example/beacon:2")),
    );
    image.objects = vec![
        object("apps", "StatefulSet", "demo", "beacon"),
        object("apps", "Deployment", "demo", "one"),
        object("apps", "Deployment", "demo", "two"),
    ];
    for (id, items) in [(SectionId::Blockers, vec![stop]), (SectionId::Versions, vec![image]), (SectionId::Rbac, rbac)] {
        if let Some(section) = summary.sections.iter_mut().find(|section| section.id == id) {
            section.items = items;
        }
    }
    summary
}
