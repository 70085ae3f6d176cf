use super::Context;
use crate::summary::Item;

pub(super) fn items(_context: &Context<'_>) -> Vec<Item> {
    Vec::new()
}
