//! Helm 3's own record of a release: the Secret `sh.helm.release.v1.NAME.vREVISION`.
//!
//! `data.release` is base64 text of gzipped JSON (the API's own base64 comes on top and is already gone when a client
//! has read the Secret). We read it to see what an agent that died left behind, and write it in one case only: to
//! turn our own dead `pending-*` into `failed`, as Flux does, because helm refuses to go on otherwise.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::archive::ChartArchive;
use crate::history::{MAX_DESCRIPTION, Status};

/// Bytes of the API's limit for all data of one Secret.
pub const SECRET_LIMIT: usize = 1 << 20;

/// Bytes that a record may expand to. A record of 1 MiB of base64 holds 768 KiB of gzip; charts compress four to ten
/// times, and 64 MiB is eighty times.
pub const MAX_RECORD_JSON: u64 = 64 << 20;

/// Type of the Secrets that are records.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";

/// Why a record could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Larger than a Secret can be.
    #[error("release record has {bytes} bytes, more than a Secret can hold ({limit})")]
    TooLarge {
        /// Bytes of the payload.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Expands further than any real record.
    #[error("release record expands to more than {limit} bytes")]
    ExpandsTooFar {
        /// Bytes allowed.
        limit: u64,
    },
    /// Not base64, gzip or JSON.
    #[error("release record is damaged ({layer}): {reason}")]
    Damaged {
        /// `base64`, `gzip` or `json`.
        layer: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// A part that every record has is missing.
    #[error("release record has no {field}")]
    Missing {
        /// Which part.
        field: &'static str,
    },
    /// Only a pending record is ever unlocked.
    #[error("release {release:?} revision {revision} is {status}, not pending: left alone", status = .status.as_str())]
    NotPending {
        /// Name of the release.
        release: String,
        /// Helm's revision.
        revision: u64,
        /// How it is.
        status: Status,
    },
    /// A Secret without the labels of a record.
    #[error("secret is no release record: label {label:?} is {found:?}")]
    Label {
        /// Which label.
        label: &'static str,
        /// What it says, if anything.
        found: Option<String>,
    },
}

/// The part of a release record that we use.
#[derive(Clone, PartialEq)]
pub struct ReleaseRecord {
    /// Name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Helm's revision.
    pub version: u64,
    /// How it is.
    pub status: Status,
    /// What `--description` or Helm said.
    pub description: String,
    /// RFC 3339, as Helm wrote it; empty when absent.
    pub first_deployed: String,
    /// RFC 3339, as Helm wrote it; empty when absent.
    pub last_deployed: String,
    /// Name of the chart; empty when absent.
    pub chart_name: String,
    /// Version of the chart; empty when absent.
    pub chart_version: String,
    /// The rendered manifest, Secrets included.
    pub manifest: String,
    /// Values that the operator gave; may hold secrets.
    pub config: Value,
    /// Hooks, as Helm wrote them.
    pub hooks: Vec<Value>,
}

impl std::fmt::Debug for ReleaseRecord {
    /// Without manifest, values and hooks: they hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReleaseRecord")
            .field("name", &self.name)
            .field("namespace", &self.namespace)
            .field("version", &self.version)
            .field("status", &self.status)
            .field("description", &self.description)
            .field("chart", &format_args!("{}-{}", self.chart_name, self.chart_version))
            .finish_non_exhaustive()
    }
}

/// What the labels of a record say; enough to watch a release without decoding anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLabels {
    /// Name of the release.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// Helm's revision.
    pub version: u64,
}

impl RecordLabels {
    /// Reads the labels of a Secret.
    ///
    /// # Errors
    /// [`RecordError::Label`] for a Secret that is not Helm's.
    pub fn parse(labels: &BTreeMap<String, String>) -> Result<Self, RecordError> {
        let get = |label: &'static str| labels.get(label).map(String::as_str);
        let wrong = |label: &'static str| RecordError::Label { label, found: get(label).map(str::to_owned) };
        if get("owner") != Some("helm") {
            return Err(wrong("owner"));
        }
        Ok(Self {
            name: get("name").filter(|n| !n.is_empty()).ok_or_else(|| wrong("name"))?.to_owned(),
            status: Status::parse(get("status").ok_or_else(|| wrong("status"))?),
            version: get("version").and_then(|v| v.parse().ok()).ok_or_else(|| wrong("version"))?,
        })
    }
}

/// Name of the Secret that holds a revision.
#[must_use]
pub fn secret_name(release: &str, revision: u64) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

fn decode_json(payload: &[u8]) -> Result<Value, RecordError> {
    decode_within(payload, MAX_RECORD_JSON)
}

fn decode_within(payload: &[u8], limit: u64) -> Result<Value, RecordError> {
    if payload.len() > SECRET_LIMIT {
        return Err(RecordError::TooLarge { bytes: payload.len(), limit: SECRET_LIMIT });
    }
    let damaged = |layer, reason: String| RecordError::Damaged { layer, reason };
    let packed = STANDARD.decode(payload).map_err(|e| damaged("base64", e.to_string()))?;
    let mut json = Vec::new();
    // Helm 2 and early 3 wrote some records without gzip, and Helm still reads those.
    if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut decoder = GzDecoder::new(packed.as_slice()).take(limit + 1);
        decoder.read_to_end(&mut json).map_err(|e| damaged("gzip", e.to_string()))?;
        if json.len() as u64 > limit {
            return Err(RecordError::ExpandsTooFar { limit });
        }
    } else {
        json = packed;
    }
    serde_json::from_slice(&json).map_err(|e| damaged("json", e.to_string()))
}

