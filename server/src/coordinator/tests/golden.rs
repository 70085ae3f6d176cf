//! The bytes of every kind of record. A change here is a change of the disk's form: it needs a new version and a reader of the old.

use crate::coordinator::records::*;
use groundswell_core::assignment::*;
use groundswell_core::id::*;
use groundswell_core::report::{Adopted, Phase, Report};
use groundswell_core::rollout::*;
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

fn digest(c: char) -> Digest {
    Digest::new(c.to_string().repeat(64)).unwrap()
}

fn assignment() -> Assignment {
    Assignment {
        cluster: "east-01".parse().unwrap(),
        release: "beacon".parse().unwrap(),
        namespace: "monitoring".parse().unwrap(),
        rollout: RolloutId("beacon-1".into()),
        generation: Generation(3),
        epoch: Epoch { lineage: "line".into(), number: 2 },
        direction: Direction::Forward,
        target: Target::Content(Content {
            chart: ChartRef { name: "beacon".into(), version: "1.0.0".into(), digest: digest('a') },
            values: vec![digest('b')],
        }),
        issued_at: Time(5),
        deadline: Span::minutes(15),
        service_account: None,
        drift: Drift::Report,
        create_namespace: true,
    }
}

fn cluster_release() -> ClusterRelease {
    let report = Report {
        cluster: "east-01".parse().unwrap(),
        release: "beacon".parse().unwrap(),
        rollout: RolloutId("beacon-1".into()),
        generation: Generation(3),
        chart_digest: digest('a').to_string(),
        attempt: 1,
        incarnation: Incarnation("i".into()),
        sequence: 4,
        phase: Phase::Healthy,
        healthy_for: Span::seconds(1),
        helm_revision: Some(8),
        message: "all ready".into(),
        adopted: Some(Adopted { helm_revision: 7, chart: "beacon-0.9.0".into() }),
        notes: vec!["CRDs applied".into()],
        received_at: Time(9),
    };
    let last_good = LastGood { content: None, helm_revision: 7, rollout: None, chart: "beacon-0.9.0".into() };
    let debt =
        Debt { rollout: RolloutId("beacon-1".into()), order: assignment(), why: "away".into(), since: Time(6), paying: None, failed: None };
    ClusterRelease {
        generation: Generation(3),
        assignment: Some(assignment()),
        report: Some(report),
        last_good: Some(last_good),
        debt: Some(debt),
    }
}

fn head() -> Head {
    let approval = Approval { by: "bob".into(), at: Time(8), plan_hash: digest('c'), expires_at: None };
    let evidence = Evidence {
        cluster: "east-01".parse().unwrap(),
        generation: Generation(3),
        chart_digest: digest('a').to_string(),
        helm_revision: Some(8),
        healthy_since: Time(7),
        received_at: Time(9),
    };
    Head {
        id: RolloutId("beacon-1".into()),
        release: "beacon".parse().unwrap(),
        plan_hash: digest('c'),
        plan_recipe: 1,
        snapshot: digest('d'),
        state: State::Paused { by: "alice".into(), why: "lunch".into(), back: Some(Scope::All) },
        wave: 1,
        approvals: BTreeMap::from([(0, approval)]),
        promotions: vec![Promotion { wave: 0, at: Time(9), evidence: vec![evidence], reports: 1, approved_by: Some("bob".into()) }],
        created_at: Time(4),
    }
}

fn turn() -> Turn {
    Turn {
        forward: Forward::InFlight { generation: Generation(3), since: Time(5), until: Time(6) },
        back: Back::Left { why: "first install".into() },
        previous: None,
        carried: Some(Carried { generation: Generation(2), until: Time(7) }),
        attempts: 1,
    }
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("canary".to_owned(), "true".to_owned())])
}

fn fleet() -> Vec<(Key, Vec<u8>)> {
    let revoked = Revoked { by: "admin".into(), why: "stolen".into(), at: Time(3) };
    let cluster = ClusterRecord {
        keys: vec!["k".into()],
        revoked: Some(revoked),
        labels: labels(),
        variables: BTreeMap::from([("list".to_owned(), serde_json::json!(["x", 1, null]))]),
        certificate_not_after: Some(Time(2)),
        enrolled_at: Time(1),
        seen: None,
    };
    let seen = SeenRecord { kubernetes_version: "v1.36.3".into(), apis: Some(digest('9')), at: Time(4) };
    let known = ClusterRecord { seen: Some(seen), revoked: None, ..cluster.clone() };
    let token = TokenRecord {
        hash: "h".into(),
        cluster: Some("east-01".parse().unwrap()),
        labels: labels(),
        created_at: Time(1),
        created_by: "admin".into(),
        expires_at: Time(2),
        uses: 1,
        used: vec![TokenUse { cluster: "east-01".parse().unwrap(), key_hash: "k".into(), at: Time(2) }],
    };
    let operator = OperatorRecord { name: "alice".into(), hash: "h".into(), role: Role::Approver, created_at: Time(1) };
    vec![
        (Key::Cluster("east-01".parse().unwrap()), encode(&cluster)),
        (Key::Token("t1".into()), encode(&token)),
        (Key::Operator("o1".into()), encode(&operator)),
        (Key::Cluster("west-01".parse().unwrap()), encode(&known)),
    ]
}

