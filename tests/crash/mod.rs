//! Mail is never lost: power cuts, full and broken disks, kills.
//!
//! The short runs are part of every `cargo test`. The long ones:
//!
//! ```text
//! PILLARBOX_CUTS=5000 cargo test --profile quick --test main crash::power -- --nocapture
//! PILLARBOX_COMMAND_CUTS=5000 cargo test --profile quick --test main crash::commands -- --nocapture
//! PILLARBOX_STEP=1 cargo test --profile quick --test main crash::full -- --nocapture
//! PILLARBOX_KILLS=200 cargo test --profile quick --test main crash::kill -- --nocapture
//! ```
//! A failure prints its seed; `PILLARBOX_SEED=...` starts with it. Threads still take turns as they
//! like, so that a seed makes a failure likely again rather than certain.
mod actor;
mod commands;
mod cost;
pub mod disk;
mod full;
mod kill;
mod limit;
mod power;
mod queue;
mod random;
mod wire;
mod world;

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Flash wears out by the block. `cargo bench --bench blocks` has the whole table.
#[test]
fn operations_write_no_more_blocks_than_they_may() {
    let costs = cost::measure(2_000, false);
    println!("{}", cost::table(&costs));
    for cost in costs.iter().filter(|c| c.bound > 0.0) {
        assert!(cost.blocks <= cost.bound, "{}", cost::table(&costs));
        // One flush per commit; the file's growth has its own.
        assert!(cost.flushes < 1.5, "{}", cost::table(&costs));
    }
}
