//! Blocks of 4 KiB written and flushes per operation, with 20,000 messages in the store:
//! `cargo bench --bench blocks`. Counted, not timed: the figures are the same on every machine.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#[path = "../tests/crash/cost.rs"]
mod cost;

fn main() {
    let stored = std::env::args().filter_map(|a| a.parse().ok()).next();
    let stored = stored.unwrap_or(20_000);
    println!("{stored} messages of 4 KB in the store");
    print!("{}", cost::table(&cost::measure(stored, true)));
}
