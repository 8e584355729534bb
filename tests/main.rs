//! Every integration test, in one binary: one link, one harness.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod cli;
mod engine;
mod harness;
mod mime;
mod jmap;
mod net;
mod imap;
mod pop3;
mod smtp;
mod tidy;
