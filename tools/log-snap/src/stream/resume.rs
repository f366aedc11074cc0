//! Going on where a broken log stream ended, without losing or doubling a piece.
//!
//! Timestamps alone cannot say it: two outputs may be written slightly out of order, and several pieces may
//! carry the same one. So the last pieces are remembered; the stream is asked for again from the oldest of
//! them, and what is in memory is left out once.

use std::collections::{HashMap, VecDeque};

use lib_common::swarm::frame::From;
use lib_common::swarm::stamp;

const REMEMBERED: usize = 128;

type Key = (From, [u8; 16]);

/// The last pieces of one log.
#[derive(Default)]
pub struct Resume {
    last: VecDeque<(i64, Key)>,
    /// Pieces that are to be left out of the stream that is being read again.
    repeats: HashMap<Key, u32>,
    forgot: bool,
}

impl Resume {
    /// Prepares for reading again; returns the `since` to ask for (`None`: from the beginning).
    pub fn again(&mut self) -> Option<i64> {
        self.repeats.clear();
        for (_, key) in &self.last {
            *self.repeats.entry(*key).or_default() += 1;
        }
        self.last.iter().map(|(at, _)| *at).min().filter(|_| self.forgot)
    }

    /// Whether `piece` is new; it is remembered.
    pub fn is_new(&mut self, from: From, piece: &[u8]) -> bool {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(piece).as_bytes()[..16]);
        let key = (from, hash);
        if let Some(count) = self.repeats.get_mut(&key).filter(|count| **count > 0) {
            *count -= 1;
            return false;
        }
        let at = stamp::split(piece).map_or(0, |(at, _)| at);
        self.last.push_back((at, key));
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
            self.forgot = true;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(n: usize) -> Vec<u8> {
        format!("2026-01-02T03:04:05.{n:09}Z line\n").into_bytes()
    }

    #[test]
    fn a_second_reading_gives_only_what_is_new() {
        let mut resume = Resume::default();
        for n in [1, 2, 2, 3] {
            assert!(resume.is_new(From::Out, &piece(n)));
        }
        assert_eq!(resume.again(), None);
        let new: Vec<usize> =
            [1, 2, 2, 3, 3, 4].into_iter().filter(|n| resume.is_new(From::Out, &piece(*n))).collect();
        assert_eq!(new, [3, 4]);
    }

    #[test]
    fn a_long_log_is_asked_for_from_the_oldest_remembered_piece() {
        let mut resume = Resume::default();
        let total = REMEMBERED * 2;
        for n in 0..total {
            assert!(resume.is_new(From::Out, &piece(n)));
        }
        let since = resume.again().unwrap();
        assert_eq!(since, stamp::split(&piece(total - REMEMBERED)).unwrap().0);
        assert!((total - REMEMBERED..total).all(|n| !resume.is_new(From::Out, &piece(n))));
        assert!(resume.is_new(From::Out, &piece(total)));
        assert!(resume.is_new(From::Err, &piece(total)));
    }
}
