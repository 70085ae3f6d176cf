//! Why there is no preview.

use std::path::PathBuf;

use crate::runner::HelmError;
use crate::values::YamlError;

/// One of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// The version that is there.
    Old,
    /// The version that is to come.
    New,
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// Why a preview could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviewError {
    /// There is no helm.
    #[error("no helm binary at {path:?}: install Helm 3.12 or a later 3.x, or name one in GROUNDSWELL_HELM")]
    NoHelm {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A document of the operator is no values document.
    #[error("the values cannot be read")]
    Values(#[source] YamlError),
    /// The chart refuses these values by its `values.schema.json`.
    #[error("the {which} version, {chart}, does not take these values: {}; mend these keys, or leave them out to see what else changes", words(.keys))]
    Schema {
        /// Which of the two.
        which: Which,
        /// Name and version of the chart.
        chart: String,
        /// Key and what is wrong there, in helm's words.
        keys: Vec<(String, String)>,
    },
    /// The chart does not render with these values.
    #[error(
        "the {which} version, {chart}, does not render with these values{}: {words}; try `helm template` with it, and mend the values or the chart",
        at(.template)
    )]
    DoesNotRender {
        /// Which of the two.
        which: Which,
        /// Name and version of the chart.
        chart: String,
        /// The template that failed, as helm names it, where helm says so.
        template: Option<String>,
        /// What helm said, without values that look like secrets.
        words: String,
    },
    /// Helm could not do its work.
    #[error("cannot render the {which} version, {chart}")]
    Helm {
        /// Which of the two.
        which: Which,
        /// Name and version of the chart.
        chart: String,
        /// Why. In a box, or every result would be as large as helm's longest refusal.
        #[source]
        source: Box<HelmError>,
    },
    /// The archives cannot be laid down for helm.
    #[error("cannot write {path:?} for helm")]
    Folder {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Our own work was ended.
    #[error("the preview was ended before it was done")]
    Ended,
}

fn words(keys: &[(String, String)]) -> String {
    keys.iter().map(|(key, what)| if key.is_empty() { what.clone() } else { format!("{key}: {what}") }).collect::<Vec<_>>().join("; ")
}

fn at(template: &Option<String>) -> String {
    template.as_ref().map(|template| format!(", at {template}")).unwrap_or_default()
}
