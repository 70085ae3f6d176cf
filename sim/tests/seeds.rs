//! Seeds of trouble, then rest. `GROUNDSWELL_SEEDS=n` runs more of them, `GROUNDSWELL_SEED=x` runs that one.

use groundswell_sim::chaos::run;
use groundswell_sim::mutation::Mutation;

/// Together some 35 seconds on one core: a world of 200 clusters takes 3, one of 50 half a second.
const SEEDS: u64 = 40;

fn clusters_of(seed: u64) -> usize {
    if seed.is_multiple_of(8) { 200 } else { 50 }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_seed_keeps_the_invariants_and_comes_to_rest() {
    let seeds = match number("GROUNDSWELL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GROUNDSWELL_SEEDS").unwrap_or(SEEDS),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let clusters = number("GROUNDSWELL_CLUSTERS").map_or(clusters_of(seed), |n| n as usize);
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
