//! Threads, start order, drain on SIGTERM, reload on SIGHUP.
