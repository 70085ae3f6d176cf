//! What is wrong with a document, with its place.

use super::types::Spot;
use crate::dto::ErrorDto;
use std::fmt;

/// More than these nobody reads at once.
const MAX_PROBLEMS: usize = 50;
/// Characters of a source line that a snippet shows; the rest of a terminal's 120 is for line number and indentation.
const MAX_SNIPPET: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// The file, as the operator named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Why that is wrong; may be empty.
    pub why: String,
    /// What to write instead; may be empty.
    pub hint: String,
    /// The line that it stands on, with a mark under the place; may be empty.
    pub snippet: String,
}

/// Everything that is wrong with a file; never empty.
pub type Problems = Vec<Problem>;

impl Problem {
    /// `file:line:column`.
    pub fn place(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }

    /// A problem at a place of a text.
    pub fn at(file: &str, text: &str, at: Spot, what: impl Into<String>, why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            why: why.into(),
            hint: hint.into(),
            snippet: snippet(text, at),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)?;
        for (label, text) in [("", &self.snippet), ("why: ", &self.why), ("fix: ", &self.hint)] {
            if !text.is_empty() {
                write!(f, "\n  {label}{}", text.replace('\n', "\n  "))?;
            }
        }
        Ok(())
    }
}

impl From<Problem> for ErrorDto {
    fn from(problem: Problem) -> Self {
        Self {
            code: "GS-DOCUMENT".to_owned(),
            place: Some(problem.place()),
            what: problem.what,
            why: problem.why,
            next: problem.hint,
            more: Vec::new(),
        }
    }
}

/// Collects problems while a document is read.
pub(super) struct Report<'t> {
    source: &'t str,
    text: &'t str,
    problems: Problems,
}

impl<'t> Report<'t> {
    pub(super) fn new(source: &'t str, text: &'t str) -> Self {
        Self { source, text, problems: Vec::new() }
    }

    pub(super) fn add(&mut self, at: Spot, what: impl Into<String>, why: impl Into<String>, hint: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::at(self.source, self.text, at, what, why, hint));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn slice(&self, bytes: std::ops::Range<usize>) -> &'t str {
        self.text.get(bytes).unwrap_or_default()
    }

    pub(super) fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }
}

fn snippet(text: &str, at: Spot) -> String {
    let Some(line) = text.lines().nth(at.line.saturating_sub(1)) else { return String::new() };
    // A long line is cut so that the place stays in view.
    let from = at.column.saturating_sub(MAX_SNIPPET / 2 + 1).min(at.column.saturating_sub(1));
    let shown: String = line.chars().skip(from).take(MAX_SNIPPET).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = at.line.to_string();
    let mark = " ".repeat(at.column.saturating_sub(1 + from));
    format!("{number} | {shown}\n{} | {mark}^", " ".repeat(number.len()))
}
