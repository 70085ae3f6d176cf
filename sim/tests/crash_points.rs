//! Every durable step of a small rollout, cut before it and after it: nothing is lost, nothing is done twice.

use groundswell_core::limit::Limit;
use groundswell_core::strategy::OnFailure;
use groundswell_core::time::Span;
use groundswell_sim::fleet::{Behaviour, Submission, cluster, content, release, strategy, wave};
use groundswell_sim::world::{Actor, Config, Cut, World};

const CLUSTERS: [&str; 3] = ["canary", "east", "west"];

/// Three clusters in two waves, at version 1.
fn small() -> World {
    let mut world = World::new(1, Config::default());
    for name in CLUSTERS {
        let site = world.add_site(&cluster(name));
        world.enrol(site);
    }
    world.run(Span::seconds(5));
    submit(&mut world, 1);
    world.come_to_rest(Span::minutes(30)).expect("version 1 installs");
    world
}

fn submit(world: &mut World, version: u32) {
    let mut waves = vec![wave("canary"), wave("rest")];
    waves[1].max_concurrent = Limit::Count(2);
    let members = CLUSTERS.iter().enumerate().map(|(n, name)| (cluster(name), usize::from(n > 0))).collect();
    let strategy = strategy(waves, OnFailure::RollbackAll);
    let submission = Submission { release: release("beacon"), version: Some(version), strategy, members };
    // A coordinator that crashed over it may have committed it or not; the person looks, and says it again.
    for _ in 0..30 {
        let newest = world.store.records().latest(&release("beacon")).map(|head| head.id.clone());
        let chart = newest.and_then(|id| world.store.records().snapshots[&id].chart.clone());
        if chart == Some(content(&release("beacon"), version).chart) {
            return;
        }
        drop(world.submit(&submission));
        world.run(Span::seconds(1));
    }
}

fn versions(world: &World) -> Vec<String> {
    let deployed = |site: &groundswell_sim::world::Site| site.helm[&release("beacon")].deployed().map(|known| known.chart.clone());
    world.sites.iter().filter_map(deployed).collect()
}

/// Runs version 2 to its end with one cut; how many durable steps there were.
fn play(actor: Actor, cut: Option<(u64, Cut)>, bad: bool) -> Result<u64, String> {
    let mut world = small();
    if bad {
        world.behaviours.insert((2, Some(cluster("west"))), Behaviour::HelmFails);
    }
    let before = world.cuts.count(actor);
    if let Some((nth, cut)) = cut {
        world.cuts.plan(actor, nth, cut);
    }
    submit(&mut world, 2);
    world.come_to_rest(Span::minutes(60))?;
    let wanted = if bad { "beacon-0.1.0" } else { "beacon-0.2.0" };
    if versions(&world) != vec![wanted; 3] {
        return Err(format!("ended with {:?}", versions(&world)));
    }
    Ok(world.cuts.count(actor) - before)
}

#[test]
fn every_durable_step_can_be_cut() {
    let mut failed = Vec::new();
    for bad in [false, true] {
        for actor in [Actor::Coordinator, Actor::Agent] {
            let steps = play(actor, None, bad).unwrap();
            assert!(steps >= 15, "{actor:?} wrote {steps} times only");
            println!("{actor:?}, bad {bad}: {steps} durable steps");
            for nth in 1..=steps {
                for cut in [Cut::Before, Cut::After] {
                    if let Err(what) = play(actor, Some((nth, cut)), bad) {
                        failed.push(format!("{actor:?} {cut:?} step {nth}, bad {bad}: {what}"));
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
