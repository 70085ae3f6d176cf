//! `chart diff`.

use super::fetch::{FetchArgs, xdg};
use super::source::{self, Loaded};
use super::stop::Stop;
use super::{cluster, given, refusal};
use crate::command::{connect, environment};
use crate::config::Flags;
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use crate::render::change::{View, markdown, section, section_names, text};
use clap::ValueEnum;
use groundswell_change::summarise;
use groundswell_change::summary::{Level, NotChecked, SectionId, Summary, TargetBrief};
use groundswell_helm::capability;
use groundswell_helm::preview::{Preview, PreviewError, PreviewOptions, PreviewTarget, Progress, Progressed};
use groundswell_helm::runner::{Cluster, Control, Helm, HelmError, ReleaseName};
use std::future::Future;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "groundswell chart diff [OPTIONS] OLD NEW\n       groundswell chart diff [OPTIONS] --cluster NAME [OLD] NEW",
    after_help = AFTER
)]
pub(crate) struct DiffArgs {
    /// The chart that is there; with --cluster it may be left out
    #[arg(value_name = "OLD")]
    first: String,
    /// The chart that is to come
    #[arg(value_name = "NEW")]
    second: Option<String>,
    /// Your values documents, in order, as helm gets them; - is stdin
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Version of the Kubernetes that it is for [default: helm's own idea]
    #[arg(long, value_name = "VERSION", value_parser = given::version, help_heading = "Target")]
    kube_version: Option<String>,
    /// APIs that are there: what `kubectl api-versions` prints, or a JSON list
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    api_versions: Option<PathBuf>,
    /// Name of the release [default: the new chart's name, or with --cluster the one release of that chart]
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    release: Option<String>,
    /// Its namespace
    #[arg(short, long, value_name = "NAME", help_heading = "Target")]
    namespace: Option<String>,
    /// Take version, APIs, installed chart and values of this cluster from the server
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    cluster: Option<String>,
    /// The helm binary [env: GROUNDSWELL_HELM] [default: helm on the PATH]
    #[arg(long, value_name = "FILE")]
    helm: Option<PathBuf>,
    /// Do not try each of your values, which takes a render for each
    #[arg(long)]
    no_overrides: bool,
    /// How long the trying of your values may take
    #[arg(long, value_name = "DURATION", value_parser = given::limit, default_value = "2m", conflicts_with = "no_overrides")]
    overrides_limit: Duration,
    /// Output
    #[arg(short, long, value_enum, default_value_t, help_heading = "Output")]
    output: Shape,
    /// Fold nothing
    #[arg(long, help_heading = "Output")]
    full: bool,
    /// Only this section, in full; may be given several times
    #[arg(long = "section", value_name = "ID", value_parser = section, help_heading = "Output", long_help = section_help())]
    sections: Vec<SectionId>,
    /// Columns [default: the terminal's, else 80]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..=1000), help_heading = "Output")]
    width: Option<u16>,
    #[command(flatten)]
    fetch: FetchArgs,
}

const AFTER: &str = "\
Examples:
  groundswell chart diff beacon-1.1.0.tgz ./beacon --values values.yaml --kube-version 1.33.2
  groundswell chart diff --repo https://charts.example.org beacon:1.1.0 beacon:1.2.0 -o markdown > review.md
  groundswell chart diff --cluster east-01 beacon:1.2.0
  groundswell chart diff old.tgz new.tgz --section rbac --section crds

A chart is a folder or .tgz when something of that name is here, or when the name begins with ./ ../ / or ~/ or ends in .tgz;
it is fetched when the name begins with oci://, http:// or https://, is REPO/NAME, or with --repo; otherwise it is the server's,
by name:version or digest.
Only then, and with --cluster, is a server asked. The charts are rendered by the real helm.

Exit code: 0 nothing of substance, 3 changes, 9 blocked, 1 error, 2 usage; 4 the server's token is missing, wrong or not enough,
130 stopped.";

fn section_help() -> String {
    format!("Only this section, in full; may be given several times: {}", section_names())
}

/// `-o` of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people; it may change
    #[default]
    Text,
    /// All of it, versioned and stable; `groundswell schema change-summary` describes it
    Json,
    /// The same as YAML
    Yaml,
    /// For a review; fits into a comment on GitHub
    Markdown,
}

