//! `path`: ways between versions, and the rules that they keep. Needs no server and no cluster.

pub(crate) mod document;
pub(crate) mod proof;

use self::document::{PathAnswer, PathLint, PathRuleList};
use super::chart::stop::Stop;
use crate::config::read_limited;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::render::path as render;
use clap::{Subcommand, ValueEnum};
use groundswell_change::constraint::Version;
use groundswell_change::path::{NoRoute, Origin, Question, RuleError, RuleSet, SHIPPED, Stand, lint, read, solve};
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// More than this is not read well.
const WIDEST: usize = 120;
/// Where stdout is no terminal.
const WIDTH: usize = 80;

#[derive(Debug, Subcommand)]
pub(crate) enum PathCommand {
    /// The hops from one version to another: why each is there, what to do by hand, what is tested, where the way back ends
    Show(Box<ShowArgs>),
    /// Check files of rules; without one, those that come with the command
    Lint(LintArgs),
    /// The rules that hold, with their sources
    #[command(visible_alias = "ls")]
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell path show --from 8.5.2 --to 80.14.4
  groundswell path show --from 8.5.2 --to 80.14.4 --kube-version 1.16.15
  groundswell path show --from 1.2.0 --to 3.0.0 --chart beacon --rules beacon-paths.yaml -o json
  groundswell path show --from 72.9.1 --to 80.14.4 --charts ./charts --values values.yaml

With --charts or --repo each hop is rendered by the real helm, and compared as `groundswell chart diff` does: what a rule says is
confirmed or contradicted, what no rule names (a field that cannot be changed, a kubeVersion, a CRD, a volume that goes) becomes a
step, and the path is found anew. The charts that are there count as published.
Exits with 9 when there is no path, and names the rule that stops it; with 9, too, when a hop of the path is blocked.")]
pub(crate) struct ShowArgs {
    /// The version that the release has
    #[arg(long, value_name = "VERSION")]
    from: Version,
    /// The version that it shall get
    #[arg(long, value_name = "VERSION")]
    to: Version,
    /// The chart that --from is a version of; needed only where several charts have it
    #[arg(long, value_name = "NAME")]
    chart: Option<String>,
    /// The chart that --to is a version of, where the chart goes on under another name
    #[arg(long, value_name = "NAME")]
    to_chart: Option<String>,
    /// What the cluster runs
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<Version>,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    proof: proof::ProofArgs,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell path lint
  groundswell path lint our-rules.yaml
  groundswell path lint our-rules.yaml -o json

A file is checked as it will be used: laid over the rules that come with the command. Exits with 1 when something is wrong.")]
pub(crate) struct LintArgs {
    /// Files of rules
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  groundswell path list\n  groundswell path list --rules our-rules.yaml -o json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    given: Given,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// Rules and versions of the operator's own.
#[derive(Debug, clap::Args)]
struct Given {
    /// A file of rules, laid over those that come with the command; may be given several times
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// The published versions of a chart, one to a line, in the place of those that are known
    #[arg(long, value_name = "CHART=FILE", value_parser = super::pair)]
    versions: Vec<(String, String)>,
}

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people; it may change
    #[default]
    Table,
    /// Versioned and stable; `groundswell schema upgrade-path`, `path-lint` and `path-rule-list` describe it
    Json,
    /// The same as YAML
    Yaml,
}

impl Shape {
    fn format(self) -> Option<Format> {
        match self {
            Self::Table => None,
            Self::Json => Some(Format::Json),
            Self::Yaml => Some(Format::Yaml),
        }
    }
}

pub(crate) async fn run(command: &PathCommand, out: &mut Output) -> Result<Exit> {
    match command {
        PathCommand::Show(args) => show(args, out).await,
        PathCommand::Lint(args) => check(args, out),
        PathCommand::List(args) => list(args, out),
    }
}

async fn show(args: &ShowArgs, out: &mut Output) -> Result<Exit> {
    let mut set = rules(&args.given)?;
    let chart = match &args.chart {
        Some(chart) => chart.clone(),
        None => chart_of(&set, &args.from)?,
    };
    if args.proof.asked() {
        // Of a chart that no rule is about, renders show what there is to know; the answer says that no rules cover it.
        set.charts.entry(chart.clone()).or_default();
    }
    let from = Stand { chart, version: args.from.clone() };
    let question = Question { from, to_chart: args.to_chart.clone(), to: args.to.clone(), kubernetes: args.kube_version.clone() };
    let (route, proof) = if args.proof.asked() {
        let stop = Stop::listen().map_err(|error| Failure::error("cannot listen for Ctrl-C", error, ""))?;
        let proved = match stop.or(proof::prove(&set, &question, &args.proof, out)).await {
            Ok(proved) => proved?,
            Err(exit) => {
                // Nobody may be there to read it any more.
                let _ = out.note("stopped");
                return Ok(exit);
            }
        };
        (proved.route, Some(proved.proof))
    } else {
        (solve(&set, &question), None)
    };
    let route = route.map(|mut route| {
        if let Some(name) = args.proof.named(&question.from.chart) {
            route.name_release(&name);
        }
        route
    });
    let unproved = proof.as_ref().map_or(0, proof::Proof::unproved);
    let (mut text, exit) = match &route {
        Ok(route) => {
            let exit = if route.blocked_at().is_empty() { Exit::Ok } else { Exit::Blocked };
            (render::route(route, unproved, width()), exit)
        }
        Err(error @ NoRoute::NotKubernetes { .. }) => {
            return Err(Failure::usage(error.to_string(), "write it like 1.28 or v1.28.3+vmware.1"));
        }
        Err(error @ NoRoute::UnknownChart { .. }) if args.output.format().is_none() => {
            let next = "--rules FILE brings rules for it; `groundswell path list` shows what is known";
            return Err(Failure::new(Exit::Blocked, error.to_string(), "", next));
        }
        Err(error) => (render::no_route(error, width()), Exit::Blocked),
    };
    match args.output.format() {
        None => {
            text.push_str(&proof.as_ref().map(|proof| render::proof(proof, width())).unwrap_or_default());
            out.data(&text)?;
        }
        Some(format) => {
            for (words, command) in proof.as_ref().map(render::doubts).unwrap_or_default() {
                let command = command.map(|command| format!(" {command}")).unwrap_or_default();
                out.note(&format!("note: {words}{command}"))?;
            }
            out.structured(format, &value(&PathAnswer::new(route, proof))?)?;
        }
    }
    Ok(exit)
}

/// The only chart that a version can be of.
fn chart_of(set: &RuleSet, version: &Version) -> Result<String> {
    let published = set.charts_with(version);
    let covered = || set.charts.keys().filter(|chart| set.covers(chart, version)).map(String::as_str).collect::<Vec<_>>();
    let charts = if published.is_empty() { covered() } else { published };
    let known = || set.charts.keys().cloned().collect::<Vec<_>>().join(", ");
    match charts.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Failure::usage(
            format!("no chart is known to have a version {version}"),
            format!("say which with --chart; known are {}", known()),
        )),
        several => Err(Failure::usage(format!("{} have a version {version}", several.join(" and ")), "say which with --chart")),
    }
}

