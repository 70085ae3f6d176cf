//! What operators write and read: documents, and the JSON of the operator API.
//!
//! Nothing here does I/O. [`document::parse`] answers with positions, [`convert`] turns documents into `core` types, and
//! [`dto`] is the JSON that server and command exchange.

pub mod convert;
pub mod document;
pub mod dto;
