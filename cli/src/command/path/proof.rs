//! `path show --charts`: the charts of a way are rendered, and what that proves goes back into the rules.

use crate::command::chart::fetch::FetchArgs;
use crate::command::chart::given;
use crate::command::chart::source::Loaded;
use crate::command::environment;
use crate::error::{Failure, Result, chain};
use crate::output::{Output, clean};
use groundswell_change::constraint::Version;
use groundswell_change::path::{Evidence, NoRoute, Question, Route, RuleSet, Seen, Stand, apply_evidence, seen, solve};
use groundswell_change::summarise;
use groundswell_helm::preview::{Preview, PreviewOptions, PreviewTarget};
use groundswell_helm::runner::{Cluster, Control, Helm, ReleaseName};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where charts are, and what they are rendered with.
#[derive(Debug, clap::Args)]
pub(crate) struct ProofArgs {
    /// Folder with chart archives and chart folders: the hops are rendered, and what that shows is laid over the rules
    #[arg(long, value_name = "FOLDER", help_heading = "Proof by rendering")]
    charts: Option<PathBuf>,
    /// Your values documents, in order, for the renders
    #[arg(short = 'f', long = "values", value_name = "FILE", help_heading = "Proof by rendering")]
    values: Vec<PathBuf>,
    /// Name of the release, on the whole way [default: the name of --from's chart]
    #[arg(long, value_name = "NAME", help_heading = "Proof by rendering")]
    release: Option<String>,
    /// Its namespace
    #[arg(short, long, value_name = "NAME", default_value = "default", help_heading = "Proof by rendering")]
    namespace: String,
    /// The helm binary [env: GROUNDSWELL_HELM] [default: helm on the PATH]
    #[arg(long, value_name = "FILE", help_heading = "Proof by rendering")]
    helm: Option<PathBuf>,
    #[command(flatten)]
    fetch: FetchArgs,
}

impl ProofArgs {
    /// Whether somebody asked for renders.
    pub(crate) fn asked(&self) -> bool {
        self.charts.is_some() || self.fetch.repo.is_some()
    }
}

/// The steps that were tried, in that order.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Proof(pub(crate) Vec<Tried>);

/// A step that was to be rendered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tried {
    pub(crate) from: Stand,
    pub(crate) to: Stand,
    /// What the renders showed that rules are about.
    pub(crate) seen: Vec<Seen>,
    /// Why it could not be rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<String>,
}

/// The way, with what the renders proved.
pub(crate) struct Proved {
    pub(crate) route: std::result::Result<Route, NoRoute>,
    pub(crate) proof: Proof,
}

/// A finding can bend the way, so that other steps have to be looked at. Each round renders steps that were never rendered; a way
/// has few hops, and more rounds than this only come from charts that contradict themselves.
const ROUNDS: usize = 6;
/// A render that takes longer than this hangs.
const RENDER: Duration = Duration::from_secs(60);
/// Archives in a folder: a chart of seven years has 1,100 versions.
const MAX_ARCHIVES: usize = 5_000;

/// Renders the steps of the way, and finds the way anew from what they show, until nothing new is seen.
pub(crate) async fn prove(set: &RuleSet, question: &Question, args: &ProofArgs, out: &mut Output) -> Result<Proved> {
    let mut bench = Bench::new(args, question)?;
    let (mut proof, mut evidence) = (Proof::default(), Vec::new());
    let mut route = solve(set, question);
    for _ in 0..ROUNDS {
        let Ok(way) = &route else { break };
        let steps: Vec<(Stand, Stand)> = steps(way).into_iter().filter(|(from, to)| !proof.knows(from, to)).collect();
        if steps.is_empty() {
            break;
        }
        for (from, to) in steps {
            out.note(&format!("rendering {} → {}", clean(&from.to_string()), clean(&to.to_string())))?;
            let (found, why_not) = match bench.step(set, &from, &to, out).await {
                Ok(found) => (found, None),
                Err(failure) => (Vec::new(), Some(why(failure))),
            };
            proof.0.push(Tried { from, to, seen: found.iter().map(|one| one.seen.clone()).collect(), why_not });
            evidence.extend(found);
        }
        route = solve(&apply_evidence(set, &evidence), question);
    }
    Ok(Proved { route, proof })
}

impl Proof {
    fn knows(&self, from: &Stand, to: &Stand) -> bool {
        self.0.iter().any(|tried| (&tried.from, &tried.to) == (from, to))
    }
}

