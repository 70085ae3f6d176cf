//! When a release was worked on, by the API server's own log.

use anyhow::{Context, Result};
use groundswell_foundation::Cluster;
use jiff::{SignedDuration, Timestamp};

/// From the first to the last write of one of Helm's revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// In which cluster.
    pub cluster: String,
    /// When helm made the revision's record.
    pub from: Timestamp,
    /// When it was last written.
    pub to: Timestamp,
}

/// The work on revision `revision` of a release; `None` when nobody ever wrote it. What helm does to it once a later revision
/// replaces it does not count.
///
/// # Errors
/// When the log cannot be read.
pub fn work(cluster: &Cluster, release: &str, revision: u64) -> Result<Option<Work>> {
    let name = |revision: u64| format!("sh.helm.release.v1.{release}.v{revision}");
    let (this, next) = (name(revision), name(revision + 1));
    let events = cluster.audit_events()?;
    let written = events.iter().filter(|event| event.resource == "secrets" && event.code < 300);
    let mut found: Option<Work> = None;
    for event in written {
        if event.name == next {
            break;
        }
        if event.name == this {
            let at: Timestamp = event.time.parse().with_context(|| format!("time {:?}", event.time))?;
            let from = found.as_ref().map_or(at, |work| work.from);
            found = Some(Work { cluster: cluster.name().to_owned(), from, to: at });
        }
    }
    Ok(found)
}

/// How many were worked on at the same moment at most, each held for `after` more than helm's own work.
pub fn most_at_once(works: &[Work], after: SignedDuration) -> usize {
    let at = |moment: Timestamp| works.iter().filter(|work| work.from <= moment && moment < work.to + after).count();
    works.iter().map(|work| at(work.from)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_counted_at_its_highest() {
        let work = |from: i64, to: i64| Work {
            cluster: "a".into(),
            from: Timestamp::from_second(from).unwrap(),
            to: Timestamp::from_second(to).unwrap(),
        };
        let works = [work(0, 10), work(5, 12), work(11, 20)];
        assert_eq!(most_at_once(&works, SignedDuration::ZERO), 2);
        assert_eq!(most_at_once(&works, SignedDuration::from_secs(2)), 3);
        assert_eq!(most_at_once(&works[..1], SignedDuration::ZERO), 1);
    }
}
