//! The checks of a message's origin against suites that others made.
mod spf;
