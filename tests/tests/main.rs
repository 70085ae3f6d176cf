//! Tests of real processes, most of them on real control planes. Run one at a time: `cargo test -p groundswell-tests -- --test-threads=1`.

mod adoption;
mod agent_killed;
mod bad_input;
mod bad_version;
mod chart_diff;
mod charts;
mod coordinator_away;
mod crds;
mod disk;
mod enrolment;
mod garbage;
mod server_killed;
mod values;
mod waves;