/// Both charts, the target and the values of a comparison.
struct Question {
    old: Loaded,
    new: Loaded,
    target: PreviewTarget,
    documents: Documents,
    /// What could not be learned of the target.
    not_checked: Vec<NotChecked>,
}

impl Question {
    fn brief(&self) -> TargetBrief {
        TargetBrief {
            from: self.target.from.clone(),
            kube_version: self.target.kube_version.clone(),
            api_versions: self.target.api_versions.len(),
            release: self.target.release.name().to_owned(),
            namespace: self.target.release.namespace().to_owned(),
            values: self.documents.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// Name and text of each, in helm's order.
type Documents = Vec<(String, String)>;

/// A render that takes longer than this hangs: the largest public charts need seconds.
const RENDER: Duration = Duration::from_secs(60);

/// Compares, prints, and says by the exit code what came of it.
pub(crate) async fn run(args: &DiffArgs, flags: &Flags, out: &mut Output) -> Result<Exit> {
    let binary = given::helm(args.helm.as_deref(), environment)?;
    let question = question(args, flags, out).await?;
    let stop = Stop::listen().map_err(|error| Failure::error("cannot listen for Ctrl-C", error, ""))?;
    // The folder with the values goes as this is dropped.
    let home = tempfile::tempdir().map_err(|error| Failure::error("cannot make a folder for helm", error, ""))?;
    let helm = Helm { binary, stub: None, home: home.path().to_owned(), cluster: Cluster::None };
    match stop.or(compare(args, &question, helm, out)).await {
        Ok(done) => done,
        Err(exit) => {
            // Below the line of progress, where there is one. Nobody may be there to read it any more.
            let below = if std::io::stderr().is_terminal() { "\n" } else { "" };
            let _ = out.note(&format!("{below}{}", stopped(args, &question.documents)));
            Ok(exit)
        }
    }
}

/// What is said to whoever ends the command before it has an answer.
fn stopped(args: &DiffArgs, documents: &Documents) -> &'static str {
    if args.no_overrides || documents.is_empty() {
        "stopped: nothing was compared"
    } else {
        "stopped: nothing was compared; what was found about your values is kept, and the next run goes on from there"
    }
}

async fn compare(args: &DiffArgs, question: &Question, helm: Helm, out: &mut Output) -> Result<Exit> {
    let begun = Instant::now();
    let told = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&told);
    let progress: Progress = Arc::new(move |step| *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(step));
    let cache = xdg(environment, "XDG_CACHE_HOME", ".cache").map(|folder| folder.join("groundswell/overrides"));
    let preview = Preview { helm: helm.clone(), control: Control::new(RENDER), progress: Some(progress), cache };
    let options = PreviewOptions { overrides: (!args.no_overrides).then_some(args.overrides_limit) };
    let version = async { capability::version(&helm, &preview.control).await.map_err(unfit) };
    let (old, new) = (question.old.preview(), question.new.preview());
    let previewed = async {
        match preview.input(old, new, &question.target, &question.documents, options).await {
            Ok(previewed) => Ok(Ok(previewed)),
            // What the new version refuses now it refuses in the upgrade too.
            Err(error) => refusal::item(&error).map(Err).ok_or_else(|| failed(error)),
        }
    };
    let both = async { tokio::try_join!(version, previewed) };
    let (version, previewed) = watched(both, &told, out).await?;
    let mut previewed = match previewed {
        Ok(previewed) => previewed,
        Err(item) => {
            let summary = refusal::summary(item, &question.old, &question.new, question.brief(), question.not_checked.clone());
            return show(&summary, args, out);
        }
    };
    previewed.input.not_checked.extend(question.not_checked.iter().cloned());
    previewed.input.new.chart.from = question.new.from.clone();
    let compared = Instant::now();
    let summary = summarise(&previewed.input);
    let exit = show(&summary, args, out)?;
    let took = previewed.took;
    out.note(&format!(
        "{} in all, {} of it to compare; helm {version} took {} for {} renders, those that try your values not counted",
        seconds(begun.elapsed()),
        seconds(compared.elapsed()),
        seconds(took.all),
        took.renders
    ))?;
    Ok(exit)
}

/// Often enough to see that something moves.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits, and shows how far it is where a person watches: one line on stderr, drawn anew.
async fn watched<T>(work: impl Future<Output = Result<T>>, told: &Mutex<Option<Progressed>>, out: &mut Output) -> Result<T> {
    let mut work = std::pin::pin!(work);
    let watches = std::io::stderr().is_terminal();
    let mut drawn = 0;
    loop {
        let done = tokio::time::timeout(LOOK_EVERY, &mut work).await;
        if let Ok(done) = done {
            if drawn > 0 {
                out.err(&format!("\r{:drawn$}\r", ""))?;
            }
            return done;
        }
        let step = told.lock().unwrap_or_else(PoisonError::into_inner).take();
        let line = match step {
            Some(step) => Some(progress_line(&step)),
            // Before the first of them both versions are rendered, which takes its time too.
            None => (drawn == 0).then(|| "rendering both versions".to_owned()),
        };
        if let Some(line) = line.filter(|_| watches) {
            out.err(&format!("\r{line:drawn$}"))?;
            drawn = line.chars().count().max(drawn);
        }
    }
}

/// Within 79 columns: a line that breaks cannot be drawn anew.
fn progress_line(step: &Progressed) -> String {
    format!("trying your values, {} of {}: {}", step.done, step.total, clean(&step.what)).chars().take(79).collect()
}

fn unfit(error: HelmError) -> Failure {
    match error {
        HelmError::NotFound { path } => given::no_helm(&path, "it was there a moment ago"),
        other => Failure::error("this helm cannot be used", chain(&other), "install helm 3 (3.12 or later), or name another with --helm"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn failed(error: PreviewError) -> Failure {
    match error {
        PreviewError::NoHelm { path } => given::no_helm(&path, "it was there a moment ago"),
        other => Failure::error("there is no comparison", chain(&other), ""),
    }
}

async fn question(args: &DiffArgs, flags: &Flags, out: &mut Output) -> Result<Question> {
    if args.fetch.digest.is_some() {
        let next = "name it with the chart: oci://HOST/PATH/NAME@sha256:…";
        return Err(Failure::usage("--digest is of one chart, and two are compared", next));
    }
    let documents = given::documents(&args.values)?;
    let api_versions = args.api_versions.as_deref().map(given::api_versions).transpose()?;
    match &args.cluster {
        Some(cluster) => of_cluster(cluster, args, documents, api_versions, flags, out).await,
        None => by_hand(args, documents, api_versions, flags, out).await,
    }
}

async fn by_hand(args: &DiffArgs, documents: Documents, apis: Option<Vec<String>>, flags: &Flags, out: &mut Output) -> Result<Question> {
    let Some(second) = &args.second else {
        let next = "write `groundswell chart diff OLD NEW`; with --cluster NAME the installed chart is the old one";
        return Err(Failure::usage("two charts are compared, and one is named", next));
    };
    let old = source::load(&args.first, &args.fetch, flags, out).await?;
    let new = source::load(second, &args.fetch, flags, out).await?;
    let from = match (&args.kube_version, &apis) {
        (Some(_), Some(_)) => "--kube-version and --api-versions",
        (Some(_), None) => "--kube-version",
        (None, Some(_)) => "--api-versions",
        (None, None) => "",
    };
    let name = args.release.as_deref().unwrap_or(&new.archive.metadata.name);
    let release = release(args.namespace.as_deref().unwrap_or("default"), name)?;
    let target =
        PreviewTarget { from: from.to_owned(), kube_version: args.kube_version.clone(), api_versions: apis.unwrap_or_default(), release };
    Ok(Question { old, new, target, documents, not_checked: Vec::new() })
}

/// What is said on the command line goes before what the server knows.
async fn of_cluster(
    cluster: &str,
    args: &DiffArgs,
    documents: Documents,
    apis: Option<Vec<String>>,
    flags: &Flags,
    out: &mut Output,
) -> Result<Question> {
    let facts = cluster::facts(&connect(flags)?, cluster, args.release.as_deref()).await?;
    let (not_checked, why_none) = (facts.not_checked(apis.is_some()), facts.no_chart());
    let (name, namespace) = facts.release.as_ref().map(|release| (release.name.clone(), release.namespace.clone())).unzip();
    let installed = facts.release.and_then(|release| release.chart);
    let (old, values, new) = match (&args.second, installed) {
        (Some(new), installed) => {
            let old = source::load(&args.first, &args.fetch, flags, out).await?;
            (old, installed.map(|chart| chart.values), new)
        }
        (None, Some(chart)) => {
            let old = Loaded::read(&format!("{} {} of {cluster}", chart.name, chart.version), chart.archive)?;
            (old, Some(chart.values), &args.first)
        }
        (None, None) => {
            let next = "name the old chart too: groundswell chart diff --cluster NAME OLD NEW";
            return Err(Failure::error(format!("the server has no installed chart of cluster {cluster}"), why_none, next));
        }
    };
    let new = source::load(new, &args.fetch, flags, out).await?;
    let name = args.release.clone().or(name).unwrap_or_else(|| new.archive.metadata.name.clone());
    let namespace = args.namespace.clone().or(namespace).unwrap_or_else(|| "default".to_owned());
    let target = PreviewTarget {
        from: format!("cluster {cluster}"),
        kube_version: Some(args.kube_version.clone().unwrap_or(facts.kubernetes_version)),
        api_versions: apis.unwrap_or(facts.api_versions),
        release: release(&namespace, &name)?,
    };
    // Values on the command line are laid over those that the cluster has, as another document.
    let documents = values.unwrap_or_default().into_iter().chain(documents).collect();
    Ok(Question { old, new, target, documents, not_checked })
}

fn release(namespace: &str, name: &str) -> Result<ReleaseName> {
    ReleaseName::new(namespace, name).map_err(|error| Failure::usage(chain(&error), "see --release and --namespace"))
}

fn show(summary: &Summary, args: &DiffArgs, out: &mut Output) -> Result<Exit> {
    match write(summary, args, out) {
        // `| head` has read enough; a script behind `pipefail` still has to learn that the upgrade is blocked.
        Err(failure) if !failure.silent => return Err(failure),
        _ => {}
    }
    Ok(match summary.verdict.level {
        Level::Nothing => Exit::Ok,
        Level::OneStep | Level::Steps => Exit::Changes,
        Level::Blocked => Exit::Blocked,
    })
}

fn write(summary: &Summary, args: &DiffArgs, out: &mut Output) -> Result<()> {
    match args.output {
        Shape::Text => {
            let (columns, rows) = terminal();
            let view = View { width: args.width.map_or(columns, usize::from), rows, full: args.full, only: &args.sections };
            out.data(&text(summary, &view))?;
        }
        Shape::Markdown => out.data(&markdown(summary, &args.sections))?,
        Shape::Json | Shape::Yaml => {
            let mut summary = summary.clone();
            summary.sections.retain(|section| args.sections.is_empty() || args.sections.contains(&section.id));
            let value = serde_json::to_value(&summary).map_err(|error| Failure::error("cannot write the summary", error, ""))?;
            out.structured(if args.output == Shape::Json { Format::Json } else { Format::Yaml }, &value)?;
        }
    }
    Ok(())
}

/// Lines of prose beyond this are hard to read on any screen.
const WIDEST: usize = 160;

/// Columns, and rows where there is a screen.
fn terminal() -> (usize, Option<usize>) {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((width, height)) => (usize::from(width.0).clamp(40, WIDEST), Some(usize::from(height.0))),
        None => (80, None),
    }
}
