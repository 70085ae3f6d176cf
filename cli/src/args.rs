//! The command line. Grammar of kubectl and Helm; every command shows an example.

use crate::command::{apply, chart, check, cluster, completion, delete, get, path, rollout, system, token, values};
use crate::config::Flags;
use crate::exit;
use crate::output::Colour;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Rolls Helm charts out across a fleet of clusters, in canary waves
#[derive(Debug, Parser)]
#[command(name = "groundswell", version, after_help = exit::TABLE, propagate_version = false, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// The server, https://HOST:PORT [env: GROUNDSWELL_SERVER]
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    server: Option<String>,
    /// File with the token [env: GROUNDSWELL_TOKEN, GROUNDSWELL_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's must come from [env: GROUNDSWELL_CA_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    ca_file: Option<PathBuf>,
    /// Context of ~/.config/groundswell/config.yaml
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    context: Option<String>,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: Colour,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// What the flags say about the connection.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            server: self.server.clone(),
            token_file: self.token_file.clone(),
            ca_file: self.ca_file.clone(),
            context: self.context.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store documents and start the rollouts that follow from them
    Apply(apply::ApplyArgs),
    /// Show what an apply would do, and change nothing
    Plan(apply::PlanArgs),
    /// List releases, rollouts or clusters, or show one
    Get(get::GetArgs),
    /// Follow and steer rollouts
    #[command(subcommand, visible_alias = "ro")]
    Rollout(rollout::RolloutCommand),
    /// Clusters, their labels and variables, and how they join
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Charts: what changes between versions, what one holds, those of the server
    #[command(subcommand)]
    Chart(chart::ChartCommand),
    /// How to get from one chart version to another: hops, steps by hand, the rules behind them
    #[command(subcommand)]
    Path(Box<path::PathCommand>),
    /// Show what a cluster really gets, and which document each key came from
    Values(values::ValuesArgs),
    /// Change values in the stored document, as a new revision with its rollout
    Set(values::SetArgs),
    /// Take a release away, in waves
    Delete(delete::DeleteArgs),
    /// Tokens for people and scripts; those with which clusters join are under `cluster token`
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Who did what, when
    Audit(system::AuditArgs),
    /// Check configuration, connection, token and fleet, with a fix for what is wrong
    Check(check::CheckArgs),
    /// Print the JSON Schema of the documents, or of what -o json prints
    Schema(system::SchemaArgs),
    /// Print the completion script of a shell
    Completion(completion::CompletionArgs),
    /// Print the versions of command and server
    Version(system::VersionArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn visit(command: &clap::Command, path: &str, without: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !command.has_subcommands() && !help.contains("Example") && command.get_name() != "help" {
                without.push(path.clone());
            }
            command.get_subcommands().for_each(|sub| visit(sub, &path, without));
        }
        let mut without = Vec::new();
        visit(&Args::command(), "", &mut without);
        assert!(without.is_empty(), "{without:#?}");
    }

    #[test]
    fn lines_that_operators_type() {
        let good = [
            "apply -f a.yaml -f b.yaml --wait --timeout 10m",
            "apply -f - --dry-run",
            "plan -f a.yaml --exit-code",
            "get clusters -l foundation=east -o wide",
            "get releases beacon -o yaml",
            "get rollouts --release beacon --all",
            "rollout status beacon",
            "rollout watch beacon-3",
            "rollout wait beacon-3 --for rolledBack --timeout 90s",
            "rollout pause beacon-3 --reason look",
            "rollout approve beacon-3 --wave canary --expires-in 2h",
            "rollout retry beacon-3 east-01",
            "rollout skip beacon-3 east-01 --reason broken",
            "rollout undo beacon --reason slow --wait",
            "rollout history beacon",
            "cluster label east-01 canary=true role-",
            "cluster vars set east-01 -f vars.yaml",
            "cluster token create east-01 -l canary=true --ttl 1h",
            "token create ci --role operator",
            "cluster revoke east-01 --reason stolen --yes",
            "chart push ./beacon",
            "values beacon --cluster east-01 --reveal-origin",
            "set beacon image.tag=2 replicas=3 --dry-run",
            "delete beacon --uninstall --yes --supersede",
            "token list",
            "token revoke ci --yes",
            "cluster token revoke 3f9c02ab71",
            "chart show beacon:1.0.0",
            "chart show ./beacon --values",
            "chart show https://h/beacon-1.0.0.tgz -o json",
            "chart diff old.tgz ./new -f a.yaml -f - --kube-version 1.33.2 --api-versions apis.txt --release kps -n monitoring",
            "chart diff --cluster east-01 beacon:1.2.0 --no-overrides -o markdown",
            "chart diff a b --section rbac --section crds --width 120 --overrides-limit 30s --helm /bin/helm",
            "chart diff --repo https://h beacon:1 beacon:2 --full -o json",
            "path show --from 8.5.2 --to 80.14.4 --kube-version v1.16.15+vmware.1",
            "path show --from 1 --to 2 --chart a --to-chart b --rules r.yaml --rules s.yaml --versions a=v.txt -o yaml",
            "path lint",
            "path lint a.yaml b.yaml -o json",
            "path list --rules r.yaml",
            "audit --before 12",
            "schema",
            "schema change-summary",
            "schema upgrade-path",
            "schema path-lint",
            "schema path-rule-list",
            "completion bash",
            "version --color never",
        ];
        for line in good {
            let parsed = Args::try_parse_from(std::iter::once("groundswell").chain(line.split(' ')));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
        }
        for line in [
            "apply",
            "delete beacon",
            "delete beacon --uninstall --orphan",
            "rollout wait x --for never",
            "rollout skip x y",
            "get nothing",
            "rollout wait x --timeout 90",
            "set beacon message",
            "set beacon =x",
            "audit --before 1 --after 2",
            "path show --from 8.5.2",
            "path show --from 8.x --to 9",
            "path show --from 1 --to 2 --versions v.txt",
            "chart diff",
            "chart diff a b c",
            "chart diff a b --section nothing",
            "chart diff a b -o table",
            "chart diff a b --width 3",
        ] {
            assert!(Args::try_parse_from(std::iter::once("groundswell").chain(line.split(' '))).is_err(), "{line}");
        }
    }
}
