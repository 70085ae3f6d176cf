//! What the API server wrote down about who changed what.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One write, as the API server saw it. The foundation's own parts are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEvent {
    /// RFC 3339, when the stage was reached.
    pub time: String,
    /// `admin`, or `system:serviceaccount:<namespace>:<name>`.
    pub user: String,
    /// `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Plural, with the subresource when there is one: `pods/status`.
    pub resource: String,
    /// Empty for what belongs to no namespace.
    pub namespace: String,
    /// Empty when the server was to find a name.
    pub name: String,
    /// `ResponseComplete` for nearly all.
    pub stage: String,
    /// The answer's HTTP status: 403 is an attempt that RBAC refused.
    pub code: u16,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line {
    stage: String,
    stage_timestamp: String,
    verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
}

pub(crate) fn read(path: &Path) -> Result<Vec<AuditEvent>> {
    let text = fs::read_to_string(path).with_context(|| format!("no audit log at {}", path.display()))?;
    parse(&text)
}

/// The last line counts only when it is whole: the server may be writing it.
fn parse(text: &str) -> Result<Vec<AuditEvent>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().enumerate().map(|(index, line)| event(line).with_context(|| format!("audit line {}", index + 1))).collect()
}

fn event(line: &str) -> Result<AuditEvent> {
    let line: Line = serde_json::from_str(line)?;
    let object = line.object_ref.unwrap_or_default();
    let resource = if object.subresource.is_empty() { object.resource } else { format!("{}/{}", object.resource, object.subresource) };
    Ok(AuditEvent {
        time: line.stage_timestamp,
        user: line.user.username,
        verb: line.verb,
        resource,
        namespace: object.namespace,
        name: object.name,
        stage: line.stage,
        code: line.response_status.code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"kind":"Event","stage":"ResponseComplete","verb":"patch","user":{"username":"system:serviceaccount:a:b"},"objectRef":{"resource":"pods","subresource":"status","namespace":"n","name":"p"},"responseStatus":{"code":403},"stageTimestamp":"2026-11-23T01:00:00.000000Z"}"#;

    #[test]
    fn a_refused_write_is_read_with_its_subresource() {
        let events = parse(&format!("{WHOLE}\n")).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].user, "system:serviceaccount:a:b");
        assert_eq!((events[0].resource.as_str(), events[0].code), ("pods/status", 403));
    }

    #[test]
    fn a_line_still_being_written_waits_for_its_end() {
        assert_eq!(parse(&format!("{WHOLE}\n{}", &WHOLE[..40])).unwrap().len(), 1);
        assert_eq!(parse(&WHOLE[..40]).unwrap(), []);
    }

    #[test]
    fn a_broken_line_is_an_error_with_its_number() {
        let error = parse(&format!("{WHOLE}\n{{nonsense\n")).unwrap_err();
        assert_eq!(error.to_string(), "audit line 2");
    }
}
