//! Helm's refusals, taken apart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Stands where helm repeated a value that looks like a secret.
const SECRET: &str = "(secret)";
/// Stands where helm repeated another value: charts put into their messages what they like, and not every secret looks like one.
const VALUE: &str = "(value)";

/// Shortest text that is taken out of helm's words: shorter ones are found in any sentence.
const SHORTEST: usize = 4;

/// Letters of a message that are shown, half from its beginning and half from its end, where the cause stands: a template that
/// includes itself makes a line of 70 KB.
const LONGEST: usize = 600;

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

/// Reads helm's stderr. `given` are the operator's merged values: their texts are taken out, but for the shortest.
pub(super) fn read(stderr: &str, chart: &str, given: &Value) -> Refusal {
    let from = stderr.find("Error: ").map_or(0, |at| at + "Error: ".len());
    let text = stderr[from..].replace("Use --debug flag to render out invalid YAML", "");
    let text = text.trim();
    // What kind of refusal it is and where must be read first: a value may be `templates`.
    if text.contains("chart requires kubeVersion") {
        return Refusal::KubeVersion;
    }
    let mut values = Vec::new();
    collect(given, false, &mut values);
    values.sort_by_key(|(value, secret)| (std::cmp::Reverse(value.len()), !*secret));
    if text.starts_with("values don't meet the specifications of the schema") {
        let said = |(key, what): (String, String)| (key, cut(&struck(&what, &values)));
        return Refusal::Schema(keys(text, chart).into_iter().map(said).collect());
    }
    let template = template(text);
    let head = template.as_ref().and_then(|place| Some(text.find(place.as_str())? + place.len())).unwrap_or_default();
    let words = format!("{}{}", &text[..head], struck(&text[head..], &values));
    Refusal::Render(template, cut(&words.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn struck(words: &str, values: &[(String, bool)]) -> String {
    values.iter().fold(words.to_owned(), |words, (value, secret)| words.replace(value, if *secret { SECRET } else { VALUE }))
}

fn cut(words: &str) -> String {
    let count = words.chars().count();
    if count <= LONGEST {
        return words.to_owned();
    }
    let head: String = words.chars().take(LONGEST / 2).collect();
    let tail: String = words.chars().skip(count - LONGEST / 2).collect();
    format!("{head} … {tail}")
}

/// Texts of the values, and whether their key looks like a secret's; in all their forms, and line by line.
fn collect(value: &Value, secret: bool, out: &mut Vec<(String, bool)>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                collect(below, secret || groundswell_change::overrides::is_secret(&[key]), out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, out)),
        Value::String(text) => {
            let lines = text.lines().map(|line| line.trim().to_owned());
            let long = forms(text).into_iter().chain(lines).filter(|form| form.len() >= SHORTEST);
            out.extend(long.map(|form| (form, secret)));
        }
        // Other numbers stay: a message about a port without the port helps nobody.
        Value::Number(number) if secret => {
            let forms = [number.to_string(), exponent(number.as_f64())];
            out.extend(forms.into_iter().filter(|form| form.len() >= SHORTEST).map(|form| (form, true)));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text as templates and helm may write it.
fn forms(text: &str) -> [String; 10] {
    let base64 = STANDARD.encode(text);
    let quoted = Value::from(text).to_string();
    let json = quoted[1..quoted.len() - 1].to_owned();
    [
        text.to_owned(),
        STANDARD.encode(&base64),
        base64,
        // As `toJson` does.
        json.replace('&', r"\u0026").replace('<', r"\u003c").replace('>', r"\u003e"),
        json,
        text.replace('\'', "''"),
        url_query(text),
        go_quoted(text, |_| false),
        go_quoted(text, |c| c.escape_debug().count() == 1),
        anchor(text),
    ]
}

/// As `urlquery` does.
fn url_query(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// As `%q` does, where all is shown that can be printed, and `%+q`, where nothing beyond ASCII is.
fn go_quoted(text: &str, shown: fn(char) -> bool) -> String {
    let letter = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        '\t' => r"\t".to_owned(),
        '\x07' => r"\a".to_owned(),
        '\x08' => r"\b".to_owned(),
        '\x0b' => r"\v".to_owned(),
        '\x0c' => r"\f".to_owned(),
        _ if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
        _ if c.is_ascii() || shown(c) => c.to_string(),
        _ if u32::from(c) > 0xffff => format!("\\U{:08x}", u32::from(c)),
        _ => format!("\\u{:04x}", u32::from(c)),
    };
    text.chars().map(letter).collect()
}

/// What YAML takes an unquoted `*name` or `&name` for.
fn anchor(text: &str) -> String {
    let name = text.strip_prefix(['*', '&']).unwrap_or_default();
    name.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect()
}

/// A number as Go prints it from a million on, for helm reads every number as a fraction: `1.2345678e+07`.
fn exponent(number: Option<f64>) -> String {
    let text = number.map(|number| format!("{number:e}")).unwrap_or_default();
    match text.split_once('e').and_then(|(digits, power)| Some((digits, power.parse::<i32>().ok()?))) {
        Some((digits, power)) => format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs()),
        None => String::new(),
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

    #[test]
    fn no_text_of_the_values_is_repeated() {
        let given = json!({"a": "SUPERSECRET3", "b": ["templates"], "c": "first line\nsecond \"line\"", "d": 12345});
        let schema = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\ns:\n\
                      - at '/a': 'SUPERSECRET3' does not match pattern '^x$'\n";
        let keys = vec![("a".to_owned(), "'(value)' does not match pattern '^x$'".to_owned())];
        assert_eq!(read(schema, "s", &given), Refusal::Schema(keys));
        let failed = "Error: execution error at (s/templates/x.yaml:1:3): was SUPERSECRET3, U1VQRVJTRUNSRVQz, templates, \"first line\\nsecond \\\"line\\\"\", \
                      second \"line\" and 12345";
        let words = "execution error at (s/templates/x.yaml:1:3): was (value), (value), (value), \"(value)\", (value) and 12345".to_owned();
        assert_eq!(read(failed, "s", &given), Refusal::Render(Some("s/templates/x.yaml:1:3".into()), words));
    }

    #[test]
    fn no_form_of_a_text_is_repeated() {
        for (given, said) in [
            ("hunter2xyz", "aHVudGVyMnh5eg=="),
            ("hunter2xyz", "YUhWdWRHVnlNbmg1ZWc9PQ=="),
            ("hun<ter&2\">x", r#"hun\u003cter\u00262\"\u003ex"#),
            ("hunter2: 'q", "hunter2: ''q"),
            ("hunter 2/xü~", "hunter+2%2Fx%C3%BC~"),
            ("hünter2\u{a0}'long\u{7}", r"hünter2\u00a0'long\a"),
            ("hünter2😀\u{1}", r"h\u00fcnter2\U0001f600\x01"),
            ("*Hunter2secret", "Hunter2secret"),
            ("&Hunter-2 secret", "Hunter-2"),
        ] {
            let failed = format!("Error: execution error at (s/templates/x.yaml:1:3): was {said}.");
            let words = "execution error at (s/templates/x.yaml:1:3): was (secret).".to_owned();
            let expected = Refusal::Render(Some("s/templates/x.yaml:1:3".into()), words);
            assert_eq!(read(&failed, "s", &json!({"password": given})), expected, "{given}");
        }
    }

    #[test]
    fn numbers_that_are_secrets_are_not_repeated() {
        let given = json!({"db": {"password": 12_345_678, "port": 54_321}, "token": -0.000_012_5, "pin": {"secret": [1234, 7]}});
        let failed = "Error: execution error at (s/templates/x.yaml:1:3): no 12345678, 1.2345678e+07, -1.25e-05, 1234, 7 on 54321";
        let words = "execution error at (s/templates/x.yaml:1:3): no (secret), (secret), (secret), (secret), 7 on 54321".to_owned();
        assert_eq!(read(failed, "s", &given), Refusal::Render(Some("s/templates/x.yaml:1:3".into()), words));
    }

    #[test]
    fn a_message_without_end_is_cut_and_keeps_its_cause() {
        let Refusal::Render(_, words) = read(&format!("Error: {}the cause", "at <include>: ".repeat(5_000)), "s", &json!({})) else {
            panic!("another refusal")
        };
        assert!(words.chars().count() < LONGEST + 10 && words.starts_with("at <include>") && words.ends_with("the cause"), "{words}");
    }
}
