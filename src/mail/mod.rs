//! mail
pub mod address;
