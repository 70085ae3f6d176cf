//! Helm's refusals, taken apart.

use serde_json::Value;

/// Stands where helm repeated a value that looks like a secret.
const MASK: &str = "(secret)";

/// Shortest text that is taken out of helm's words: shorter ones are found in any sentence.
const SHORTEST: usize = 4;

/// What helm said, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The target's version is out of the chart's range.
    KubeVersion,
    /// `values.schema.json`: keys and what is wrong there.
    Schema(Vec<(String, String)>),
    /// A template, where helm names one, and the words.
    Render(Option<String>, String),
}

/// Reads helm's stderr. `given` are the operator's merged values: those that look like secrets are taken out.
pub(super) fn read(stderr: &str, chart: &str, given: &Value) -> Refusal {
    let from = stderr.find("Error: ").map_or(0, |at| at + "Error: ".len());
    let mut text = stderr[from..].replace("Use --debug flag to render out invalid YAML", "");
    let mut secrets = Vec::new();
    collect(given, false, &mut secrets);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        text = text.replace(secret, MASK);
    }
    let text = text.trim();
    if text.contains("chart requires kubeVersion") {
        return Refusal::KubeVersion;
    }
    if text.starts_with("values don't meet the specifications of the schema") {
        return Refusal::Schema(keys(text, chart));
    }
    Refusal::Render(template(text), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn collect<'a>(value: &'a Value, secret: bool, out: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                collect(below, secret || groundswell_change::overrides::is_secret(&[key]), out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, out)),
        Value::String(text) if secret && text.len() >= SHORTEST => out.push(text),
        _ => {}
    }
}

/// Lines such as `- at '/a/0': got string, want integer` (new helm) or `- a.0: Invalid type…` (older), below the chart's name.
fn keys(text: &str, chart: &str) -> Vec<(String, String)> {
    let (mut out, mut below) = (Vec::new(), String::new());
    for line in text.lines().skip(1) {
        let line = line.trim_end();
        let Some(found) = line.trim_start().strip_prefix("- ") else {
            if let Some(name) = line.strip_suffix(':') {
                below = if name == chart { String::new() } else { name.to_owned() };
            }
            continue;
        };
        let (path, what) = match found.strip_prefix("at '").and_then(|rest| rest.split_once("': ")) {
            Some((pointer, what)) => (pointer.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("."), what),
            None => match found.split_once(": ") {
                Some((path, what)) => (path.trim_start_matches("(root)").trim_start_matches('.').to_owned(), what),
                None => (String::new(), found),
            },
        };
        let key = [below.as_str(), path.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        out.push((key, what.to_owned()));
    }
    out
}

/// `chart/templates/x.yaml:3:4` where the words begin with one of helm's four ways to say it.
fn template(text: &str) -> Option<String> {
    let begins = ["execution error at (", "parse error at (", "template: ", "YAML parse error on "];
    let rest = begins.iter().find_map(|begin| text.strip_prefix(begin))?;
    let place = rest.split([')', ' ']).next()?.trim_end_matches(':');
    (!place.is_empty()).then(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_are_told_apart_and_keep_no_secret() {
        let given = json!({"db": {"password": "hunter2"}, "short": "x"});
        let schema = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\ns:\n\
                      - at '/db/password': 'hunter2' does not match pattern '^x$'\nsub:\n- at '/a': got string, want integer\n\n";
        let keys = vec![
            ("db.password".to_owned(), "'(secret)' does not match pattern '^x$'".to_owned()),
            ("sub.a".to_owned(), "got string, want integer".to_owned()),
        ];
        assert_eq!(read(schema, "s", &given), Refusal::Schema(keys));
        let failed =
            "walk.go: found\nError: execution error at (s/templates/x.yaml:1:3): no hunter2\n\nUse --debug flag to render out invalid YAML";
        let words = "execution error at (s/templates/x.yaml:1:3): no (secret)".to_owned();
        assert_eq!(read(failed, "s", &given), Refusal::Render(Some("s/templates/x.yaml:1:3".into()), words));
        let version = "Error: chart requires kubeVersion: >=1.40.0 which is incompatible with Kubernetes v1.20.0";
        assert_eq!(read(version, "s", &given), Refusal::KubeVersion);
    }
}
