//! Reads a file of rules: strictly, with the place of what is wrong, and within limits.

use super::rule::{Origin, Place, Rule, Step};
use crate::constraint::{Constraint, Version};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeSet;
use std::marker::PhantomData;

/// What a file says it is.
pub const API_VERSION: &str = "groundswell.dev/v1alpha1";
/// What a file says it is.
pub const KIND: &str = "PathRules";

/// The largest of ours has 40 kB; more than this is something else.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// Twenty times what the busiest chart known needs.
const MAX_RULES: usize = 1_000;
/// Ten times what that chart has published.
const MAX_VERSIONS: usize = 10_000;
/// More in one rule is no rule any more.
const MAX_STEPS: usize = 50;
/// A paragraph.
const MAX_TEXT: usize = 4_000;
const MAX_ID: usize = 100;

/// A file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// The file, as it was named.
    pub name: String,
    /// The chart that its versions and rules are about.
    pub chart: String,
    /// Where `chart` is written.
    pub place: Place,
    /// The versions for which somebody looked for rules.
    pub covers: Option<Constraint>,
    /// Versions that were published.
    pub versions: Vec<Version>,
    /// In the order in which they are written.
    pub rules: Vec<Rule>,
    /// Rules of other files that do not hold here.
    pub disabled: Vec<Disabled>,
}

/// A rule that an operator turned off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// The rule.
    pub id: String,
    /// Why it does not hold here.
    pub reason: String,
    /// Where that is written.
    pub place: Place,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{place}: {what}")]
pub struct RuleError {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
}

/// What a list has many of, in words.
trait Listed {
    const MANY: &'static str;
}

impl Listed for Version {
    const MANY: &'static str = "versions";
}

impl Listed for RuleDoc {
    const MANY: &'static str = "rules";
}

impl Listed for DisableDoc {
    const MANY: &'static str = "rules to disable";
}

impl Listed for Step {
    const MANY: &'static str = "steps";
}

impl Listed for String {
    const MANY: &'static str = "tests";
}

/// A list that is refused as soon as it is too long, before the rest of it is read.
struct Few<T, const MOST: usize>(Vec<Spanned<T>>);

impl<T, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Listed + Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

