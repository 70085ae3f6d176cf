//! What a fuzzer feeds.

use groundswell_change::input::Side;

use super::manifest;

/// A side that has nothing but what helm printed.
#[must_use]
pub fn side(printed: &str) -> Side {
    let (hooks, objects) = manifest::rendered(printed).objects.into_iter().partition(manifest::is_hook);
    Side { hooks, objects, ..Side::default() }
}
