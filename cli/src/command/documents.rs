//! Reads documents and what lies beside them, and makes a request of it.

use crate::client::Client;
use crate::config::read_limited;
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use crate::output::{Output, clean};
use crate::render::short;
use groundswell_api::document::{self, ChartSource, Document, Problem, Release, Spot, ValuesForm, ValuesText};
use groundswell_api::dto::{ApplyRequest, ChartDto, Object, SourceText, file_key};
use groundswell_helm::values::ambiguous_plain;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name of standard input in positions.
const STDIN: &str = "stdin";
/// Files of a folder that is given to `-f`; more is a mistake.
const MAX_FILES: usize = 1_000;

/// Reads everything that the request needs, checks it, and pushes the charts that documents name by path.
pub(crate) async fn request(files: &[PathBuf], client: &Client, out: &mut Output) -> Result<ApplyRequest> {
    let mut request = ApplyRequest { documents: sources(files)?, ..ApplyRequest::default() };
    let mut charts = BTreeMap::new();
    let mut problems = Vec::new();
    for source in &request.documents {
        match document::parse(&source.source, &source.text) {
            Ok(documents) => {
                for release in documents.iter().filter_map(as_release) {
                    beside(source, release, &mut request.files, &mut charts, &mut problems)?;
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::problems(problems));
    }
    for (key, path) in charts {
        let chart = push(&path, client).await?;
        out.note(&format!("pushed chart {} {} ({})", clean(&chart.name), clean(&chart.version), clean(short(&chart.digest))))?;
        request.charts.insert(key, chart.digest);
    }
    Ok(request)
}

fn as_release(document: &Document) -> Option<&Release> {
    match document {
        Document::Release(release) => Some(release),
        Document::Strategy(_) => None,
    }
}

fn sources(files: &[PathBuf]) -> Result<Vec<SourceText>> {
    let mut sources = Vec::new();
    for path in files {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().take(document::MAX_TEXT_BYTES as u64 + 1).read_to_string(&mut text)?;
            sources.push(SourceText { source: STDIN.to_owned(), text });
        } else if path.is_dir() {
            for file in yaml_files(path)? {
                sources.push(SourceText { source: file.display().to_string(), text: read_limited(&file)? });
            }
        } else {
            sources.push(SourceText { source: path.display().to_string(), text: read_limited(path)? });
        }
    }
    Ok(sources)
}

/// The documents of a folder, in name order; other YAML, such as values files, is left alone.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let refuse = |error: std::io::Error| Failure::error(format!("cannot read {}", folder.display()), error, "");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)?.take(MAX_FILES) {
        let path = entry.map_err(refuse)?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && path.is_file() && read_limited(&path)?.lines().any(|line| line.starts_with("apiVersion: groundswell.dev/")) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("no documents in {}", folder.display()),
            "no .yaml file there has `apiVersion: groundswell.dev/…`",
            "",
        ));
    }
    Ok(files)
}

/// What a release names beside its document.
fn beside(
    source: &SourceText,
    release: &Release,
    files: &mut BTreeMap<String, String>,
    charts: &mut BTreeMap<String, PathBuf>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let spec = &release.spec;
    let folder = if source.source == STDIN { Path::new("") } else { Path::new(&source.source).parent().unwrap_or(Path::new("")) };
    let mut missing =
        |at: Spot, what: String, why: String, hint: &str| problems.push(Problem::at(&source.source, &source.text, at, what, why, hint));
    for path in spec.values_files.iter().chain(spec.overrides.iter().flat_map(|o| &o.values_files)) {
        match read_limited(&folder.join(&path.value)) {
            Ok(text) => {
                files.insert(file_key(&source.source, path), text);
            }
            Err(failure) => {
                let why = failure.errors.first().map(|error| error.why.clone()).unwrap_or_default();
                missing(
                    path.at,
                    format!("values file `{}` cannot be read", path.value),
                    why,
                    "paths start from the folder of the document",
                );
            }
        }
    }
    if let ChartSource::Path(path) = &spec.chart.value {
        let full = folder.join(path);
        if full.exists() {
            charts.insert(file_key(&source.source, path), full);
        } else {
            missing(spec.chart.at, format!("there is no chart at `{path}`"), String::new(), "paths start from the folder of the document");
        }
    }
    for values in spec.values.iter().chain(spec.overrides.iter().filter_map(|o| o.values.as_ref())) {
        problems.extend(ambiguous(source, values));
    }
    Ok(())
}

