//! Two threads parse while this one reads and takes in; blocks come back in the order of the stream.
//!
//! Only while reads fill whole blocks, as those of a file do. What trickles in through a pipe is parsed here
//! and passed on before the next read, so that nobody downstream waits for us; the neighbours of a pipe have
//! the other cores.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use super::block::{Block, Blocks};
use crate::error::{Error, Result};

const WORKERS: usize = 2;

/// Blocks that a worker may have waiting: the one at work, and the next.
const WAITING: usize = 6;

/// What a tool makes of a block's lines, whichever thread has it. Each thread has its own.
pub trait Parser: Send {
    type Found: Send;

    /// Fills in what was found in the block.
    fn parse(&mut self, block: &mut Block<Self::Found>);
}

/// Hands every block, parsed, to `on`, which gives its memory back.
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
            // Either end of the line gone: there is nothing left to do.
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
