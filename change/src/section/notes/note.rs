//! The notes in a text, each with its version.

use crate::constraint::Version;

use super::heading::{heading, version};

/// Most lines of a text that are read: the longest known to us (an UPGRADE.md of 80 versions) has 1,200.
const MOST_LINES: usize = 50_000;

/// What stands below a heading that names a version.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) version: Version,
    pub(super) heading: String,
    /// Line of the heading, from 1.
    pub(super) line: usize,
    /// Lines of prose, without markup of blocks.
    pub(super) prose: Vec<String>,
    /// Lines in fences.
    pub(super) code: Vec<String>,
}

/// All notes of a text, in its order.
pub(super) fn notes(text: &str) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut open: Option<(usize, Note)> = None;
    let mut fence: Option<&str> = None;
    for (n, line) in text.lines().take(MOST_LINES).enumerate() {
        let trimmed = line.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => {
                fence = Some(mark);
                continue;
            }
            (Some(open), Some(mark)) if open == mark => {
                fence = None;
                continue;
            }
            (Some(_), _) => {
                if let Some((_, note)) = &mut open
                    && !trimmed.is_empty()
                {
                    note.code.push(trimmed.to_owned());
                }
                continue;
            }
            (None, None) => {}
        }
        if let Some((level, said)) = heading(line) {
            let version = version(said);
            // A bold line that names no version is a line like others.
            let ends = version.is_some() || (level < 7 && open.as_ref().is_some_and(|(depth, _)| level <= *depth));
            if ends && let Some((_, note)) = open.take() {
                notes.push(note);
            }
            if let Some(version) = version {
                open = Some((level, Note { version, heading: said.to_owned(), line: n + 1, prose: Vec::new(), code: Vec::new() }));
                continue;
            }
        }
        if let Some((_, note)) = &mut open
            && !trimmed.is_empty()
            && !trimmed.starts_with("<!--")
        {
            note.prose.push(plain(trimmed));
        }
    }
    notes.extend(open.map(|(_, note)| note));
    notes
}

/// A line without what Markdown adds to it: links become their text, emphasis goes.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim_start_matches(['#', '>']).trim_start();
    while let Some(start) = rest.find('[') {
        let link = rest[start..].find("](").and_then(|middle| {
            let middle = start + middle;
            rest[middle..].find(')').map(|end| (&rest[start + 1..middle], middle + end + 1))
        });
        let Some((label, end)) = link.filter(|(label, _)| !label.contains('[')) else { break };
        out.push_str(rest[..start].trim_end_matches('!'));
        out.push_str(label);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.replace("**", "").replace("__", "")
}

impl Note {
    /// The commands among the lines in fences.
    pub(super) fn commands(&self) -> Vec<&str> {
        const TOOLS: [&str; 12] =
            ["kubectl", "helm", "oc", "for ", "sed", "curl", "export", "git", "velero", "etcdctl", "amtool", "promtool"];
        let bare = self.code.iter().map(|line| line.strip_prefix("$ ").unwrap_or(line));
        bare.filter(|line| TOOLS.iter().any(|tool| line.starts_with(tool))).collect()
    }

    /// Words in it that ask for care.
    pub(super) fn warnings(&self) -> Vec<&'static str> {
        const WORDS: [(&str, &str); 11] = [
            ("breaking", "breaking"),
            ("must", "must"),
            ("delete", "delete"),
            ("manual", "manual"),
            ("before upgrading", "before upgrading"),
            ("incompatible", "incompatible"),
            ("data loss", "data loss"),
            ("deprecated", "deprecated"),
            ("no longer", "no longer"),
            ("renamed", "renamed"),
            ("recreate", "recreate"),
        ];
        // What is denied is no warning.
        let text = self.prose.join(" ").to_lowercase().replace("not expect any breaking", "").replace("no breaking", "");
        WORDS.iter().filter(|(word, _)| begins_word(&text, word)).map(|(_, said)| *said).collect()
    }
}

/// Whether a word begins with this somewhere.
fn begins_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric))
}