fn check(args: &LintArgs, out: &mut Output) -> Result<Exit> {
    let (problems, count) = if args.files.is_empty() {
        let shipped = SHIPPED.map(|(name, text)| (name.to_owned(), text.to_owned()));
        (lint(&RuleSet::default(), &shipped, Origin::Shipped), shipped.len())
    } else {
        let text = |path: &PathBuf| Ok((path.display().to_string(), read_limited(path)?));
        let files = args.files.iter().map(text).collect::<Result<Vec<_>>>()?;
        (lint(&shipped()?, &files, Origin::Operator), files.len())
    };
    match args.output.format() {
        Some(format) => {
            let found = !problems.is_empty();
            out.structured(format, &value(&PathLint::new(count, problems))?)?;
            return Ok(if found { Exit::Error } else { Exit::Ok });
        }
        None if problems.is_empty() => out.data(&format!("{count} {}: nothing is wrong\n", if count == 1 { "file" } else { "files" }))?,
        None => out.data(&render::problems(&problems))?,
    }
    Ok(if problems.is_empty() { Exit::Ok } else { Exit::Error })
}

fn list(args: &ListArgs, out: &mut Output) -> Result<Exit> {
    let set = rules(&args.given)?;
    match args.output.format() {
        None => out.data(&render::rules(&set, width()))?,
        Some(format) => out.structured(format, &value(&PathRuleList::new(&set))?)?,
    }
    Ok(Exit::Ok)
}

fn shipped() -> Result<RuleSet> {
    RuleSet::shipped().map_err(refused)
}

/// The shipped rules with the operator's over them.
fn rules(given: &Given) -> Result<RuleSet> {
    let mut set = shipped()?;
    for path in &given.rules {
        let file = read(&path.display().to_string(), &read_limited(path)?, Origin::Operator).map_err(refused)?;
        set.add(file).map_err(refused)?;
    }
    for (chart, path) in &given.versions {
        set.publish(chart, versions(Path::new(path))?);
    }
    Ok(set)
}

/// One version to a line; blank lines and what follows `#` do not count.
fn versions(path: &Path) -> Result<Vec<Version>> {
    let mut versions = Vec::new();
    for (index, line) in read_limited(path)?.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let place = format!("{}:{}:1", path.display(), index + 1);
            versions.push(Version::parse(line).map_err(|error| Failure::error(place, error, "one version to a line"))?);
        }
    }
    if versions.is_empty() {
        return Err(Failure::error(format!("{} lists no version", path.display()), "", "one version to a line"));
    }
    Ok(versions)
}

fn refused(errors: Vec<RuleError>) -> Failure {
    let mut failures = errors.into_iter().map(|error| Failure::error(error.to_string(), "", ""));
    let mut first = failures.next().unwrap_or_else(|| Failure::error("the rules cannot be read", "", ""));
    first.errors.extend(failures.flat_map(|failure| failure.errors));
    if let Some(last) = first.errors.last_mut() {
        last.next = "groundswell path lint FILE".to_owned();
    }
    first
}

/// For JSON and YAML.
fn value(document: &impl Serialize) -> Result<Value> {
    serde_json::to_value(document).map_err(|error| Failure::error("cannot write JSON", error, ""))
}

fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(WIDTH, |(width, _)| usize::from(width.0).min(WIDEST))
}

#[cfg(test)]
mod tests;
