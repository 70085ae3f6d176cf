//! The parts of a summary, a file for each.

mod blockers;
mod crds;
mod each_time;
mod hooks;
mod network;
mod notes;
mod objects;
mod overrides;
pub(crate) mod rbac;
mod read;
mod rules;
mod steps;
#[cfg(test)]
mod testing;
mod versions;
mod workloads;

use crate::compare::Comparison;
use crate::input::Input;
use crate::summary::{Item, Section, SectionId};

/// What every part sees.
pub(crate) struct Context<'a> {
    pub(crate) input: &'a Input,
    pub(crate) objects: &'a Comparison<'a>,
    pub(crate) hooks: &'a Comparison<'a>,
}

/// All parts in their order.
pub(crate) fn all(context: &Context<'_>) -> Vec<Section> {
    let section = |id| {
        let mut items = items(id, context);
        // Steps stand in the order in which they are done.
        if id != SectionId::Steps {
            items.sort_by_key(|item| item.weight);
        }
        Section { id, items }
    };
    let mut sections: Vec<Section> = SectionId::ALL.into_iter().map(section).collect();
    rest(context, &mut sections);
    sections
}

/// What no other part has told of is told among the other objects.
fn rest(context: &Context<'_>, sections: &mut [Section]) {
    let items = sections.iter().filter(|section| section.id != SectionId::Steps).flat_map(|section| &section.items);
    // That it has another name says nothing of what else differs in it.
    let items = items.filter(|item| item.code != each_time::CODE);
    let told = items.flat_map(|item| item.object.iter().chain(&item.objects)).cloned().collect();
    if let Some(objects) = sections.iter_mut().find(|section| section.id == SectionId::Objects) {
        objects.items.extend(objects::rest(context, &told));
        objects.items.sort_by_key(|item| item.weight);
    }
}

fn items(id: SectionId, context: &Context<'_>) -> Vec<Item> {
    match id {
        SectionId::Blockers => blockers::items(context),
        SectionId::Steps => steps::items(context),
        SectionId::Overrides => overrides::items(context),
        SectionId::Versions => versions::items(context),
        SectionId::Crds => crds::items(context),
        SectionId::Workloads => [workloads::items(context), each_time::items(context, true)].concat(),
        SectionId::Rbac => rbac::items(context),
        SectionId::Network => network::items(context),
        SectionId::Rules => rules::items(context),
        SectionId::Hooks => hooks::items(context),
        SectionId::Objects => [objects::items(context), each_time::items(context, false)].concat(),
        SectionId::Notes => notes::items(context),
    }
}
