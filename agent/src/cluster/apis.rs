//! What the cluster serves, by discovery, in the words of Helm's `.Capabilities.APIVersions`.

use crate::link::told;
use futures::StreamExt as _;
use groundswell_core::apis::ApiList;
use http::Request;
use kube::Client;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Groups asked for at once: a cluster has 20 to 100, and its API server must not feel a look at them.
const AT_ONCE: usize = 4;

#[derive(Deserialize)]
struct Core {
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

/// Only what is asked of it: the whole answer of some groups has a quarter of a MiB.
#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    kind: String,
}

/// Asks the API server for all of it. A group that does not answer is named in the list and is no error.
pub(crate) async fn discover(client: &Client) -> Result<ApiList, kube::Error> {
    let core: Core = get(client, "/api").await?;
    let groups: Groups = get(client, "/apis").await?;
    let named = groups.groups.into_iter().flat_map(|group| group.versions).map(|version| version.group_version);
    let versions: Vec<(String, String)> = core
        .versions
        .into_iter()
        .map(|version| (format!("/api/{version}"), version))
        .chain(named.map(|version| (format!("/apis/{version}"), version)))
        .collect();
    let mut looks = futures::stream::iter(versions)
        .map(|(path, version)| async move { (get::<Resources>(client, &path).await, version) })
        .buffer_unordered(AT_ONCE);
    let (mut all, mut kinds, mut incomplete) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    while let Some((found, version)) = looks.next().await {
        match found {
            // As Helm's GetVersionSet does: with the group of the list, and the kinds of subresources (`apps/v1/Scale`) among them.
            Ok(found) => kinds.extend(found.resources.iter().map(|resource| format!("{version}/{}", resource.kind))),
            Err(error) => {
                tracing::debug!(version, "discovery fails: {}", told(&error));
                incomplete.insert(version.clone());
            }
        }
        all.insert(version);
    }
    Ok(ApiList::new(all, kinds, incomplete))
}

async fn get<T: for<'de> Deserialize<'de>>(client: &Client, path: &str) -> Result<T, kube::Error> {
    let request = Request::get(path).header("accept", "application/json").body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Response, StatusCode};
    use kube::client::Body;

    /// An API server that knows these paths.
    fn client(answers: &'static [(&'static str, &'static str)]) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| async move {
            let answer = answers.iter().find(|(path, _)| *path == request.uri().path());
            let (status, body) =
                answer.map_or((StatusCode::SERVICE_UNAVAILABLE, "the service is gone"), |(_, body)| (StatusCode::OK, *body));
            Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(Body::from(body.as_bytes().to_vec())).unwrap())
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn a_group_that_does_not_answer_is_named_and_fails_nothing() {
        let client = client(&[
            ("/api", r#"{"versions": ["v1"]}"#),
            (
                "/apis",
                r#"{"groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]},
                {"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}]}]}"#,
            ),
            (
                "/api/v1",
                r#"{"resources": [{"name": "pods", "kind": "Pod"}, {"name": "pods/eviction", "group": "policy", "kind": "Eviction"},
                {"name": "pods/log", "kind": "Pod"}]}"#,
            ),
            (
                "/apis/apps/v1",
                r#"{"resources": [{"name": "deployments", "kind": "Deployment"}, {"name": "deployments/scale", "kind": "Scale"}]}"#,
            ),
        ]);
        let list = discover(&client).await.unwrap();
        let expected = ["apps/v1", "apps/v1/Deployment", "apps/v1/Scale", "metrics.k8s.io/v1beta1", "v1", "v1/Eviction", "v1/Pod"];
        assert_eq!(list.versions(), expected);
        assert_eq!(list.incomplete(), ["metrics.k8s.io/v1beta1"]);
    }

    #[tokio::test]
    async fn without_the_list_of_groups_there_is_no_list() {
        assert!(discover(&client(&[("/api", r#"{"versions": ["v1"]}"#)])).await.is_err());
    }
}