fn encode_json(value: &Value) -> Result<Vec<u8>, RecordError> {
    let damaged = |layer, reason: String| RecordError::Damaged { layer, reason };
    let json = serde_json::to_vec(value).map_err(|e| damaged("json", e.to_string()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(&json).and_then(|()| encoder.finish());
    Ok(STANDARD.encode(packed.map_err(|e| damaged("gzip", e.to_string()))?).into_bytes())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl ReleaseRecord {
    /// Reads `data.release` of a record, the API's own base64 already taken off.
    ///
    /// # Errors
    /// Too large, damaged, or without name, revision or status.
    pub fn decode(payload: &[u8]) -> Result<Self, RecordError> {
        Self::from_json(&decode_json(payload)?)
    }

    fn from_json(value: &Value) -> Result<Self, RecordError> {
        let name = text(value, "/name");
        let status = value.pointer("/info/status").and_then(Value::as_str);
        if name.is_empty() {
            return Err(RecordError::Missing { field: "name" });
        }
        Ok(Self {
            name,
            namespace: text(value, "/namespace"),
            version: value.get("version").and_then(Value::as_u64).ok_or(RecordError::Missing { field: "version" })?,
            status: Status::parse(status.ok_or(RecordError::Missing { field: "info.status" })?),
            description: text(value, "/info/description"),
            first_deployed: text(value, "/info/first_deployed"),
            last_deployed: text(value, "/info/last_deployed"),
            chart_name: text(value, "/chart/metadata/name"),
            chart_version: text(value, "/chart/metadata/version"),
            manifest: text(value, "/manifest"),
            config: value.get("config").cloned().unwrap_or(Value::Null),
            hooks: value.get("hooks").and_then(Value::as_array).cloned().unwrap_or_default(),
        })
    }
}

/// A record after [`unlock`], to be written back with the resource version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlocked {
    /// New `data.release`.
    pub payload: Vec<u8>,
    /// New value of the label `status`; payload and label must change in one update.
    pub status_label: &'static str,
    /// How the record was.
    pub was: Status,
    /// The description as it is now.
    pub description: String,
}

/// Turns a dead pending record into a failed one. All other parts stay as they are; the description keeps what it said
/// (and with that our mark) and gets the reason behind it.
///
/// The caller has proof that the helm that wrote the record is dead and was ours.
///
/// # Errors
/// Unreadable, or not pending.
pub fn unlock(payload: &[u8], reason: &str) -> Result<Unlocked, RecordError> {
    let mut value = decode_json(payload)?;
    let record = ReleaseRecord::from_json(&value)?;
    if !record.status.is_pending() {
        return Err(RecordError::NotPending { release: record.name, revision: record.version, status: record.status });
    }
    let mut description: String =
        format!("{}; {reason}", record.description).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut room = description.len().min(2 * MAX_DESCRIPTION);
    while !description.is_char_boundary(room) {
        room -= 1;
    }
    description.truncate(room);
    let info = value.get_mut("info").and_then(Value::as_object_mut).ok_or(RecordError::Missing { field: "info" })?;
    info.insert("status".into(), Status::Failed.as_str().into());
    info.insert("description".into(), description.as_str().into());
    let payload = encode_json(&value)?;
    if payload.len() > SECRET_LIMIT {
        return Err(RecordError::TooLarge { bytes: payload.len(), limit: SECRET_LIMIT });
    }
    Ok(Unlocked { payload, status_label: Status::Failed.as_str(), was: record.status, description })
}

/// Bytes that the record of this release will take in its Secret, to be held against [`SECRET_LIMIT`] before helm
/// starts: made as Helm makes it, from the chart without its subcharts, the values and the manifest (hooks included).
///
/// # Errors
/// Never for a checked archive; the encoder's words otherwise.
pub fn estimate_size(chart: &ChartArchive, config: &Value, manifest: &str) -> Result<usize, RecordError> {
    let file = |(path, data): (&String, &std::sync::Arc<[u8]>)| json!({"name": path, "data": STANDARD.encode(data)});
    let special = |path: &str| matches!(path, "Chart.yaml" | "Chart.lock" | "values.yaml" | "values.schema.json");
    let (mut templates, mut files) = (Vec::new(), Vec::new());
    for (path, data) in &chart.files {
        if path.starts_with("templates/") {
            templates.push(file((path, data)));
        } else if !path.starts_with("charts/") && !special(path) {
            files.push(file((path, data)));
        }
    }
    // The chart's defaults are kept as JSON; their YAML text with its comments is a little more than that.
    let values = chart.values_yaml().map(String::from_utf8_lossy);
    let record = json!({
        "name": "r", "namespace": "n", "version": 1,
        "info": {"first_deployed": "", "last_deployed": "", "description": "x".repeat(MAX_DESCRIPTION), "status": "pending-upgrade"},
        "chart": {
            "metadata": chart.metadata, "templates": templates, "values": values,
            "schema": chart.values_schema().map(|s| STANDARD.encode(s)), "files": files,
        },
        "config": config, "manifest": manifest,
    });
    Ok(encode_json(&record)?.len())
}

#[cfg(test)]
mod tests;
