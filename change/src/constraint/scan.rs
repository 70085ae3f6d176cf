//! The shapes of Helm's grammar, found in text.
//!
//! Masterminds/semver finds them with regular expressions. Each is written out here; none needs to go back over what it took,
//! because the character after each part decides how it goes on.

/// A version as far as its shape goes: numbers may be `x`, `X`, `*` (and, in Helm's character class, `|`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape<'a> {
    pub(super) text: &'a str,
    pub(super) major: &'a str,
    pub(super) minor: &'a str,
    pub(super) patch: &'a str,
    pub(super) pre: &'a str,
    pub(super) metadata: &'a str,
    /// Where it ends in the whole text.
    pub(super) end: usize,
}

/// The longest version shape that begins exactly at `start`.
pub(super) fn version(text: &str, start: usize) -> Option<Shape<'_>> {
    let bytes = text.as_bytes();
    let begin = start + usize::from(bytes.get(start) == Some(&b'v'));
    let mut end = run(bytes, begin, number);
    if end == begin {
        return None;
    }
    let major = &text[begin..end];
    let mut after_sign = |sign: u8, more: fn(&[u8], usize) -> usize| {
        let from = end + 1;
        let to = if bytes.get(end) == Some(&sign) { more(bytes, from) } else { from };
        if to > from {
            end = to;
            &text[from..to]
        } else {
            ""
        }
    };
    let numbers = |bytes: &[u8], from| run(bytes, from, number);
    let (minor, patch) = (after_sign(b'.', numbers), after_sign(b'.', numbers));
    let (pre, metadata) = (after_sign(b'-', dotted), after_sign(b'+', dotted));
    Some(Shape { text: &text[start..end], major, minor, patch, pre, metadata, end })
}

/// The end of the run of bytes of a class.
fn run(bytes: &[u8], from: usize, class: fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|b| !class(*b)).unwrap_or(rest.len())
}

/// The end of identifiers with dots between them.
fn dotted(bytes: &[u8], from: usize) -> usize {
    let identifier = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let mut end = run(bytes, from, identifier);
    while end > from && bytes.get(end) == Some(&b'.') {
        let next = run(bytes, end + 1, identifier);
        if next == end + 1 {
            break;
        }
        end = next;
    }
    end
}

fn number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
}

/// What Go's `\s` is: no vertical tab, nothing beyond ASCII.
fn space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

/// Where the space that begins at `from` ends.
pub(super) fn spaces(text: &str, from: usize) -> usize {
    run(text.as_bytes(), from, space)
}

/// `1.2 - 3.4` written as `>= 1.2, <= 3.4`, wherever it stands, in the very way in which Helm does it: the text between is not
/// looked at, so a range after an operator becomes what is refused later.
pub(super) fn rewrite_ranges(text: &str) -> String {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match range(text, at) {
            Some((low, high, end)) => {
                found.push((&text[at..end], format!(">= {low}, <= {high} ")));
                at = end;
            }
            None => at += 1,
        }
    }
    found.into_iter().fold(text.to_owned(), |text, (from, to)| text.replacen(from, &to, 1))
}

/// A range that begins at `start`, with the space around it: its bounds and its end.
fn range(text: &str, start: usize) -> Option<(&str, &str, usize)> {
    let bytes = text.as_bytes();
    let low = version(text, spaces(text, start))?;
    let hyphen = spaces(text, low.end);
    if hyphen == low.end || bytes.get(hyphen) != Some(&b'-') {
        return None;
    }
    let from = spaces(text, hyphen + 1);
    if from == hyphen + 1 {
        return None;
    }
    let high = version(text, from)?;
    Some((low.text, high.text, spaces(text, high.end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_ends_where_the_grammar_ends_it() {
        for (text, shape) in [
            ("v1.2.3-a.b+c rest", "v1.2.3-a.b+c"),
            ("1.2.3.4", "1.2.3"),
            ("1.x.*", "1.x.*"),
            ("1.2-", "1.2"),
            ("1-a.", "1-a"),
            ("1+a-b+c", "1+a-b"),
            ("1.-a", "1"),
            ("1|2,", "1|2"),
        ] {
            assert_eq!(version(text, 0).unwrap().text, shape, "{text}");
        }
        for text in ["", "v", ".1", "-1", "V1", "vv1", "ü"] {
            assert_eq!(version(text, 0), None, "{text}");
        }
    }

    #[test]
    fn ranges_with_hyphens() {
        for (text, rewritten) in [
            ("1.2 - 3", ">= 1.2, <= 3 "),
            (" v1 -\t2 || 3 - 4", ">= v1, <= 2 ||>= 3, <= 4 "),
            ("1 - 2 - 3", ">= 1, <= 2 - 3"),
            ("1-2", "1-2"),
            ("1 -2", "1 -2"),
            (">1 - 2", ">>= 1, <= 2 "),
            ("1.2.3.4 - 5", "1.>= 2.3.4, <= 5 "),
        ] {
            assert_eq!(rewrite_ranges(text), rewritten, "{text}");
        }
    }
}
