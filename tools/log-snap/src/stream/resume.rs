//! Continues a log stream after it broke, without losing or repeating a piece.
//!
//! Timestamps alone do not suffice: the two outputs may be slightly out of order, and several pieces may carry the same
//! timestamp. So the last pieces are remembered (by their hashes). The stream is requested again from the oldest of
//! them on, and each remembered piece is skipped once.

use std::collections::{HashMap, VecDeque};

use lib_common::swarm::frame::From;
use lib_common::swarm::stamp;

/// How many pieces are remembered.
const REMEMBERED: usize = 128;

type Key = (From, [u8; 16]);

/// Remembers the last pieces of one log.
#[derive(Default)]
pub struct Resume {
    last: VecDeque<(i64, Key)>,
    /// How often each piece is still to be skipped in the stream that is being read again.
    repeats: HashMap<Key, u32>,
    /// Whether older pieces were forgotten. Until then the log is short enough to be read from its beginning.
    forgot: bool,
}

impl Resume {
    /// Prepares for reading again. Returns the `since` of the request; `None` means from the beginning.
    pub fn again(&mut self) -> Option<i64> {
        self.repeats.clear();
        for (_, key) in &self.last {
            *self.repeats.entry(*key).or_default() += 1;
        }
        self.last.iter().map(|(at, _)| *at).min().filter(|_| self.forgot)
    }

    /// Returns whether `piece` is new, and remembers it if so.
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
