//! `index.yaml` of an HTTP repository. Only the entries of the one chart are kept, the rest is read over: a large index has
//! tens of thousands of entries, and their descriptions are most of its bytes.

use super::error::FetchError;
use super::limits::Limits;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One version of a chart, as an index lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its version, as written.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub version: String,
    /// SHA-256 of the archive, with or without `sha256:`; absent in indexes that keep none.
    #[serde(default)]
    pub digest: Option<String>,
    /// Where the archive is; relative ones start from the repository's URL.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub urls: Vec<String>,
    /// Version of the application inside.
    #[serde(default, rename = "appVersion")]
    pub app_version: Option<String>,
    /// The maintainers no longer care for it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub deprecated: bool,
}

/// A key without a value is one that is not there.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// What an index says about one chart.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// There are more versions or charts than are kept.
    over: Option<String>,
    /// All names, for "did you mean".
    pub(super) names: Vec<String>,
}

/// Reads what an index says about a chart.
pub(super) fn read(bytes: &[u8], name: &str, url: &str, limits: &Limits) -> Result<Found, FetchError> {
    let wrong = |reason: String| FetchError::WrongContent { url: url.to_owned(), expected: "a repository index", reason };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let reason = "it came compressed (gzip), which was not asked for".to_owned();
        return Err(FetchError::BadEntry { repository: url.to_owned(), reason });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}');
    if let Some(what) = looks_like(text.as_bytes()) {
        return Err(wrong(format!("it is {what}")));
    }
    let seed = IndexSeed { name, limits };
    // A JSON index is YAML too, and a JSON reader is ten times as fast.
    if text.trim_start().starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        if let Ok(found) = seed.deserialize(&mut reader) {
            return within(found, url);
        }
    }
    let options = serde_saphyr::options! {
        // The bytes are limited, and what is kept is; the rest is read over.
        budget: None,
        // No tool writes an index with aliases, and they are how a small text becomes a large one.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        with_snippet: false,
    };
    let found = serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| seed.deserialize(reader));
    within(found.map_err(|error| wrong(short(&crate::values::what_is_wrong(&error))))?, url)
}

fn within(found: Option<Found>, url: &str) -> Result<Found, FetchError> {
    match found {
        Some(Found { over: Some(reason), .. }) => Err(FetchError::BadEntry { repository: url.to_owned(), reason }),
        Some(found) => Ok(found),
        None => {
            let reason = "it has no entries".to_owned();
            Err(FetchError::WrongContent { url: url.to_owned(), expected: "a repository index", reason })
        }
    }
}

/// What is often there in place of an index or archive.
pub(super) fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    let head: String = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).trim_start().to_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        Some("a web page")
    } else if head.starts_with("<?xml") || head.starts_with("<error") {
        Some("XML")
    } else if bytes.is_empty() {
        Some("empty")
    } else {
        None
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[derive(Clone, Copy)]
struct IndexSeed<'a> {
    name: &'a str,
    limits: &'a Limits,
}

impl<'de> DeserializeSeed<'de> for IndexSeed<'_> {
    type Value = Option<Found>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for IndexSeed<'_> {
    type Value = Option<Found>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index with apiVersion and entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "entries" {
                found = Some(map.next_value_seed(EntriesSeed(self))?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct EntriesSeed<'a>(IndexSeed<'a>);

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Found, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries by the names of charts")
    }

    /// `entries:` without content, of a repository without charts.
    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0.name {
                found.entries = map.next_value_seed(VersionsSeed(self.0.limits))?;
                if found.entries.len() > self.0.limits.versions {
                    found.over = Some(format!("it lists more than {} versions of it", self.0.limits.versions));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if found.names.len() < self.0.limits.charts {
                found.names.push(key.chars().take(100).collect());
            } else {
                found.over = Some(format!("it lists more than {} charts", self.0.limits.charts));
            }
        }
        Ok(found)
    }
}

struct VersionsSeed<'a>(&'a Limits);

impl<'de> DeserializeSeed<'de> for VersionsSeed<'_> {
    type Value = Vec<Entry>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<Entry>, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for VersionsSeed<'_> {
    type Value = Vec<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of versions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Entry>, A::Error> {
        let mut entries = Vec::new();
        // Helm passes over versions that are nothing, too.
        while let Some(entry) = list.next_element::<Option<Entry>>()? {
            // One more than there may be says that there are too many.
            if let Some(entry) = entry.filter(|_| entries.len() <= self.0.versions) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
#[path = "tests/index.rs"]
mod tests;
