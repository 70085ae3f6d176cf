//! `values` and `set`.

use super::apply::{next, show as show_applied, wait};
use super::duration;
use crate::client::{Client, segment};
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output, cell, clean, table, yaml};
use groundswell_api::dto::{ApplyResponse, Object, SetRequest, ValuesDto};
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell values beacon --cluster east-01
  groundswell values beacon --cluster east-01 --reveal-origin

What is printed comes of the stored document and of the cluster's labels and variables as they are now. Where the cluster was
last given something else, that is said on stderr: then `helm get values` there says the same only after the next rollout.")]
pub(crate) struct ValuesArgs {
    /// Which release
    release: String,
    /// In which cluster
    #[arg(long)]
    cluster: String,
    /// For each key, the document that it came from, and those that it overrode
    #[arg(long)]
    reveal_origin: bool,
    /// table prints the merged values as YAML
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell set beacon image.tag=1.2.1
  groundswell set beacon replicas=3 --dry-run

The stored document is changed, as a new revision: keep your file in step with it.")]
pub(crate) struct SetArgs {
    /// Which release
    release: String,
    /// path.to.key=value
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = assignment)]
    assignments: Vec<String>,
    /// Show the plan and change nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Let a paused or halted rollout of the release be superseded
    #[arg(long)]
    supersede: bool,
    /// Refuse unless the release's document has this revision
    #[arg(long, value_name = "N")]
    expect_revision: Option<u64>,
    /// Follow the rollout to its end
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after so long; the rollout goes on
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<Duration>,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

fn assignment(text: &str) -> std::result::Result<String, String> {
    match text.split_once('=') {
        Some((path, _)) if !path.is_empty() => Ok(text.to_owned()),
        _ => Err("write path.to.key=value".to_owned()),
    }
}

pub(crate) async fn show(args: &ValuesArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    let answer = client.get::<Object<ValuesDto>>("/v1/values", &[("release", &args.release), ("cluster", &args.cluster)]).await?;
    let values = &answer.body.body;
    let text = if args.reveal_origin { origins(values) } else { yaml(&values.merged)? };
    if values.rollout.is_none() {
        out.note(&format!(
            "{} was not given these values: they are what the next rollout of {} brings",
            clean(&args.cluster),
            clean(&args.release)
        ))?;
    }
    super::get::show(&answer, args.output, out, |_| text)
}

pub(crate) async fn set(args: &SetArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    let request = SetRequest {
        assignments: args.assignments.clone(),
        dry_run: args.dry_run,
        supersede: args.supersede,
        expect_revision: args.expect_revision,
    };
    let answer = client.post::<Object<ApplyResponse>>(&format!("/v1/releases/{}/set", segment(&args.release)), &request).await?;
    let response = &answer.body.body;
    show_applied(&answer.raw, response, args.output, args.dry_run, out)?;
    if args.wait { wait(response, args.timeout, client, out).await } else { next(response, out) }
}

/// One row for each leaf.
fn origins(values: &ValuesDto) -> String {
    let rows = values.origin.iter().map(|(path, origin)| {
        let overridden = values.overridden.get(path).map(|names| names.join(", ")).unwrap_or_default();
        let value = at(&values.merged, path).map_or_else(|| "-".to_owned(), Value::to_string);
        vec![cell(path), cell(value), cell(origin), cell(overridden)]
    });
    table(&["KEY", "VALUE", "FROM", "OVERRIDES"], rows)
}

/// The value at a path such as `a.b[0]`; a key with a dot in it is written `\.`, as Helm does.
fn at<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    let mut here = values;
    let (mut key, mut escaped) = (String::new(), false);
    let step = |here: &'v Value, key: &mut String| -> Option<&'v Value> {
        let name = std::mem::take(key);
        if name.is_empty() { Some(here) } else { here.get(&name) }
    };
    for c in path.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => here = step(here, &mut key)?,
            ']' if !escaped => here = here.get(std::mem::take(&mut key).parse::<usize>().ok()?)?,
            c => {
                key.push(c);
                escaped = false;
            }
        }
    }
    step(here, &mut key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_leaf_has_its_origin() {
        let values: ValuesDto = serde_json::from_value(json!({
            "release": "beacon", "cluster": "east-01", "documents": [],
            "merged": {"image": {"tag": "2"}, "list": [1, {"a": null}], "x.y": true},
            "origin": {"image.tag": "override name=east-01", "list[0]": "values", "list[1].a": "values", "x\\.y": "values"},
            "overridden": {"image.tag": ["values"]},
        }))
        .unwrap();
        insta::assert_snapshot!(origins(&values), @r#"
        KEY        VALUE  FROM                   OVERRIDES
        image.tag  "2"    override name=east-01  values
        list[0]    1      values
        list[1].a  null   values
        x\.y       true   values
        "#);
    }
}
