//! A change summary as people read it: on a terminal, and in a review.

mod item;
mod markdown;
#[cfg(test)]
mod sample;
mod text;
mod value;
mod word;

pub(crate) use markdown::markdown;
pub(crate) use text::{View, text};
pub(crate) use word::{section, section_names};
