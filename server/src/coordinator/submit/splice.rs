//! Puts another values text into a release document, and leaves every other byte as it is.

use groundswell_api::document::{Document, Release, ValuesText, parse};

/// The document with `new` as its base values; `None` when it is written in a way that lines cannot mend.
pub(crate) fn with_values(source: &str, release: &Release, new: &str) -> Option<String> {
    let spliced = match &release.spec.values {
        Some(old) => replace(&release.text, old, new),
        None => insert(&release.text, release.spec.namespace.at.line, new)?,
    };
    // What was made is read again: only a document that says exactly the wanted is taken.
    let documents = parse(source, &spliced).ok()?;
    let [Document::Release(read)] = documents.as_slice() else { return None };
    let says = read.spec.values.as_ref().is_some_and(|values| values.text.trim_end() == new.trim_end());
    let mut expected = release.spec.clone();
    expected.values.clone_from(&read.spec.values);
    (says && read.spec == expected && read.name == release.name).then_some(spliced)
}

fn replace(text: &str, old: &ValuesText, new: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = old.line.saturating_sub(1);
    let count = old.text.lines().count().max(1);
    // What stands to the left of the first line stays: blanks, or the key of a map written beside it.
    let left: String = lines.get(first).map(|line| line.chars().take(old.indent).collect()).unwrap_or_default();
    let mut out: String = lines.iter().take(first).copied().collect();
    push_indented(&mut out, &left, &" ".repeat(old.indent), new);
    out.extend(lines.iter().skip(first + count).copied());
    out
}

fn insert(text: &str, before_line: usize, new: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = before_line.checked_sub(1)?;
    let indent: String = lines.get(at)?.chars().take_while(|c| *c == ' ').collect();
    let mut out: String = lines.iter().take(at).copied().collect();
    out.push_str(&format!("{indent}values: |\n"));
    let deeper = format!("{indent}  ");
    push_indented(&mut out, &deeper, &deeper, new);
    out.extend(lines.iter().skip(at).copied());
    Some(out)
}

fn push_indented(out: &mut String, first: &str, rest: &str, text: &str) {
    for (n, line) in text.lines().enumerate() {
        if !line.is_empty() {
            out.push_str(if n == 0 { first } else { rest });
            out.push_str(line);
        }
        out.push('\n');
    }
}
