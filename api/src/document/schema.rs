//! JSON Schema of the documents, for editors. The shapes here have no other use: reading is done with places and hints.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

/// JSON Schema of a document file's documents: `Release` and `Strategy`.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let mut generator = SchemaGenerator::new(settings);
    let release = generator.subschema_for::<ReleaseDoc>();
    let strategy = generator.subschema_for::<StrategyDoc>();
    let definitions = generator.take_definitions(true);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Groundswell documents (groundswell.dev/v1alpha1)",
        "oneOf": [release, strategy],
        "$defs": definitions,
    })
}

macro_rules! text_schema {
    ($($(#[$doc:meta])* $type:ident = $schema:tt),+ $(,)?) => {
        $(
            $(#[$doc])*
            struct $type;
            impl JsonSchema for $type {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }
                fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!($schema)
                }
            }
        )+
    };
}

text_schema!(
    Name = { "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 53 },
    LabelSelector = { "type": "string", "description": "Labels of clusters, in kubectl's grammar: a=b, a!=b, a in (x,y), a notin (x,y), a, !a; \"\" is all" },
    Duration = { "type": "string", "description": "A length of time such as 90s, 10m or 1h30m", "examples": ["90s", "10m", "1h30m"] },
    Count = { "description": "A count, a percentage of the wave, or none", "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^([0-9]+%?|none)$" }] },
    HelmValues = { "description": "Helm values as text (byte for byte what helm gets) or as a map", "type": ["string", "object"] },
    ReleaseKind = { "const": "Release" },
    StrategyKind = { "const": "Strategy" },
    ApiVersion = { "const": "groundswell.dev/v1alpha1" },
    DriftWord = { "enum": ["report", "correct"], "default": "report" },
    ApprovalWord = { "enum": ["required", "none"] },
    FailureWord = { "enum": ["halt", "rollbackFailed", "rollbackAll"], "default": "rollbackAll" },
    InstallWord = { "enum": ["keep", "uninstall"], "default": "keep" },
    UnmatchedWord = { "enum": ["refuse", "lastWave"], "default": "refuse" },
    GateItem = { "anyOf": [
        { "enum": ["ready", "approval"] },
        { "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1, "properties": {
            "ready": { "type": "object", "additionalProperties": false, "properties": { "for": { "type": "string", "description": "How long a cluster must be healthy" } } },
            "approval": { "enum": ["required", "none"] } } } ] },
);

