//! Every integration test, in one binary: one link, one harness.
mod harness;
mod pop3;
mod tidy;
