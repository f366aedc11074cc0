//! Decides, from the slots as they were read, what to do next in order to get one slot, several or all. No I/O.
//!
//! Whoever wants more than one slot first takes the marker. While it is held newcomers take no slot, so the marker's
//! holder gets each slot as it becomes free. So one that wants all slots never starves, and two that want several never
//! deadlock. A marker whose holder is dead is cleared by the first who finds it.

use std::collections::BTreeSet;

use super::labels::{Place, SlotRead};

/// How many slots are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// This many; the rest stays available to others.
    Some(u32),
    All,
}

impl Want {
    pub const ONE: Self = Self::Some(1);

    /// Whether `owned` slots are enough.
    pub fn is_met_by(self, owned: u32) -> bool {
        matches!(self, Self::Some(wanted) if owned >= wanted)
    }
}

/// The slots and the marker, as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    pub total: u32,
    pub slots: Vec<SlotRead>,
    pub marker: Option<SlotRead>,
}

impl Board {
    /// Sorts what was read. Slots beyond the swarm's number, left from a time when it had more, are dropped. `None` if
    /// there is no slot 0 yet.
    pub fn new(seen: Vec<SlotRead>) -> Option<Self> {
        let (mut slots, markers): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|seen| seen.place != Place::Exclusive);
        slots.sort_by_key(|seen| seen.place);
        let first = slots.first().filter(|seen| seen.place == Place::Slot(0))?;
        // Versions that did not record the number made one slot only.
        let total = first.total.unwrap_or(1);
        slots.retain(|seen| seen.place < Place::Slot(total));
        Some(Self { total, slots, marker: markers.into_iter().next() })
    }

    /// All slots, then the marker.
    pub fn all(&self) -> impl Iterator<Item = &SlotRead> {
        self.slots.iter().chain(&self.marker)
    }

    fn is_whole(&self) -> bool {
        self.marker.is_some() && self.slots.len() == self.total as usize
    }
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'b> {
    /// Enough slots are held.
    Done,
    /// A config object is missing and has to be made.
    Repair,
    /// Try to take these, in this order.
    Take(Vec<&'b SlotRead>),
    /// Free this marker, whose holder is dead.
    Clear(&'b SlotRead),
    /// Nothing can be taken now; the text says who holds what is wanted.
    Wait(String),
}

/// The next step for the holder with nonce `mine`. `dead` are the places whose holders are known to be dead.
pub fn step<'b>(board: &'b Board, want: Want, mine: &str, dead: &BTreeSet<Place>) -> Step<'b> {
    let Some(marker) = board.marker.as_ref().filter(|_| board.is_whole()) else { return Step::Repair };
    let owned = board.slots.iter().filter(|seen| seen.is_held_by(mine)).count();
    if want.is_met_by(u32::try_from(owned).unwrap_or(u32::MAX)) {
        return Step::Done;
    }
    let is_dead = |seen: &SlotRead| seen.holding.is_some() && dead.contains(&seen.place);
    match want {
        Want::ONE => {
            if is_dead(marker) {
                return Step::Clear(marker);
            }
            if let Some(waiter) = &marker.holding {
                return Step::Wait(format!("{} for {}, whose turn it is", waiter.holder, waiter.attempt));
            }
        }
        _ if !marker.is_held_by(mine) => {
            return match &marker.holding {
                Some(other) if !is_dead(marker) => {
                    Step::Wait(format!("{} for {}, whose turn it is", other.holder, other.attempt))
                }
                _ => Step::Take(vec![marker]),
            };
        }
        Want::All if owned == board.slots.len() => return Step::Done,
        _ => {}
    }
    let open = board.slots.iter().filter(|seen| seen.holding.is_none() || is_dead(seen));
    let mut open: Vec<&SlotRead> = open.collect();
    if open.is_empty() {
        return Step::Wait(holders(board, mine));
    }
    if want != Want::All {
        // Prefer the slot of a dead holder that left stacks: whoever takes it tears those down.
        let left = |seen: &&SlotRead| seen.holding.as_ref().is_some_and(|held| !held.stacks.is_empty());
        open.sort_by_key(|seen| (!left(seen), seen.place));
    }
    Step::Take(open)
}

