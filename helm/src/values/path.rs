//! Where a value stands: `a.b[0].c`, as `helm --set` writes it.

use std::fmt;
use std::str::FromStr;

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a map.
    Key(String),
    /// An index of a list, from 0.
    Index(usize),
}

/// A place in a values document. A dot, bracket, comma, equals sign or backslash within a key is written with a
/// backslash before it: `nodeSelector.kubernetes\.io/os`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(pub Vec<Segment>);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is no path to a value: {what}; write it like a.b[0].c, with a backslash before a dot within a key")]
pub struct PathError {
    /// The text.
    pub path: String,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Longest path, in steps; deeper documents are refused anyway.
const MAX_SEGMENTS: usize = super::MAX_DEPTH;

const ESCAPED: [char; 6] = ['.', '[', ']', '\\', ',', '='];

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    for c in key.chars() {
                        if ESCAPED.contains(&c) {
                            f.write_str("\\")?;
                        }
                        write!(f, "{c}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let fail = |what| Err(PathError { path: text.to_owned(), what });
        let mut segments = Vec::new();
        let mut chars = text.chars().peekable();
        let mut key = String::new();
        // A key may end only where one began; after an index comes a dot, another index, or the end.
        let mut after_index = false;
        loop {
            match chars.next() {
                Some('\\') => match chars.next() {
                    Some(c) => key.push(c),
                    None => return fail("it ends with a backslash"),
                },
                Some(c @ ('.' | '[')) => {
                    if !after_index {
                        if key.is_empty() {
                            return fail("a key is empty");
                        }
                        segments.push(Segment::Key(std::mem::take(&mut key)));
                    }
                    after_index = false;
                    if c == '[' {
                        let digits: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
                        let Ok(index) = digits.parse() else { return fail("an index must be a number") };
                        if chars.next() != Some(']') {
                            return fail("an index must end with ]");
                        }
                        segments.push(Segment::Index(index));
                        after_index = true;
                    }
                }
                Some(_) if after_index => return fail("after ] comes a dot, another index or the end"),
                Some(']') => return fail("] without ["),
                Some(c) => key.push(c),
                None if after_index => break,
                None if key.is_empty() => return fail("a key is empty"),
                None => {
                    segments.push(Segment::Key(key));
                    break;
                }
            }
            if segments.len() >= MAX_SEGMENTS {
                return fail("it is too deep");
            }
        }
        Ok(Path(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_and_write_the_same() {
        for text in ["a", "a.b[0].c", "a[0][1]", r"a\.b.c\\d", r"nodeSelector.kubernetes\.io/os", "ü.x y"] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[1", "a[0]b", "[0]", "a]", "a\\", "a[99999999999999999999999]"] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }
}
