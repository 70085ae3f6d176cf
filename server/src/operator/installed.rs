//! `/v1/clusters/{name}/apis` and `/v1/clusters/{name}/releases`.

use super::auth::Caller;
use super::body::{Named, NamedIn, name};
use super::{Answer, convert};
use crate::coordinator::Coordinator;
use crate::coordinator::enrolment::known;
use crate::coordinator::installed::{Given, Installed, Standing, installed};
use crate::coordinator::submit::plan::brief;
use axum::Json;
use axum::extract::State;
use groundswell_api::dto::{ClusterApisDto, InstalledDto, InstalledState, List, Object, ValuesDocumentDto};
use groundswell_core::id::{ClusterName, ReleaseName};
use groundswell_core::rollout::ClusterRelease;
use std::sync::Arc;

pub(super) async fn apis(State(coordinator): State<Arc<Coordinator>>, _: Caller, named: Named) -> Answer<Object<ClusterApisDto>> {
    let found = coordinator.cluster_apis(&named.read()?).await?;
    Ok(Json(Object::new(ClusterApisDto {
        kubernetes_version: found.kubernetes_version,
        digest: found.digest.to_string(),
        api_versions: found.list.versions().to_vec(),
        incomplete: found.list.incomplete().to_vec(),
        seen_at: convert::at(found.seen_at),
    })))
}

/// In name order. A cluster has a handful.
pub(super) async fn list(State(coordinator): State<Arc<Coordinator>>, _: Caller, named: Named) -> Answer<List<InstalledDto>> {
    let cluster: ClusterName = named.read()?;
    let state = coordinator.state();
    known(&state, &cluster)?;
    let of_cluster = state.cluster_releases.iter().filter_map(|(release, clusters)| Some((release, clusters.get(&cluster)?)));
    let items = of_cluster.filter_map(|(release, known)| Some(dto(&cluster, release, known, installed(known)?, Vec::new())));
    Ok(Json(List::new(items.collect())))
}

/// Values are shown as `/v1/values` shows them.
pub(super) async fn show(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    NamedIn(cluster, release): NamedIn,
) -> Answer<Object<InstalledDto>> {
    let (cluster, release) = (name(&cluster)?, name(&release)?);
    let (known, installed, given) = coordinator.installed(&release, &cluster).await?;
    Ok(Json(Object::new(dto(&cluster, &release, &known, installed, given))))
}

fn dto(cluster: &ClusterName, release: &ReleaseName, known: &ClusterRelease, has: Installed, given: Vec<Given>) -> InstalledDto {
    InstalledDto {
        cluster: cluster.to_string(),
        release: release.to_string(),
        namespace: known.assignment.as_ref().map(|assignment| assignment.namespace.to_string()).unwrap_or_default(),
        state: match has.standing {
            Standing::Healthy => InstalledState::Healthy,
            Standing::Unhealthy => InstalledState::Unhealthy,
            Standing::Updating => InstalledState::Updating,
            Standing::Failed => InstalledState::Failed,
        },
        since: has.since.map(convert::at),
        message: has.message,
        chart: has.content.as_ref().map(|content| brief(&content.chart)),
        installed: has.chart,
        helm_revision: has.helm_revision,
        rollout: has.rollout.map(|rollout| rollout.to_string()),
        wanted: has.wanted.filter(|wanted| Some(wanted) != has.content.as_ref()).map(|wanted| brief(&wanted.chart)),
        values: given.into_iter().map(|given| ValuesDocumentDto { name: given.name, text: given.text }).collect(),
    }
}
