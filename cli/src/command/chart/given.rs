//! What a comparison is told: values documents, APIs of a server, the helm binary.

use crate::command::duration;
use crate::config::read_limited;
use crate::error::{Failure, Result};
use groundswell_api::document::MAX_TEXT_BYTES;
use groundswell_change::constraint::Version;
use groundswell_helm::values::{YamlError, parse_values};
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of standard input in positions.
const STDIN: &str = "stdin";
/// APIs of a server: one with hundreds of CRDs has some thousands of kinds.
const MAX_APIS: usize = 20_000;

/// Reads the documents in their order, each with the name under which it is spoken of, and makes sure that helm will understand them.
pub(crate) fn documents(paths: &[PathBuf]) -> Result<Vec<(String, String)>> {
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::usage("--values - is given twice", "standard input can be read once"));
    }
    paths.iter().map(|path| document(path)).collect()
}

fn document(path: &Path) -> Result<(String, String)> {
    let (name, text) = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().take(MAX_TEXT_BYTES as u64 + 1).read_to_string(&mut text)?;
        (STDIN.to_owned(), text)
    } else {
        (path.display().to_string(), read_limited(path)?)
    };
    parse_values(&name, &text).map_err(|error| Failure::new(crate::exit::Exit::Error, error.to_string(), "", next(&error)))?;
    Ok((name, text))
}

/// Our reader takes less than helm's in some places.
fn next(error: &YamlError) -> &'static str {
    match error {
        YamlError::Syntax { .. } => "helm could not read these values either",
        _ => "change the document; nothing was rendered with it",
    }
}

/// Reads a list of APIs: lines, such as `kubectl api-versions` prints, or a JSON list of texts.
pub(crate) fn api_versions(path: &Path) -> Result<Vec<String>> {
    let text = read_limited(path)?;
    let refuse = |line: Option<usize>, why: &str| {
        let place = line.map(|line| format!(":{line}")).unwrap_or_default();
        let next = "write one group/version or group/version/Kind in each line (`kubectl api-versions`), or a JSON list of them";
        Failure::error(format!("{}{place}: these are no APIs", path.display()), why, next)
    };
    let apis: Vec<String> = if text.trim_start().starts_with(['[', '{']) {
        serde_json::from_str(&text).map_err(|error| refuse(None, &error.to_string()))?
    } else {
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    if let Some(bad) = apis.iter().position(|api| !is_api(api)) {
        let line = text.lines().position(|line| line.trim() == apis[bad]).map(|line| line + 1);
        return Err(refuse(line, &format!("{:?} is none", apis[bad])));
    }
    if apis.is_empty() || apis.len() > MAX_APIS {
        return Err(refuse(None, &format!("there are {}; 1 to {MAX_APIS} are expected", apis.len())));
    }
    Ok(apis)
}

/// A version of Kubernetes, as it was written.
pub(crate) fn version(text: &str) -> std::result::Result<String, String> {
    let wrong = |_| "that is no version of Kubernetes; write it like 1.33 or v1.33.2".to_owned();
    Version::parse(text).map(|_| text.to_owned()).map_err(wrong)
}

/// How long the trying of values may take.
pub(crate) fn limit(text: &str) -> std::result::Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("seconds or minutes? Write {text}s or {text}m"));
    }
    duration(text)
}

/// `v1`, `apps/v1`, `v1/Pod`, `apps/v1/Deployment`.
fn is_api(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    parts.len() <= 3 && parts.iter().all(word)
}

/// Finds the helm binary: `--helm`, then `GROUNDSWELL_HELM`, then `PATH`. The answer is an absolute path.
pub(crate) fn helm(flag: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<PathBuf> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let named = flag.map(|path| ("--helm", path.to_owned()));
    let named = named.or_else(|| env("GROUNDSWELL_HELM").map(|path| ("GROUNDSWELL_HELM", path.into())));
    if let Some((by, path)) = named {
        let full = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        return if full.is_file() { Ok(full) } else { Err(no_helm(&path, &format!("{by} names it"))) };
    }
    let path = env("PATH").unwrap_or_default();
    let found = std::env::split_paths(OsStr::new(&path)).map(|folder| folder.join("helm")).find(|path| path.is_file());
    let found = found.ok_or_else(|| no_helm(Path::new("helm"), "charts are rendered by the real helm, and none is on the PATH"))?;
    Ok(std::path::absolute(&found).unwrap_or(found))
}

/// What is said where there is none.
pub(crate) fn no_helm(path: &Path, why: &str) -> Failure {
    let next = "install helm 3 (3.12 or later; https://helm.sh/docs/intro/install), or say where it is with --helm or GROUNDSWELL_HELM";
    let what = if path == Path::new("helm") { "there is no helm".to_owned() } else { format!("there is no helm at {}", path.display()) };
    Failure::error(what, why, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn apis_are_lines_or_json() {
        let lines = file("# from kubectl\napps/v1\nv1\n\napps/v1/Deployment\n");
        assert_eq!(api_versions(lines.path()).unwrap(), ["apps/v1", "v1", "apps/v1/Deployment"]);
        assert_eq!(api_versions(file(r#"["v1", "apps/v1"]"#).path()).unwrap(), ["v1", "apps/v1"]);
        for (text, why) in [("v1\nwhat is this\n", ":2: "), ("", "there are 0"), ("[1]", "invalid type"), ("a/b/c/d", "is none")] {
            let error = api_versions(file(text).path()).unwrap_err().errors.remove(0);
            assert!(format!("{} {}", error.what, error.why).contains(why), "{error:?}");
        }
    }

    #[test]
    fn broken_values_are_named_with_their_place() {
        let bad = file("a: 1\nb: [\n");
        let failure = documents(&[bad.path().to_owned()]).unwrap_err();
        let what = &failure.errors[0].what;
        assert!(what.starts_with(&format!("{}:", bad.path().display())) && what.contains(":2:4: "), "{what}");
        for (text, either) in [("b: [\n", true), ("a: {\n\tb: 1}\n", false), ("a: 1 # \u{2028}\n", false), ("a: 1\n---\nb: 1\n", false)] {
            let bad = file(text);
            let failure = documents(&[bad.path().to_owned()]).unwrap_err();
            assert_eq!(failure.errors[0].next.contains("helm could not"), either, "{text:?}");
        }
        let twice = documents(&["-".into(), "-".into()]).unwrap_err();
        assert_eq!(twice.exit, crate::exit::Exit::Usage);
    }

    #[test]
    fn helm_is_found_by_flag_then_environment_then_path() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("helm"));
        std::fs::write(&one, "").unwrap();
        std::fs::write(&two, "").unwrap();
        let path = folder.path().display().to_string();
        let env = |named: Option<&Path>| {
            let named = named.map(|path| path.display().to_string());
            let path = path.clone();
            move |name: &str| if name == "PATH" { Some(path.clone()) } else { named.clone() }
        };
        assert_eq!(helm(Some(&one), env(Some(&two))).unwrap(), one);
        assert_eq!(helm(None, env(Some(&one))).unwrap(), one);
        assert_eq!(helm(None, env(None)).unwrap(), two);
        let absent = helm(None, |_| None).unwrap_err();
        assert!(absent.exit == crate::exit::Exit::Error && absent.errors[0].next.contains("--helm"), "{absent:?}");
        let wrong = helm(Some(Path::new("/nowhere/helm")), env(None)).unwrap_err();
        assert!(wrong.errors[0].why.contains("--helm"), "{wrong:?}");
    }
}
