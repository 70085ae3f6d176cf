//! `chart pull`: a chart from a repository or registry, as an archive or in the place of a folder.

use super::fetch::{FetchArgs, Fetching};
use super::progress::{Shown, watched};
use super::stop::Stop;
use super::untar;
use crate::command::environment;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use clap::Args;
use groundswell_helm::repository::folder::{RECORD, is_record};
use groundswell_helm::repository::{Provenance, Pulled, Reference};
use serde::Serialize;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A chart from a repository or registry
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PullArgs {
    /// NAME with --repo, REPO/NAME with REPO from the configuration, oci://HOST/PATH/NAME, or the URL of a .tgz; each with :VERSION if you like
    #[arg(value_name = "CHART")]
    chart: String,
    /// Exact version, or a range as in Helm ('^1.2'); the newest release if not said
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Folder that the .tgz is put into
    #[arg(short, long, value_name = "DIR", default_value = ".", conflicts_with = "untar")]
    destination: PathBuf,
    /// Make this folder the chart, as a whole: no file of an older version stays
    #[arg(long, value_name = "FOLDER")]
    untar: Option<PathBuf>,
    /// Carry this file or folder of yours over into the new folder (repeatable)
    #[arg(long, value_name = "PATH", requires = "untar", conflicts_with = "destination")]
    keep: Vec<String>,
    /// Give up what was put or edited in the folder by hand, and another chart that is there
    #[arg(long, requires = "untar", conflicts_with = "destination")]
    discard_local: bool,
    #[command(flatten)]
    fetch: FetchArgs,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

const EXAMPLES: &str = "\
Examples:
  groundswell chart pull kube-prometheus-stack --version 85.0.0 --repo https://prometheus-community.github.io/helm-charts
  groundswell chart pull oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack:85.0.0 -d /tmp
  groundswell chart pull prom/kube-prometheus-stack --version '^85' --untar charts/kube-prometheus-stack --keep charts/our-rules";

/// What `-o json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    name: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_version: Option<&'a str>,
    digest: String,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_digest: Option<&'a str>,
    /// Who named the digest beforehand.
    vouched_by: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'a Provenance>,
    /// Why it is not known whether there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance_unknown: Option<&'a str>,
    /// Where the provenance lies, signature and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance_file: Option<String>,
    from_cache: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(flatten)]
    folder: Option<&'a untar::Replaced>,
    notes: &'a [String],
}

/// Where it went.
enum Landed {
    File { archive: PathBuf, provenance: Option<PathBuf> },
    Folder(untar::Replaced),
}

/// A signal ends the fetch. Once there is something to write it is too late: what is begun is ended and told.
pub(crate) async fn run(args: &PullArgs, out: &mut Output) -> Result<Exit> {
    let stop = Stop::listen().map_err(|error| Failure::error("cannot listen for Ctrl-C", error, ""))?;
    match stop.or(fetched(args, environment, out)).await {
        Ok(fetched) => {
            let (fetching, pulled) = fetched?;
            land(args, &fetching, pulled, out).await
        }
        Err(exit) => {
            // Nobody may be there to read it any more.
            let _ = out.note("stopped: nothing was changed");
            Ok(exit)
        }
    }
}

async fn fetched(args: &PullArgs, env: impl Fn(&str) -> Option<String>, out: &mut Output) -> Result<(Fetching, Pulled)> {
    let shown = Arc::new(Shown::default());
    let fetching = Fetching::prepare(&args.chart, args.version.as_deref(), &args.fetch, env, Arc::clone(&shown) as Arc<_>)?;
    if let Reference::Folder(folder) = &fetching.reference {
        let next = "say where it is fetched from: --repo URL, REPO/NAME, oci://HOST/PATH/NAME or the URL of a .tgz";
        return Err(Failure::new(Exit::Usage, format!("{} is a folder here already", folder.display()), "", next));
    }
    let pulled = watched(fetching.fetch(), &shown, out).await?;
    Ok((fetching, pulled))
}

async fn land(args: &PullArgs, fetching: &Fetching, mut pulled: Pulled, out: &mut Output) -> Result<Exit> {
    let landed = match &args.untar {
        Some(folder) => {
            let wish = untar::Wish { folder, keep: &args.keep, discard: args.discard_local };
            Landed::Folder(untar::replace(&wish, &pulled, fetching, out).await?)
        }
        None => put(&args.destination, &pulled)?,
    };
    if args.untar.is_some() && pulled.archive.files.keys().any(|path| is_record(path)) {
        pulled.notes.push(format!("the archive brings a {RECORD} of an earlier pull: it was left out, and one of this pull is there"));
    }
    if let Landed::Folder(replaced) = &landed {
        pulled.notes.extend(untar::remarks(replaced, &pulled.archive));
        pulled.notes.extend(untar::hidden(&pulled.archive));
    }
    for note in &pulled.notes {
        out.note(&format!("note: {}", clean(note)))?;
    }
    print(args.output, &pulled, &landed, out)?;
    Ok(Exit::Ok)
}

/// Writes the archive, and its provenance beside it as `helm pull --prov` does.
fn put(folder: &Path, pulled: &Pulled) -> Result<Landed> {
    let metadata = &pulled.archive.metadata;
    let archive = folder.join(format!("{}-{}.tgz", metadata.name, metadata.version));
    let beside = folder.join(format!("{}-{}.tgz.prov", metadata.name, metadata.version));
    let provenance = pulled.provenance.as_ref().map(|found| (beside, found.raw.as_bytes()));
    let fetched = format!("the one that was fetched has sha256:{}", pulled.digest);
    // Before anything is written, so that no archive stands beside the provenance of another.
    if let Some((path, _)) = provenance.as_ref().filter(|(path, bytes)| path.symlink_metadata().is_ok() && !holds(path, bytes)) {
        return Err(taken(path, "provenance", ""));
    }
    write(folder, &archive, &pulled.bytes, || taken(&archive, "archive", &fetched))?;
    if let Some((path, bytes)) = &provenance {
        write(folder, path, bytes, || taken(path, "provenance", ""))?;
    }
    Ok(Landed::File { archive, provenance: provenance.map(|(path, _)| path) })
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    std::fs::read(path).is_ok_and(|there| there == bytes)
}