/// Declares shapes that only the schema knows; fields with `?` may be left out.
macro_rules! shapes {
    ($($(#[$doc:meta])* $type:ident { $($(#[$field_doc:meta])* $field:ident : $of:ty),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(JsonSchema)]
            #[schemars(rename_all = "camelCase", deny_unknown_fields)]
            #[expect(dead_code, reason = "only its schema is used")]
            struct $type { $($(#[$field_doc])* $field: $of),+ }
        )+
    };
}

shapes! {
    /// Which chart, values and clusters a release should have.
    ReleaseDoc { api_version: ApiVersion, kind: ReleaseKind, metadata: Metadata, spec: ReleaseShape }
    /// How rollouts go through their clusters.
    StrategyDoc { api_version: ApiVersion, kind: StrategyKind, metadata: Metadata, spec: StrategyShape }
    /// What it is called.
    Metadata {
        /// Helm's release name, or what releases call the strategy.
        name: Name,
    }
    /// What a release should be.
    ReleaseShape {
        /// Where the release lives in each cluster.
        namespace: Name,
        /// Whether a missing namespace is made; true when unsaid.
        create_namespace: Option<bool>,
        /// Which chart: `path`, or `name` and `version`, or `digest`.
        chart: ChartShape,
        /// Which clusters.
        clusters: ClustersShape,
        /// The base values.
        values: Option<HelmValues>,
        /// Files beside the document, laid over `values` in this order.
        values_files: Option<Vec<String>>,
        /// Values for some clusters, laid over the base in this order.
        overrides: Option<Vec<OverrideShape>>,
        /// What to do about objects changed by hand.
        drift: Option<DriftWord>,
        /// A Strategy by name; without one all clusters go in one wave, one at a time.
        strategy: Option<Name>,
        /// A strategy of its own.
        strategy_spec: Option<StrategyShape>,
        /// The ServiceAccount that helm runs as.
        service_account: Option<String>,
    }
    /// Which chart.
    ChartShape {
        /// A chart folder or archive beside the document; the command packs and pushes it.
        path: Option<String>,
        /// Not yet.
        repository: Option<String>,
        /// A chart that was pushed.
        name: Option<String>,
        /// Its version.
        version: Option<String>,
        /// A chart that was pushed, by the SHA-256 of its archive.
        digest: Option<String>,
    }
    /// Which clusters.
    ClustersShape { selector: LabelSelector }
    /// Values for some clusters.
    OverrideShape {
        /// Which clusters.
        selector: LabelSelector,
        /// The values.
        values: Option<HelmValues>,
        /// Files beside the document, laid over `values` in this order.
        values_files: Option<Vec<String>>,
    }
    /// How rollouts go through their clusters.
    StrategyShape {
        /// A cluster goes with the first wave that matches it; the first wave is the canary.
        waves: Option<Vec<WaveShape>>,
        /// For every wave and cluster, where the wave says nothing else.
        each: Option<EachShape>,
        /// What is done when a failure budget is exceeded.
        on_failure: Option<FailureWord>,
        /// What is done with a first install that failed.
        on_failed_install: Option<InstallWord>,
        /// What is done with selected clusters that no wave takes.
        unmatched: Option<UnmatchedWord>,
    }
    /// Clusters that go together.
    WaveShape {
        /// Unique in its strategy.
        name: Name,
        /// Which clusters, of those that no earlier wave took.
        selector: LabelSelector,
        /// How many may be in flight at once; 1 when unsaid.
        max_concurrent: Option<Count>,
        /// How many may fail or time out before the rollout stops; 0 when unsaid.
        failure_budget: Option<Count>,
        /// How many clusters of the wave must stay healthy.
        min_available: Option<Count>,
        /// How long the wave must stay healthy before the next opens; 1m when unsaid.
        bake: Option<Duration>,
        /// Whether a person must approve before the next wave opens.
        approval: Option<ApprovalWord>,
        /// Whether the wave may have no cluster.
        may_be_empty: Option<bool>,
        /// First wave only: whether it may be promoted while its clusters are offline.
        canary_may_be_owed: Option<bool>,
    }
    /// For every wave and cluster.
    EachShape {
        /// From the assignment to a healthy report; 15m when unsaid.
        deadline: Option<Duration>,
        /// For waves that say nothing else.
        failure_budget: Option<Count>,
        /// For waves that say nothing else.
        max_concurrent: Option<Count>,
        /// For waves that say nothing else.
        min_available: Option<Count>,
        /// For waves that say nothing else.
        bake: Option<Duration>,
        /// How long a cluster may be away before its turn until it is owed; 10m when unsaid.
        offline_after: Option<Duration>,
        /// How long a cluster of an earlier wave may be unhealthy before it counts; 30s when unsaid.
        relapse_after: Option<Duration>,
        /// What must hold before a cluster counts as done.
        gates: Option<Vec<GateItem>>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{METADATA_FIELDS, TOP_FIELDS, release, strategy};
    use std::collections::BTreeSet;

    #[test]
    fn schema_and_reader_know_the_same_fields() {
        let schema = schema();
        let tables = [
            ("ReleaseDoc", TOP_FIELDS),
            ("StrategyDoc", TOP_FIELDS),
            ("Metadata", METADATA_FIELDS),
            ("ReleaseShape", release::SPEC_FIELDS),
            ("ChartShape", release::CHART_FIELDS),
            ("ClustersShape", release::CLUSTERS_FIELDS),
            ("OverrideShape", release::OVERRIDE_FIELDS),
            ("StrategyShape", strategy::SPEC_FIELDS),
            ("WaveShape", strategy::WAVE_FIELDS),
            ("EachShape", strategy::EACH_FIELDS),
        ];
        for (shape, known) in tables {
            let properties = schema["$defs"][shape]["properties"].as_object().unwrap_or_else(|| panic!("{shape} is not in the schema"));
            let in_schema: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(in_schema, known.iter().copied().collect(), "{shape}");
            assert_eq!(schema["$defs"][shape]["additionalProperties"], json!(false), "{shape}");
        }
    }
}
