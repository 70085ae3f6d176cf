//! Which of the versions that there are is the one that was asked for.

use super::error::FetchError;
use groundswell_change::constraint::{Constraint, Version};

/// Why none is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotPicked {
    /// Neither version nor range.
    Unreadable(String),
    /// None fits; these are near, the newest first, and this is the newest release.
    None { near: Vec<String>, latest: Option<String> },
    /// Nothing was asked for, and all that there is are prereleases.
    OnlyPrereleases { latest: String },
}

impl NotPicked {
    /// The same in words, for a chart of a repository.
    pub(super) fn refusal(self, repository: &str, name: &str, wanted: Option<&str>) -> FetchError {
        let (repository, name, wanted) = (repository.to_owned(), name.to_owned(), wanted.unwrap_or("at all").to_owned());
        match self {
            Self::Unreadable(reason) => FetchError::BadVersion { wanted, reason },
            Self::None { near, latest } => FetchError::UnknownVersion { repository, name, wanted, near, latest },
            Self::OnlyPrereleases { latest } => FetchError::OnlyPrereleases { repository, name, latest },
        }
    }
}

/// How many near versions are shown: they stand in one line.
const NEAR: usize = 5;

/// The place in `versions` of the one that is meant. What is no version is passed over, as Helm does. A leading `v` is no
/// difference, and build metadata is one only where it was asked for.
pub(super) fn pick(versions: &[&str], wanted: Option<&str>, devel: bool) -> Result<usize, NotPicked> {
    let mut known: Vec<(usize, Version)> =
        versions.iter().enumerate().filter_map(|(at, text)| Version::parse(text).ok().map(|version| (at, version))).collect();
    known.sort_by(|(a_at, a), (b_at, b)| b.precedence(a).then(a_at.cmp(b_at)));
    let Some(wanted) = wanted.map(str::trim) else { return newest(versions, &known, devel) };
    if let Some(exact) = versions.iter().position(|version| *version == wanted) {
        return Ok(exact);
    }
    if let Ok(version) = semver::Version::parse(bare(wanted)) {
        let same = known.iter().find(|(at, _)| is_same(versions[*at], &version));
        return same.map(|(at, _)| *at).ok_or_else(|| near(versions, &known, wanted));
    }
    let range = if devel { format!("{wanted}-0") } else { wanted.to_owned() };
    let constraint = Constraint::parse(wanted).map_err(|error| NotPicked::Unreadable(error.to_string()))?;
    // `--devel` widens a range without prereleases of its own, the way `>0.0.0-0` does for none.
    let widened = if devel { Constraint::parse(&range).ok() } else { None };
    let fits = |version: &Version| constraint.matches(version) || widened.as_ref().is_some_and(|wide| wide.matches(version));
    known.iter().find(|(_, version)| fits(version)).map(|(at, _)| *at).ok_or_else(|| near(versions, &known, wanted))
}

fn newest(versions: &[&str], known: &[(usize, Version)], devel: bool) -> Result<usize, NotPicked> {
    match known.iter().find(|(_, version)| devel || version.prerelease().is_empty()) {
        Some((at, _)) => Ok(*at),
        None => match known.first() {
            Some((at, _)) => Err(NotPicked::OnlyPrereleases { latest: versions[*at].to_owned() }),
            None => Err(NotPicked::None { near: Vec::new(), latest: None }),
        },
    }
}

pub(super) fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

fn is_same(listed: &str, wanted: &semver::Version) -> bool {
    semver::Version::parse(bare(listed)).is_ok_and(|listed| {
        let same = listed.cmp_precedence(wanted).is_eq();
        same && (wanted.build.is_empty() || wanted.build == listed.build)
    })
}