/// Scalars of a map that would mean one thing here and another to helm.
fn ambiguous(source: &SourceText, values: &ValuesText) -> Vec<Problem> {
    if values.form != ValuesForm::Map {
        return Vec::new();
    }
    match ambiguous_plain(&source.source, &values.text) {
        Ok(found) => found
            .into_iter()
            .map(|scalar| {
                let why = format!("it is {} in YAML 1.1 and {} in YAML 1.2", scalar.yaml11, scalar.yaml12);
                let hint = format!("write \"{}\" for the text, or the value itself, or the values behind `|`", scalar.text);
                let at = values.place(scalar.at.line, scalar.at.column);
                Problem::at(&source.source, &source.text, at, format!("`{}` is read in two ways", scalar.text), why, hint)
            })
            .collect(),
        Err(error) => {
            let at = values.place(1, 1);
            vec![Problem::at(&source.source, &source.text, at, "these values cannot be read", error.to_string(), "")]
        }
    }
}

/// Packs a folder, or takes an archive as it is, checks it, and pushes it.
pub(crate) async fn push(path: &Path, client: &Client) -> Result<ChartDto> {
    let bytes = archive(path.to_owned()).await?;
    let answer = client.put_bytes::<Object<ChartDto>>("/v1/charts", bytes).await?;
    Ok(answer.body.body)
}

pub(crate) async fn archive(path: PathBuf) -> Result<Vec<u8>> {
    let shown = path.display().to_string();
    let refuse = |why: String| Failure::error(format!("chart {shown} cannot be pushed"), why, "");
    let packed = tokio::task::spawn_blocking(move || -> std::result::Result<Vec<u8>, String> {
        if path.is_dir() {
            return groundswell_helm::pack::pack(&path).map(|packed| packed.bytes).map_err(|error| chain(&error));
        }
        let bytes = super::chart::source::archive_file(&path)?;
        groundswell_helm::archive::ChartArchive::read(&bytes).map_err(|error| chain(&error))?;
        Ok(bytes)
    });
    packed.await.map_err(|error| refuse(error.to_string()))?.map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: groundswell.dev/v1alpha1\nkind: Release\nmetadata: {name: beacon}\nspec:\n  namespace: demo\n  clusters: {selector: ''}\n";

    fn collected(folder: &Path, lines: &str) -> (BTreeMap<String, String>, Vec<String>, Vec<String>) {
        let source = SourceText { source: folder.join("r.yaml").display().to_string(), text: format!("{HEAD}{lines}") };
        let documents = document::parse(&source.source, &source.text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let (mut files, mut charts, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        beside(&source, as_release(&documents[0]).unwrap(), &mut files, &mut charts, &mut problems).unwrap();
        let problems = problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.what)).collect();
        (files, charts.into_keys().collect(), problems)
    }

    #[test]
    fn values_files_and_charts_are_found_beside_the_document() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("more.yaml"), "a: 1\n").unwrap();
        std::fs::create_dir(folder.path().join("chart")).unwrap();
        let (files, charts, problems) = collected(folder.path(), "  chart: {path: chart}\n  valuesFiles: [more.yaml]\n");
        let key = |name: &str| format!("{}/{name}", folder.path().display());
        assert_eq!(files, BTreeMap::from([(key("more.yaml"), "a: 1\n".to_owned())]));
        assert_eq!((charts, problems), (vec![key("chart")], Vec::new()));
    }

    #[test]
    fn what_is_missing_or_ambiguous_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let lines = "  chart: {path: nowhere}\n  valuesFiles: [more.yaml]\n  values:\n    deep:\n      enabled: yes\n  overrides:\n    - selector: a=b\n      values: {mode: 0777}\n";
        let (_, _, problems) = collected(folder.path(), lines);
        let expected = [
            "8:17 values file `more.yaml` cannot be read",
            "7:10 there is no chart at `nowhere`",
            "11:16 `yes` is read in two ways",
            "14:22 `0777` is read in two ways",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn the_examples_need_only_what_lies_beside_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        for file in yaml_files(&folder).unwrap() {
            let source = SourceText { source: file.display().to_string(), text: read_limited(&file).unwrap() };
            let (mut files, mut charts, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
            for document in document::parse(&source.source, &source.text).unwrap() {
                if let Some(release) = as_release(&document) {
                    beside(&source, release, &mut files, &mut charts, &mut problems).unwrap();
                }
            }
            assert!(problems.is_empty(), "{problems:#?}");
        }
    }
}
