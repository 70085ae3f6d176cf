//! `/v1/rollouts`.

use super::{ChartBrief, PlanDto};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RolloutState {
    /// Going forward.
    Running,
    /// Stopped by a person.
    Paused,
    /// Stopped by a failure; a person decides.
    Halted,
    /// Going back.
    RollingBack,
    /// Every cluster has it.
    Succeeded,
    /// Every cluster has it but those that are owed or were skipped.
    SucceededWithDebt,
    /// Its clusters were taken back.
    RolledBack,
    /// A newer rollout took over.
    Superseded,
    /// A person ended it.
    Aborted,
}

impl RolloutState {
    /// Whether nothing further happens.
    pub fn is_ended(self) -> bool {
        match self {
            Self::Running | Self::Paused | Self::Halted | Self::RollingBack => false,
            Self::Succeeded | Self::SucceededWithDebt | Self::RolledBack | Self::Superseded | Self::Aborted => true,
        }
    }
}

/// A rollout in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSummaryDto {
    /// `<release>-<number>`.
    pub id: String,
    /// Of which release.
    pub release: String,
    /// Where it stands.
    pub state: RolloutState,
    /// Why it stands there; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The chart; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartBrief>,
    /// Name of the open wave; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// Clusters over all waves.
    pub counts: TurnCounts,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A rollout with its waves, its waits and its exceptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutDto {
    /// `<release>-<number>`.
    pub id: String,
    /// Of which release.
    pub release: String,
    /// Where the release lives in each cluster.
    pub namespace: String,
    /// What it is for.
    pub purpose: RolloutPurpose,
    /// Rises with each change of the rollout or of a cluster in it; what `after` of the long poll compares with.
    pub revision: u64,
    /// Of the document that it was made from.
    pub document_revision: u64,
    /// Where it stands.
    pub state: RolloutState,
    /// Why it stands there; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The chart; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartBrief>,
    /// SHA-256 of the canonical snapshot; what an approval is bound to.
    pub plan_hash: String,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The rollout that it replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
    /// In their order.
    pub waves: Vec<WaveDto>,
    /// What it waits for now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitDto>,
    /// Clusters that neither wait nor succeeded, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<ClusterTurnDto>,
}

/// What a rollout is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RolloutPurpose {
    /// Brings a chart and values.
    #[default]
    Apply,
    /// Takes the release away.
    Uninstall,
    /// Lets go of the release and leaves its objects.
    Orphan,
}

/// One wave of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveDto {
    /// Its name.
    pub name: String,
    /// Its place, from 0.
    pub index: u32,
    /// Where it stands.
    pub state: WaveState,
    /// How many clusters it has.
    pub size: u64,
    /// How they stand.
    pub counts: TurnCounts,
    /// How many may be in flight, resolved.
    pub max_concurrent: u64,
    /// How many may fail, resolved; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<u64>,
    /// How many must stay healthy, resolved.
    #[serde(default)]
    pub min_available: u64,
    /// How long it must stay healthy before the next wave opens.
    pub bake: BakeDto,
    /// Present when a person must approve before the next wave opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalDto>,
}

/// Where a wave stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WaveState {
    /// Its turn has not come.
    Waiting,
    /// Its clusters go.
    Open,
    /// All required clusters are healthy; the bake runs.
    Baking,
    /// Baked; a person must say yes.
    AwaitingApproval,
    /// Done.
    Promoted,
    /// The rollout ended before it was through.
    Stopped,
}

/// The bake of a wave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BakeDto {
    /// How long, such as `10m`.
    #[serde(rename = "for")]
    pub span: String,
    /// When it is over, if nothing relapses; absent while it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The approval of a wave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDto {
    /// Who gave it; absent while it is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// After which it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// How clusters of a wave stand; each is counted once. A cluster on its way back counts as going or taken back only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TurnCounts {
    /// Their turn has not come.
    pub waiting: u64,
    /// Assigned and not ended.
    pub in_flight: u64,
    /// Have it.
    pub succeeded: u64,
    /// Ended badly.
    pub failed: u64,
    /// No end within the deadline.
    pub timed_out: u64,
    /// Left out by a person.
    pub skipped: u64,
    /// Left behind, still owed the version.
    pub owed: u64,
    /// Taken back.
    pub rolled_back: u64,
    /// On the way back.
    pub rolling_back: u64,
    /// Under way when a newer rollout took over.
    #[serde(default)]
    pub superseded: u64,
}

