//! The `values.yaml` of a chart: what Helm reads of it, and whether it can.

use serde_json::{Map, Value};

use super::parse::parse_first;
use super::tree::{Position, YamlError};

/// A chart's own values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartValues {
    /// The first document.
    pub values: Map<String, Value>,
    /// Where a second document begins. Helm does not look at it.
    pub second: Option<Position>,
}

/// Why the values of a chart cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChartValuesError {
    /// Helm cannot load a chart with such values: not to render it, not to install it.
    #[error("helm cannot load {0}")]
    Unloadable(String),
    /// Helm might, and we do not.
    #[error("{0}")]
    Unread(String),
}

/// Reads the `values.yaml` of a chart as Helm does; `path` is what it is called in errors.
///
/// # Errors
/// What is wrong with it, and whether Helm minds.
pub fn chart_values(path: &str, bytes: &[u8]) -> Result<ChartValues, ChartValuesError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ChartValuesError::Unread(format!("{path}: it is UTF-16, and only UTF-8 is read")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| ChartValuesError::Unloadable(format!("{path}: {error}")))?;
    let text = text.trim_start_matches('\u{feff}');
    match parse_first(path, text) {
        Ok((values, second)) => Ok(ChartValues { values, second }),
        Err(error) if helm_minds(&error) || breaks(&error, path, text) => Err(ChartValuesError::Unloadable(error.to_string())),
        Err(error) => Err(ChartValuesError::Unread(error.to_string())),
    }
}

/// Whether a text is none any more where Helm sees the end of a line and others see a letter.
fn breaks(error: &YamlError, path: &str, text: &str) -> bool {
    matches!(error, YamlError::Character { code: 0x85 | 0x2028 | 0x2029, .. })
        && parse_first(path, &text.replace(['\u{85}', '\u{2028}', '\u{2029}'], "\n")).is_err_and(|error| helm_minds(&error))
}

/// Our limits are narrower than Helm's.
fn helm_minds(error: &YamlError) -> bool {
    match error {
        YamlError::Syntax { .. } | YamlError::Refused { .. } => true,
        // A line or byte order mark is none of its control characters.
        YamlError::Character { code, .. } => !matches!(code, 0x85 | 0x2028 | 0x2029 | 0xfeff),
        YamlError::TooLarge { .. } | YamlError::Limit { .. } => false,
    }
}
