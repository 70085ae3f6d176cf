//! Tables of releases, rollouts, clusters, charts and turns.

use super::{age, short, word};
use crate::output::{Format, cell, clean, coloured, table};
use groundswell_api::dto::{
    ChartDto, ClusterDto, ClusterTurnDto, OperatorDto, PresenceState, ReleaseCounts, ReleaseDto, ReleaseRevisionDto, RolloutSummaryDto,
    TokenDto,
};
use jiff::Timestamp;

/// A table with more rows than this is answered with a summary and the exceptions, unless all of it was asked for.
const MAX_ROWS: usize = 50;

const NONE: &str = "-";

pub(crate) fn releases(items: &[ReleaseDto], format: Format, now: Timestamp) -> String {
    if format == Format::Name {
        return names("release", items.iter().map(|item| item.name.as_str()));
    }
    let wide = format == Format::Wide;
    let header = ["NAME", "CHART", "CLUSTERS", "STATE", "ROLLOUT", "AGE", "NAMESPACE", "REVISION", "SELECTOR", "STRATEGY"];
    let rows = items.iter().map(|item| {
        let chart = item.chart.as_ref().map_or_else(|| NONE.to_owned(), |chart| format!("{}-{}", chart.name, chart.version));
        let rollout = item.latest_rollout.as_ref().map_or_else(
            || coloured(NONE, None),
            |rollout| {
                let state = word::rollout(rollout.state);
                coloured(format!("{} {}", rollout.id, state.plain()), state.colour())
            },
        );
        let mut row = vec![
            cell(&item.name),
            cell(chart),
            cell(item.counts.clusters.to_string()),
            cell(standing(item.counts)),
            rollout,
            cell(age(item.updated_at, now)),
        ];
        if wide {
            let strategy = item.strategy.as_deref().unwrap_or("(inline)");
            row.extend([cell(&item.namespace), cell(item.revision.to_string()), cell(&item.selector), cell(strategy)]);
        }
        row
    });
    table(&header[..if wide { 10 } else { 6 }], rows)
}

/// `8 healthy, 1 failed`.
fn standing(counts: ReleaseCounts) -> String {
    let ReleaseCounts { clusters: _, healthy, unhealthy, updating, failed, waiting, owed, unknown, orphaned } = counts;
    let parts = [
        (healthy, "healthy"),
        (updating, "updating"),
        (failed, "failed"),
        (unhealthy, "unhealthy"),
        (owed, "owed"),
        (unknown, "unknown"),
        (waiting, "waiting"),
        (orphaned, "orphaned"),
    ];
    let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if said.is_empty() { NONE.to_owned() } else { said.join(", ") }
}

pub(crate) fn rollouts(items: &[RolloutSummaryDto], format: Format, now: Timestamp) -> String {
    if format == Format::Name {
        return names("rollout", items.iter().map(|item| item.id.as_str()));
    }
    let wide = format == Format::Wide;
    let header = ["ID", "STATE", "CHART", "WAVE", "CLUSTERS", "BY", "AGE", "REASON"];
    let rows = items.iter().map(|item| {
        let state = word::rollout(item.state);
        let chart = item.chart.as_ref().map_or_else(|| NONE.to_owned(), |chart| format!("{}-{}", chart.name, chart.version));
        let mut row = vec![
            cell(&item.id),
            coloured(state.plain(), state.colour()),
            cell(chart),
            cell(item.wave.as_deref().unwrap_or(NONE)),
            cell(word::counts(item.counts)),
            cell(&item.created_by),
            cell(age(item.created_at, now)),
        ];
        if wide {
            row.push(cell(&item.reason));
        }
        row
    });
    table(&header[..if wide { 8 } else { 7 }], rows)
}

/// Up to [`MAX_ROWS`] all of them; above, how they stand and those that need a look.
pub(crate) fn clusters(items: &[ClusterDto], format: Format, all: bool, now: Timestamp) -> String {
    if format == Format::Name {
        return names("cluster", items.iter().map(|item| item.name.as_str()));
    }
    if all || items.len() <= MAX_ROWS {
        return cluster_rows(items.iter(), format, now);
    }
    let exceptions: Vec<&ClusterDto> =
        items.iter().filter(|item| item.presence.state != PresenceState::Online || !item.debts.is_empty()).collect();
    let count = |state| items.iter().filter(|item| item.presence.state == state).count();
    let states = [PresenceState::Online, PresenceState::Offline, PresenceState::Never, PresenceState::Revoked];
    let summary: Vec<String> = states
        .into_iter()
        .map(|state| (count(state), word::presence(state)))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {}", word.plain()))
        .collect();
    let mut text = format!("{}: {}\n", super::clusters(items.len()), summary.join(", "));
    if !exceptions.is_empty() {
        text.push_str(&cluster_rows(exceptions.iter().take(MAX_ROWS).copied(), format, now));
    }
    if exceptions.len() > MAX_ROWS {
        text.push_str(&format!("and {} more; ", exceptions.len() - MAX_ROWS));
    }
    text.push_str("--all lists every cluster\n");
    text
}