struct FewVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Listed + Deserialize<'de>, const MOST: usize> Visitor<'de> for FewVisitor<T, MOST> {
    type Value = Few<T, MOST>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::new();
        while let Some(one) = list.next_element()? {
            if read.len() == MOST {
                return Err(A::Error::custom(format!("these are more than {MOST} {}", T::MANY)));
            }
            read.push(one);
        }
        Ok(Few(read))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileDoc {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    chart: Spanned<String>,
    #[serde(default)]
    covers: Option<Constraint>,
    #[serde(default)]
    versions: Few<Version, MAX_VERSIONS>,
    #[serde(default)]
    rules: Few<RuleDoc, MAX_RULES>,
    #[serde(default)]
    disable: Few<DisableDoc, MAX_RULES>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleDoc {
    id: Spanned<String>,
    #[serde(default)]
    from_chart: Option<Spanned<String>>,
    #[serde(default)]
    from: Option<Constraint>,
    #[serde(default)]
    to: Option<Constraint>,
    #[serde(default)]
    must_stop_at: Option<Constraint>,
    #[serde(default)]
    skip: Option<Constraint>,
    #[serde(default)]
    needs_kubernetes: Option<Constraint>,
    #[serde(default)]
    before_kubernetes: Option<Constraint>,
    #[serde(default)]
    before: Few<Step, MAX_STEPS>,
    #[serde(default)]
    after: Few<Step, MAX_STEPS>,
    #[serde(default)]
    no_way_back: Option<Spanned<String>>,
    #[serde(default)]
    tests: Few<String, MAX_STEPS>,
    source: Spanned<String>,
    #[serde(default)]
    note: Option<Spanned<String>>,
    #[serde(default)]
    replaces: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DisableDoc {
    id: String,
    reason: Spanned<String>,
}

/// Reads one file; `name` is for the messages.
///
/// # Errors
/// All that is wrong with it, at least one; of a text that is no document only the first.
pub fn read(name: &str, text: &str, origin: Origin) -> Result<RuleFile, Vec<RuleError>> {
    let mut reader = Reader { name, origin, problems: Vec::new() };
    if text.len() > MAX_FILE_BYTES {
        let what = format!("a file of rules has at most {MAX_FILE_BYTES} bytes, this has {}", text.len());
        return Err(vec![RuleError { place: Place { file: name.to_owned(), line: 1, column: 1 }, what }]);
    }
    match serde_saphyr::from_str::<FileDoc>(text) {
        Ok(doc) => {
            let file = reader.file(doc);
            if reader.problems.is_empty() { Ok(file) } else { Err(reader.problems) }
        }
        Err(error) => {
            let error = error.without_snippet();
            let place = reader.place(error.location().unwrap_or(Location::UNKNOWN));
            let kind = another_kind(text).map(|(at, what)| RuleError { place: reader.place(at), what });
            Err(vec![kind.unwrap_or_else(|| RuleError { place, what: what_is_wrong(error) })])
        }
    }
}

/// Of a file that was never meant to have rules, what it lacks as one says little. Its first document tells.
fn another_kind(text: &str) -> Option<(Location, String)> {
    #[derive(Deserialize)]
    struct Head {
        kind: Spanned<String>,
    }
    let mut bytes = text.as_bytes();
    let head: Head = serde_saphyr::read(&mut bytes).next()?.ok()?;
    let what = || format!("`kind` is {:?}; a file of rules says {KIND}", cut(&head.kind.value));
    (head.kind.value != KIND).then(|| (head.kind.referenced, what()))
}

/// The parser's message in the words of a rule, without the place, which stands before it already.
fn what_is_wrong(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let words = match error {
        Error::MultipleDocuments { .. } => "a file of rules is one document; write a file for each chart",
        Error::DuplicateMappingKey { key: Some(key), .. } => return format!("`{}` is written twice here", cut(key)),
        Error::DuplicateMappingKey { .. } => "a field is written twice here",
        Error::Eof { .. } => "there is nothing in this file; a file of rules begins with `apiVersion`",
        Error::UnexpectedValueForUnitEnumVariant { .. } => "nothing follows this step: it is one word, `- applyCrds`",
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => "a step is one thing; the next one begins with `-` on its own line",
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
            "a step is a word or a map with one field"
        }
        _ => "",
    };
    if !words.is_empty() {
        return words.to_owned();
    }
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let message = message.lines().next().unwrap_or_default().trim_end_matches([':', ',']);
    message
        .replace("expected sequence start", "a list is expected here")
        .replace("expected mapping start", "a map of fields is expected here")
}

struct Reader<'a> {
    name: &'a str,
    origin: Origin,
    problems: Vec<RuleError>,
}

impl Reader<'_> {
    fn place(&self, location: Location) -> Place {
        Place { file: self.name.to_owned(), line: location.line().max(1), column: location.column().max(1) }
    }

    fn problem(&mut self, location: Location, what: impl Into<String>) {
        self.problems.push(RuleError { place: self.place(location), what: what.into() });
    }

    fn file(&mut self, doc: FileDoc) -> RuleFile {
        for (field, found, wanted) in [("apiVersion", &doc.api_version, API_VERSION), ("kind", &doc.kind, KIND)] {
            if found.value != wanted {
                self.problem(found.referenced, format!("`{field}` is {:?}; a file of rules says {wanted}", cut(&found.value)));
            }
        }
        let chart = self.name(&doc.chart, "chart");
        let mut seen = BTreeSet::new();
        let mut versions = Vec::with_capacity(doc.versions.0.len());
        for version in doc.versions.0 {
            if !seen.insert(version.value.clone()) {
                self.problem(version.referenced, format!("version {} is listed twice", version.value));
            }
            versions.push(version.value);
        }
        let mut ids = BTreeSet::new();
        let mut rules = Vec::with_capacity(doc.rules.0.len());
        for rule in doc.rules.0 {
            let at = rule.value.id.referenced;
            let rule = self.rule(rule.value, rule.referenced, &chart);
            if !ids.insert(rule.id.clone()) {
                self.problem(at, format!("rule {:?} is written twice", rule.id));
            }
            rules.push(rule);
        }
        let mut disabled = Vec::with_capacity(doc.disable.0.len());
        for entry in doc.disable.0 {
            let reason = self.text(&entry.value.reason, "reason");
            disabled.push(Disabled { id: entry.value.id, reason, place: self.place(entry.referenced) });
        }
        let place = self.place(doc.chart.referenced);
        RuleFile { name: self.name.to_owned(), chart, place, covers: doc.covers, versions, rules, disabled }
    }