fn holders(board: &Board, mine: &str) -> String {
    let held =
        board.slots.iter().filter(|seen| !seen.is_held_by(mine)).filter_map(|seen| seen.holding.as_ref());
    let names: Vec<String> = held.map(|held| format!("{} for {}", held.holder, held.attempt)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::labels::Holding;
    use super::*;

    /// Reads a board from `0=me 1=x! 2= e=y`: slot or marker (`e`), its holder, `!` if that left stacks.
    fn board(text: &str) -> Board {
        let seen = text.split(' ').map(|word| {
            let (place, holder) = word.split_once('=').unwrap();
            let place = place.parse().map_or(Place::Exclusive, Place::Slot);
            let stacks = if holder.ends_with('!') { vec!["s".to_owned()] } else { vec![] };
            let name = holder.trim_end_matches('!');
            let holding = Holding { nonce: name.into(), holder: name.into(), stacks, ..Holding::default() };
            SlotRead {
                place,
                config_id: place.config(),
                version: 1,
                total: (place == Place::Slot(0)).then_some(3),
                holding: (!name.is_empty()).then_some(holding),
            }
        });
        Board::new(seen.collect()).unwrap()
    }

    fn told(text: &str, want: Want, dead: &[Place]) -> String {
        let board = board(text);
        match step(&board, want, "me", &dead.iter().copied().collect()) {
            Step::Take(all) => {
                let names: Vec<String> = all.iter().map(|seen| seen.place.to_string()).collect();
                format!("take {}", names.join(" "))
            }
            Step::Clear(seen) => format!("clear {}", seen.place),
            Step::Wait(_) => "wait".into(),
            Step::Done => "done".into(),
            Step::Repair => "repair".into(),
        }
    }

    #[test]
    fn one_slot() {
        use Place::{Exclusive, Slot};
        for (slots, dead, expected) in [
            ("0= 1= 2= e=", &[][..], "take 0 1 2"),
            ("0=x 1=y 2= e=", &[], "take 2"),
            ("0=x 1=y 2=z e=", &[], "wait"),
            ("0=x 1=y 2=z e=", &[Slot(1)], "take 1"),
            ("0= 1=y! 2=z e=", &[Slot(1)], "take 1 0"),
            ("0= 1= 2= e=x", &[], "wait"),
            ("0= 1= 2= e=x", &[Exclusive], "clear exclusive"),
            // A free marker has no dead holder, even if an outdated `dead` says so.
            ("0= 1= 2= e=", &[Exclusive], "take 0 1 2"),
            ("0=me 1= 2= e=x", &[], "done"),
            ("0= 1= e=", &[], "repair"),
            ("0= 1= 2=", &[], "repair"),
        ] {
            assert_eq!(told(slots, Want::ONE, dead), expected, "{slots}");
        }
    }

    #[test]
    fn all_slots() {
        use Place::{Exclusive, Slot};
        for (slots, dead, expected) in [
            ("0= 1= 2= e=", &[][..], "take exclusive"),
            ("0= 1= 2= e=x", &[], "wait"),
            ("0= 1= 2= e=x", &[Exclusive], "take exclusive"),
            ("0= 1=x 2= e=me", &[], "take 0 2"),
            ("0=me 1=x 2=me e=me", &[], "wait"),
            ("0=me 1=x 2=me e=me", &[Slot(1)], "take 1"),
            ("0=me 1=me 2=me e=me", &[], "done"),
            // We lost the marker after the first slot: take nothing more until it is ours again.
            ("0=me 1= 2= e=", &[], "take exclusive"),
        ] {
            assert_eq!(told(slots, Want::All, dead), expected, "{slots}");
        }
    }

    #[test]
    fn several_slots() {
        use Place::Slot;
        for (slots, dead, expected) in [
            ("0= 1= 2= e=", &[][..], "take exclusive"),
            ("0= 1= 2= e=x", &[], "wait"),
            ("0= 1=x 2= e=me", &[], "take 0 2"),
            ("0=me 1=x 2=y e=me", &[], "wait"),
            ("0=me 1=x! 2= e=me", &[Slot(1)], "take 1 2"),
            // Enough slots are held, so the marker is no longer needed.
            ("0=me 1=me 2=x e=me", &[], "done"),
            ("0=me 1=me 2= e=y", &[], "done"),
        ] {
            assert_eq!(told(slots, Want::Some(2), dead), expected, "{slots}");
        }
    }

    #[test]
    fn slots_beyond_the_number_do_not_count() {
        assert_eq!(told("0=me 1=me 2=me 3= e=me", Want::All, &[]), "done");
        assert!(Board::new(vec![]).is_none());
    }
}
