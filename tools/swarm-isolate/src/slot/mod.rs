//! The swarm's slots: a semaphore that all processes and nodes share. A process takes one slot, several, or all.
//!
//! A slot is a config object in the swarm's own Raft store (`labels`, `store`). It is never deleted, and its labels
//! change only by compare-and-swap. `choose` decides what to do next, `take` does it, `hold` renews what is held. A
//! holder that has not renewed for its TTL counts as dead (`expiry`); on the same host the kernel shows it sooner
//! (`lock`). The labels name the stacks that the holder may have created, so that whoever takes over the slot of a dead
//! holder can tear them down.

mod admit;
mod budget;
mod busy;
mod choose;
mod cli;
mod expiry;
mod hold;
mod labels;
mod lock;
pub mod only;
pub mod show;
mod store;
mod take;
mod wake;
mod window;

pub use admit::Gate;
pub use budget::Budget;
pub use choose::{Board, Want};
pub use cli::{CountArg, ShowArgs, SlotArgs, TtlArg};
pub use hold::{Hold, Slot};
pub use labels::{Place, SlotRead};
pub use show::on_record;
pub use take::{Ask, Slots};

/// The number of slots, unless `--slots` said otherwise when they were made.
pub const DEFAULT: u32 = 3;

/// For the fuzz targets: reads config objects and decides on them; returns how many are slots.
pub fn look_at(configs: &serde_json::Value) -> usize {
    let seen: Vec<SlotRead> = configs.as_array().into_iter().flatten().filter_map(SlotRead::parse).collect();
    let count = seen.len();
    if let Some(board) = Board::new(seen) {
        for want in [Want::ONE, Want::All] {
            let _ = choose::step(&board, want, "n", &std::collections::BTreeSet::from([Place::Slot(0)]));
        }
    }
    count
}

/// For the fuzz targets: whether the text is a valid window.
pub fn look_at_window(text: &str) -> bool {
    window::Window::parse(text)
        .is_ok_and(|window| window.opens_in(jiff::Timestamp::UNIX_EPOCH).as_secs() < 100_000)
}
