//! `version`, `schema` and `audit`.

use crate::client::Client;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output, cell, table};
use groundswell_api::document;
use groundswell_api::dto::{AuditDto, List, Object, VersionDto};
use schemars::generate::SchemaSettings;
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  groundswell version -o json")]
pub(crate) struct VersionArgs {
    /// Ask no server
    #[arg(long)]
    client: bool,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  groundswell audit --limit 20\n  groundswell audit --before 1200\n  groundswell audit --after 1200 -o json\n\nThe newest records are printed, in their order; --before and --after show others."
)]
pub(crate) struct AuditArgs {
    /// Only records with a higher sequence number, from there on
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<u64>,
    /// The last records with a lower sequence number
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "after")]
    before: Option<u64>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  groundswell schema > groundswell.schema.json\n  groundswell schema change-summary > change-summary.schema.json"
)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t)]
    of: SchemaOf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum SchemaOf {
    /// Release and Strategy, as `apply` takes them
    #[default]
    Documents,
    /// What `chart diff -o json` prints
    ChangeSummary,
    /// What `chart show -o json` prints of a chart that is not the server's
    ChartDetail,
    /// What `path show -o json` prints: the way, or why there is none
    UpgradePath,
    /// What `path lint -o json` prints
    PathLint,
    /// What `path list -o json` prints
    PathRuleList,
}

pub(crate) fn schema(args: &SchemaArgs, out: &mut Output) -> Result<Exit> {
    let schema = match args.of {
        SchemaOf::Documents => document::schema(),
        SchemaOf::ChangeSummary => schemars::schema_for!(groundswell_change::summary::Summary).to_value(),
        SchemaOf::ChartDetail => schemars::schema_for!(super::chart::detail::ChartDetail).to_value(),
        SchemaOf::UpgradePath => printed::<super::path::document::PathAnswer>(),
        SchemaOf::PathLint => printed::<super::path::document::PathLint>(),
        SchemaOf::PathRuleList => printed::<super::path::document::PathRuleList>(),
    };
    out.structured(Format::Json, &schema)?;
    Ok(Exit::Ok)
}

/// The schema of what is only ever printed: what an answer may leave out is not required, and what no file may say is in it.
fn printed<T: schemars::JsonSchema>() -> serde_json::Value {
    SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

/// The server's version is asked for where one is configured; that it cannot be reached is a note, not a failure.
pub(crate) async fn version(args: &VersionArgs, client: Result<Client>, out: &mut Output) -> Result<Exit> {
    let own = env!("CARGO_PKG_VERSION");
    let server = match client {
        Ok(client) if !args.client => client.get::<Object<VersionDto>>("/v1/version", &[]).await,
        Ok(_) => Err(crate::error::Failure::error("", "not asked", "")),
        Err(failure) => Err(failure),
    };
    let known = server.as_ref().ok().map(|answer| &answer.body.body);
    match args.output {
        Format::Json | Format::Yaml => {
            let value = json!({ "apiVersion": groundswell_api::dto::API_VERSION, "kind": "Versions", "client": { "version": own }, "server": known });
            out.structured(args.output, &value)?;
        }
        _ => {
            out.data(&format!("client  {own}\n"))?;
            match (known, &server) {
                (Some(server), _) => out.data(&format!("server  {}\n", crate::output::clean(&server.version)))?,
                (None, Err(failure)) if !args.client => {
                    let why = failure.errors.first().map(|error| format!("{}: {}", error.what, error.why)).unwrap_or_default();
                    out.note(&format!("server  unknown: {}", crate::output::clean(&why)))?;
                }
                _ => {}
            }
        }
    }
    Ok(Exit::Ok)
}

pub(crate) async fn audit(args: &AuditArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    let limit = args.limit.to_string();
    let (after, before) = (args.after.map(|n| n.to_string()), args.before.map(|n| n.to_string()));
    let mut query = vec![("limit", limit.as_str())];
    query.extend(after.as_deref().map(|after| ("after", after)));
    query.extend(before.as_deref().map(|before| ("before", before)));
    let answer = client.get::<List<AuditDto>>("/v1/audit", &query).await?;
    match args.output {
        Format::Json | Format::Yaml => out.structured(args.output, &answer.raw)?,
        format => {
            out.data(&audit_table(&answer.body.items, format))?;
            let first = answer.body.items.first().map(|record| record.sequence).filter(|first| *first > 1 && args.after.is_none());
            if let (Some(first), Format::Table | Format::Wide) = (first, format) {
                out.note(&format!("older ones: groundswell audit --before {first}"))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn audit_table(records: &[AuditDto], format: Format) -> String {
    if format == Format::Name {
        return records.iter().map(|record| format!("audit/{}\n", record.sequence)).collect();
    }
    let wide = format == Format::Wide;
    let header = ["SEQUENCE", "AT", "WHO", "WHAT", "SUBJECT", "DETAIL", "HASH"];
    let rows = records.iter().map(|record| {
        let mut row = vec![
            cell(record.sequence.to_string()),
            cell(record.at.to_string()),
            cell(&record.who),
            cell(&record.what),
            cell(&record.subject),
            cell(&record.detail),
        ];
        if wide {
            row.push(cell(&record.hash));
        }
        row
    });
    table(&header[..if wide { 7 } else { 6 }], rows)
}