fn steps(route: &Route) -> Vec<(Stand, Stand)> {
    let stands: Vec<&Stand> = std::iter::once(&route.from).chain(route.hops.iter().map(|hop| &hop.stand)).collect();
    stands.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn why(failure: Failure) -> String {
    let error = failure.errors.into_iter().next().unwrap_or_default();
    if error.why.is_empty() { error.what } else { format!("{}: {}", error.what, error.why) }
}

/// What renders.
struct Bench<'a> {
    args: &'a ProofArgs,
    folder: BTreeMap<(String, Version), PathBuf>,
    loaded: BTreeMap<Stand, Loaded>,
    documents: Vec<(String, String)>,
    preview: Preview,
    kubernetes: Option<Version>,
    /// The chart with which the way begins: a release keeps its name.
    first: String,
    /// The values with which helm is called lie here.
    _home: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    fn new(args: &'a ProofArgs, question: &Question) -> Result<Self> {
        let binary = given::helm(args.helm.as_deref(), environment)?;
        let documents = given::documents(&args.values)?;
        let home = tempfile::tempdir().map_err(|error| Failure::error("cannot make a folder for helm", error, ""))?;
        let helm = Helm { binary, stub: None, home: home.path().to_owned(), cluster: Cluster::None };
        let preview = Preview { helm, control: Control::new(RENDER), progress: None, cache: None };
        let folder = args.charts.as_deref().map(charts_in).transpose()?.unwrap_or_default();
        let (kubernetes, first) = (question.kubernetes.clone(), question.from.chart.clone());
        Ok(Self { first, args, folder, loaded: BTreeMap::new(), documents, preview, kubernetes, _home: home })
    }

    async fn step(&mut self, set: &RuleSet, from: &Stand, to: &Stand, out: &mut Output) -> Result<Vec<Evidence>> {
        let (old, new) = (self.load(from, out).await?, self.load(to, out).await?);
        let name = self.args.release.as_deref().unwrap_or(&self.first);
        let release =
            ReleaseName::new(&self.args.namespace, name).map_err(|error| Failure::usage(chain(&error), "see --release and --namespace"))?;
        let target = PreviewTarget {
            from: "--kube-version".to_owned(),
            kube_version: self.kubernetes.as_ref().map(ToString::to_string),
            api_versions: Vec::new(),
            release,
        };
        let previewed = self.preview.input(old.preview(), new.preview(), &target, &self.documents, PreviewOptions::default()).await;
        let input = previewed.map_err(|error| Failure::error("it does not render", chain(&error), ""))?.input;
        let values = match self.documents.len() {
            0 => "the charts' own values".to_owned(),
            1 => "1 values document".to_owned(),
            count => format!("{count} values documents"),
        };
        Ok(seen(set, from, to, &input, &summarise(&input), &format!("rendered with {values}")))
    }

    async fn load(&mut self, stand: &Stand, out: &mut Output) -> Result<Loaded> {
        if let Some(loaded) = self.loaded.get(stand) {
            return Ok(loaded.clone());
        }
        let loaded = match self.folder.get(&(stand.chart.clone(), stand.version.clone())) {
            Some(path) => crate::command::chart::source::local(path.clone()).await?,
            None if self.args.fetch.repo.is_some() => self.fetched(stand, out).await?,
            None => {
                let folder = self.args.charts.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
                return Err(Failure::error(format!("{stand} is not in {folder}"), "", ""));
            }
        };
        // One step needs two charts, and the next begins where this one ends.
        self.loaded.retain(|kept, _| kept > stand);
        self.loaded.insert(stand.clone(), loaded.clone());
        Ok(loaded)
    }

    async fn fetched(&self, stand: &Stand, out: &mut Output) -> Result<Loaded> {
        let name = format!("{}:{}", stand.chart, stand.version);
        crate::command::chart::source::remote(&name, &self.args.fetch, out).await
    }
}

/// The charts in a folder, by name and version: archives and chart folders, not what lies deeper.
fn charts_in(folder: &Path) -> Result<BTreeMap<(String, Version), PathBuf>> {
    let refuse = |why: String| Failure::error(format!("cannot read the charts in {}", folder.display()), why, "--charts names a folder");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| refuse(error.to_string()))?.take(MAX_ARCHIVES) {
        let path = entry.map_err(|error| refuse(error.to_string()))?.path();
        if let Some(stand) = named(&path) {
            found.insert(stand, path);
        }
    }
    if found.is_empty() {
        return Err(refuse("there is no chart in it: no NAME-VERSION.tgz, and no folder with a Chart.yaml".to_owned()));
    }
    Ok(found)
}

/// Name and version: of an archive from its file name, since reading all of them takes minutes; the archive is checked when it is used.
fn named(path: &Path) -> Option<(String, Version)> {
    if path.is_dir() {
        let text = std::fs::read_to_string(path.join("Chart.yaml")).ok()?;
        let value = groundswell_helm::values::parse("Chart.yaml", &text).ok()?;
        let word = |key: &str| value[key].as_str().map(str::to_owned);
        return Some((word("name")?, Version::parse(&word("version")?).ok()?));
    }
    let stem = path.file_name()?.to_str()?.strip_suffix(".tgz")?;
    // The version begins after the first hyphen behind which a full one stands: `2-agent` of a name would pass for one.
    stem.match_indices('-').find_map(|(at, _)| {
        let text = &stem[at + 1..];
        let numbers = text.trim_start_matches('v').split(['-', '+']).next()?;
        let full = numbers.split('.').count() == 3 && numbers.starts_with(|c: char| c.is_ascii_digit());
        Some((stem[..at].to_owned(), Version::parse(text).ok().filter(|_| full)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_known_by_their_names() {
        let of = |name: &str| named(Path::new(name)).map(|(name, version)| format!("{name} {version}"));
        assert_eq!(of("kube-prometheus-stack-80.14.4.tgz").as_deref(), Some("kube-prometheus-stack 80.14.4"));
        assert_eq!(of("beacon-1.0.0-rc.1.tgz").as_deref(), Some("beacon 1.0.0-rc.1"));
        assert_eq!(of("k8s-2-agent-v3.1.0.tgz").as_deref(), Some("k8s-2-agent v3.1.0"));
        assert_eq!(of("beacon.tgz"), None);
        let empty = tempfile::tempdir().unwrap();
        assert!(charts_in(empty.path()).unwrap_err().errors[0].why.contains("no chart"));
    }
}
