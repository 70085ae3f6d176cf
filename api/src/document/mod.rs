//! Documents that operators write: `Release` and `Strategy` of `groundswell.dev/v1alpha1`.
//!
//! [`parse`] reads a file with one or more documents and answers either with all of them or with everything that is wrong,
//! each problem with its place. Values are text and stay text: they are cut out of the source, never written anew.

mod problem;
mod read;
mod release;
mod schema;
mod strategy;
mod tree;
mod types;

#[cfg(test)]
mod corpus;

pub use problem::{Problem, Problems};
pub use schema::schema;
pub use types::*;

pub use read::parse_span;

use problem::Report;
use read::Fields;
use tree::{Kind, Node};

/// Helm keeps chart, values and manifest in one Secret of 1 MiB, so no useful document is larger.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

const TOP_FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "spec"];
const METADATA_FIELDS: &[&str] = &["name"];

/// Reads every document of a file.
///
/// `source` is the name that positions begin with, as the operator gave it.
///
/// # Errors
/// Everything that is wrong, in the order of the text; after broken YAML only that.
pub fn parse(source: &str, text: &str) -> Result<Vec<Document>, Problems> {
    let mut report = Report::new(source, text);
    if text.len() > MAX_TEXT_BYTES {
        let at = Spot { line: 1, column: 1 };
        let why = format!("it has {} bytes, and Helm can keep no more than {MAX_TEXT_BYTES} for a release", text.len());
        report.add(at, "the file is too large", why, "put large values into ConfigMaps or Secrets of their own");
        return Err(report.into_problems());
    }
    let nodes = match tree::read(text) {
        Ok(nodes) => nodes,
        Err(broken) => {
            report.add(broken.at, "this is not YAML", broken.why, broken.hint);
            return Err(report.into_problems());
        }
    };
    let documents: Vec<Document> = nodes.iter().filter_map(|node| document(&mut report, node)).collect();
    if nodes.is_empty() {
        let why = "the file is empty or has only comments";
        report.add(Spot { line: 1, column: 1 }, "no document here", why, "see `groundswell schema` and the examples that come with it");
    }
    same_names(&mut report, &documents);
    if report.is_empty() { Ok(documents) } else { Err(report.into_problems()) }
}

fn document(report: &mut Report<'_>, node: &Node) -> Option<Document> {
    let fields = Fields::open(report, node, "", TOP_FIELDS)?;
    api_version(report, &fields);
    let kind = fields
        .require(report, "kind", "`kind: Release` or `kind: Strategy`")
        .and_then(|kind| report.one_of(kind, "kind", &[("Release", DocumentKind::Release), ("Strategy", DocumentKind::Strategy)]));
    let name = fields
        .require(report, "metadata", "`metadata: {name: …}`")
        .and_then(|metadata| Fields::open(report, metadata, "metadata", METADATA_FIELDS))
        .and_then(|metadata| metadata.require(report, "name", "a name of lower-case letters, digits and `-`").cloned());
    let spec = fields.require(report, "spec", "what it should do")?;
    let text = report.slice(node.bytes.clone()).to_owned();
    match kind? {
        DocumentKind::Release => {
            let name = name.and_then(|name| report.parsed(&name, "metadata.name"));
            let spec = release::spec(report, spec);
            Some(Document::Release(Release { name: name?, spec: spec?, text }))
        }
        DocumentKind::Strategy => {
            let name = name.and_then(|name| report.name(&name, "metadata.name", "strategy"));
            let spec = strategy::spec(report, spec, "spec");
            Some(Document::Strategy(Strategy { name: name?, spec: spec?, text }))
        }
    }
}

fn api_version(report: &mut Report<'_>, fields: &Fields<'_>) {
    let wanted = crate::dto::API_VERSION;
    let Some(node) = fields.require(report, "apiVersion", &format!("`apiVersion: {wanted}`")) else { return };
    match &node.kind {
        Kind::Scalar { text, .. } if text == wanted => {}
        _ => report.add(node.at, "this apiVersion is not known", "", format!("write `apiVersion: {wanted}`")),
    }
}

/// Two documents of one kind and name in a file: which one should win?
fn same_names(report: &mut Report<'_>, documents: &[Document]) {
    for (n, document) in documents.iter().enumerate() {
        if documents[..n].iter().any(|earlier| earlier.kind() == document.kind() && earlier.name() == document.name()) {
            let what = format!("{} `{}` stands in this file twice", document.kind(), document.name());
            report.add(document.at(), what, "only one of them could be stored", "take one of them out, or rename it");
        }
    }
}
