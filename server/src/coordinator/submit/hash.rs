//! The plan hash, recipe 1: SHA-256 over the snapshot as JSON with sorted keys and no blanks, without `created_at` and
//! `created_by`, so that a dry run shows the hash that the rollout will have.

use crate::coordinator::digest_of;
use groundswell_core::id::Digest;
use groundswell_core::rollout::Snapshot;
use serde_json::Value;

/// Written beside the hash. A change of anything here is a new recipe.
pub(crate) const RECIPE: u32 = 1;

/// The plan hash of a snapshot.
pub(crate) fn plan_hash(snapshot: &Snapshot) -> Digest {
    hash_without(snapshot, &["created_at", "created_by"])
}

/// Over what a rollout brings, whichever it is and from wherever: the same again makes no rollout.
pub(crate) fn content_hash(snapshot: &Snapshot) -> Digest {
    hash_without(snapshot, &["created_at", "created_by", "id", "document_revision", "supersedes"])
}

fn hash_without(snapshot: &Snapshot, fields: &[&str]) -> Digest {
    let mut value = serde_json::to_value(snapshot).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.retain(|key, _| !fields.contains(&key.as_str()));
    }
    let mut text = String::new();
    canonical(&value, &mut text);
    digest_of(text.as_bytes())
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (n, (key, value)) in entries.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
