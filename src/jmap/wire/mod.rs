//! JMAP's grammar, pure: JSON in, values out. No I/O, no clock, no store.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
pub mod args;
pub mod date;
pub mod error;
pub mod filter;
pub mod frame;
pub mod header;
pub mod id;
pub mod json;
pub mod patch;
pub mod reference;
pub mod request;