fn documents() -> Vec<(Key, Vec<u8>)> {
    let beacon: ReleaseName = "beacon".parse().unwrap();
    let release = ReleaseRecord {
        namespace: "monitoring".parse().unwrap(),
        revision: 2,
        rollouts: 1,
        latest: Some(RolloutId("beacon-1".into())),
        content: Some(digest('e')),
        deleted: false,
    };
    let document = DocumentRecord {
        source: "release.yaml".into(),
        text: digest('f'),
        files: BTreeMap::from([("overrides.yaml".to_owned(), digest('0'))]),
        chart: digest('a'),
        selector: "canary=true".into(),
        strategy: Some("careful".into()),
        corrects_drift: true,
        at: Time(1),
        by: "alice".into(),
        cause: "apply".into(),
        rollout: Some(RolloutId("beacon-1".into())),
    };
    let strategy = StrategyRecord { revision: 1, strategy: groundswell_api::convert::safe_strategy(), at: Time(1), by: "alice".into() };
    let chart = ChartRecord {
        name: "beacon".into(),
        version: "1.0.0".into(),
        app_version: Some("1".into()),
        kube_version: None,
        size: 3,
        crds: vec!["beacons.yaml".into()],
        dependencies: vec![("sub".into(), "0.1.0".into())],
        has_schema: true,
        pushed_at: Time(1),
        pushed_by: "alice".into(),
    };
    let audit = AuditRecord {
        sequence: 1,
        at: Time(1),
        who: "alice".into(),
        what: "release.apply".into(),
        subject: "release/beacon".into(),
        detail: "d".into(),
        hash: "h".into(),
    };
    vec![
        (Key::Release(beacon.clone()), encode(&release)),
        (Key::Document(beacon, 2), encode(&document)),
        (Key::Strategy("careful".into()), encode(&strategy)),
        (Key::Chart(digest('a')), encode(&chart)),
        (Key::Audit(1), encode(&audit)),
    ]
}

fn all() -> Vec<(Key, Vec<u8>)> {
    let (id, cluster) = (RolloutId("beacon-1".into()), ClusterName::new("east-01").unwrap());
    let mut all = fleet();
    all.extend(documents());
    all.push((Key::Rollout(id.clone()), encode(&head())));
    all.push((Key::Turn(id, cluster.clone()), encode(&turn())));
    all.push((Key::ClusterRelease("beacon".parse().unwrap(), cluster), encode(&cluster_release())));
    all
}

#[test]
fn the_bytes_of_every_kind_of_record_stay_what_they_are() {
    let written: String = all().iter().map(|(key, bytes)| format!("{key} {}\n", String::from_utf8_lossy(bytes))).collect();
    assert_eq!(written, include_str!("golden.txt"), "the form on disk changed; is there a reader for the old one?");
}

#[test]
fn what_was_written_reads_back_the_same() {
    for line in include_str!("golden.txt").lines() {
        let (key, bytes) = line.split_once(' ').unwrap();
        let (parsed, record) = decode(key, bytes.as_bytes()).unwrap();
        assert_eq!(parsed.to_string(), key);
        let again = match record {
            Record::Cluster(record) => encode(&record),
            Record::Token(record) => encode(&record),
            Record::Operator(record) => encode(&record),
            Record::Release(record) => encode(&record),
            Record::Document(record) => encode(&record),
            Record::Strategy(record) => encode(&record),
            Record::Rollout(record) => encode(&record),
            Record::Turn(record) => encode(&record),
            Record::ClusterRelease(record) => encode(&record),
            Record::Chart(record) => encode(&record),
            Record::Audit(record) => encode(&record),
        };
        assert_eq!(String::from_utf8_lossy(&again), bytes);
    }
}

#[test]
fn what_cannot_be_read_says_which_and_why() {
    let cases = [
        ("cluster/a", r#"{"v":2,"r":{}}"#, "record cluster/a has form 2, this server reads up to 1; start the newer server again"),
        ("cluster/a", "{", "record cluster/a is damaged; restore the store from a snapshot"),
        ("cluster/a", r#"{"v":1,"r":{"keys":5}}"#, "record cluster/a is damaged; restore the store from a snapshot"),
        ("cluster/A", "{}", "key cluster/A is of no known kind; was the store written by a newer server?"),
        ("moon/a", "{}", "key moon/a is of no known kind; was the store written by a newer server?"),
    ];
    for (key, bytes, expected) in cases {
        assert_eq!(decode(key, bytes.as_bytes()).unwrap_err().to_string(), expected);
    }
}
