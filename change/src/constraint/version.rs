//! A version as Helm reads it: lenient, `v1.2` is `1.2.0`.

use super::scan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Helm's own limit (Masterminds/semver `MaxVersionLen`).
const LONGEST: usize = 256;

/// A version, remembered as it was written.
///
/// Equality and order are those of the version, not of its text: `v1.2` equals `1.2.0`. Build metadata, which has no precedence,
/// only breaks ties, so that the order is total; [`Version::precedence`] leaves it out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
    metadata: String,
    text: String,
}

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Longer than Helm takes.
    #[error("a version has at most {LONGEST} bytes, this has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not of the form `[v]N[.N[.N]][-PRERELEASE][+METADATA]`.
    #[error("{text:?} is no version; write it like 1.2.3, 1.2 or v1.2.3-rc.1+build")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// A number does not fit into 64 bits.
    #[error("{text:?} is no version: {number} is too large a number")]
    NumberTooLarge {
        /// What was given.
        text: String,
        /// The number.
        number: String,
    },
    /// A numeric part of the prerelease begins with a zero.
    #[error("{text:?} is no version: {part:?} in its prerelease begins with a zero")]
    LeadingZero {
        /// What was given.
        text: String,
        /// The part.
        part: String,
    },
}

impl Version {
    /// Reads a version as Helm does.
    ///
    /// # Errors
    /// When Helm would refuse it.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > LONGEST {
            return Err(VersionError::TooLong { bytes: text.len() });
        }
        let malformed = || VersionError::Malformed { text: text.to_owned() };
        let parts = scan::version(text, 0).filter(|parts| parts.end == text.len()).ok_or_else(malformed)?;
        let number = |digits: &str| {
            if digits.bytes().any(|b| !b.is_ascii_digit()) {
                return Err(malformed());
            }
            // Only digits and never none: what cannot be read is too large.
            let large = |_| VersionError::NumberTooLarge { text: text.to_owned(), number: digits.to_owned() };
            if digits.is_empty() { Ok(0) } else { digits.parse().map_err(large) }
        };
        if let Some(part) = parts.pre.split('.').find(|p| p.len() > 1 && p.starts_with('0') && p.bytes().all(|b| b.is_ascii_digit())) {
            return Err(VersionError::LeadingZero { text: text.to_owned(), part: part.to_owned() });
        }
        Ok(Self {
            major: number(parts.major)?,
            minor: number(parts.minor)?,
            patch: number(parts.patch)?,
            pre: parts.pre.to_owned(),
            metadata: parts.metadata.to_owned(),
            text: text.to_owned(),
        })
    }

    /// A version without prerelease or metadata.
    #[must_use]
    pub fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch, pre: String::new(), metadata: String::new(), text: format!("{major}.{minor}.{patch}") }
    }

    /// The first number.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number, 0 where none was written.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number, 0 where none was written.
    #[must_use]
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// What follows the hyphen, empty for a release.
    #[must_use]
    pub fn prerelease(&self) -> &str {
        &self.pre
    }

    /// What follows the plus, or nothing.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// With all three numbers and without `v`, as Helm prints it.
    #[must_use]
    pub fn normal(&self) -> String {
        let mut text = format!("{}.{}.{}", self.major, self.minor, self.patch);
        for (sign, rest) in [('-', &self.pre), ('+', &self.metadata)] {
            if !rest.is_empty() {
                text.push(sign);
                text.push_str(rest);
            }
        }
        text
    }

    /// Which of two comes first by the rules of semantic versions; metadata does not count.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => prereleases(&self.pre, &other.pre),
        })
    }
}

/// Which of two prereleases comes first. A missing one counts as an empty one, which is what a range such as `1.2-beta` needs.
pub(super) fn prereleases(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (one, other) => identifiers(one.unwrap_or_default(), other.unwrap_or_default()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn identifiers(one: &str, other: &str) -> Ordering {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        _ if one == other => Ordering::Equal,
        _ if one.is_empty() => Ordering::Less,
        _ if other.is_empty() => Ordering::Greater,
        (Ok(one), Ok(other)) => one.cmp(&other),
        // A number comes before a word; one beyond 64 bits is a word, as in Helm.
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other).then_with(|| self.metadata.cmp(&other.metadata))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn what_is_a_version() {
        for (text, normal) in [
            ("1", "1.0.0"),
            ("v1.2", "1.2.0"),
            ("01.002.3", "1.2.3"),
            ("1.28.3+vmware.1", "1.28.3+vmware.1"),
            ("v1.2-rc.1+b-7", "1.2.0-rc.1+b-7"),
            ("1.2.3--", "1.2.3--"),
            ("18446744073709551615.0", "18446744073709551615.0.0"),
        ] {
            assert_eq!(version(text).normal(), normal, "{text}");
            assert_eq!(version(text).to_string(), text);
        }
        for text in
            ["", "v", "V1", "1.2.3.4", "1.x", "*", " 1", "1 ", "1-", "1+", "1.2.3-a..b", "1.2.3-01", "18446744073709551616", "1|2", "ü"]
        {
            assert!(Version::parse(text).is_err(), "{text}");
        }
        assert!(matches!(Version::parse(&"1".repeat(257)), Err(VersionError::TooLong { bytes: 257 })));
    }

    #[test]
    fn order_is_that_of_semantic_versions() {
        let rising = [
            "0.9",
            "1.0.0-1",
            "1.0.0-2",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.10.0",
            "2",
        ];
        for (at, low) in rising.iter().enumerate() {
            for high in &rising[at + 1..] {
                assert!(version(low) < version(high), "{low} < {high}");
            }
        }
        assert_eq!(version("v1.2"), version("1.2.0"));
        assert_eq!(version("1.2.0+a").precedence(&version("1.2.0+b")), Ordering::Equal);
        assert_ne!(version("1.2.0+a"), version("1.2.0+b"));
    }
}
