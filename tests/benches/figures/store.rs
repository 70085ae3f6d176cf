//! Reports persisted per second: sled with its syncs, beside a bare loop that appends the same bytes and calls `fdatasync`.
//!
//! A report is what the server writes for it: the record of the release in the cluster, and an audit record.

use crate::cpu;
use crate::fleet::Fleet;
use crate::print::{count, figure, say, span};
use anyhow::{Context as _, Result};
use groundswell_store::{Op, SledOptions, SledStore, Store, Txn};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Each way is measured for so long: a hundred syncs even on a slow disk.
const FOR: Duration = Duration::from_secs(3);
/// What the server gathers into one transaction: 100 operations, two for each report.
const BATCH: u64 = 50;
const CLUSTERS: u64 = 10_000;
const LIMIT: &str = "DESIGN 16: 15,000 a second and core";

/// The bytes of one report in the store.
struct Template {
    record: Vec<u8>,
    audit: Vec<u8>,
}

struct Run {
    reports: u64,
    took: Duration,
    cpu: Duration,
}

impl Run {
    fn print(&self, what: &str, beside: &str) -> Result<()> {
        let (per_second, per_core) =
            (self.reports as f64 / self.took.as_secs_f64(), self.reports as f64 / self.cpu.as_secs_f64().max(1e-9));
        figure(what, &format!("{}/s", count(per_second)), beside)?;
        figure("  of which a core of this process would bear", &format!("{}/s", count(per_core)), "")
    }
}

pub(crate) fn run() -> Result<()> {
    let template = template()?;
    let bytes = template.record.len() + template.audit.len();
    say(&format!("store: reports of {bytes} bytes ({} the record, {} the audit record)", template.record.len(), template.audit.len()))?;
    let folder = tempfile::Builder::new().prefix("bench-store-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;

    let bare_one = bare(folder.path(), bytes)?;
    let bare_batch = bare(folder.path(), bytes * BATCH as usize)?;
    let syncs = |run: &Run| format!("{} a sync", span(run.took.div_f64(run.reports.max(1) as f64)));
    bare_one.print("bare append and fdatasync, one report a sync", &syncs(&bare_one))?;
    let batched = Run { reports: bare_batch.reports * BATCH, ..bare_batch };
    batched.print(
        &format!("bare append and fdatasync, {BATCH} reports a sync"),
        &syncs(&Run { reports: batched.reports / BATCH, ..batched }),
    )?;

    for committers in [1, 16, 256] {
        let run = runtime.block_on(sled(folder.path(), &template, committers, 1))?;
        run.print(&format!("sled, {committers} committers of one report each"), "group commit alone")?;
    }
    let run = runtime.block_on(sled(folder.path(), &template, 1, BATCH))?;
    run.print(&format!("sled, one committer of {BATCH} reports: as the server does"), LIMIT)?;
    let run = runtime.block_on(sled(folder.path(), &template, 8, BATCH))?;
    run.print(&format!("sled, 8 committers of {BATCH} reports each"), "what the store could bear")
}

fn template() -> Result<Template> {
    let mut fleet = Fleet::new(1)?;
    fleet.rest();
    fleet.all_healthy(groundswell_core::time::Span::seconds(10));
    let release = fleet.releases.values().next().context("the planner issued nothing")?;
    let record = serde_json::to_vec(&serde_json::json!({"v": 1, "r": release}))?;
    let audit = serde_json::json!({"v": 1, "r": {
        "sequence": 123_456, "at": fleet.now.0, "who": "foundation-00-cluster-00000", "what": "report", "subject": "release/beacon",
        "detail": "generation 1 attempt 1: Healthy 3 objects are ready", "hash": "0123456789abcdef".repeat(4),
    }});
    Ok(Template { record, audit: serde_json::to_vec(&audit)? })
}

fn bare(folder: &std::path::Path, bytes: usize) -> Result<Run> {
    let mut file = std::fs::File::create(folder.join("bare"))?;
    let block = vec![b'x'; bytes];
    let (begun, cpu) = (Instant::now(), cpu::of_process());
    let mut reports = 0;
    while begun.elapsed() < FOR {
        file.write_all(&block)?;
        file.sync_data()?;
        reports += 1;
    }
    Ok(Run { reports, took: begun.elapsed(), cpu: cpu::of_process().saturating_sub(cpu) })
}

async fn sled(folder: &std::path::Path, template: &Template, committers: u64, batch: u64) -> Result<Run> {
    let dir = tempfile::Builder::new().prefix("sled-").tempdir_in(folder)?;
    let store: Arc<dyn Store> = Arc::new(SledStore::open(dir.path(), &SledOptions::default())?);
    let epoch = store.begin_epoch().await?.number;
    let next = Arc::new(AtomicU64::new(0));
    let (begun, cpu) = (Instant::now(), cpu::of_process());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..committers {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        let (record, audit) = (template.record.clone(), template.audit.clone());
        tasks.spawn(async move {
            while begun.elapsed() < FOR {
                let first = next.fetch_add(batch, Ordering::Relaxed);
                let ops = (first..first + batch).flat_map(|n| {
                    let record = Op::Put { key: format!("cr/beacon/cluster-{:05}", n % CLUSTERS), value: record.clone() };
                    [record, Op::Put { key: format!("audit/{n:020}"), value: audit.clone() }]
                });
                store.commit(Txn { epoch, expect: vec![], ops: ops.collect() }).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let run = Run { reports: next.load(Ordering::Relaxed), took: begun.elapsed(), cpu: cpu::of_process().saturating_sub(cpu) };
    store.close().await?;
    Ok(run)
}
