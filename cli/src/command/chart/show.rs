//! `chart show`.

use super::detail::{ChartDetail, Objects, detail, documents, own_values};
use super::fetch::FetchArgs;
use super::given;
use super::source::{self, Loaded, Place};
use super::stop::Stop;
use crate::client::{Client, segment};
use crate::command::get::show as show_answer;
use crate::command::{connect, environment};
use crate::config::Flags;
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use crate::render::{self, lists};
use groundswell_api::dto::{ChartDto, Object};
use groundswell_change::constraint::{Constraint, Version};
use groundswell_helm::runner::{Cluster, Control, Helm, ReleaseName, Template};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell chart show ./charts/beacon
  groundswell chart show beacon-1.2.0.tgz --values > values.yaml
  groundswell chart show 53f375c72fdc
  groundswell chart show beacon:1.2.0 -o yaml
  groundswell chart show oci://registry.example.org/charts/beacon:1.2.0

A chart is a folder or .tgz when something of that name is here, or when the name begins with ./ ../ / or ~/ or ends in .tgz;
it is fetched when the name begins with oci://, http:// or https://, is REPO/NAME, or with --repo; otherwise it is the server's,
by name:version, name, or the first 8 digits or more of its digest. Only then is a server asked.

With a helm at hand, images and hooks are those of a render with the chart's own defaults; without, they are guessed. -o json of a
chart that is not the server's is a ChartDetail: `groundswell schema chart-detail`.")]
pub(crate) struct ShowArgs {
    /// Folder, .tgz, URL, or a chart of the server
    #[arg(value_name = "CHART")]
    chart: String,
    /// Print its values.yaml, comments and all; with -o json, what helm reads of it
    #[arg(long)]
    values: bool,
    /// Of a chart of the server: fetch its archive, and show as much as of one that is here
    #[arg(long)]
    detail: bool,
    /// The helm binary [env: GROUNDSWELL_HELM] [default: helm on the PATH]
    #[arg(long, value_name = "FILE")]
    helm: Option<PathBuf>,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    fetch: FetchArgs,
}

/// A chart without objects to install renders at once; one that does not within this is broken.
const RENDER: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: &ShowArgs, flags: &Flags, out: &mut Output) -> Result<Exit> {
    if let (Place::Server(chart), false) = (Place::of(&args.chart, args.fetch.repo.as_deref()), args.values || args.detail) {
        let client = connect(flags).map_err(|failure| source::neither(&chart, failure))?;
        return of_server(&chart, args.output, &client, out).await;
    }
    let loaded = source::load(&args.chart, &args.fetch, flags, out).await?;
    if args.values {
        return values(&loaded, args.output, out);
    }
    let stop = Stop::listen().map_err(|error| Failure::error("cannot listen for Ctrl-C", error, ""))?;
    let rendered = match stop.or(rendered(&loaded, args.helm.as_deref(), out)).await {
        Ok(rendered) => rendered?,
        Err(exit) => return Ok(exit),
    };
    print(&detail(&loaded, rendered.as_ref()), args.output, out)
}

/// The file as it is; as JSON, what helm reads of it.
fn values(loaded: &Loaded, output: Format, out: &mut Output) -> Result<Exit> {
    if output == Format::Json {
        let (values, left) = own_values(&loaded.archive).map_err(|error| Failure::error("these values cannot be read", error, ""))?;
        if let Some(left) = left {
            out.note(&format!("note: {left}"))?;
        }
        out.structured(output, &serde_json::Value::Object(values))?;
    } else {
        out.data(&String::from_utf8_lossy(loaded.archive.values_yaml().unwrap_or_default()))?;
    }
    Ok(Exit::Ok)
}

fn print(chart: &ChartDetail, output: Format, out: &mut Output) -> Result<Exit> {
    match output {
        Format::Json | Format::Yaml => {
            let value = serde_json::to_value(chart).map_err(|error| Failure::error("cannot write the chart", error, ""))?;
            out.structured(output, &value)?;
        }
        Format::Name => out.data(&format!("chart/{}\n", chart.digest))?,
        Format::Table | Format::Wide => out.data(&render::chart::detail(chart))?,
    }
    Ok(Exit::Ok)
}

