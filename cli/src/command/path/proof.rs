//! `path show --charts`: the charts of a way are rendered, and what that proves goes back into the rules.

use crate::command::chart::fetch::{FetchArgs, Fetching};
use crate::command::chart::progress::Shown;
use crate::command::chart::source::Loaded;
use crate::command::chart::{given, refusal};
use crate::command::environment;
use crate::config::read_limited;
use crate::error::{Failure, Result, chain};
use crate::output::{Output, clean};
use groundswell_change::constraint::Version;
use groundswell_change::input::Side;
use groundswell_change::path::{
    DiffClaim, Evidence, NoRoute, Question, Ran, Route, RuleSet, Seen, Stand, apply_evidence, later_apis, seen, solve,
};
use groundswell_change::summarise;
use groundswell_helm::preview::{Preview, PreviewError, PreviewOptions, PreviewTarget};
use groundswell_helm::runner::{Cluster, Control, Helm, ReleaseName};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    /// APIs that the cluster serves as it is now, with their kinds: docs/paths.md has the command
    #[arg(long, value_name = "FILE", help_heading = "Proof by rendering")]
    api_versions: Option<PathBuf>,
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

    /// The name of the release, where it is known which one is meant: renders take the chart's own name when none is given.
    pub(crate) fn named(&self, chart: &str) -> Option<String> {
        self.release.clone().or_else(|| self.asked().then(|| chart.to_owned()))
    }
}

/// The steps that were tried, in that order.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Proof(pub(crate) Vec<Tried>);

/// A step that was to be rendered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tried {
    /// The older version.
    pub(crate) from: Stand,
    /// The newer one.
    pub(crate) to: Stand,
    /// The Kubernetes version that the newer one was rendered for; helm's own when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kubernetes: Option<String>,
    /// What the renders showed that rules are about.
    pub(crate) seen: Vec<Seen>,
    /// Why it could not be rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<String>,
    /// Whether the way has this step; what was seen may have bent it.
    pub(crate) taken: bool,
    /// With which list of APIs.
    #[serde(skip)]
    pub(crate) apis: Apis,
    #[serde(skip)]
    ran: Ran,
    /// With what it was rendered.
    #[serde(skip)]
    source: String,
}

/// What a render was told of the APIs that the cluster serves: what charts do not find there they do without, or take an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Apis {
    /// Nothing, since nobody gave a list.
    #[default]
    NotGiven,
    /// What is known to be left of the list, which is of the cluster before it is upgraded.
    OfAnother {
        /// Whether it has kinds.
        kinds: bool,
    },
    /// A list such as `kubectl api-versions` prints.
    NoKinds,
    /// A list with kinds.
    Kinds,
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
/// What lies in a folder: a chart of seven years has 1,100 versions, each with a signature at most.
const MAX_ENTRIES: usize = 10_000;

/// Renders the steps of the way, and finds the way anew from what they show, until nothing new is seen.
pub(crate) async fn prove(set: &RuleSet, question: &Question, args: &ProofArgs, out: &mut Output) -> Result<Proved> {
    let mut bench = Bench::new(args, question)?;
    let mut set = set.clone();
    for chart in set.successors(&question.from.chart) {
        let versions = bench.at_hand(&chart, out).await?;
        set.at_hand(&chart, versions, &question.to);
    }
    let mut proof = Proof::default();
    let mut route = solve(&set, question);
    for _ in 0..ROUNDS {
        let Ok(way) = &route else { break };
        let legs: Vec<(Stand, Stand, Ran)> = way.legs().into_iter().filter(|leg| !proof.knows(leg)).collect();
        if legs.is_empty() {
            break;
        }
        for leg in legs {
            out.note(&format!("rendering {} → {}", clean(&leg.0.to_string()), clean(&leg.1.to_string())))?;
            let found = bench.step(&set, &leg, out).await;
            let apis = bench.told(leg.2.at.as_ref());
            proof.put(leg, found, bench.source(), apis);
        }
        route = solve(&apply_evidence(&set, &proof.evidence()), question);
    }
    if let Ok(way) = &mut route {
        way.block(&proof.evidence());
        let legs = way.legs();
        proof.give_up(legs.iter().filter(|leg| !proof.knows(leg)).cloned().collect());
        proof.0.iter_mut().for_each(|tried| tried.taken = legs.iter().any(|(from, to, _)| (from, to) == (&tried.from, &tried.to)));
    }
    Ok(Proved { route, proof })
}