fn taken(path: &Path, what: &str, why: &str) -> Failure {
    let what = format!("{} is there and is another {what}", path.display());
    Failure::new(Exit::Conflict, what, why, "move it away, or name another folder with -d")
}

/// Writes a file, whole or not at all. The same one that is there already stays; another one is not overwritten.
fn write(folder: &Path, path: &Path, bytes: &[u8], taken: impl Fn() -> Failure) -> Result<()> {
    let failed = |error: std::io::Error| {
        let next = match error.kind() {
            std::io::ErrorKind::NotFound => "make the folder first, or name another with -d",
            std::io::ErrorKind::StorageFull => "make room on that disk",
            _ => "name another folder with -d",
        };
        Failure::error(format!("cannot write {}", path.display()), error, next)
    };
    let mut file = tempfile::Builder::new().prefix(".groundswell-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    readable(file.as_file()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => {
            if holds(path, bytes) {
                Ok(())
            } else {
                Err(taken())
            }
        }
        Err(refused) => Err(failed(refused.error)),
    }
}

/// Temporary files are for their owner alone; a chart is for everybody who may look into the folder.
fn readable(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(())
}

fn print(format: Format, pulled: &Pulled, landed: &Landed, out: &mut Output) -> Result<()> {
    let metadata = &pulled.archive.metadata;
    let (file, provenance_file, folder) = match landed {
        Landed::File { archive, provenance } => {
            (Some(archive.display().to_string()), provenance.as_ref().map(|path| path.display().to_string()), None)
        }
        Landed::Folder(replaced) => (None, None, Some(replaced)),
    };
    let report = Report {
        api_version: "groundswell.dev/v1alpha1",
        kind: "PulledChart",
        name: &metadata.name,
        version: &metadata.version,
        app_version: metadata.app_version.as_deref(),
        digest: format!("sha256:{}", pulled.digest),
        origin: &pulled.origin,
        manifest_digest: pulled.manifest_digest.as_deref(),
        vouched_by: &pulled.vouched,
        provenance: pulled.provenance.as_ref(),
        provenance_unknown: pulled.provenance_unknown.as_deref(),
        provenance_file,
        from_cache: pulled.from_cache,
        file: file.clone(),
        folder,
        notes: &pulled.notes,
    };
    let place = file.unwrap_or_else(|| folder.map(|folder| folder.folder.clone()).unwrap_or_default());
    match format {
        Format::Json | Format::Yaml => {
            let value = serde_json::to_value(&report).map_err(|error| Failure::error("cannot write JSON", error, ""))?;
            out.structured(format, &value)
        }
        Format::Name => Ok(out.data(&format!("{place}\n"))?),
        Format::Table | Format::Wide => {
            out.data(&text(&report, pulled, &place, format == Format::Wide))?;
            Ok(out.note(&format!("next: groundswell chart show {0}, or groundswell chart push {0}", as_path(&place)))?)
        }
    }
}

/// Names without a slash could be a server's.
fn as_path(place: &str) -> String {
    if place.starts_with(['/', '.']) { place.to_owned() } else { format!("./{place}") }
}

fn text(report: &Report<'_>, pulled: &Pulled, place: &str, wide: bool) -> String {
    let mut lines = vec![("chart", format!("{} {}", report.name, report.version))];
    if let Some(app) = report.app_version {
        lines.push(("app", clean(app)));
    }
    let by = if report.vouched_by.is_empty() {
        "named by nobody beforehand".to_owned()
    } else {
        format!("as the {} said", report.vouched_by.join(" and the "))
    };
    lines.push(("digest", format!("{} ({by})", report.digest)));
    let cached = if pulled.from_cache { " (the archive was in the cache)" } else { "" };
    lines.push(("from", format!("{}{cached}", clean(report.origin))));
    let without = if report.provenance_unknown.is_some() { "not known, see the note" } else { "none" };
    lines.push(("provenance", report.provenance.map_or_else(|| without.to_owned(), provenance)));
    lines.push((if report.file.is_some() { "file" } else { "folder" }, clean(place)));
    let mut text: String = lines.iter().map(|(label, value)| format!("{label:<11} {value}\n")).collect();
    if let Some(path) = &report.provenance_file {
        text.push_str(&format!("{:<11} {}\n", "signature", clean(path)));
    }
    if let Some(folder) = report.folder {
        text.push_str(&folder.text());
    }
    if let Some(found) = report.provenance.filter(|_| wide) {
        text.push_str("\nProvenance, as it came:\n");
        text.extend(found.raw.lines().map(|line| format!("  {}\n", clean(line))));
    }
    text
}

/// The hash in it was compared; whether anybody's key made the signature, only a keyring knows.
fn provenance(found: &Provenance) -> String {
    let at = found
        .signed_at
        .and_then(|seconds| jiff::Timestamp::from_second(seconds.into()).ok())
        .map(|at| format!(" at {at}"))
        .unwrap_or_default();
    match &found.key_id {
        Some(id) => format!("has this archive's hash, and a signature of key {id}{at} that is not verified: no keyring"),
        None => "has this archive's hash, and no signature that can be read".to_owned(),
    }
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
