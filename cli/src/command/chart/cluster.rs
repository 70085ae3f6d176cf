//! What the server knows of a cluster: what it serves, and which chart it has with which values.

use super::source::MAX_ARCHIVE;
use crate::client::{Client, segment};
use crate::error::{Failure, Result};
use groundswell_api::dto::{
    CHART_DIGEST_HEADER, ChartBrief, ClusterApisDto, ClusterDto, InstalledDto, InstalledState, List, Object, PresenceState,
};
use groundswell_change::summary::NotChecked;
use groundswell_helm::archive::digest_hex;

/// A cluster as a target of charts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    pub(crate) cluster: String,
    /// No agent of it is connected: all the rest is as of when one last was.
    pub(crate) away: bool,
    /// Such as `v1.36.3`.
    pub(crate) kubernetes_version: String,
    /// As `helm template --api-versions` takes them. Empty when they are not known: then `api_incomplete` says why.
    pub(crate) api_versions: Vec<String>,
    /// What is missing, in words: `metrics.k8s.io/v1beta1` for a group that did not answer.
    pub(crate) api_incomplete: Vec<String>,
    /// `None` when the cluster has nothing of ours.
    pub(crate) release: Option<ReleaseFacts>,
}

/// What it has of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReleaseFacts {
    /// Helm's name of it.
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) state: InstalledState,
    /// `<chart>-<version>` as Helm shows it; there also where the chart is not.
    pub(crate) installed: Option<String>,
    /// `None` before the first success, and when Helm had the release before us: then the server has no archive of it.
    pub(crate) chart: Option<ChartFacts>,
}

/// The chart of its last good state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChartFacts {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    /// Checked against the digest.
    pub(crate) archive: Vec<u8>,
    /// Name and text of each document that helm was given, in helm's order.
    pub(crate) values: Vec<(String, String)>,
}

/// Asks the server for all of it. Without a release it is the only one that the cluster has.
pub(crate) async fn facts(client: &Client, cluster: &str, release: Option<&str>) -> Result<ClusterFacts> {
    let path = format!("/v1/clusters/{}", segment(cluster));
    let known = client.get::<Object<ClusterDto>>(&path, &[]).await?.body.body;
    let (version, api_versions, api_incomplete) = match client.get::<Object<ClusterApisDto>>(&format!("{path}/apis"), &[]).await {
        Ok(answer) => {
            let apis = answer.body.body;
            (Some(apis.kubernetes_version), apis.api_versions, apis.incomplete)
        }
        Err(failure) => match why_unknown(client, &failure) {
            Some(why) => (known.kubernetes_version, Vec::new(), vec![format!("all of them: {why}")]),
            None => return Err(failure),
        },
    };
    let Some(kubernetes_version) = version else {
        let why = api_incomplete.first().map(|why| why.trim_start_matches("all of them: ")).unwrap_or_default();
        let next = "start its agent, or say it yourself with --kube-version and --api-versions instead of --cluster";
        return Err(Failure::error(format!("the Kubernetes version of cluster {cluster} is not known"), why, next));
    };
    let release = match self::release(client, &path, cluster, release).await? {
        Some(installed) => Some(ReleaseFacts::of(client, installed).await?),
        None => None,
    };
    let away = known.presence.state != PresenceState::Online;
    Ok(ClusterFacts { cluster: cluster.to_owned(), away, kubernetes_version, api_versions, api_incomplete, release })
}

impl ClusterFacts {
    /// What the server cannot know of it now; `apis_given` when the APIs come from elsewhere.
    pub(crate) fn not_checked(&self, apis_given: bool) -> Vec<NotChecked> {
        let cluster = &self.cluster;
        let said = |what: String, why: &str, next: String| NotChecked { what, why: why.to_owned(), next };
        let look = || format!("groundswell cluster get {cluster}");
        let away = self
            .away
            .then(|| said(format!("what changed in cluster {cluster} since its agent is away"), "the server was not told", look()));
        let release = self.release.as_ref().and_then(|release| {
            let name = &release.name;
            match release.state {
                InstalledState::Healthy => None,
                InstalledState::Unhealthy => {
                    let why = "charts and values were compared, not what runs";
                    Some(said(format!("why release {name} is unhealthy in cluster {cluster}"), why, look()))
                }
                InstalledState::Updating => {
                    let next = "run again when it has ended".to_owned();
                    Some(said(
                        format!("the change of release {name} that cluster {cluster} is in"),
                        "its last good state was compared",
                        next,
                    ))
                }
                InstalledState::Failed => Some(said(
                    format!("what a failed change left of release {name} in cluster {cluster}"),
                    "its last good state was compared",
                    look(),
                )),
            }
        });
        let incomplete = self.api_incomplete.iter().filter(|_| !apis_given);
        let incomplete = incomplete.map(|missing| {
            said(format!("APIs of cluster {cluster}: {missing}"), "its agent could not tell", "give them with --api-versions".to_owned())
        });
        away.into_iter().chain(release).chain(incomplete).collect()
    }