/// Renders with the defaults. A chart that cannot be rendered so is shown all the same, with a note why.
async fn rendered(loaded: &Loaded, helm: Option<&Path>, out: &mut Output) -> Result<Option<Objects>> {
    let binary = match given::helm(helm, environment) {
        Ok(binary) => binary,
        // One that was named and is not there is a mistake; none at all is a machine without helm.
        Err(failure) if helm.is_some() => return Err(failure),
        Err(_) => {
            out.note(&without_helm(environment))?;
            return Ok(None);
        }
    };
    match template(loaded, binary).await {
        Ok(objects) => Ok(Some(objects)),
        Err(why) => {
            out.note(&format!(
                "note: helm cannot render the chart with its own defaults, so images and hooks are guessed: {}",
                clean(&why)
            ))?;
            Ok(None)
        }
    }
}

fn without_helm(env: impl Fn(&str) -> Option<String>) -> String {
    let named = env("GROUNDSWELL_HELM").filter(|path| !path.is_empty());
    let place = named.map_or("on the PATH".to_owned(), |path| format!("at {} (GROUNDSWELL_HELM names it)", clean(&path)));
    format!("note: there is no helm {place}, so images and hooks are guessed from the files; --helm says where it is")
}

async fn template(loaded: &Loaded, binary: PathBuf) -> std::result::Result<Objects, String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let chart = home.path().join("chart.tgz");
    std::fs::write(&chart, &loaded.bytes).map_err(|error| error.to_string())?;
    let helm = Helm { binary, stub: None, home: home.path().to_owned(), cluster: Cluster::None };
    helm.prepare().await.map_err(|error| chain(&error))?;
    let version = inside(loaded.archive.metadata.kube_version.as_deref());
    let template = Template { kube_version: version.as_deref(), ..Template::default() };
    let release = ReleaseName::new("default", "release-name").map_err(|error| chain(&error))?;
    let text = helm.template(&release, &chart, &template, &Control::new(RENDER)).await.map_err(|error| chain(&error))?;
    Ok(sourced(&text))
}

/// Newest minor version of Kubernetes that is tried; a chart that asks for a later one is shown without a render.
const NEWEST_MINOR: u32 = 40;

/// A Kubernetes version that the chart takes. Helm's own default may be outside of its range.
fn inside(range: Option<&str>) -> Option<String> {
    let range = Constraint::parse(range.filter(|range| !range.trim().is_empty())?).ok()?;
    let minors = (0..=NEWEST_MINOR).rev().map(|minor| format!("1.{minor}.0"));
    minors.into_iter().find(|version| Version::parse(version).is_ok_and(|version| range.matches(&version)))
}

/// The documents of a render with the template that each came from.
fn sourced(text: &str) -> Objects {
    let mut objects = Objects::new();
    for part in format!("\n{text}").split("\n---\n") {
        let source = part.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or_default();
        let source = source.split_once('/').map_or(source, |(_, below)| below);
        objects.extend(documents(part).into_iter().map(|object| (source.to_owned(), object)));
    }
    objects
}

async fn of_server(chart: &str, output: Format, client: &Client, out: &mut Output) -> Result<Exit> {
    let answer = client.get::<Object<ChartDto>>(&format!("/v1/charts/{}", segment(chart)), &[]).await?;
    show_answer(&answer, output, out, |body| held(&body.body, output))
}

fn held(chart: &ChartDto, format: Format) -> String {
    let mut text = lists::charts(std::slice::from_ref(chart), if format == Format::Table { Format::Wide } else { format });
    if format == Format::Name {
        return text;
    }
    if let Some(range) = &chart.kube_version {
        text.push_str(&format!("\nKubernetes {}\n", clean(range)));
    }
    for (label, names) in [
        ("CRDs", chart.crds.clone()),
        ("Charts inside", chart.dependencies.iter().map(|inner| format!("{} {}", inner.name, inner.version)).collect()),
    ] {
        if !names.is_empty() {
            text.push_str(&format!("\n{label}\n{}", names.iter().map(|name| format!("  {}\n", clean(name))).collect::<String>()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_no_helm_is_named() {
        assert!(
            without_helm(|name| (name == "GROUNDSWELL_HELM").then(|| "/gone".to_owned())).contains("at /gone (GROUNDSWELL_HELM names it)")
        );
        assert!(without_helm(|_| None).contains("no helm on the PATH"));
    }
}