    fn rule(&mut self, doc: RuleDoc, at: Location, chart: &str) -> Rule {
        let id = self.name(&doc.id, "id");
        doc.before.0.iter().chain(&doc.after.0).for_each(|step| self.step(step));
        let steps = doc.before.0.len() + doc.after.0.len();
        if steps > MAX_STEPS {
            self.problem(at, format!("rule {id:?} has {steps} steps; more than {MAX_STEPS} in one rule are none that somebody does"));
        }
        if doc.skip.is_some() && doc.must_stop_at.is_some() {
            self.problem(at, format!("rule {id:?} says both `skip` and `mustStopAt`; write two rules"));
        }
        let from_chart = doc.from_chart.map_or_else(|| chart.to_owned(), |name| self.name(&name, "fromChart"));
        if from_chart != chart && (doc.from.is_none() || doc.to.is_none()) {
            self.problem(at, format!("rule {id:?} leads to another chart, so it says `from` and `to`"));
        }
        Rule {
            id,
            chart: chart.to_owned(),
            from_chart,
            from: doc.from,
            to: doc.to,
            must_stop_at: doc.must_stop_at,
            skip: doc.skip,
            needs_kubernetes: doc.needs_kubernetes,
            before_kubernetes: doc.before_kubernetes,
            before: doc.before.0.into_iter().map(|step| step.value).collect(),
            after: doc.after.0.into_iter().map(|step| step.value).collect(),
            no_way_back: doc.no_way_back.map(|text| self.text(&text, "noWayBack")),
            tests: doc.tests.0.iter().map(|text| self.text(text, "tests")).collect(),
            source: self.text(&doc.source, "source"),
            note: doc.note.map(|text| self.text(&text, "note")),
            replaces: doc.replaces.map(|name| self.name(&name, "replaces")),
            place: self.place(at),
            origin: self.origin,
            proofs: Vec::new(),
        }
    }

    fn step(&mut self, step: &Spanned<Step>) {
        let at = step.referenced;
        let mut check = |text: &str, field: &str| {
            let spanned = Spanned::new(text.to_owned(), at, at);
            let _ = self.text(&spanned, field);
        };
        match &step.value {
            Step::ApplyCrds | Step::ChartDiff(_) => {}
            Step::Text(text) => check(text, "text"),
            Step::RenameValue { from, to } => {
                [from, to].into_iter().for_each(|path| self.path(path, "renameValue", at));
                if from == to {
                    self.problem(at, format!("`renameValue` gives {:?} the name that it has", cut(from)));
                }
            }
            Step::SetValue { path, value } => {
                check(value, "setValue");
                self.path(path, "setValue", at);
            }
            Step::RemoveValue { path } => self.path(path, "removeValue", at),
            Step::DeleteOrphan(object) | Step::DeleteObject(object) => {
                check(&object.kind, "kind");
                [&object.name, &object.selector, &object.namespace].into_iter().flatten().for_each(|text| check(text, "object"));
                if object.name.is_none() && object.selector.is_none() {
                    self.problem(at, "which object is deleted? say `name` or `selector`");
                }
            }
        }
    }

    /// The way to a key of the values: keys with dots between them.
    fn path(&mut self, path: &str, field: &str, at: Location) {
        let path = self.text(&Spanned::new(path.to_owned(), at, at), field);
        if !path.is_empty() && path.split('.').any(|key| key.trim().is_empty()) {
            self.problem(at, format!("`{field}` has an empty key in {:?}", cut(&path)));
        }
    }

    /// Text for people: something, without control characters, of bounded length.
    fn text(&mut self, text: &Spanned<String>, field: &str) -> String {
        let value = text.value.trim();
        if value.is_empty() {
            self.problem(text.referenced, format!("`{field}` is empty"));
        } else if value.chars().count() > MAX_TEXT {
            self.problem(text.referenced, format!("`{field}` has more than {MAX_TEXT} characters"));
        } else if value.chars().any(|c| c.is_control() && c != '\n') {
            self.problem(text.referenced, format!("`{field}` has control characters"));
        }
        value.to_owned()
    }

    /// The name of a rule or chart.
    fn name(&mut self, name: &Spanned<String>, field: &str) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || name.value.len() > MAX_ID || !name.value.chars().all(fits) {
            let what = format!("`{field}` is {:?}; it has 1 to {MAX_ID} letters, digits, `-`, `_` and `.`", cut(&name.value));
            self.problem(name.referenced, what);
        }
        cut(&name.value)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_ID).collect()
}
