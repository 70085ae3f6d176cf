//! Values documents: the text a chart is configured with.
//!
//! Values stay text on their way to helm, so nothing here ever writes a whole document anew. This module
//! * puts variables of a cluster into a text ([`interpolate()`]),
//! * reads a text the way Helm 3 does ([`parse()`], [`parse_values`]),
//! * says which document a merged value came from ([`merge()`]),
//! * names plain scalars that two YAML readers understand differently ([`ambiguous_plain`]),
//! * changes one key of a text and leaves the rest of it alone ([`set()`]).
//!
//! All of it is pure: no file, no clock, no process. What helm makes of the same texts is checked by tests against the
//! real binary.

mod ambiguous;
mod chart;
mod interpolate;
mod merge;
mod parse;
mod path;
mod resolve;
mod scalar;
mod set;
mod tree;

#[cfg(test)]
mod golden;

pub use ambiguous::{Ambiguous, ambiguous_plain};
pub use chart::{ChartValues, ChartValuesError, chart_values};
pub use interpolate::{InterpolateError, interpolate, names_used};
pub use merge::{Layer, Merged, Origin, merge};
pub(crate) use parse::parse_within;
pub use parse::{parse, parse_values};
pub use path::{Path, PathError, Segment};
pub(crate) use scalar::flow;
pub use set::{SetError, set};
pub use tree::{Position, YamlError};

/// A YAML reader's error in words for people.
pub use groundswell_change::yaml::what_is_wrong;

/// Largest values text, in bytes. A Secret holds 1 MiB at most and the release record with its values lives in one, so
/// a longer text could never be installed.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Deepest nesting of maps and lists. serde_json stops at 128 when it reads the values back; no chart comes near.
pub const MAX_DEPTH: usize = 100;
