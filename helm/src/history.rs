//! What `helm history` tells, and the mark by which we know our own revisions in it.

use serde::{Deserialize, Serialize};

/// Helm's word for how a release or revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// In the cluster, as far as Helm is concerned.
    Deployed,
    /// Taken away, history kept.
    Uninstalled,
    /// Replaced by a later revision.
    Superseded,
    /// An operation did not come to its end.
    Failed,
    /// Being taken away.
    Uninstalling,
    /// First install under way, or its helm died.
    PendingInstall,
    /// Upgrade under way, or its helm died.
    PendingUpgrade,
    /// Rollback under way, or its helm died.
    PendingRollback,
    /// Helm does not know either, or uses a word that we do not know.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Whether an operation runs, or its helm died in it.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }

    /// As Helm writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// Reads Helm's word; one that we do not know is `Unknown`.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        [
            Self::Deployed,
            Self::Uninstalled,
            Self::Superseded,
            Self::Failed,
            Self::Uninstalling,
            Self::PendingInstall,
            Self::PendingUpgrade,
            Self::PendingRollback,
        ]
        .into_iter()
        .find(|s| s.as_str() == word)
        .unwrap_or(Self::Unknown)
    }
}

/// One line of `helm history -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Helm's revision, from 1.
    pub revision: u64,
    /// When, as Helm wrote it; empty or absent when Helm does not say.
    #[serde(default)]
    pub updated: String,
    /// How the revision is now.
    pub status: Status,
    /// `name-version`, joined by Helm.
    #[serde(default)]
    pub chart: String,
    /// Application version of the chart.
    #[serde(default)]
    pub app_version: String,
    /// What `--description` or Helm said.
    #[serde(default)]
    pub description: String,
}

impl HistoryEntry {
    /// Our mark in the description, if it is there.
    #[must_use]
    pub fn mark(&self) -> Option<Description> {
        Description::parse(&self.description)
    }
}

/// The newest revision that carries the mark of this attempt.
#[must_use]
pub fn find_attempt<'a>(history: &'a [HistoryEntry], rollout: &str, generation: u64, attempt: u32) -> Option<&'a HistoryEntry> {
    let ours = |d: &Description| d.rollout == rollout && d.generation == generation && d.attempt == attempt;
    history.iter().filter(|e| e.mark().as_ref().is_some_and(ours)).max_by_key(|e| e.revision)
}

/// The revision that Helm calls deployed; the newest, should there be several.
#[must_use]
pub fn last_deployed(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    history.iter().filter(|e| e.status == Status::Deployed).max_by_key(|e| e.revision)
}

/// The newest revision, whatever became of it.
#[must_use]
pub fn latest(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    history.iter().max_by_key(|e| e.revision)
}

/// The newest revision, when it is pending: Helm refuses upgrades until that is cleared up.
#[must_use]
pub fn pending(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    latest(history).filter(|e| e.status.is_pending())
}

/// Splits Helm's `name-version`. The version begins at the first hyphen after which SemVer (perhaps with `v`) can be read.
#[must_use]
pub fn split_chart(joined: &str) -> Option<(&str, &str)> {
    joined.match_indices('-').find_map(|(at, _)| {
        let (name, version) = (&joined[..at], &joined[at + 1..]);
        semver::Version::parse(version.strip_prefix('v').unwrap_or(version)).is_ok().then_some((name, version))
    })
}

/// The mark of an attempt, in Helm's `--description`: people read it in `helm history`, we find our revision by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Id of the rollout; no white space.
    pub rollout: String,
    /// Generation of the assignment.
    pub generation: u64,
    /// Number of the try.
    pub attempt: u32,
    /// Chart and version, or what else a person should read. One line.
    pub text: String,
}

const PREFIX: &str = "groundswell ";

