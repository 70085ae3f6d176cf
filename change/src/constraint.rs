//! Helm's grammar for ranges of versions.
