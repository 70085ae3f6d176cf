//! What a YAML reader finds wrong, in words for the person who wrote the text. The reader's own are for programmers: they name
//! options of the library and types of ours.

use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

/// The place, where it is known, and what is wrong there, in one line.
#[must_use]
pub fn what_is_wrong(error: &Error) -> String {
    let said = said(error);
    match error.location() {
        Some(at) if at.line() > 0 => format!("line {}, column {}: {said}", at.line(), at.column()),
        _ => said,
    }
}

/// What is wrong, in one line, for those who say the place in their own way.
#[must_use]
pub fn said(error: &Error) -> String {
    match error.without_snippet() {
        Error::AliasError { error, .. } => said(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => line(&format!("the key {key:?} is written twice")),
        Error::DuplicateMappingKey { key: None, .. } => "a key is written twice".to_owned(),
        Error::MultipleDocuments { .. } => "a second document begins, and only one is expected".to_owned(),
        Error::Eof { .. } => "the text ends too early".to_owned(),
        Error::NullIntoString { .. } => "a text is expected here, and nothing is written".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("{} is expected here", kind(ty)),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            line(&format!("{} is expected here, not {}", kind(expected), kind(unexpected)))
        }
        Error::Unexpected { expected, .. } => line(&format!("{} is expected here", kind(expected))),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
            "a word is expected here".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "it is larger, or nested or repeated more, than is read".to_owned(),
        other => line(&UserMessageFormatter.format_message(other)),
    }
}

/// Names of types in the words of the one who writes YAML.
fn kind(name: &str) -> String {
    let word = match name {
        "seq" | "sequence" | "a sequence" | "sequence start" => "a list",
        "map" | "a map" | "mapping start" => "a map of fields",
        "string" | "a string" | "string scalar" => "a text",
        "unit" | "unit value" | "null" => "nothing",
        "boolean" | "bool" | "a boolean" => "true or false",
        "floating point" | "f64" | "f32" => "a number",
        "an integer" => "a whole number",
        name if name.starts_with("struct ") => "a map of fields",
        name if name.starts_with("enum ") => "a word",
        name if is_integer(name) => "a whole number",
        other => other,
    };
    word.to_owned()
}

/// `u16`, `i64`, `usize`.
fn is_integer(name: &str) -> bool {
    name.strip_prefix(['u', 'i']).is_some_and(|width| width == "size" || matches!(width, "8" | "16" | "32" | "64" | "128"))
}

/// One line that asks nothing of a terminal: keys and values of the text are quoted in it.
fn line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches([':', ',']).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only what goes wrong is looked at")]
    struct Document {
        #[serde(default)]
        port: u16,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        list: Vec<String>,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        names: BTreeMap<String, String>,
        #[serde(default)]
        level: Level,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what goes wrong is looked at")]
    struct Inner {
        name: String,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Level {
        #[default]
        Low,
        High,
    }

    #[test]
    fn it_speaks_to_whom_wrote_the_text() {
        for (text, said) in [
            ("port: 1\nport: 2\n", "line 2, column 1: the key \"port\" is written twice"),
            ("port: 1\n---\nport: 2\n", "a second document begins, and only one is expected"),
            ("port: x\n", "line 1, column 7: a whole number is expected here"),
            ("port: 99999\n", "line 1, column 7: a whole number is expected here"),
            ("on: maybe\n", "line 1, column 5: true or false is expected here"),
            ("list: x\n", "a list is expected here"),
            ("inner: x\n", "a map of fields is expected here"),
            ("inner: {}\n", "missing field `name`"),
            ("prot: 1\n", "unknown field `prot`, expected one of port, on, list"),
            ("level: mid\n", "unknown variant `mid`, expected one of low, high"),
            ("level: [a]\n", "a word is expected here"),
            ("- a\n", "a map of fields is expected here"),
            ("list: [a\n", "line "),
        ] {
            let words = what_is_wrong(&serde_saphyr::from_str::<Document>(text).unwrap_err());
            assert!(words.contains(said), "{text:?}: {words}");
            assert_eq!(words.lines().count(), 1, "{words}");
            for foreign in ["Options", "from_str", "enum", "struct", "serde", "u16", "breach"] {
                assert!(!words.contains(foreign), "{text:?}: {words}");
            }
        }
    }

    #[test]
    fn it_asks_nothing_of_a_terminal() {
        let error = serde_saphyr::from_str::<Document>("\"\\e[2Jx\": 1\n").unwrap_err();
        assert!(!what_is_wrong(&error).chars().any(char::is_control), "{error:?}");
    }
}
