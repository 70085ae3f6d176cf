//! The manifest of a chart.

use super::super::error::FetchError;
use super::super::reference::{OciReference, is_digest};
use serde::Deserialize;

/// Lists are asked for too, so that what is there can be named when it is no chart.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// What Helm wrote before 3.7.
const OLD_CHART: &str = "application/tar+gzip";
const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/// A blob.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// SHA-256, hex.
    pub(super) digest: String,
    pub(super) size: u64,
}

/// The parts of a chart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) chart: Layer,
    pub(super) provenance: Option<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

impl Manifest {
    pub(super) fn read(bytes: &[u8], reference: &OciReference) -> Result<Self, FetchError> {
        let refuse = |reason: String| FetchError::NotAChart { reference: reference.to_string(), reason };
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| refuse(format!("its manifest cannot be read: {error}")))?;
        if wire.manifests.is_some() {
            return Err(refuse("it is a list of images for several platforms".to_owned()));
        }
        let config = wire.config.ok_or_else(|| refuse(format!("its manifest ({}) has no config", shown(wire.media_type.as_deref()))))?;
        if config.media_type != CONFIG {
            return Err(refuse(format!("its config is {}, of a chart it would be {CONFIG}", shown(Some(&config.media_type)))));
        }
        let layer = |kinds: &[&str]| {
            let mut found = wire.layers.iter().filter(|layer| kinds.contains(&layer.media_type.as_str()));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(refuse(format!("it has two layers of the type {}", kinds[0]))),
                (Some(layer), None) if is_digest(&layer.digest) => {
                    Ok(Some(Layer { digest: layer.digest.trim_start_matches("sha256:").to_owned(), size: layer.size }))
                }
                (Some(layer), None) => Err(refuse(format!("a layer has the digest {}, which is not SHA-256", shown(Some(&layer.digest))))),
                (None, _) => Ok(None),
            }
        };
        let chart = layer(&[CHART, OLD_CHART])?.ok_or_else(|| refuse(format!("it has no layer of the type {CHART}")))?;
        Ok(Self { chart, provenance: layer(&[PROVENANCE])? })
    }
}

fn shown(text: Option<&str>) -> String {
    let text: String = text.unwrap_or("nothing").chars().filter(|c| !c.is_control()).take(100).collect();
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        let reference = OciReference { registry: "r".into(), repository: "c".into(), version: None, digest: None };
        Manifest::read(text.as_bytes(), &reference).map_err(|error| error.to_string())
    }

    fn manifest(config: &str, layers: &[&str]) -> String {
        let digest = format!("sha256:{}", "a".repeat(64));
        let layer = |kind: &&str| format!(r#"{{"mediaType": "{kind}", "digest": "{digest}", "size": 3}}"#);
        let layers: Vec<String> = layers.iter().map(layer).collect();
        format!(r#"{{"schemaVersion": 2, "config": {}, "layers": [{}]}}"#, layer(&config), layers.join(","))
    }

    #[test]
    fn a_chart_is_told_from_all_else() {
        let both = read(&manifest(CONFIG, &[PROVENANCE, CHART])).unwrap();
        assert_eq!((both.chart.size, both.provenance.is_some()), (3, true));
        assert!(read(&manifest(CONFIG, &[OLD_CHART])).unwrap().provenance.is_none());
        for (text, said) in [
            (manifest("application/vnd.oci.image.config.v1+json", &[CHART]), "image.config"),
            (manifest(CONFIG, &[PROVENANCE]), "no layer"),
            (manifest(CONFIG, &[CHART, OLD_CHART]), "two layers"),
            (manifest(CONFIG, &[CHART]).replace("sha256:", "md5:"), "not SHA-256"),
            (r#"{"schemaVersion": 2, "manifests": []}"#.to_owned(), "several platforms"),
            (r#"{"schemaVersion": 1}"#.to_owned(), "no config"),
            ("<html>".to_owned(), "cannot be read"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