/// Bytes of a whole description; Helm has no limit, tables and the record have.
pub const MAX_DESCRIPTION: usize = 512;

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rollout: String = self.rollout.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        let head = format!("{PREFIX}{rollout} gen={} attempt={}: ", self.generation, self.attempt);
        let mut text: String = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut room = MAX_DESCRIPTION.saturating_sub(head.len()).min(text.len());
        while !text.is_char_boundary(room) {
            room -= 1;
        }
        text.truncate(room);
        write!(f, "{head}{text}")
    }
}

impl Description {
    /// Reads our mark back; `None` for a description that is not ours. What was appended later stays in `text`.
    #[must_use]
    pub fn parse(description: &str) -> Option<Self> {
        let (head, text) = description.strip_prefix(PREFIX)?.split_once(": ")?;
        let mut words = head.split(' ');
        let rollout = words.next().filter(|r| !r.is_empty())?.to_owned();
        let generation = words.next()?.strip_prefix("gen=")?.parse().ok()?;
        let attempt = words.next()?.strip_prefix("attempt=")?.parse().ok()?;
        if words.next().is_some() {
            return None;
        }
        Some(Self { rollout, generation, attempt, text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(revision: u64, status: Status, description: &str) -> HistoryEntry {
        HistoryEntry {
            revision,
            updated: String::new(),
            status,
            chart: "beacon-1.0.0".into(),
            app_version: String::new(),
            description: description.into(),
        }
    }

    #[test]
    fn finds_our_revision_and_the_deployed_one() {
        let history = [
            entry(1, Status::Superseded, "groundswell r1 gen=1 attempt=1: beacon 1.0.0"),
            entry(2, Status::Deployed, "groundswell r2 gen=2 attempt=1: beacon 1.1.0"),
            entry(3, Status::Failed, "groundswell r3 gen=3 attempt=1: beacon 1.2.0; taken over: agent died"),
            entry(4, Status::PendingUpgrade, "Preparing upgrade"),
        ];
        assert_eq!(find_attempt(&history, "r3", 3, 1).map(|e| e.revision), Some(3));
        assert_eq!(find_attempt(&history, "r3", 3, 2), None);
        assert_eq!(last_deployed(&history).map(|e| e.revision), Some(2));
        assert_eq!(pending(&history).map(|e| e.revision), Some(4));
        assert_eq!(pending(&history[..3]), None);
    }

    #[test]
    fn reads_what_helm_prints() {
        let json = r#"[{"revision":1,"updated":"2024-01-10T12:00:00.1Z","status":"pending-install","chart":"a-b-1.2.3","app_version":"1","description":"x"},
                       {"revision":2,"status":"brand-new"}]"#;
        let history: Vec<HistoryEntry> = serde_json::from_str(json).unwrap();
        assert_eq!((history[0].status, history[1].status), (Status::PendingInstall, Status::Unknown));
        assert_eq!(split_chart(&history[0].chart), Some(("a-b", "1.2.3")));
        assert_eq!(split_chart("cert-manager-v1.2.3-rc.1"), Some(("cert-manager", "v1.2.3-rc.1")));
        assert_eq!(split_chart("nothing"), None);
    }

    #[test]
    fn other_words_are_not_ours() {
        for text in ["Upgrade complete", "groundswell", "groundswell r gen=x attempt=1: a", "groundswell r gen=1 attempt=1 z=2: a"] {
            assert_eq!(Description::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mark_survives_the_way_through_helm(rollout in "[a-z0-9-]{1,40}", generation: u64, attempt: u32, text in "[^\\p{C}]{0,80}") {
            let mark = Description { rollout, generation, attempt, text };
            prop_assert_eq!(Description::parse(&mark.to_string()), Some(mark));
        }

        #[test]
        fn no_text_panics_and_none_breaks_the_line(rollout: String, text: String) {
            let line = Description { rollout, generation: 1, attempt: 1, text: text.clone() }.to_string();
            prop_assert!(!line.chars().any(char::is_control));
            let _ = Description::parse(&text);
        }
    }
}