fn cluster_rows<'c>(items: impl Iterator<Item = &'c ClusterDto>, format: Format, now: Timestamp) -> String {
    let wide = format == Format::Wide;
    let header = ["NAME", "STATE", "SEEN", "KUBERNETES", "LABELS", "DEBTS", "AGENT", "HELM", "CERTIFICATE"];
    let rows = items.map(|item| {
        let state = word::presence(item.presence.state);
        let labels: Vec<String> = item.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let version = |version: &Option<String>| cell(version.as_deref().unwrap_or(NONE));
        let mut row = vec![
            cell(&item.name),
            coloured(state.plain(), state.colour()),
            cell(item.presence.last_seen.map_or_else(|| NONE.to_owned(), |at| age(at, now))),
            version(&item.kubernetes_version),
            cell(if labels.is_empty() { NONE.to_owned() } else { labels.join(",") }),
            cell(item.debts.len().to_string()),
        ];
        if wide {
            let certificate = item.certificate_expires_at.map_or_else(|| NONE.to_owned(), |at| super::until(at, now));
            row.extend([version(&item.agent_version), version(&item.helm_version), cell(certificate)]);
        }
        row
    });
    table(&header[..if wide { 9 } else { 6 }], rows)
}

/// One cluster with all that is known.
pub(crate) fn cluster(item: &ClusterDto, now: Timestamp) -> String {
    let mut text = cluster_rows(std::iter::once(item), Format::Wide, now);
    if !item.variables.is_empty() {
        text.push_str("\nVariables\n");
        let rows = item.variables.iter().map(|(name, variable)| {
            let value = if variable.secret { "(secret)".to_owned() } else { variable.value.to_string() };
            vec![cell(name), cell(value), cell(format!("{:?}", variable.origin).to_lowercase())]
        });
        text.push_str(&table(&["NAME", "VALUE", "FROM"], rows));
    }
    if !item.releases.is_empty() {
        text.push_str("\nReleases\n");
        let rows = item.releases.iter().map(|release| {
            let wanted = release.wanted.as_ref().map_or_else(|| NONE.to_owned(), |chart| format!("{}-{}", chart.name, chart.version));
            let health = match release.healthy {
                Some(true) => "✓ healthy",
                Some(false) => "✗ unhealthy",
                None => "? unknown",
            };
            let mut notes = vec![release.message.clone()];
            notes.extend(release.outdated.then(|| "outdated".to_owned()));
            notes.extend(release.orphaned.then(|| "orphaned".to_owned()));
            notes.retain(|note| !note.is_empty());
            vec![
                cell(&release.release),
                cell(&release.namespace),
                cell(release.installed.as_deref().unwrap_or(NONE)),
                cell(wanted),
                cell(release.helm_revision.map_or_else(|| NONE.to_owned(), |n| n.to_string())),
                cell(health),
                cell(release.rollout.as_deref().unwrap_or(NONE)),
                cell(notes.join("; ")),
            ]
        });
        text.push_str(&table(&["NAME", "NAMESPACE", "INSTALLED", "WANTED", "REVISION", "HEALTH", "ROLLOUT", "NOTE"], rows));
    }
    for debt in &item.debts {
        let (release, why) = (clean(&debt.release), clean(&debt.why));
        text.push_str(&format!("\nowed: {release} of {}, since {}: {why}\n", clean(&debt.rollout), age(debt.since, now)));
    }
    text
}

pub(crate) fn turns(items: &[ClusterTurnDto]) -> String {
    let header = ["CLUSTER", "WAVE", "STATE", "ATTEMPT", "GENERATION", "REVISION", "MESSAGE"];
    let number = |n: Option<u64>| cell(n.map_or_else(|| NONE.to_owned(), |n| n.to_string()));
    let rows = items.iter().map(|item| {
        let state = word::turn(item.state);
        vec![
            cell(&item.cluster),
            cell(&item.wave),
            coloured(state.plain(), state.colour()),
            cell(item.attempt.to_string()),
            number(item.generation),
            number(item.helm_revision.map(u64::from)),
            cell(&item.message),
        ]
    });
    table(&header, rows)
}

pub(crate) fn charts(items: &[ChartDto], format: Format) -> String {
    if format == Format::Name {
        return names("chart", items.iter().map(|item| item.digest.as_str()));
    }
    let wide = format == Format::Wide;
    let header = ["NAME", "VERSION", "APP VERSION", "DIGEST", "SIZE", "CRDS", "SCHEMA", "PUSHED"];
    let rows = items.iter().map(|item| {
        let digest = if wide { item.digest.as_str() } else { short(&item.digest) };
        let mut row = vec![
            cell(&item.name),
            cell(&item.version),
            cell(item.app_version.as_deref().unwrap_or(NONE)),
            cell(digest),
            cell(size(item.size)),
            cell(item.crds.len().to_string()),
            cell(if item.has_schema { "yes" } else { "no" }),
        ];
        if wide {
            // Two of one name and version are told apart by it.
            row.push(cell(item.pushed_at.map_or_else(|| NONE.to_owned(), |at| format!("{at:.0}"))));
        }
        row
    });
    table(&header[..if wide { 8 } else { 7 }], rows)
}

pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

pub(crate) fn history(items: &[ReleaseRevisionDto], now: Timestamp) -> String {
    let rows = items.iter().map(|item| {
        let chart = item.chart.as_ref().map_or_else(|| NONE.to_owned(), |chart| format!("{}-{}", chart.name, chart.version));
        let state = item.state.map(word::rollout);
        vec![
            cell(item.revision.to_string()),
            cell(age(item.at, now)),
            cell(&item.by),
            cell(chart),
            cell(item.rollout.as_deref().unwrap_or(NONE)),
            coloured(state.map_or_else(|| NONE.to_owned(), word::Word::plain), state.and_then(word::Word::colour)),
            cell(&item.cause),
        ]
    });
    table(&["REVISION", "AGE", "BY", "CHART", "ROLLOUT", "STATE", "CAUSE"], rows)
}

pub(crate) fn tokens(items: &[TokenDto], now: Timestamp) -> String {
    let rows = items.iter().map(|item| {
        let labels: Vec<String> = item.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        vec![
            cell(&item.id),
            cell(item.cluster.as_deref().unwrap_or("(any)")),
            cell(labels.join(",")),
            cell(&item.created_by),
            cell(super::until(item.expires_at, now)),
            cell(item.uses_left.to_string()),
        ]
    });
    table(&["ID", "CLUSTER", "LABELS", "BY", "EXPIRES IN", "USES LEFT"], rows)
}

pub(crate) fn operators(items: &[OperatorDto], format: Format, now: Timestamp) -> String {
    if format == Format::Name {
        return names("operator", items.iter().map(|item| item.name.as_str()));
    }
    let rows = items.iter().map(|item| {
        let role = format!("{:?}", item.role).to_lowercase();
        vec![cell(&item.id), cell(&item.name), cell(role), cell(age(item.created_at, now))]
    });
    table(&["ID", "NAME", "ROLE", "AGE"], rows)
}

fn names<'n>(kind: &str, names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("{kind}/{}\n", clean(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fleet(size: usize) -> Vec<ClusterDto> {
        (0..size)
            .map(|n| {
                let state = if n % 40 == 7 { "offline" } else { "online" };
                serde_json::from_value(json!({
                    "name": format!("east-{n:03}"), "labels": {"foundation": "east"},
                    "presence": {"state": state, "lastSeen": "2026-11-23T10:04:30Z"}, "kubernetesVersion": "v1.36.3",
                }))
                .unwrap()
            })
            .collect()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn now() -> Timestamp {
        "2026-11-23T10:05:00Z".parse().unwrap()
    }

    #[test]
    fn few_clusters_are_listed() {
        insta::assert_snapshot!(plain(&clusters(&fleet(2), Format::Table, false, now())), @r#"
        NAME      STATE     SEEN  KUBERNETES  LABELS           DEBTS
        east-000  ✓ online  30s   v1.36.3     foundation=east  0
        east-001  ✓ online  30s   v1.36.3     foundation=east  0
        "#);
    }

    #[test]
    fn of_many_clusters_only_the_exceptions_are_listed() {
        let text = plain(&clusters(&fleet(100), Format::Table, false, now()));
        insta::assert_snapshot!(text, @r#"
        100 clusters: 97 ✓ online, 3 ? offline
        NAME      STATE      SEEN  KUBERNETES  LABELS           DEBTS
        east-007  ? offline  30s   v1.36.3     foundation=east  0
        east-047  ? offline  30s   v1.36.3     foundation=east  0
        east-087  ? offline  30s   v1.36.3     foundation=east  0
        --all lists every cluster
        "#);
        assert_eq!(clusters(&fleet(100), Format::Table, true, now()).lines().count(), 101);
        assert_eq!(clusters(&fleet(100), Format::Name, false, now()).lines().count(), 100);
    }

    #[test]
    fn two_charts_of_one_version_are_told_apart_by_when_they_were_pushed() {
        let chart = ChartDto {
            name: "beacon".into(),
            version: "1.0.0".into(),
            digest: "d".repeat(64),
            pushed_at: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
            ..serde_json::from_str(r#"{"name": "", "version": "", "digest": "", "size": 10}"#).unwrap()
        };
        let wide = charts(std::slice::from_ref(&chart), Format::Wide);
        assert!(wide.contains("PUSHED") && wide.contains("2026-01-02T03:04:05Z"), "{wide}");
        assert!(!charts(&[chart], Format::Table).contains("PUSHED"));
    }
}
