//! Reading fields of an object without trusting their types.

use serde_json::Value;

use super::{ObjectHealth, in_progress};

/// Longest `why`: with three of them a summary still fits a few lines of a terminal.
const MAX_WHY: usize = 240;

/// One line of at most [`MAX_WHY`] characters.
pub(super) fn clip(text: &str) -> String {
    let mut line = String::new();
    // Looking at no more than it can show keeps a megabyte of condition message from being copied first.
    for word in text.split_whitespace().take(MAX_WHY) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()).take(MAX_WHY));
        if line.chars().count() > MAX_WHY {
            let mut cut: String = line.chars().take(MAX_WHY - 1).collect();
            cut.push('…');
            return cut;
        }
    }
    line
}

/// One entry of `status.conditions`.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a> {
    pub(super) kind: &'a str,
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    pub(super) observed: Option<i64>,
}

impl Condition<'_> {
    pub(super) fn is_true(&self) -> bool {
        self.status == "True"
    }

    pub(super) fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// The reason and the message, as far as there are any.
    pub(super) fn said(&self) -> String {
        match (self.reason.is_empty(), self.message.is_empty()) {
            (true, true) => format!("condition {} is {}", self.kind, self.status),
            (false, true) => self.reason.to_owned(),
            (true, false) => self.message.to_owned(),
            (false, false) => format!("{}: {}", self.reason, self.message),
        }
    }
}

/// Typed look-ups by JSON pointer; a wrong type reads as absent.
pub(super) struct Read<'a>(&'a Value);

impl<'a> Read<'a> {
    pub(super) fn new(object: &'a Value) -> Self {
        Self(object)
    }

    pub(super) fn has(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some_and(|value| !value.is_null())
    }

    pub(super) fn text(&self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer)?.as_str()
    }

    /// A whole number. Text is read too: Argo's Rollout writes its observedGeneration as a string, and a judge that
    /// does not read it waits for ever.
    pub(super) fn int(&self, pointer: &str) -> Option<i64> {
        number(self.0.pointer(pointer)?)
    }

    pub(super) fn count(&self, pointer: &str) -> i64 {
        self.int(pointer).unwrap_or(0)
    }

    pub(super) fn flag(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn list(&self, pointer: &str) -> &'a [Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn conditions(&self) -> impl Iterator<Item = Condition<'a>> {
        self.list("/status/conditions").iter().filter_map(|entry| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let entry = Condition {
                kind: text("type"),
                status: text("status"),
                reason: text("reason"),
                message: text("message"),
                observed: entry.get("observedGeneration").and_then(number),
            };
            (!entry.kind.is_empty()).then_some(entry)
        })
    }

    pub(super) fn condition(&self, kind: &str) -> Option<Condition<'a>> {
        self.conditions().find(|condition| condition.kind == kind)
    }

    /// Says why the status cannot be believed: it was written for an older spec.
    pub(super) fn stale(&self) -> Option<ObjectHealth> {
        let (generation, observed) = (self.int("/metadata/generation")?, self.int("/status/observedGeneration")?);
        (observed < generation).then(|| in_progress(format!("its controller saw generation {observed}, the newest is {generation}")))
    }

    /// Like [`Read::stale`], for kinds whose controller always writes observedGeneration: without it, none looked yet.
    pub(super) fn unseen(&self) -> Option<ObjectHealth> {
        if self.int("/metadata/generation").is_some() && self.int("/status/observedGeneration").is_none() {
            return Some(in_progress("its controller has not looked at it yet"));
        }
        self.stale()
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
