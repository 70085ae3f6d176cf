//! The number of the release's revision. `helm template` always says 1, which is a number that no upgrade has. So a chart is rendered from
//! copies that have one more template: Helm executes it before all others, and it writes another number into `.Release`, which all of
//! them share, `tpl` included. There are two numbers, for the two renders of a side; the second is one of [a day later](super::clock).

use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use groundswell_change::input::REVISION;

use super::clock;

/// The revision of the first render: the least that an upgrade has.
pub(super) const FIRST: &str = "2";
/// That of the second. What lies between them is a prime, so that no chart that counts revisions in turns has the same turn twice.
pub(super) const SECOND: &str = "7921";

/// Folders between `templates/` and the template that is executed first. Helm takes the deepest first, and four charts within one another,
/// as many as an archive may have, take eight.
const DEPTH: usize = 24;

/// The archive of the first render.
pub(super) fn first(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    copy(bytes, Some(FIRST), false)
}

/// That of the second.
pub(super) fn second(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    copy(bytes, Some(SECOND), true)
}

fn copy(bytes: &[u8], number: Option<&str>, later: bool) -> std::io::Result<Vec<u8>> {
    let mut from = tar::Archive::new(GzDecoder::new(bytes));
    // Helm unpacks it at once: packing it well would only take time.
    let mut to = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let mut number = number;
    for entry in from.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        if let (Some(chart), Some(number)) = (path.iter().find(|part| *part != "."), number.take()) {
            let template = format!("{{{{- $_ := set .Release \"Revision\" {number} }}}}\n");
            let place = Path::new(chart).join("templates").join("z/".repeat(DEPTH)).join("z.yaml");
            add(&mut to, &place, template.as_bytes())?;
        }
        // The archive was read once with all limits, so that this is bounded.
        let mut data = Vec::new();
        entry.read_to_end(&mut data)?;
        match within(&path).as_slice() {
            ["charts", packed] if later && packed.ends_with(".tgz") && !packed.starts_with(['_', '.']) => {
                // What is no archive is helm's to refuse.
                data = copy(&data, None, later).unwrap_or(data);
            }
            ["templates", ..] if later => {
                data = match std::str::from_utf8(&data) {
                    Ok(text) => clock::later(text).into_owned().into_bytes(),
                    Err(_) => data,
                };
            }
            _ => {}
        }
        add(&mut to, &path, &data)?;
    }
    let mut gzip = to.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

/// Where a file is in its chart: in the one of the archive, or in one of the folders in its `charts/`. Only there do `templates` and
/// `charts` mean something; further down they are names of folders like all others.
fn within(path: &Path) -> Vec<&str> {
    let mut parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).filter(|part| *part != ".").skip(1).collect();
    while parts.len() > 2 && parts.first() == Some(&"charts") {
        parts.drain(..2);
    }
    parts
}

fn add(to: &mut tar::Builder<impl Write>, path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(data.len() as u64);
    to.append_data(&mut header, path, data)
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
    fn what_carries_the_revision_is_told_from_what_is_random() {
        assert_eq!(marked("mig-2-a", "mig-7921-a").as_deref(), Some("mig-(revision)-a"));
        assert_eq!(marked("mig-x1", "mig-y2"), None);
        assert_eq!(marked("2", "2"), None);
    }

    fn files(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut tar = tar::Archive::new(GzDecoder::new(bytes));
        let read = |entry: std::io::Result<tar::Entry<'_, GzDecoder<&[u8]>>>| {
            let mut entry = entry.unwrap();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            (entry.path().unwrap().display().to_string(), data)
        };
        tar.entries().unwrap().map(read).collect()
    }

    #[test]
    fn archives_in_archives_are_a_day_later_too() {
        let inner = Tar::of("name: sub\n").file("sub/templates/a.yaml", b"a: {{ now }}").tgz();
        let outer = Tar::good()
            .file("beacon/charts/sub-1.tgz", &inner)
            .file("beacon/charts/mast/templates/a.yaml", b"a: {{ now }}")
            .file("beacon/files/templates/n", b"{{ now }}")
            .file("beacon/files/charts/n.tgz", b"none")
            .file("beacon/charts/none.tgz", b"no gzip")
            .file("beacon/charts/._sub-1.tgz", b"of a mac")
            .file("beacon/bin", b"\xff\x00")
            .tgz();
        for (made, expected, number) in [(first(&outer).unwrap(), "a: {{ now }}", FIRST), (second(&outer).unwrap(), clock::LATER, SECOND)] {
            let files = files(&made);
            let (_, packed) = files.iter().find(|(path, _)| path.ends_with(".tgz")).unwrap();
            let within = self::files(packed);
            assert!(within.iter().any(|(_, data)| String::from_utf8_lossy(data).contains(expected)));
            assert!(files.iter().any(|(_, data)| data == b"\xff\x00"));
            let data = |end: &str| files.iter().find(|(path, _)| path.ends_with(end)).map(|(_, data)| data.as_slice());
            assert_eq!((data("files/templates/n"), data("files/charts/n.tgz")), (Some(b"{{ now }}".as_slice()), Some(b"none".as_slice())));
            assert_eq!((data("none.tgz"), data("._sub-1.tgz")), (Some(b"no gzip".as_slice()), Some(b"of a mac".as_slice())));
            assert!(String::from_utf8_lossy(data("mast/templates/a.yaml").unwrap()).contains(expected));
            let sets = |files: &[(String, Vec<u8>)]| files.iter().filter(|(path, _)| path.ends_with("/z/z.yaml")).count();
            assert_eq!((sets(&files), sets(&within)), (1, 0));
            assert!(files.iter().any(|(_, data)| *data == format!("{{{{- $_ := set .Release \"Revision\" {number} }}}}\n").into_bytes()));
        }
        assert!(first(&gzip(b"no tar")).is_err());
    }
}