impl TurnCounts {
    /// All of them together.
    pub fn total(self) -> u64 {
        let forward = self.waiting + self.in_flight + self.succeeded + self.failed + self.timed_out + self.skipped + self.owed;
        forward + self.rolled_back + self.rolling_back + self.superseded
    }

    /// Counts one cluster more.
    pub fn add(&mut self, state: TurnState) {
        *match state {
            TurnState::Waiting => &mut self.waiting,
            TurnState::InFlight => &mut self.in_flight,
            TurnState::Succeeded => &mut self.succeeded,
            TurnState::Failed => &mut self.failed,
            TurnState::TimedOut => &mut self.timed_out,
            TurnState::Skipped => &mut self.skipped,
            TurnState::Owed => &mut self.owed,
            TurnState::RolledBack => &mut self.rolled_back,
            TurnState::RollingBack => &mut self.rolling_back,
            TurnState::Superseded => &mut self.superseded,
        } += 1;
    }
}

/// Where one cluster stands in a rollout, its way back included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TurnState {
    /// Its turn has not come.
    Waiting,
    /// Assigned and not ended.
    InFlight,
    /// Has it.
    Succeeded,
    /// Ended badly, forward or on the way back.
    Failed,
    /// No end within the deadline.
    TimedOut,
    /// Left out by a person.
    Skipped,
    /// Left behind, still owed the version.
    Owed,
    /// Taken back.
    RolledBack,
    /// On the way back.
    RollingBack,
    /// Under way when a newer rollout took over, which watches it from there.
    Superseded,
}

/// Something that the rollout waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitDto {
    /// What waits: `wave canary`, `cluster east-01`, `rollout`.
    pub subject: String,
    /// For what.
    pub why: String,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who or what can end it before, such as `groundswell rollout approve beacon-3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// One cluster's turn in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTurnDto {
    /// Which cluster.
    pub cluster: String,
    /// Name of its wave.
    pub wave: String,
    /// Where it stands.
    pub state: TurnState,
    /// Of its newest assignment in this rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// How often it was assigned.
    pub attempt: u32,
    /// Helm's revision, as last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_revision: Option<u32>,
    /// What there is to say: the agent's words, or why it waits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Its way back, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<BackDto>,
}

/// A cluster's way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackDto {
    /// Where it stands.
    pub state: BackState,
    /// Why, where there is a reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Where a way back stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BackState {
    /// Assigned and not ended.
    InFlight,
    /// At its last good state, healthy.
    Done,
    /// There is no state to go back to.
    Left,
    /// Could not be taken back.
    Failed,
    /// Away; owes the old version.
    Owed,
}

/// A wave that was promoted, and why that was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionDto {
    /// Name of the wave.
    pub wave: String,
    /// When.
    pub at: Timestamp,
    /// How many reports there were; the deciding ones are in `evidence`.
    pub reports: u64,
    /// The reports with the latest `healthySince`.
    pub evidence: Vec<EvidenceDto>,
    /// Who approved, where approval was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// One report that let a wave through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceDto {
    /// Whose.
    pub cluster: String,
    /// What it was about.
    pub generation: u64,
    /// SHA-256 of the archive that is installed.
    pub chart_digest: String,
    /// Helm's revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_revision: Option<u32>,
    /// Since when it is healthy, by the server's clock.
    pub healthy_since: Timestamp,
    /// When the report came.
    pub received_at: Timestamp,
}

/// The answer to a request that makes or touches a rollout: `DELETE /v1/releases/{name}`, `undo` and the other verbs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRef {
    /// `<release>-<number>`.
    pub rollout: String,
    /// How it goes, where the request made a rollout: a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDto>,
}

/// `POST /v1/rollouts/{id}/pause|abort|undo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhyRequest {
    /// The operator's words, for the audit log.
    #[serde(default)]
    pub why: String,
}

/// `POST /v1/rollouts/{id}/approve`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveRequest {
    /// Name of the wave; the open one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// Refuse (409) unless the rollout has this plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// After how long it counts no more, such as `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
}

/// `POST /v1/rollouts/{id}/retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryRequest {
    /// Which cluster.
    pub cluster: String,
}

/// `POST /v1/rollouts/{id}/skip`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkipRequest {
    /// Which cluster.
    pub cluster: String,
    /// The operator's words, for the audit log.
    #[serde(default)]
    pub why: String,
}
