use super::*;
use proptest::prelude::*;

fn record(status: &str) -> Value {
    json!({
        "name": "beacon", "namespace": "ops", "version": 4, "labels": {"team": "a"}, "apply_method": "csa",
        "info": {"first_deployed": "2026-01-01T00:00:00Z", "last_deployed": "2026-01-02T00:00:00.5Z", "deleted": "",
                 "description": "groundswell r1 gen=3 attempt=2: beacon 1.2.0", "status": status, "notes": "hello"},
        "chart": {"metadata": {"name": "beacon", "version": "1.2.0"}, "templates": [{"name": "t", "data": "e30="}]},
        "config": {"big": 9_007_199_254_740_993_u64, "b": null, "a": 1.5}, "manifest": "kind: Secret", "hooks": [{"name": "h"}],
    })
}

#[test]
fn reads_a_record() {
    let read = ReleaseRecord::decode(&encode_json(&record("deployed")).unwrap()).unwrap();
    assert_eq!((read.name.as_str(), read.version, read.status), ("beacon", 4, Status::Deployed));
    assert_eq!((read.chart_name.as_str(), read.chart_version.as_str()), ("beacon", "1.2.0"));
    assert_eq!((read.manifest.as_str(), read.hooks.len()), ("kind: Secret", 1));
    assert!(!format!("{read:?}").contains("kind: Secret"));
}

#[test]
fn unlock_changes_status_and_description_only() {
    let unlocked = unlock(&encode_json(&record("pending-upgrade")).unwrap(), "its agent died").unwrap();
    assert_eq!((unlocked.was, unlocked.status_label), (Status::PendingUpgrade, "failed"));
    let mut expected = record("failed");
    let description = "groundswell r1 gen=3 attempt=2: beacon 1.2.0; its agent died";
    expected["info"]["description"] = description.into();
    let after = decode_json(&unlocked.payload).unwrap();
    assert_eq!(serde_json::to_string(&after).unwrap(), serde_json::to_string(&expected).unwrap());
    let mark = crate::history::Description::parse(description).unwrap();
    assert_eq!((mark.rollout.as_str(), mark.generation, mark.attempt), ("r1", 3, 2));
}

#[test]
fn only_pending_is_unlocked() {
    for status in ["deployed", "failed", "superseded", "uninstalling"] {
        let error = unlock(&encode_json(&record(status)).unwrap(), "x").unwrap_err();
        assert!(matches!(error, RecordError::NotPending { revision: 4, .. }), "{error:?}");
    }
}

#[test]
fn a_bomb_and_an_oversized_record_are_refused() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    let bomb = STANDARD.encode(encoder.finish().unwrap());
    assert_eq!(decode_within(bomb.as_bytes(), 1 << 19), Err(RecordError::ExpandsTooFar { limit: 1 << 19 }));
    assert!(matches!(decode_json(&vec![b'A'; SECRET_LIMIT + 1]), Err(RecordError::TooLarge { .. })));
}

#[test]
fn labels_tell_name_status_and_revision() {
    let mut labels: BTreeMap<String, String> = [("owner", "helm"), ("name", "beacon"), ("status", "pending-install"), ("version", "1")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let parsed = RecordLabels::parse(&labels).unwrap();
    assert_eq!(parsed, RecordLabels { name: "beacon".into(), status: Status::PendingInstall, version: 1 });
    labels.insert("owner".into(), "tiller".into());
    assert!(matches!(RecordLabels::parse(&labels), Err(RecordError::Label { label: "owner", .. })));
}

proptest! {
    #[test]
    fn damaged_records_never_panic(at in 0_usize..400, byte: u8) {
        let mut payload = encode_json(&record("pending-upgrade")).unwrap();
        let at = at % payload.len();
        payload[at] = byte;
        let _ = ReleaseRecord::decode(&payload);
        let _ = unlock(&payload, "x");
    }

    #[test]
    fn random_records_never_panic(bytes: Vec<u8>) {
        let _ = ReleaseRecord::decode(&bytes);
        let _ = ReleaseRecord::decode(STANDARD.encode(&bytes).as_bytes());
    }
}