impl Proof {
    fn knows(&self, (from, to, ran): &(Stand, Stand, Ran)) -> bool {
        self.0.iter().any(|tried| (&tried.from, &tried.to, &tried.ran) == (from, to, ran))
    }

    /// Another Kubernetes may show other things of the same step, and then it is that one which counts.
    fn put(&mut self, (from, to, ran): (Stand, Stand, Ran), found: Result<Vec<Seen>>, source: String, apis: Apis) {
        let (seen, why_not) = match found {
            Ok(seen) => (seen, None),
            Err(failure) => (Vec::new(), Some(why(failure))),
        };
        self.0.retain(|tried| (&tried.from, &tried.to) != (&from, &to));
        self.0.push(Tried { kubernetes: ran.words(), from, to, seen, why_not, taken: false, apis, ran, source });
    }

    /// What is still not rendered after the last round.
    fn give_up(&mut self, legs: Vec<(Stand, Stand, Ran)>) {
        for leg in legs {
            let why = format!("what the renders showed bent the path {ROUNDS} times; this step came last");
            self.put(leg, Err(Failure::error(why, "", "")), String::new(), Apis::NotGiven);
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        let of = |tried: &Tried| {
            let one =
                |seen: &Seen| Evidence { from: tried.from.clone(), to: tried.to.clone(), seen: seen.clone(), source: tried.source.clone() };
            tried.seen.iter().map(one).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    /// How many steps of the way nobody could render.
    pub(crate) fn unproved(&self) -> usize {
        self.0.iter().filter(|tried| tried.taken && tried.why_not.is_some()).count()
    }
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
    /// What the cluster serves as it is now; empty where nobody said.
    apis: Vec<String>,
    /// What it runs as it is now.
    runs: Option<Version>,
    preview: Preview,
    /// The chart with which the way begins: a release keeps its name.
    first: String,
    /// The values with which helm is called lie here.
    _home: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    fn new(args: &'a ProofArgs, question: &Question) -> Result<Self> {
        if args.fetch.digest.is_some() {
            return Err(Failure::usage("--digest names one archive, and a way has several charts", "leave it away"));
        }
        let binary = given::helm(args.helm.as_deref(), environment)?;
        let documents = given::documents(&args.values)?;
        let apis = args.api_versions.as_deref().map(given::api_versions).transpose()?.unwrap_or_default();
        let home = tempfile::tempdir().map_err(|error| Failure::error("cannot make a folder for helm", error, ""))?;
        let helm = Helm { binary, stub: None, home: home.path().to_owned(), cluster: Cluster::None };
        let preview = Preview { helm, control: Control::new(RENDER), progress: None, cache: None };
        let folder = args.charts.as_deref().map(charts_in).transpose()?.unwrap_or_default();
        let first = question.from.chart.clone();
        let runs = question.kubernetes.clone();
        Ok(Self { first, args, folder, loaded: BTreeMap::new(), documents, apis, runs, preview, _home: home })
    }

    /// With what it renders, for people.
    fn source(&self) -> String {
        match self.documents.len() {
            0 => "rendered with the charts' own values".to_owned(),
            1 => "rendered with 1 values document".to_owned(),
            count => format!("rendered with {count} values documents"),
        }
    }

    /// What a render for this Kubernetes is told of the APIs.
    fn told(&self, kubernetes: Option<&Version>) -> Apis {
        let names_kind = |api: &String| api.rsplit('/').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_uppercase()));
        let kinds = self.apis.iter().any(names_kind);
        match () {
            () if self.apis.is_empty() => Apis::NotGiven,
            () if kubernetes != self.runs.as_ref() => Apis::OfAnother { kinds },
            () if kinds => Apis::Kinds,
            () => Apis::NoKinds,
        }
    }

    /// The versions of a chart that can be had. A repository that does not tell is no error: rendering may still work.
    async fn at_hand(&self, chart: &str, out: &mut Output) -> Result<Vec<Version>> {
        let mut versions: Vec<Version> = self.folder.keys().filter(|(name, _)| name == chart).map(|(_, version)| version.clone()).collect();
        if self.args.fetch.repo.is_some() {
            match listed(chart, &self.args.fetch).await {
                Ok(listed) => versions.extend(listed),
                Err(failure) => {
                    out.note(&format!("note: the repository does not say which versions of {chart} there are: {}", why(failure)))?
                }
            }
        }
        Ok(versions)
    }

    async fn step(&mut self, set: &RuleSet, (from, to, ran): &(Stand, Stand, Ran), out: &mut Output) -> Result<Vec<Seen>> {
        let (old, new) = (self.load(from, out).await?, self.load(to, out).await?);
        let target = self.target(ran.at.as_ref())?;
        let previewed = match self.preview.input(old.preview(), new.preview(), &target, &self.documents, PreviewOptions::default()).await {
            Ok(previewed) => previewed,
            // What the new version refuses now it refuses in the upgrade too.
            Err(error) => {
                let item = refusal::item(&error).ok_or_else(|| unrendered(&error))?;
                return Ok(vec![Seen::Blocks(Box::new(DiffClaim::of(&item, target.release.namespace())))]);
            }
        };
        let mut input = previewed.input;
        if ran.before.is_some() && ran.before != ran.at {
            input.old = self.installed(&old, ran.before.as_ref()).await?;
        }
        let evidence = seen(set, from, to, &input, &summarise(&input), &self.source());
        Ok(evidence.into_iter().map(|one| one.seen).collect())
    }

    /// The release as it was installed, before the cluster was upgraded: helm keeps what was rendered then.
    async fn installed(&self, old: &Loaded, kubernetes: Option<&Version>) -> Result<Side> {
        let target = self.target(kubernetes)?;
        let previewed = self.preview.sides(old.preview(), old.preview(), &target, &self.documents).await;
        previewed.map(|previewed| previewed.input.old).map_err(|error| unrendered(&error))
    }

    fn target(&self, kubernetes: Option<&Version>) -> Result<PreviewTarget> {
        let name = self.args.release.as_deref().unwrap_or(&self.first);
        let release =
            ReleaseName::new(&self.args.namespace, name).map_err(|error| Failure::usage(chain(&error), "see --release and --namespace"))?;
        let kube_version = kubernetes.map(ToString::to_string);
        let api_versions = match self.told(kubernetes) {
            Apis::NotGiven => Vec::new(),
            Apis::OfAnother { .. } => kubernetes.map(|later| later_apis(&self.apis, later)).unwrap_or_default(),
            Apis::NoKinds | Apis::Kinds => self.apis.clone(),
        };
        Ok(PreviewTarget { from: "--kube-version".to_owned(), kube_version, api_versions, release })
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

fn unrendered(error: &PreviewError) -> Failure {
    Failure::error("it does not render", chain(error), "")
}

/// The versions that a repository lists.
async fn listed(chart: &str, args: &FetchArgs) -> Result<Vec<Version>> {
    let fetching = Fetching::prepare(chart, None, args, environment, Arc::new(Shown::default()))?;
    Ok(fetching.versions().await?.iter().filter_map(|version| Version::parse(version).ok()).collect())
}

/// The charts in a folder, by name and version: archives and chart folders, not what lies deeper.
fn charts_in(folder: &Path) -> Result<BTreeMap<(String, Version), PathBuf>> {
    let refuse = |why: String| Failure::error(format!("cannot read the charts in {}", folder.display()), why, "--charts names a folder");
    let mut found = BTreeMap::new();
    for (at, entry) in std::fs::read_dir(folder).map_err(|error| refuse(error.to_string()))?.enumerate() {
        if at == MAX_ENTRIES {
            return Err(refuse(format!("more than {MAX_ENTRIES} files and folders lie in it")));
        }
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
        let text = read_limited(&path.join("Chart.yaml")).ok()?;
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
mod tests;
