//! Jobs of the coordinator: one file each, run on a period and on a nudge, from full state, never from the nudge's content.

pub(crate) mod joiners;
pub(crate) mod planner;
