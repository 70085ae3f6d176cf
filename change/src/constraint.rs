//! Helm's grammar for ranges of versions: what `kubeVersion:`, `dependencies[].version` and `--version` understand.
//!
//! A port of Masterminds/semver 3.5, the version inside of helm 3.22 and 4, oddities included, because a range that means
//! something else here than in helm is worse than an odd one. The oddities worth knowing: a range without a prerelease in it never
//! matches a prerelease (`>=1.25.0` refuses `1.25.1-gke.3`, `>=1.25.0-0` takes it); `1.2` is `1.2.x`; `>11` begins at 12;
//! `~0.0.0` takes everything. `tests/constraint_by_helm.rs` asks the real binary the same
//! questions and compares the answers.

mod scan;
mod version;

pub use version::{Version, VersionError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Helm's own limits (Masterminds/semver `MaxConstraintLen` and `MaxConstraintGroups`).
const LONGEST: usize = 512;
const MOST_GROUPS: usize = 32;

/// A range of versions.
///
/// Displayed in one canonical way: terms with a space between, groups with `||`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Constraint {
    groups: Vec<Group>,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// Longer than Helm takes.
    #[error("a range has at most {LONGEST} bytes, this has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More alternatives than Helm takes.
    #[error("a range has at most {MOST_GROUPS} alternatives, this has {groups}")]
    TooManyGroups {
        /// How many it has.
        groups: usize,
    },
    /// An alternative that is not a list of terms.
    #[error("{text:?} is no range; write it like >=1.2.3, ~1.2, ^1.2.3, 1.2.x, 1.2 - 1.4, >=1.2 <2 || 3.x")]
    Malformed {
        /// The alternative.
        text: String,
    },
    /// A term whose version is none.
    #[error("the version in {term:?} cannot be read")]
    Version {
        /// The term.
        term: String,
        /// What is wrong with it.
        #[source]
        source: VersionError,
    },
}

/// Terms that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    terms: Vec<Term>,
    /// Whether a term names a prerelease, which opens the whole group to them.
    prereleases: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    operator: Operator,
    version: Version,
    /// What of the version was left open.
    open: Open,
    /// Operator and version as they were written.
    text: String,
}

/// Which numbers of a version were left out or are `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Differs,
    Above,
    Below,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

/// All spellings, the longer before what it begins with. No operator at all is also one.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::Differs),
    (">=", Operator::AtLeast),
    ("=>", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=<", Operator::AtMost),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

impl Constraint {
    /// Reads a range as Helm does.
    ///
    /// # Errors
    /// When Helm would refuse it.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > LONGEST {
            return Err(ConstraintError::TooLong { bytes: text.len() });
        }
        let text = scan::rewrite_ranges(text);
        let groups = text.split("||").count();
        if groups > MOST_GROUPS {
            return Err(ConstraintError::TooManyGroups { groups });
        }
        Ok(Self { groups: text.split("||").map(Group::parse).collect::<Result<_, _>>()? })
    }

    /// Whether a version lies in the range.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| group.matches(version))
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self, ConstraintError> {
        let malformed = || ConstraintError::Malformed { text: text.trim().to_owned() };
        let (mut terms, mut at) = (Vec::new(), 0);
        loop {
            at = scan::spaces(text, at);
            let rest = text.get(at..).unwrap_or_default();
            let (sign, operator) = OPERATORS.into_iter().find(|(sign, _)| rest.starts_with(sign)).unwrap_or(("", Operator::Equal));
            let shape = scan::version(text, scan::spaces(text, at + sign.len())).ok_or_else(malformed)?;
            terms.push(Term::new(sign, operator, shape)?);
            at = scan::spaces(text, shape.end);
            match text.as_bytes().get(at) {
                None => break,
                Some(b',') => at += 1,
                // Between terms stands a comma, or at least space.
                Some(_) if at == shape.end => return Err(malformed()),
                Some(_) => {}
            }
        }
        let prereleases = terms.iter().any(|term| !term.version.prerelease().is_empty());
        Ok(Self { terms, prereleases })
    }

    fn matches(&self, version: &Version) -> bool {
        (self.prereleases || version.prerelease().is_empty()) && self.terms.iter().all(|term| term.matches(version))
    }
}

