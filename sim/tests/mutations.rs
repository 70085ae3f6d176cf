//! Each thing that can be broken in the planner, the coordinator and the agent is caught by an invariant or by the oracle.

use groundswell_sim::chaos::run;
use groundswell_sim::mutation::Mutation;

/// Seeds that a mutation gets, and the size of their worlds. Most are caught by the first three.
const SEEDS: u64 = 120;
const CLUSTERS: usize = 24;

/// Where rarer ones were caught before; only saves the time of looking.
fn likely(mutation: Mutation) -> Option<u64> {
    match mutation {
        Mutation::StaleIsFresh => Some(28),
        Mutation::NoApproval => Some(12),
        Mutation::BelievesOldReports => Some(14),
        Mutation::SendsFirst => Some(11),
        Mutation::KeepsOldEpochs => Some(70),
        _ => None,
    }
}

#[test]
fn each_mutation_is_caught_where_the_right_code_is_not() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let seeds = likely(mutation).into_iter().chain(0..SEEDS);
        let caught = seeds.into_iter().find_map(|seed| run(seed, CLUSTERS, mutation).err().map(|what| (seed, what)));
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
