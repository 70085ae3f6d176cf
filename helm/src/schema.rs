//! Values against the chart's `values.schema.json`.
//!
//! A schema is untrusted, as the chart is: references leave no document, nothing is fetched, patterns are matched in
//! linear time (as in Helm, whose Go patterns are linear too), and a schema that would walk in circles is refused.

mod cycle;

use serde_json::Value;

use crate::archive::ChartSchema;

/// Bytes of a schema; the largest public one that was looked at has 600 KB.
pub const MAX_SCHEMA_BYTES: usize = 2 << 20;

/// Violations that are reported; an operator mends the first few and tries again.
pub const MAX_VIOLATIONS: usize = 20;

/// Why a schema was refused, or values do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The schema is larger than the limit.
    #[error("schema has {bytes} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// Bytes of the schema.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The schema is not JSON.
    #[error("schema is not JSON: {reason}")]
    NotJson {
        /// Where and why.
        reason: String,
    },
    /// A reference that leaves the document.
    #[error("schema refers to {reference:?} at {at}: only references within the document (#, #/…) are allowed")]
    RemoteRef {
        /// JSON pointer to the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A reference to something that is not there.
    #[error("schema refers to {reference:?} at {at}, which is not there")]
    DanglingRef {
        /// JSON pointer to the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A schema that refers to itself without going deeper into the values, or branches without measure.
    #[error("schema refers to itself in a circle, or branches too widely, at {at}")]
    Circle {
        /// JSON pointer to a schema on the circle.
        at: String,
    },
    /// The JSON is a schema for no draft that we know.
    #[error("schema cannot be compiled: {reason}")]
    Invalid {
        /// The compiler's words.
        reason: String,
    },
    /// The values do not fit.
    #[error("values do not fit the chart's schema: {}", words(.violations))]
    Violated {
        /// What does not fit, at most [`MAX_VIOLATIONS`].
        violations: Vec<Violation>,
    },
}

/// One place where the values do not fit. The value itself is not repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the values, such as `grafana.replicas` or `rules[0].name`; empty for the top.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

fn words(violations: &[Violation]) -> String {
    let one = |v: &Violation| if v.path.is_empty() { v.message.clone() } else { format!("{}: {}", v.path, v.message) };
    violations.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Reads a schema and refuses what we do not want to evaluate.
///
/// # Errors
/// Too large, not JSON, a reference out of the document, a circle.
pub fn check(bytes: &[u8]) -> Result<Value, SchemaError> {
    if bytes.len() > MAX_SCHEMA_BYTES {
        return Err(SchemaError::TooLarge { bytes: bytes.len(), limit: MAX_SCHEMA_BYTES });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // serde_json stops at 128 levels, so a deep schema cannot overflow the stack below.
    let schema: Value = serde_json::from_slice(bytes).map_err(|e| SchemaError::NotJson { reason: e.to_string() })?;
    refs(&schema, &mut String::new())?;
    cycle::check(&schema)?;
    Ok(schema)
}

fn refs(at: &Value, path: &mut String) -> Result<(), SchemaError> {
    let length = path.len();
    match at {
        Value::Object(map) => {
            for (key, value) in map {
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                let reference = matches!(key.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef");
                if let (true, Value::String(target)) = (reference, value)
                    && target != "#"
                    && !target.starts_with("#/")
                {
                    return Err(SchemaError::RemoteRef { at: path.clone(), reference: target.clone() });
                }
                refs(value, path)?;
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                path.push_str(&format!("/{index}"));
                refs(value, path)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Checks merged values (the operator's over the chart's) against the schemas of a chart and its subcharts, as
/// [`crate::archive::ChartArchive::schemas`] gives them. As in Helm, a subchart without values is not looked at.
///
/// This takes processor time that the schema's author decides about: call it from a blocking thread.
///
/// # Errors
/// A schema that cannot be used, or all violations up to [`MAX_VIOLATIONS`].
pub fn validate(schemas: &[ChartSchema], values: &Value) -> Result<(), SchemaError> {
    let mut violations = Vec::new();
    for schema in schemas {
        let found = schema.keys.iter().try_fold(values, |at, key| at.get(key));
        let Some(part) = found.filter(|v| schema.keys.is_empty() || !v.is_null()) else { continue };
        validate_one(&schema.data, part, &schema.keys.join("."), &mut violations)?;
        if violations.len() >= MAX_VIOLATIONS {
            break;
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(SchemaError::Violated { violations }) }
}

fn validate_one(schema: &[u8], values: &Value, prefix: &str, violations: &mut Vec<Violation>) -> Result<(), SchemaError> {
    let schema = check(schema)?;
    let validator = jsonschema::options()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .with_retriever(NoRetriever)
        .build(&schema)
        .map_err(|e| SchemaError::Invalid { reason: e.to_string() })?;
    let room = MAX_VIOLATIONS.saturating_sub(violations.len());
    for error in validator.iter_errors(values).take(room) {
        violations.push(Violation { path: dotted(prefix, error.instance_path().as_str()), message: error.masked().to_string() });
    }
    Ok(())
}

/// `/a/0/b` below `prefix` as `prefix.a[0].b`, the way people write value paths.
fn dotted(prefix: &str, pointer: &str) -> String {
    let mut out = prefix.to_owned();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part);
        }
    }
    out
}

/// Nothing is fetched. `check` refuses remote references before; this catches what it does not know of (`$schema`).
struct NoRetriever;

impl jsonschema::Retrieve for NoRetriever {
    fn retrieve(&self, uri: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is outside the document and is not fetched").into())
    }
}

#[cfg(test)]
mod tests;