/// The versions around the place where the wanted one would stand; of a range, around its first number.
fn near(versions: &[&str], known: &[(usize, Version)], wanted: &str) -> NotPicked {
    let start = wanted.find(|c: char| c.is_ascii_digit()).unwrap_or(wanted.len());
    let number: String = wanted[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')).collect();
    let place = Version::parse(number.trim_end_matches(['.', '-', '+']))
        .map_or(0, |around| known.iter().take_while(|(_, version)| version.precedence(&around).is_gt()).count());
    let from = place.saturating_sub(NEAR / 2).min(known.len().saturating_sub(NEAR));
    let near = known.iter().skip(from).take(NEAR).map(|(at, _)| versions[*at].to_owned()).collect();
    let latest = known.iter().find(|(_, version)| version.prerelease().is_empty()).map(|(at, _)| versions[*at].to_owned());
    NotPicked::None { near, latest }
}

/// Names that somebody may have meant, the closest first.
pub(super) fn similar(names: &[String], wanted: &str) -> Vec<String> {
    // A third of the letters may be wrong; a part of a longer name is often all that one remembers.
    let mut close: Vec<(usize, &String)> = names
        .iter()
        .filter_map(|name| {
            let distance = strsim::osa_distance(name, wanted);
            let part = wanted.len() >= 4 && (name.contains(wanted) || wanted.contains(name.as_str()));
            (part || distance <= wanted.chars().count().max(3) / 3).then_some((distance, name))
        })
        .collect();
    close.sort();
    close.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 7] = ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.2.0+build.5", "v1.1.0", "not-a-version", "0.9.0"];

    fn picked(wanted: Option<&str>, devel: bool) -> Option<&'static str> {
        pick(&ALL, wanted, devel).ok().map(|at| ALL[at])
    }

    #[test]
    fn versions_are_compared_as_versions() {
        for (wanted, devel, expected) in [
            (None, false, Some("1.10.0")),
            (None, true, Some("2.0.0-rc.1")),
            (Some("1.9.0"), false, Some("1.9.0")),
            (Some("v1.9.0"), false, Some("1.9.0")),
            (Some("1.1.0"), false, Some("v1.1.0")),
            (Some("1.2.0"), false, Some("1.2.0+build.5")),
            (Some("1.2.0+build.5"), false, Some("1.2.0+build.5")),
            (Some("1.2.0+build.6"), false, None),
            (Some("2.0.0-rc.1"), false, Some("2.0.0-rc.1")),
            (Some("^1.2"), false, Some("1.10.0")),
            (Some("~1.9"), false, Some("1.9.0")),
            (Some("1.9"), false, Some("1.9.0")),
            (Some(">=1.9.0 <1.10.0"), false, Some("1.9.0")),
            (Some(">=1.9.0"), true, Some("2.0.0-rc.1")),
            (Some(">1.10.0"), false, None),
            (Some("3.0.0"), false, None),
        ] {
            assert_eq!(picked(wanted, devel), expected, "{wanted:?} {devel}");
        }
        let none = pick(&["not-a-version"], None, false).map_err(|why| why.refusal("r", "n", None).to_string());
        assert_eq!(none, Err("r has no version at all of n".to_owned()));
    }

    #[test]
    fn a_miss_shows_what_is_near() {
        let NotPicked::None { near, latest } = pick(&ALL, Some("1.8.0"), false).unwrap_err() else { panic!() };
        assert_eq!(near, ["1.10.0", "1.9.0", "1.2.0+build.5", "v1.1.0", "0.9.0"]);
        assert_eq!(latest.as_deref(), Some("1.10.0"));
        assert!(matches!(pick(&ALL, Some("newest"), false), Err(NotPicked::Unreadable(_))));
        assert_eq!(pick(&["1.0.0-a", "1.0.0-b"], None, false), Err(NotPicked::OnlyPrereleases { latest: "1.0.0-b".into() }));
    }

    #[test]
    fn names_that_are_close_are_offered() {
        let names: Vec<String> = ["prometheus", "kube-prometheus-stack", "prometheus-adapter", "grafana"].map(str::to_owned).into();
        assert_eq!(similar(&names, "promethues"), ["prometheus"]);
        assert_eq!(similar(&names, "prometheus-stack"), ["kube-prometheus-stack", "prometheus"]);
        assert!(similar(&names, "loki").is_empty());
    }
}