    /// Why there is no chart of it to compare with.
    pub(crate) fn no_chart(&self) -> String {
        match self.release.as_ref().and_then(|release| release.installed.as_ref()) {
            Some(installed) => format!("{installed} was there before us, and its archive is not the server's"),
            None => "nothing of ours succeeded there yet".to_owned(),
        }
    }
}

/// Why there is no list of API versions; `None` for a failure of another kind.
fn why_unknown(client: &Client, failure: &Failure) -> Option<String> {
    let error = failure.errors.first()?;
    match error.code.as_str() {
        "GS-APIS" => Some(error.why.clone()),
        // The cluster is there: the path is not.
        "GS-NOT-FOUND" => Some(format!("the server {} is of an older version and does not keep them", client.server())),
        _ => None,
    }
}

async fn release(client: &Client, path: &str, cluster: &str, wanted: Option<&str>) -> Result<Option<InstalledDto>> {
    let list = client.get::<List<InstalledDto>>(&format!("{path}/releases"), &[]).await.map_err(|failure| too_old(client, failure))?;
    let names: Vec<&str> = list.body.items.iter().map(|item| item.release.as_str()).collect();
    let name = match (wanted, names.as_slice()) {
        (None, []) => return Ok(None),
        (None, [only]) => only,
        (None, several) => {
            let next = format!("say which with --release: {}", several.join(", "));
            return Err(Failure::usage(format!("cluster {cluster} has {} releases", several.len()), next));
        }
        (Some(wanted), names) if names.contains(&wanted) => wanted,
        (Some(wanted), names) => {
            let why = if names.is_empty() { "it has none of ours".to_owned() } else { format!("it has {}", names.join(", ")) };
            return Err(Failure::error(
                format!("cluster {cluster} has no release {wanted}"),
                why,
                format!("groundswell cluster get {cluster}"),
            ));
        }
    };
    let path = format!("{path}/releases/{}", segment(name));
    Ok(Some(client.get::<Object<InstalledDto>>(&path, &[]).await?.body.body))
}

/// The cluster is there, so what is not found is the path.
fn too_old(client: &Client, failure: Failure) -> Failure {
    if failure.errors.first().is_some_and(|error| error.code == "GS-NOT-FOUND") {
        let next = "upgrade the server, or name the old chart and its values yourself";
        return Failure::error(format!("{} does not tell what a cluster has", client.server()), "it is of an older version", next);
    }
    failure
}

impl ReleaseFacts {
    async fn of(client: &Client, installed: InstalledDto) -> Result<Self> {
        let values = installed.values.into_iter().map(|document| (document.name, document.text)).collect();
        let chart = match installed.chart {
            Some(chart) => {
                let archive = archive(client, &chart).await?;
                Some(ChartFacts { name: chart.name, version: chart.version, digest: chart.digest, archive, values })
            }
            None => None,
        };
        let (name, namespace) = (installed.release, installed.namespace);
        Ok(Self { name, namespace, state: installed.state, installed: installed.installed, chart })
    }
}

