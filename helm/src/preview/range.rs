//! A Kubernetes version inside a chart's range, for a render when the target's own is outside.

use groundswell_change::constraint::{Constraint, Version};

/// Newest minor version that is tried. Kubernetes 1.36 is current; three come each year.
const NEWEST: u64 = 60;

/// The version nearest to `wanted` (Helm's default where nobody said) that lies in the range.
pub(super) fn inside(range: &str, wanted: Option<&str>) -> Option<String> {
    let range = Constraint::parse(range).ok()?;
    let wanted = wanted.and_then(|text| text.trim_start_matches('v').split('.').nth(1)?.parse::<u64>().ok()).unwrap_or(NEWEST / 2);
    let mut minors: Vec<u64> = (0..=NEWEST).collect();
    minors.sort_by_key(|minor| minor.abs_diff(wanted));
    // A range may begin or end within a minor version.
    let patches = [0, 1, 5, 10, 20];
    minors.into_iter().find_map(|minor| {
        let texts = patches.into_iter().map(|patch| format!("1.{minor}.{patch}"));
        texts.into_iter().find(|text| Version::parse(text).is_ok_and(|version| range.matches(&version)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_version_is_taken() {
        assert_eq!(inside(">=1.25.0-0", Some("v1.20.3")).as_deref(), Some("1.25.0"));
        assert_eq!(inside("<1.22.0-0", Some("1.36.3")).as_deref(), Some("1.21.0"));
        assert_eq!(inside(">=1.19.4 <1.20", Some("1.36.3")).as_deref(), Some("1.19.5"));
        assert_eq!(inside("nonsense", Some("1.36.3")), None);
    }
}
