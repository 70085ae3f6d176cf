//! `cluster`.

use super::get::{self, ClustersArgs, show};
use super::{confirm, duration, pair};
use crate::client::{Client, segment};
use crate::config::read_limited;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::output::{Format, Output, clean, yaml};
use crate::render::lists;
use clap::Subcommand;
use groundswell_api::dto::{ClusterDto, LabelsRequest, List, NewTokenDto, Object, TokenDto, TokenRequest, VariablesRequest, WhyRequest};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// The same as `get clusters`
    #[command(visible_alias = "ls", after_help = "Example:\n  groundswell cluster list -l foundation=east")]
    List(ClustersArgs),
    /// One cluster: labels, variables, versions, releases, debts
    #[command(after_help = "Example:\n  groundswell cluster show east-01")]
    Show {
        /// Which cluster
        name: String,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Set labels (KEY=VALUE) and take them away (KEY-)
    #[command(
        after_help = "Example:\n  groundswell cluster label east-01 canary=true role-\n\nA label changes no rollout that is under way."
    )]
    Label {
        /// Which cluster
        name: String,
        /// KEY=VALUE or KEY-
        #[arg(required = true, value_name = "CHANGE")]
        changes: Vec<String>,
    },
    /// What ((name)) becomes in values
    #[command(subcommand)]
    Vars(VarsCommand),
    /// Tokens with which clusters join
    #[command(subcommand)]
    Token(TokenCommand),
    /// Take a cluster's certificate away; its session ends within seconds
    #[command(after_help = "Example:\n  groundswell cluster revoke east-01 --reason 'node image leaked'")]
    Revoke {
        /// Which cluster
        name: String,
        /// For the audit log
        #[arg(long, value_name = "WHY")]
        reason: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum VarsCommand {
    /// Replace all variables of a cluster
    #[command(
        after_help = "Example:\n  groundswell cluster vars set east-01 -f vars.yaml\n\nThe file is a map; a value may be a list or a map itself."
    )]
    Set {
        /// Which cluster
        name: String,
        /// YAML file with a map
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Show the variables of a cluster and where they come from
    #[command(after_help = "Example:\n  groundswell cluster vars show east-01")]
    Show {
        /// Which cluster
        name: String,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token with which a cluster joins; it is printed once
    #[command(
        after_help = "Examples:\n  groundswell cluster token create east-01 -l foundation=east -l canary=true\n  groundswell cluster token create east-01 --ttl 15m > token"
    )]
    Create {
        /// The only cluster that may use it; whoever has the token names the cluster if it is left out
        #[arg(value_name = "CLUSTER")]
        cluster: Option<String>,
        /// Label of the cluster that joins with it
        #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", value_parser = pair)]
        labels: Vec<(String, String)>,
        /// How long it may be used
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
        ttl: Duration,
        /// How often it may be used
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// table prints the token alone
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Take a join token away; clusters that joined with it stay
    #[command(after_help = "Example:\n  groundswell cluster token revoke 3f9c02ab71")]
    Revoke {
        /// Its id, as `cluster token list` shows it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List join tokens; never their secrets
    #[command(after_help = "Example:\n  groundswell cluster token list")]
    List {
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

pub(crate) async fn run(command: &ClusterCommand, client: &Client, out: &mut Output) -> Result<Exit> {
    match command {
        ClusterCommand::List(args) => get::clusters(args, client, out).await,
        ClusterCommand::Show { name, output } => get::cluster(name, *output, client, out).await,
        ClusterCommand::Label { name, changes } => {
            let request = labels(changes)?;
            client.send_json::<Value>(Method::PATCH, &path(name, "/labels"), &request).await?;
            out.data(&format!("cluster/{} labelled\n", clean(name)))?;
            out.note("labels count from the next rollout on; those under way keep their members")?;
            Ok(Exit::Ok)
        }
        ClusterCommand::Vars(VarsCommand::Set { name, file }) => set_variables(name, file, client, out).await,
        ClusterCommand::Vars(VarsCommand::Show { name, output }) => variables(name, *output, client, out).await,
        ClusterCommand::Token(command) => token(command, client, out).await,
        ClusterCommand::Revoke { name, reason, yes } => {
            confirm(out, &format!("Revoke the certificate of cluster {}", clean(name)), *yes)?;
            client.post::<Value>(&path(name, "/revoke"), &WhyRequest { why: reason.clone() }).await?;
            out.data(&format!("cluster/{} revoked\n", clean(name)))?;
            Ok(Exit::Ok)
        }
    }
}

async fn token(command: &TokenCommand, client: &Client, out: &mut Output) -> Result<Exit> {
    match command {
        TokenCommand::Create { cluster, labels, ttl, uses, output } => {
            let request = TokenRequest {
                cluster: cluster.clone(),
                labels: labels.iter().cloned().collect(),
                ttl_seconds: ttl.as_secs(),
                uses: *uses,
            };
            let answer = client.post::<Object<NewTokenDto>>("/v1/tokens", &request).await?;
            let made = &answer.body.body;
            show(&answer, *output, out, |body| match output {
                Format::Name => format!("token/{}\n", clean(&body.body.id)),
                _ => format!("{}\n", clean(&body.body.token)),
            })?;
            out.note(&format!("token {}, until {}; it is not stored and cannot be shown again", clean(&made.id), made.expires_at))?;
            Ok(Exit::Ok)
        }
        TokenCommand::Revoke { id, yes } => {
            confirm(out, &format!("Revoke the join token {}", clean(id)), *yes)?;
            client.delete::<Object<TokenDto>>(&format!("/v1/tokens/{}", segment(id)), &[]).await?;
            out.data(&format!("token/{} revoked\n", clean(id)))?;
            Ok(Exit::Ok)
        }
        TokenCommand::List { output } => {
            let answer = client.get::<List<TokenDto>>("/v1/tokens", &[]).await?;
            show(&answer, *output, out, |body| match output {
                Format::Name => body.items.iter().map(|token| format!("token/{}\n", clean(&token.id))).collect(),
                _ => lists::tokens(&body.items, Timestamp::now()),
            })
        }
    }
}

fn path(name: &str, below: &str) -> String {
    format!("/v1/clusters/{}{below}", segment(name))
}

fn labels(changes: &[String]) -> Result<LabelsRequest> {
    let mut request = LabelsRequest::default();
    for change in changes {
        match (pair(change), change.strip_suffix('-')) {
            (Ok((key, value)), _) => {
                request.set.insert(key, value);
            }
            (Err(_), Some(key)) if !key.is_empty() => request.remove.push(key.to_owned()),
            _ => {
                return Err(Failure::usage(
                    format!("{change:?} is no change of a label"),
                    "write KEY=VALUE to set one, KEY- to take it away",
                ));
            }
        }
    }
    Ok(request)
}

/// Values are read as Helm reads them, so that `yes` means the same here and there.
async fn set_variables(name: &str, file: &std::path::Path, client: &Client, out: &mut Output) -> Result<Exit> {
    let text = read_limited(file)?;
    let source = file.display().to_string();
    let refuse =
        |error: groundswell_helm::values::YamlError| Failure::error("these variables cannot be read", error, "the file is a map of names");
    let map = groundswell_helm::values::parse_values(&source, &text).map_err(refuse)?;
    let variables: BTreeMap<String, Value> = map.into_iter().collect();
    let count = variables.len();
    client.send_json::<Value>(Method::PUT, &path(name, "/variables"), &VariablesRequest { variables }).await?;
    let noun = if count == 1 { "variable" } else { "variables" };
    out.data(&format!("cluster/{} has {count} {noun}\n", clean(name)))?;
    out.note("variables count from the next rollout on: groundswell apply -f FILE --again")?;
    Ok(Exit::Ok)
}

async fn variables(name: &str, output: Format, client: &Client, out: &mut Output) -> Result<Exit> {
    let cluster = client.get::<Object<ClusterDto>>(&path(name, ""), &[]).await?.body.body;
    let value = serde_json::to_value(&cluster.variables).map_err(|error| Failure::error("cannot write JSON", error, ""))?;
    match output {
        Format::Json | Format::Yaml => out.structured(output, &value)?,
        Format::Name => out.data(&cluster.variables.keys().map(|name| format!("{}\n", clean(name))).collect::<String>())?,
        Format::Table | Format::Wide => out.data(&yaml(&value)?)?,
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn labels_are_set_and_taken_away() {
        let request = labels(&["canary=true".into(), "role-".into(), "a-b=c-".into()]).unwrap();
        assert_eq!((request.set.get("canary").map(String::as_str), request.set.get("a-b").map(String::as_str)), (Some("true"), Some("c-")));
        assert_eq!(request.remove, ["role"]);
        assert!(labels(&["role".into()]).is_err() && labels(&["-".into()]).is_err() && labels(&["=x".into()]).is_err());
    }
}