pub(super) async fn archive(client: &Client, chart: &ChartBrief) -> Result<Vec<u8>> {
    let path = format!("/v1/charts/{}/archive", segment(&chart.digest));
    let (bytes, said) = client.get_bytes(&path, CHART_DIGEST_HEADER, MAX_ARCHIVE as usize).await?;
    let found = digest_hex(&bytes);
    if found == chart.digest {
        return Ok(bytes);
    }
    let said = said.map_or_else(String::new, |said| format!(" (it said {said})"));
    let why = format!("its SHA-256 is {found}, not {}{said}", chart.digest);
    Err(Failure::error(
        format!("{} sent another chart than {} {}", client.server(), chart.name, chart.version),
        why,
        "look at what stands between you and the server, then try again",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Connection;
    use crate::exit::Exit;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// What the server has under each path: status and body.
    type Pages = BTreeMap<&'static str, (u16, Vec<u8>)>;

    const CHART: &[u8] = b"the bytes of a chart";

    fn serve(pages: Pages) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        // Ends with the test's process: it waits for a connection that never comes.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let mut first = String::new();
                reader.read_line(&mut first).unwrap();
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let path = first.split(' ').nth(1).unwrap();
                let missing = json!({"error": {"code": "GS-NOT-FOUND", "what": "no such path"}}).to_string().into_bytes();
                let (status, body) = pages.get(path).cloned().unwrap_or((404, missing));
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                reader.get_mut().write_all(&[head.as_bytes(), &body].concat()).unwrap();
            }
        });
        Client::new(&Connection { server, token: None, ca_file: None }).unwrap()
    }

    fn page(value: Value) -> (u16, Vec<u8>) {
        (200, value.to_string().into_bytes())
    }

    fn object(mut value: Value) -> (u16, Vec<u8>) {
        value["apiVersion"] = json!("groundswell.dev/v1alpha1");
        value["kind"] = json!("X");
        page(value)
    }

    fn installed(release: &str, digest: &str) -> Value {
        json!({"cluster": "east-01", "release": release, "namespace": "demo", "state": "healthy", "installed": "beacon-1.0.0",
            "chart": {"name": "beacon", "version": "1.0.0", "digest": digest}})
    }

    fn pages(releases: &[&str]) -> Pages {
        let digest = digest_hex(CHART);
        let list: Vec<Value> = releases.iter().map(|release| installed(release, &digest)).collect();
        let mut shown = installed("beacon", &digest);
        shown["values"] = json!([{"name": "values", "text": "a: 1\n"}, {"name": "override x", "text": "a: 2\n"}]);
        let archive: &'static str = format!("/v1/charts/{digest}/archive").leak();
        BTreeMap::from([
            ("/v1/clusters/east-01", object(json!({"name": "east-01", "presence": {"state": "online"}, "kubernetesVersion": "v1.30.0"}))),
            (
                "/v1/clusters/east-01/apis",
                object(
                    json!({"kubernetesVersion": "v1.36.3", "digest": "x", "apiVersions": ["v1", "v1/Pod"], "incomplete": ["metrics.k8s.io/v1beta1"],
                    "seenAt": "2026-11-23T10:00:00Z"}),
                ),
            ),
            ("/v1/clusters/east-01/releases", object(json!({"items": list}))),
            ("/v1/clusters/east-01/releases/beacon", object(shown)),
            (archive, (200, CHART.to_vec())),
        ])
    }

    fn refused(code: &str, why: &str) -> (u16, Vec<u8>) {
        (409, json!({"error": {"code": code, "what": "the API versions are not known yet", "why": why}}).to_string().into_bytes())
    }

    fn words(failure: &Failure) -> String {
        failure.errors.iter().map(|error| format!("{}: {} -> {}", error.what, error.why, error.next)).collect()
    }

    #[tokio::test]
    async fn a_cluster_with_one_release_needs_no_further_word() {
        let facts = facts(&serve(pages(&["beacon"])), "east-01", None).await.unwrap();
        assert_eq!(
            (facts.kubernetes_version.as_str(), facts.api_versions.as_slice()),
            ("v1.36.3", &["v1".to_owned(), "v1/Pod".to_owned()][..])
        );
        assert_eq!(facts.api_incomplete, ["metrics.k8s.io/v1beta1"]);
        let release = facts.release.unwrap();
        assert_eq!((release.name.as_str(), release.namespace.as_str(), release.state), ("beacon", "demo", InstalledState::Healthy));
        let chart = release.chart.unwrap();
        assert_eq!((chart.version.as_str(), chart.archive.as_slice(), chart.digest), ("1.0.0", CHART, digest_hex(CHART)));
        assert_eq!(chart.values, [("values".to_owned(), "a: 1\n".to_owned()), ("override x".to_owned(), "a: 2\n".to_owned())]);
    }

    #[tokio::test]
    async fn of_several_releases_one_is_named() {
        let client = serve(pages(&["beacon", "other"]));
        let several = facts(&client, "east-01", None).await.unwrap_err();
        assert_eq!(
            (several.exit, words(&several).as_str()),
            (Exit::Usage, "cluster east-01 has 2 releases:  -> say which with --release: beacon, other")
        );
        assert_eq!(facts(&client, "east-01", Some("beacon")).await.unwrap().release.unwrap().name, "beacon");
        let none = facts(&client, "east-01", Some("moon")).await.unwrap_err();
        assert!(words(&none).starts_with("cluster east-01 has no release moon: it has beacon, other"), "{}", words(&none));
    }

    #[tokio::test]
    async fn a_cluster_without_a_release_is_a_target_all_the_same() {
        let facts = facts(&serve(pages(&[])), "east-01", None).await.unwrap();
        assert_eq!((facts.no_chart().as_str(), facts.not_checked(true)), ("nothing of ours succeeded there yet", Vec::new()));
        assert_eq!(facts.release, None);
    }

    #[tokio::test]
    async fn a_release_that_helm_had_before_has_no_archive() {
        let mut pages = pages(&["beacon"]);
        let mut adopted = installed("beacon", "x");
        adopted.as_object_mut().unwrap().remove("chart");
        pages.insert("/v1/clusters/east-01/releases/beacon", object(adopted));
        let facts = facts(&serve(pages), "east-01", None).await.unwrap();
        assert_eq!(facts.no_chart(), "beacon-1.0.0 was there before us, and its archive is not the server's");
        let release = facts.release.unwrap();
        assert_eq!((release.chart, release.installed.as_deref()), (None, Some("beacon-1.0.0")));
    }

    #[tokio::test]
    async fn what_the_server_cannot_know_is_said() {
        let of = async |presence: &str, state: &str| {
            let mut pages = pages(&["beacon"]);
            let mut shown = installed("beacon", &digest_hex(CHART));
            shown["state"] = json!(state);
            pages.insert("/v1/clusters/east-01/releases/beacon", object(shown));
            pages.insert(
                "/v1/clusters/east-01",
                object(json!({"name": "east-01", "presence": {"state": presence}, "kubernetesVersion": "v1.36.3"})),
            );
            let facts = facts(&serve(pages), "east-01", None).await.unwrap();
            facts.not_checked(false).into_iter().map(|one| one.what).collect::<Vec<_>>()
        };
        let apis = "APIs of cluster east-01: metrics.k8s.io/v1beta1";
        assert_eq!(of("online", "healthy").await, [apis]);
        assert_eq!(of("offline", "healthy").await, ["what changed in cluster east-01 since its agent is away", apis]);
        assert_eq!(of("online", "updating").await, ["the change of release beacon that cluster east-01 is in", apis]);
        assert_eq!(of("online", "failed").await, ["what a failed change left of release beacon in cluster east-01", apis]);
        assert_eq!(of("online", "unhealthy").await, ["why release beacon is unhealthy in cluster east-01", apis]);
    }

    #[tokio::test]
    async fn what_an_older_agent_or_server_does_not_tell_is_said() {
        let mut old_agent = pages(&[]);
        old_agent.insert("/v1/clusters/east-01/apis", refused("GS-APIS", "its agent 0.1.0 does not tell; it is of an older version"));
        let found = facts(&serve(old_agent.clone()), "east-01", None).await.unwrap();
        assert_eq!((found.kubernetes_version.as_str(), found.api_versions.len()), ("v1.30.0", 0));
        assert_eq!(found.api_incomplete, ["all of them: its agent 0.1.0 does not tell; it is of an older version"]);

        old_agent.insert("/v1/clusters/east-01", object(json!({"name": "east-01", "presence": {"state": "never"}})));
        old_agent.insert("/v1/clusters/east-01/apis", refused("GS-APIS", "no agent of it was heard yet"));
        let never = facts(&serve(old_agent), "east-01", None).await.unwrap_err();
        assert!(
            words(&never)
                .starts_with("the Kubernetes version of cluster east-01 is not known: no agent of it was heard yet -> start its agent"),
            "{}",
            words(&never)
        );

        let mut old_server = pages(&[]);
        old_server.retain(|path, _| *path == "/v1/clusters/east-01");
        let failure = facts(&serve(old_server), "east-01", None).await.unwrap_err();
        assert!(words(&failure).contains("does not tell what a cluster has: it is of an older version"), "{}", words(&failure));

        let unknown = facts(&serve(pages(&[])), "moon", None).await.unwrap_err();
        assert_eq!(unknown.exit, Exit::Error);
        let other = refused("GS-FORBIDDEN", "no");
        let mut denied = pages(&[]);
        denied.insert("/v1/clusters/east-01/apis", other);
        assert!(facts(&serve(denied), "east-01", None).await.is_err(), "another refusal is not taken for an old agent");
    }

    #[tokio::test]
    async fn another_chart_than_the_one_named_is_refused_and_so_is_a_huge_one() {
        let mut pages = pages(&["beacon"]);
        let archive = *pages.keys().find(|path| path.ends_with("/archive")).unwrap();
        pages.insert(archive, (200, b"something else".to_vec()));
        let failure = facts(&serve(pages.clone()), "east-01", None).await.unwrap_err();
        assert!(words(&failure).contains("sent another chart than beacon 1.0.0: its SHA-256 is"), "{}", words(&failure));
        pages.insert(archive, (200, vec![b'x'; MAX_ARCHIVE as usize + 1]));
        let failure = facts(&serve(pages), "east-01", None).await.unwrap_err();
        assert!(words(&failure).contains("too large"), "{}", words(&failure));
    }
}
