//! Label selectors in kubectl's grammar: `a=b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, joined by commas.
//!
//! Source of the rules: Kubernetes, "Labels and Selectors". As there, `!=` and `notin` also match clusters without the key.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Labels of a cluster. The shells put the cluster's own name in under `name`.
pub type Labels = BTreeMap<String, String>;

/// A parsed selector; matches a cluster when each requirement holds. An empty one matches every cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Has(String),
    HasNot(String),
}

/// Why a selector was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("selector {text:?}: {why}")]
pub struct BadSelector {
    /// The selector as given, cut to 200 characters.
    pub text: String,
    /// What is wrong, with what would be right.
    pub why: String,
}

impl Selector {
    /// Matches every cluster.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether the labels fulfil every requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Has(key) => labels.contains_key(key),
            Requirement::HasNot(key) => !labels.contains_key(key),
        })
    }
}

impl std::str::FromStr for Selector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let refuse = |why: String| BadSelector { text: text.chars().take(200).collect(), why };
        if text.len() > 4_096 {
            return Err(refuse("it is longer than 4096 characters".into()));
        }
        if text.trim().is_empty() {
            return Ok(Self::all());
        }
        let requirements = split(text).map_err(refuse)?.into_iter().map(requirement).collect::<Result<_, _>>().map_err(refuse)?;
        Ok(Self { requirements })
    }
}

impl TryFrom<String> for Selector {
    type Error = BadSelector;
    fn try_from(text: String) -> Result<Self, BadSelector> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, requirement) in self.requirements.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            let list = |values: &BTreeSet<String>| values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            match requirement {
                Requirement::In(key, values) if values.len() == 1 => write!(f, "{key}={}", list(values))?,
                Requirement::In(key, values) => write!(f, "{key} in ({})", list(values))?,
                Requirement::NotIn(key, values) if values.len() == 1 => write!(f, "{key}!={}", list(values))?,
                Requirement::NotIn(key, values) => write!(f, "{key} notin ({})", list(values))?,
                Requirement::Has(key) => f.write_str(key)?,
                Requirement::HasNot(key) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

/// Cuts at the commas outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' if inside => return Err("parentheses do not nest".into()),
            '(' => inside = true,
            ')' if !inside => return Err("a ')' without its '('".into()),
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("a '(' without its ')'".into());
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let text = text.trim();
    if let Some(open) = text.find('(') {
        return set_requirement(text, open);
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key_of(key)?, BTreeSet::from([value_of(value)?])));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(key_of(key)?, BTreeSet::from([value_of(value)?])));
    }
    match text.strip_prefix('!') {
        Some(key) => Ok(Requirement::HasNot(key_of(key)?)),
        None => Ok(Requirement::Has(key_of(text)?)),
    }
}

fn set_requirement(text: &str, open: usize) -> Result<Requirement, String> {
    let list = text[open + 1..].strip_suffix(')').ok_or_else(|| format!("something stands behind the ')' of {text:?}"))?;
    let values = list.split(',').map(value_of).collect::<Result<BTreeSet<_>, _>>()?;
    let words: Vec<&str> = text[..open].split_whitespace().collect();
    match words.as_slice() {
        [key, "in"] => Ok(Requirement::In(key_of(key)?, values)),
        [key, "notin"] => Ok(Requirement::NotIn(key_of(key)?, values)),
        _ => Err(format!("{text:?} should read `key in (a,b)` or `key notin (a,b)`")),
    }
}

/// Kubernetes: at most 63 characters for a value; for a key the same behind an optional DNS prefix of 253 and a slash.
fn key_of(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (prefix, name) = text.split_once('/').map_or(("", text), |(prefix, name)| (prefix, name));
    if name.is_empty() || prefix.len() > 253 || !is_label_text(name) || !prefix.chars().all(is_label_char) {
        return Err(format!("{text:?} is no label key"));
    }
    Ok(text.to_owned())
}

fn value_of(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !text.is_empty() && !is_label_text(text) {
        return Err(format!("{text:?} is no label value"));
    }
    Ok(text.to_owned())
}

/// Whether a text may stand as the value of a label of a cluster.
pub fn is_label_text(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(is_label_char) && edge(text.chars().next()) && edge(text.chars().last())
}

fn is_label_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn matches_like_kubectl() {
        let east = labels(&[("name", "east-01"), ("foundation", "east"), ("canary", "true")]);
        let cases = [
            ("", true),
            ("canary=true", true),
            ("canary==true", true),
            ("canary", true),
            ("!canary", false),
            ("!role", true),
            ("role!=federation", true),
            ("foundation in (east, west)", true),
            ("foundation notin (east,west)", false),
            ("role notin (x)", true),
            ("name=east-01,foundation=west", false),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Selector>().unwrap().matches(&east), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_and_says_what_would_be_right() {
        for bad in ["a in x", "a in (x", "a in x)", "=x", "a=b c", "a in ((x))", "a on (x)", ",", "a,,b", "a=--b"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        for text in ["a=b", "a!=b", "a in (x,y)", "a notin (x,y)", "a", "!a", "a=b,!c,d in (e,f)"] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.to_string(), text);
        }
    }
}
