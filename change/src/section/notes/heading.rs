//! Headings that name a version of the chart.

use crate::constraint::Version;

/// Words that may stand before the version in a heading. With any other word the number is likely to be that of something else
/// (`Kubernetes 1.16`, `Helm 3`).
const BEFORE: [&str; 20] = [
    "to",
    "from",
    "upgrade",
    "upgrading",
    "upgrades",
    "update",
    "updating",
    "version",
    "versions",
    "release",
    "chart",
    "the",
    "migrate",
    "migrating",
    "breaking",
    "changes",
    "change",
    "in",
    "notes",
    "for",
];

/// A heading: how deep, and what it says.
pub(super) fn heading(line: &str) -> Option<(usize, &str)> {
    let hashes = line.bytes().take_while(|b| *b == b'#').count();
    if (1..=6).contains(&hashes) && line[hashes..].starts_with([' ', '\t']) {
        return Some((hashes, line[hashes..].trim().trim_end_matches('#').trim_end()));
    }
    // Some write a bold line instead; it is deeper than any heading.
    let bold = line.trim().strip_prefix("**")?.strip_suffix("**")?.trim_end_matches(':');
    (!bold.is_empty() && !bold.contains("**")).then_some((7, bold))
}

/// The version to which the text below a heading leads.
pub(super) fn version(heading: &str) -> Option<Version> {
    let words: Vec<String> =
        heading.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '*').to_lowercase()).collect();
    let mut found: Option<Version> = None;
    let mut named = false;
    let mut target = false;
    for word in words.iter().filter(|word| !word.is_empty()) {
        if let Some((version, bare)) = number(word) {
            // A bare number is a version only when a word says so.
            if bare && !named {
                return None;
            }
            match found {
                // `From 8.x to 9.x`: the second is the one that counts.
                Some(_) if target => return Some(version),
                Some(_) => break,
                None => found = Some(version),
            }
            target = false;
            continue;
        }
        match word.as_str() {
            "to" | "version" | "from" | "upgrading" | "release" => named = true,
            word if found.is_none() && !BEFORE.contains(&word) => return None,
            _ => {}
        }
        target |= word == "to";
    }
    // `->` between two versions has no letter, and so is no word.
    if let Some((_, after)) = heading.split_once("->").or_else(|| heading.split_once('→'))
        && let Some((version, _)) = after.split_whitespace().next().and_then(|word| number(&word.to_lowercase()))
    {
        return Some(version);
    }
    found
}

/// `9.x`, `v1.2.3`, `9`: a version, and whether it is a bare number. An `x` stands for 0.
fn number(word: &str) -> Option<(Version, bool)> {
    let digits = word.strip_prefix('v').unwrap_or(word);
    let (numbers, rest) = digits.split_once('-').map_or((digits, ""), |(numbers, rest)| (numbers, rest));
    // A date.
    if !rest.is_empty() && rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > 3 || !parts.first()?.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut values = [0_u64; 3];
    for (value, part) in values.iter_mut().zip(&parts) {
        if !matches!(*part, "x" | "*") {
            *value = part.parse().ok()?;
        }
    }
    let plain = Version::new(values[0], values[1], values[2]);
    let version = if rest.is_empty() { plain } else { Version::parse(&format!("{}-{rest}", plain.as_str())).unwrap_or(plain) };
    Some((version, parts.len() == 1 && word == digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_headings() {
        for (line, expected) in [
            ("## From 30.x to 31.x", Some("31.0.0")),
            ("#### From 8.x to 9.0", Some("9.0.0")),
            ("#### 3.x to 4.x", Some("4.0.0")),
            ("### Upgrading from 5.6.0 to 6.0.0", Some("6.0.0")),
            ("## 12.0.0", Some("12.0.0")),
            ("## [1.2.3] - 2020-01-01", Some("1.2.3")),
            ("## v2.0.0-rc.1 (2021-05-06)", Some("2.0.0-rc.1")),
            ("## Upgrading to v8.0.0", Some("8.0.0")),
            ("#### To version 3.0.0", Some("3.0.0")),
            ("#### To 29.0", Some("29.0.0")),
            ("### Version 5", Some("5.0.0")),
            ("### 4.x -> 5.x", Some("5.0.0")),
            ("**To 7.0.0:**", Some("7.0.0")),
            ("## Upgrading an existing Release to a new major version", None),
            ("## Kubernetes 1.16", None),
            ("### Install with Helm 3", None),
            ("## Migrate from somebody/helm-charts (before version 0.39.0)", None),
            ("## 3 ways to install", None),
            ("## 2020-01-01", None),
            ("#no heading 1.2.3", None),
            ("text 1.2.3", None),
        ] {
            let found = heading(line).and_then(|(_, text)| version(text)).map(|version| version.normal());
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }
}
