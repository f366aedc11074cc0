//! Two threads parse blocks while the calling thread reads the stream and takes the results, in the order of the
//! stream.
//!
//! They are used only while reads fill whole blocks, as those of a file do. Blocks that trickle in through a pipe are
//! parsed on the calling thread and passed on before the next read, so that no later tool of the pipe waits; besides,
//! the pipe's other tools need the other cores.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use super::block::{Block, Blocks};
use crate::error::{Error, Result};

const WORKERS: usize = 2;

/// How many blocks each worker may have under way before the oldest is waited for. This bounds the memory.
const WAITING: usize = 6;

/// Parses the lines of a block. Each thread has a parser of its own.
pub trait Parser: Send {
    type Found: Send;

    /// Fills in what was found in the block.
    fn parse(&mut self, block: &mut Block<Self::Found>);
}

/// Hands every block, parsed, to `on` in the order of the stream. `on` returns the block, so that its memory can be
/// used again.
pub fn each<P: Parser>(
    blocks: &mut Blocks<P::Found>,
    parser: impl Fn() -> P,
    mut on: impl FnMut(Block<P::Found>) -> Result<Block<P::Found>>,
) -> Result<()> {
    thread::scope(|scope| {
        let mut team: Vec<Worker<P::Found>> = Vec::new();
        let mut under_way: VecDeque<usize> = VecDeque::new();
        let mut turn = 0;
        let mut own = parser();
        while let Some(mut block) = blocks.next_block()? {
            if block.full {
                if team.is_empty() {
                    team = (0..WORKERS).map(|_| Worker::start(scope, parser())).collect::<Result<_>>()?;
                }
                turn = (turn + 1) % WORKERS;
                team[turn].blocks.send(block).map_err(|_| gone())?;
                under_way.push_back(turn);
                if under_way.len() < WORKERS * WAITING {
                    continue;
                }
                if let Some(oldest) = under_way.pop_front() {
                    blocks.recycle(on(team[oldest].take()?)?);
                }
            } else {
                for worker in under_way.drain(..) {
                    on(team[worker].take()?)?;
                }
                own.parse(&mut block);
                blocks.recycle(on(block)?);
            }
        }
        for worker in under_way {
            on(team[worker].take()?)?;
        }
        Ok(())
    })
}

struct Worker<T> {
    blocks: SyncSender<Block<T>>,
    parsed: Receiver<Block<T>>,
}

impl<T: Send> Worker<T> {
    fn start<'scope, P>(scope: &'scope Scope<'scope, '_>, mut parser: P) -> Result<Self>
    where
        P: Parser<Found = T> + 'scope,
        T: 'scope,
    {
        let (blocks, work) = sync_channel::<Block<T>>(WAITING);
        let (done, parsed) = sync_channel(WAITING);
        let job = move || {
            // A closed channel means that the calling thread has returned, with or without an error.
            while let Ok(mut block) = work.recv() {
                parser.parse(&mut block);
                if done.send(block).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new()
            .name("parse".into())
            .spawn_scoped(scope, job)
            .map_err(|e| Error::cannot("starting a thread", e))?;
        Ok(Self { blocks, parsed })
    }

    fn take(&self) -> Result<Block<T>> {
        self.parsed.recv().map_err(|_| gone())
    }
}

fn gone() -> Error {
    Error::cannot("reading the record stream", "a thread ended early")
}
