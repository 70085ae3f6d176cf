//! The number of the release's revision. `helm template` always says 1, which is a number that no upgrade has; so a chart that asks for it
//! is rendered from copies of its templates in which a number stands for `.Release.Revision`: two numbers, for the two renders of a side.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use groundswell_change::input::REVISION;

use crate::archive::ChartArchive;

const ASKS: &str = ".Release.Revision";

/// The revision of the first render: the least that an upgrade has.
pub(super) const FIRST: &str = "2";
/// That of the second. What lies between them is a prime, so that no chart that counts revisions in turns has the same turn twice.
pub(super) const SECOND: &str = "7921";

/// Whether a template of the chart or of a chart in it asks for the revision; values count, for `tpl` makes templates of them.
pub(super) fn is_asked_for(archive: &ChartArchive) -> bool {
    let of = |files: &crate::archive::Files| files.values().any(|data| mentions(data));
    fn below(subs: &[crate::archive::Subchart], of: &dyn Fn(&crate::archive::Files) -> bool) -> bool {
        subs.iter().any(|sub| of(&sub.files) || below(&sub.subcharts, of))
    }
    of(&archive.files) || below(&archive.subcharts, &of)
}

fn mentions(data: &[u8]) -> bool {
    std::str::from_utf8(data).is_ok_and(|text| text.contains(ASKS))
}

/// The archive with a number for the revision in its templates, and in those of the archives in it.
pub(super) fn archive(bytes: &[u8], number: &str) -> std::io::Result<Vec<u8>> {
    let mut from = tar::Archive::new(GzDecoder::new(bytes));
    let mut to = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for entry in from.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        // The archive was read once with all limits, so that this is bounded.
        let mut data = Vec::new();
        entry.read_to_end(&mut data)?;
        let data = match std::str::from_utf8(&data) {
            Ok(text) => written(text, number).into_bytes(),
            Err(_) if path.extension().is_some_and(|end| end == "tgz") => archive(&data, number)?,
            Err(_) => data,
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(data.len() as u64);
        to.append_data(&mut header, path, data.as_slice())?;
    }
    let mut gzip = to.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

/// The text with a number where an action asks for the revision. `$.Release.Revision` and `.root.Release.Revision` do, too; behind a
/// parenthesis it is left, for nobody knows what stands in it.
pub(super) fn written(text: &str, number: &str) -> String {
    if !text.contains(ASKS) {
        return text.to_owned();
    }
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let mut out = String::with_capacity(text.len());
    for (n, part) in text.split("{{").enumerate() {
        if n == 0 {
            out.push_str(part);
            continue;
        }
        out.push_str("{{");
        let (mut action, rest) = part.split_at(part.find("}}").unwrap_or(part.len()));
        while let Some(at) = action.find(ASKS) {
            let (head, tail) = (&action[..at], &action[at + ASKS.len()..]);
            let word = head.trim_end_matches(part_of_word);
            if tail.starts_with(part_of_word) || word.ends_with(')') {
                out.push_str(&action[..at + ASKS.len()]);
            } else {
                out.push_str(word);
                out.push_str(number);
            }
            action = tail;
        }
        out.push_str(action);
        out.push_str(rest);
    }
    out
}

/// The text of the first render with a mark where it carries the revision; `None` where that is not what makes it differ.
pub(super) fn marked(first: &str, second: &str) -> Option<String> {
    (first != second && second.replace(SECOND, FIRST) == first).then(|| second.replace(SECOND, REVISION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::corpus::{Tar, gzip};

    #[test]
    fn a_number_stands_for_the_revision_in_actions() {
        for (text, expected) in [
            ("mig-{{ .Release.Revision }}", "mig-{{ 7 }}"),
            ("{{.Release.Revision}}{{ $.Release.Revision | quote }}", "{{7}}{{ 7 | quote }}"),
            ("{{ printf \"%d-%d\" .root.Release.Revision $x.Release.Revision }}", "{{ printf \"%d-%d\" 7 7 }}"),
            ("{{ if gt (int .Release.Revision) 1 }}", "{{ if gt (int 7) 1 }}"),
            ("{{ (index . 0).Release.Revision }}", "{{ (index . 0).Release.Revision }}"),
            ("{{ .Release.Revisions }} .Release.Revision", "{{ .Release.Revisions }} .Release.Revision"),
        ] {
            assert_eq!(written(text, "7"), expected);
        }
    }

    #[test]
    fn what_carries_the_revision_is_told_from_what_is_random() {
        assert_eq!(marked("mig-2-a", "mig-7921-a").as_deref(), Some("mig-(revision)-a"));
        assert_eq!(marked("mig-x1", "mig-y2"), None);
        assert_eq!(marked("2", "2"), None);
    }

    #[test]
    fn archives_in_archives_are_written_too() {
        let inner = Tar::of("name: sub\n").file("sub/templates/a.yaml", b"a: {{ .Release.Revision }}").tgz();
        let outer = Tar::good().file("beacon/charts/sub-1.tgz", &inner).file("beacon/bin", b"\xff\x00").tgz();
        let written = archive(&outer, FIRST).unwrap();
        let sub = |bytes: &[u8]| {
            let mut tar = tar::Archive::new(GzDecoder::new(bytes));
            tar.entries()
                .unwrap()
                .map(|entry| {
                    let mut entry = entry.unwrap();
                    let mut data = Vec::new();
                    entry.read_to_end(&mut data).unwrap();
                    (entry.path().unwrap().display().to_string(), data)
                })
                .collect::<Vec<_>>()
        };
        let files = sub(&written);
        let (_, packed) = files.iter().find(|(path, _)| path.ends_with(".tgz")).unwrap();
        assert!(sub(packed).iter().any(|(_, data)| data == b"a: {{ 2 }}"));
        assert!(files.iter().any(|(_, data)| data == b"\xff\x00"));
        assert!(archive(&gzip(b"no tar"), FIRST).is_err() || archive(&gzip(b""), FIRST).is_ok());
    }
}
