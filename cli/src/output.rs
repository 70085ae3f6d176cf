//! Data on stdout, all else on stderr. Nothing else in this crate writes.

use crate::error::{Failure, Result};
use clap::ValueEnum;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people; they may change
    #[default]
    Table,
    /// More columns
    Wide,
    /// Versioned and stable
    Json,
    /// The same as YAML
    Yaml,
    /// `kind/name`, one for each line
    Name,
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Colour {
    /// Takes effect for every stream.
    pub(crate) fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Where the command writes.
pub(crate) struct Output {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    /// Whether stdout may be drawn anew.
    pub(crate) redraws: bool,
    /// Whether a person can be asked.
    pub(crate) asks: bool,
}

impl Output {
    /// Writes to the terminal, or whatever stands in its place.
    pub(crate) fn terminal() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            stdout: Box::new(anstream::AutoStream::auto(io::stdout())),
            stderr: Box::new(anstream::AutoStream::auto(io::stderr())),
            redraws: io::stdout().is_terminal() && !dumb,
            asks: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Writes into buffers, as if into pipes.
    #[cfg(test)]
    pub(crate) fn captured(stdout: impl Write + 'static, stderr: impl Write + 'static) -> Self {
        Self {
            stdout: Box::new(anstream::StripStream::new(Box::new(stdout) as Box<dyn Write>)),
            stderr: Box::new(anstream::StripStream::new(Box::new(stderr) as Box<dyn Write>)),
            redraws: false,
            asks: false,
        }
    }

    /// Data, as it is.
    pub(crate) fn data(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.flush()
    }

    /// Anything that is no data, as it is.
    pub(crate) fn err(&mut self, text: &str) -> io::Result<()> {
        self.stderr.write_all(text.as_bytes())?;
        self.stderr.flush()
    }

    /// A line that is no data.
    pub(crate) fn note(&mut self, line: &str) -> io::Result<()> {
        self.err(&format!("{line}\n"))
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// An answer of the server as JSON or YAML, exactly as it came.
    pub(crate) fn structured(&mut self, format: Format, value: &Value) -> Result<()> {
        let text = if format == Format::Yaml { yaml(value)? } else { json(value)? };
        Ok(self.data(&text)?)
    }
}

fn json(value: &Value) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::error("cannot write JSON", error, ""))?;
    Ok(text + "\n")
}

/// YAML of a JSON value.
pub(crate) fn yaml(value: &Value) -> Result<String> {
    serde_saphyr::to_string(value).map_err(|error| Failure::error("cannot write YAML", error, ""))
}

/// Text of others without control characters: nothing that a cluster says may steer the terminal.
pub(crate) fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' => ' ',
        c if c.is_control() || turns(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Characters that change the direction of what follows, so that `exe.png` reads as another name than it is. Text in Hebrew or
/// Arabic needs none of them.
fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A table without borders, as kubectl has them.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).enforce_styling();
    table.set_header(header.iter().map(Cell::new));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

/// A cell with text of others.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    Cell::new(clean(text.as_ref()))
}

/// A cell in a colour.
pub(crate) fn coloured(text: impl AsRef<str>, colour: Option<Color>) -> Cell {
    match colour {
        Some(colour) => cell(text).fg(colour),
        None => cell(text),
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\tc\nd"), "a\u{fffd}[31mb c d");
        assert_eq!(clean("abc\u{202e}gnp.exe \u{2066}x\u{2069}"), "abc\u{fffd}gnp.exe \u{fffd}x\u{fffd}");
        assert_eq!(clean("שלום, نعم, größer"), "שלום, نعم, größer");
    }
}
