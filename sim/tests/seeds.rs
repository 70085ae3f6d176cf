//! Seeds of trouble, then rest. `GROUNDSWELL_SEEDS=n` runs more of them, `GROUNDSWELL_SEED=x` runs that one.

use groundswell_sim::chaos::run;
use groundswell_sim::mutation::Mutation;

/// 40 worlds: some 20 seconds on one core.
const SEEDS: u64 = 40;
const CLUSTERS: usize = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_seed_keeps_the_invariants_and_comes_to_rest() {
    let clusters = number("GROUNDSWELL_CLUSTERS").map_or(CLUSTERS, |n| n as usize);
    let seeds = match number("GROUNDSWELL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GROUNDSWELL_SEEDS").unwrap_or(SEEDS),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        match run(seed, clusters, Mutation::None) {
            Ok(outcome) => println!("seed {seed}: {outcome:?}"),
            Err(what) => {
                println!("seed {seed}: {what}");
                failed.push(format!(
                    "{what}\n  GROUNDSWELL_SEED={seed} GROUNDSWELL_CLUSTERS={clusters} cargo test -p groundswell-sim seed -- --nocapture"
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_world() {
    assert_eq!(run(3, 30, Mutation::None), run(3, 30, Mutation::None));
}