impl Term {
    fn new(sign: &str, operator: Operator, shape: scan::Shape<'_>) -> Result<Self, ConstraintError> {
        let left_open = |number: &str| matches!(number, "" | "x" | "X" | "*");
        let pre = if shape.pre.is_empty() { String::new() } else { format!("-{}", shape.pre) };
        // What follows an open number is not even looked at.
        let (open, version) = if left_open(shape.major) {
            (Open::All, format!("0.0.0{pre}"))
        } else if left_open(shape.minor) {
            (Open::Minor, format!("{}.0.0{pre}", shape.major))
        } else if left_open(shape.patch) {
            (Open::Patch, format!("{}.{}.0{pre}", shape.major, shape.minor))
        } else {
            (Open::Nothing, shape.text.to_owned())
        };
        let text = format!("{sign}{}", shape.text);
        match Version::parse(&version) {
            Ok(version) => Ok(Self { operator, version, open, text }),
            Err(source) => Err(ConstraintError::Version { term: text, source }),
        }
    }

    fn matches(&self, version: &Version) -> bool {
        let order = version.precedence(&self.version);
        match self.operator {
            Operator::Equal if self.open == Open::Nothing => order == Ordering::Equal,
            Operator::Equal | Operator::Tilde => order != Ordering::Less && self.tilde(version),
            Operator::Caret => order != Ordering::Less && self.caret(version),
            Operator::Differs => self.differs(version, order),
            Operator::Above => self.above(version, order),
            Operator::Below => order == Ordering::Less,
            Operator::AtLeast => order != Ordering::Less,
            Operator::AtMost => self.at_most(version, order),
        }
    }

    fn same_major(&self, version: &Version) -> bool {
        version.major() == self.version.major()
    }

    fn same_minor(&self, version: &Version) -> bool {
        version.minor() == self.version.minor()
    }

    fn is_zero(&self) -> bool {
        (self.version.major(), self.version.minor(), self.version.patch()) == (0, 0, 0)
    }

    /// Not below the version already. `~0.0.0`, like `~*`, takes all.
    fn tilde(&self, version: &Version) -> bool {
        match self.open {
            Open::Nothing | Open::All if self.is_zero() => true,
            Open::Minor => self.same_major(version),
            _ => self.same_major(version) && self.same_minor(version),
        }
    }

    /// Not below the version already. The first number that is not 0 must stay. `^*` is `^0.0.0`, which is `0.0.0` alone.
    fn caret(&self, version: &Version) -> bool {
        if !self.same_major(version) {
            return false;
        }
        if self.version.major() > 0 || self.open == Open::Minor {
            return true;
        }
        if self.version.minor() > 0 || self.open == Open::Patch {
            return self.same_minor(version);
        }
        version.minor() == 0 && version.patch() == self.version.patch()
    }

    fn differs(&self, version: &Version, order: Ordering) -> bool {
        match self.open {
            Open::Minor => !self.same_major(version),
            Open::Patch if self.same_major(version) && self.same_minor(version) => {
                version::prereleases(version.prerelease(), self.version.prerelease()) != Ordering::Equal
            }
            Open::Patch => true,
            Open::Nothing | Open::All => order != Ordering::Equal,
        }
    }

    /// `>11` begins at 12, `>11.1` at 11.2.
    fn above(&self, version: &Version, order: Ordering) -> bool {
        match self.open {
            Open::Minor => version.major() > self.version.major(),
            Open::Patch => (version.major(), version.minor()) > (self.version.major(), self.version.minor()),
            Open::Nothing | Open::All => order == Ordering::Greater,
        }
    }

    /// `<=11` ends before 12, `<=11.1` before 11.2.
    fn at_most(&self, version: &Version, order: Ordering) -> bool {
        match self.open {
            Open::Nothing => order != Ordering::Greater,
            Open::Minor => version.major() <= self.version.major(),
            Open::Patch | Open::All => (version.major(), version.minor()) <= (self.version.major(), self.version.minor()),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |group: &Group| group.terms.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join(" ");
        f.pad(&self.groups.iter().map(group).collect::<Vec<_>>().join(" || "))
    }
}

impl FromStr for Constraint {
    type Err = ConstraintError;

    fn from_str(text: &str) -> Result<Self, ConstraintError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Constraint {
    type Error = ConstraintError;

    fn try_from(text: String) -> Result<Self, ConstraintError> {
        Self::parse(&text)
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> Self {
        constraint.to_string()
    }
}

#[cfg(test)]
mod tests;
