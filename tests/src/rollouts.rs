//! The server as an operator's program sees it.

use anyhow::{Context, Result, bail, ensure};
use groundswell_api::dto::{ClusterDto, ClusterTurnDto, ErrorBody, PresenceState, ReleaseDto, RolloutDto, RolloutSummaryDto};
use groundswell_foundation::Api;
use groundswell_foundation::stand::eventually;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// Speaks JSON with the operators' listener.
#[derive(Clone, Debug)]
pub struct Operator {
    api: Api,
}

/// Whether nothing further happens to a rollout.
pub fn is_ended(rollout: &RolloutDto) -> bool {
    rollout.state.is_ended()
}

impl Operator {
    /// Over a client that shows an operator's token.
    pub fn new(api: Api) -> Self {
        Self { api }
    }

    /// The client itself.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Reads an object.
    ///
    /// # Errors
    /// When the server refuses, or answers with something else.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let (status, answer) = self.api.request("GET", path, None)?;
        ensure!(status == 200, "GET {path} was answered {status}: {answer}");
        serde_json::from_value(answer.clone()).with_context(|| format!("GET {path} was answered {answer}"))
    }

    /// The items of a list.
    ///
    /// # Errors
    /// As [`Operator::get`].
    pub fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let list: Value = self.get(path)?;
        serde_json::from_value(list["items"].clone()).with_context(|| format!("GET {path} was answered {list}"))
    }

    /// Sends a request that must succeed.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn send(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let (status, answer) = self.api.request(method, path, Some(&body))?;
        ensure!((200..300).contains(&status), "{method} {path} was answered {status}: {answer}");
        Ok(answer)
    }

    /// Sends a request that must be refused with this status; the refusal.
    ///
    /// # Errors
    /// When it is not, or when the answer is none of our refusals.
    pub fn refused(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Result<ErrorBody> {
        let (found, answer) = self.api.request(method, path, body)?;
        ensure!(found == status, "{method} {path} was answered {found}, not {status}: {answer}");
        serde_json::from_value(answer.clone()).with_context(|| format!("{method} {path} was answered {found}: {answer}"))
    }

    /// The newest rollout of a release.
    ///
    /// # Errors
    /// When there is none.
    pub fn latest(&self, release: &str) -> Result<RolloutSummaryDto> {
        let found: ReleaseDto = self.get(&format!("/v1/releases/{release}"))?;
        found.latest_rollout.with_context(|| format!("release {release} never had a rollout"))
    }

    /// A rollout.
    ///
    /// # Errors
    /// When there is none.
    pub fn rollout(&self, id: &str) -> Result<RolloutDto> {
        self.get(&format!("/v1/rollouts/{id}"))
    }

    /// The turns of all clusters of a rollout.
    ///
    /// # Errors
    /// When there is no such rollout.
    pub fn turns(&self, id: &str) -> Result<Vec<ClusterTurnDto>> {
        self.list(&format!("/v1/rollouts/{id}/clusters"))
    }

    /// Waits until a rollout is as it should be; ends at once when it ended otherwise.
    ///
    /// # Errors
    /// Past the deadline, with the rollout as it was last.
    pub fn wait(&self, id: &str, what: &str, deadline: Duration, is_so: impl Fn(&RolloutDto) -> bool) -> Result<RolloutDto> {
        let mut ended = None;
        let found = eventually(&format!("rollout {id}: {what}"), deadline, || {
            let rollout = self.rollout(id)?;
            if is_so(&rollout) {
                return Ok(Some(rollout));
            }
            if is_ended(&rollout) {
                ended = Some(rollout);
                return Ok(None);
            }
            bail!("it is {}", brief(&rollout))
        })?;
        found.with_context(|| format!("rollout {id}: {what}: it ended instead: {}", ended.as_ref().map(brief).unwrap_or_default()))
    }

    /// Waits until a rollout has ended.
    ///
    /// # Errors
    /// Past the deadline.
    pub fn wait_end(&self, id: &str, deadline: Duration) -> Result<RolloutDto> {
        self.wait(id, "it ends", deadline, is_ended)
    }

    /// Waits until so many clusters are online.
    ///
    /// # Errors
    /// Past the deadline.
    pub fn wait_online(&self, count: usize, deadline: Duration) -> Result<()> {
        eventually(&format!("{count} agents are online"), deadline, || {
            let clusters: Vec<ClusterDto> = self.list("/v1/clusters")?;
            let online = clusters.iter().filter(|cluster| cluster.presence.state == PresenceState::Online).count();
            ensure!(online == count, "{online} are: {}", json!(clusters));
            Ok(())
        })
    }

    /// Everything that a refused request must leave as it is: the audit log's end, releases, rollouts and charts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn state(&self) -> Result<Value> {
        let paths = ["/v1/audit?limit=1000", "/v1/releases", "/v1/rollouts?all=true", "/v1/charts", "/v1/clusters", "/v1/tokens"];
        let all = paths.iter().map(|path| Ok(((*path).to_owned(), self.get::<Value>(path)?)));
        Ok(Value::Object(all.collect::<Result<_>>()?))
    }
}

/// A rollout in the words that a failed test needs.
fn brief(rollout: &RolloutDto) -> String {
    let value = json!({"state": rollout.state, "reason": rollout.reason, "waits": rollout.waits, "exceptions": rollout.exceptions,
        "waves": rollout.waves.iter().map(|wave| json!({"name": wave.name, "state": wave.state, "counts": wave.counts})).collect::<Vec<_>>()});
    format!("{value:#}")
}
