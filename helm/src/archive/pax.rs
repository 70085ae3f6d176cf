//! Pax headers: `LENGTH KEY=VALUE\n`, and only what all readers understand alike.

use std::collections::BTreeMap;

use super::ArchiveError;

/// The path that a pax header gives to the file after it, if it gives one.
pub(super) fn path(body: &[u8], file: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
    let records = records(body, file)?;
    for (key, value) in &records {
        let words = String::from_utf8_lossy(value);
        let fine = match *key {
            // A size of its own, a hole, another character set: readers see different files in one archive. An empty path is "none" to some.
            "size" | "hdrcharset" => false,
            "path" => !value.is_empty(),
            "uid" | "gid" => words.parse::<i64>().is_ok_and(|n| n >= 0),
            "mtime" | "atime" | "ctime" => is_time(&words),
            other => !other.starts_with("GNU.sparse"),
        };
        if !fine {
            return Err(refused(file, key));
        }
    }
    Ok(records.get("path").map(|value| value.to_vec()))
}

/// Refuses a global header that says more than `git archive` does.
pub(super) fn only_comment(body: &[u8], file: &str) -> Result<(), ArchiveError> {
    match records(body, file)?.keys().find(|key| **key != "comment") {
        Some(key) => Err(refused(file, key)),
        None => Ok(()),
    }
}

fn refused(file: &str, key: &str) -> ArchiveError {
    ArchiveError::PaxHeader { path: file.to_owned(), key: key.to_owned() }
}

fn is_time(text: &str) -> bool {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.len() <= 18 && part.bytes().all(|b| b.is_ascii_digit());
    digits(seconds.strip_prefix('-').unwrap_or(seconds)) && digits(fraction)
}

/// All records. A key twice is refused: the first wins for some readers, the last for others.
fn records<'a>(mut body: &'a [u8], file: &str) -> Result<BTreeMap<&'a str, &'a [u8]>, ArchiveError> {
    let mut found = BTreeMap::new();
    while !body.is_empty() {
        let broken = || ArchiveError::BrokenTar { reason: "a pax header that cannot be read".into() };
        let digits = body.iter().position(|b| !b.is_ascii_digit()).ok_or_else(broken)?;
        let length = std::str::from_utf8(&body[..digits]).ok().and_then(|text| text.parse::<usize>().ok()).ok_or_else(broken)?;
        let record = body.get(digits..length).ok_or_else(broken)?;
        let pair = record.strip_prefix(b" ").and_then(|r| r.strip_suffix(b"\n")).ok_or_else(broken)?;
        let equals = pair.iter().position(|b| *b == b'=').ok_or_else(broken)?;
        let key = std::str::from_utf8(&pair[..equals]).ok().filter(|key| !key.is_empty() && !key.contains('\0'));
        let key = key.filter(|_| !body.starts_with(b"0")).ok_or_else(broken)?;
        if found.insert(key, &pair[equals + 1..]).is_some() {
            return Err(refused(file, key));
        }
        body = &body[length..];
    }
    Ok(found)
}
