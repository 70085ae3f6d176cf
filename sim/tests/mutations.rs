//! Each thing that can be broken in the planner, the coordinator and the agent is caught by an invariant or by the oracle.

use groundswell_sim::chaos::run;
use groundswell_sim::mutation::Mutation;

/// Seeds that a mutation gets, and the size of their worlds. Most are caught by the first three.
const SEEDS: u64 = 80;
const CLUSTERS: usize = 24;

#[test]
fn each_mutation_is_caught_where_the_right_code_is_not() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let caught = (0..SEEDS).find_map(|seed| run(seed, CLUSTERS, mutation).err().map(|what| (seed, what)));
        match caught {
            Some((seed, what)) => {
                println!("{mutation:?}: seed {seed}: {}", what.lines().next().unwrap_or_default());
                assert!(run(seed, CLUSTERS, Mutation::None).is_ok(), "seed {seed} fails without {mutation:?} too");
            }
            None => missed.push(mutation),
        }
    }
    assert!(missed.is_empty(), "not caught in {SEEDS} seeds: {missed:?}");
}
