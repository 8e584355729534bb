//! Every integration test, in one binary: one link, one harness.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod access;
mod cli;
mod crash;
mod dns;
mod engine;
mod harness;
mod imap;
mod jmap;
mod keep;
mod mime;
mod net;
mod packages;
mod pop3;
mod smtp;
mod tidy;
mod verify;
