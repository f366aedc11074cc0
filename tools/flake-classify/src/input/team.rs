//! Two threads parse while this one reads, folds and writes; blocks come back in the order of the stream.
//!
//! Only while reads fill whole blocks, as those of a file do. What trickles in through a pipe is parsed here
//! and passed on before the next read, so that nobody downstream waits for us; the neighbours of a pipe have
//! the other cores.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use lib_common::{Error, Result};

use super::block::{Block, Blocks};
use super::parse::Parser;

const WORKERS: usize = 2;

/// Blocks that a worker may have waiting: the one at work, and the next.
const WAITING: usize = 6;

/// Hands every block to `on`, which gives its memory back.
pub fn each(blocks: &mut Blocks, mut on: impl FnMut(Block) -> Result<Block>) -> Result<()> {
    thread::scope(|scope| {
        let mut team: Vec<Worker> = Vec::new();
        let mut under_way: VecDeque<usize> = VecDeque::new();
        let mut turn = 0;
        let limit = blocks.limit;
        let mut parser = Parser::new(limit);
        while let Some(mut block) = blocks.next()? {
            if block.full {
                if team.is_empty() {
                    team = (0..WORKERS).map(|_| Worker::start(scope, limit)).collect::<Result<_>>()?;
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
                parser.parse(&mut block);
                blocks.recycle(on(block)?);
            }
        }
        for worker in under_way {
            on(team[worker].take()?)?;
        }
        Ok(())
    })
}

struct Worker {
    blocks: SyncSender<Block>,
    parsed: Receiver<Block>,
}

impl Worker {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, limit: usize) -> Result<Self> {
        let (blocks, work) = sync_channel::<Block>(WAITING);
        let (done, parsed) = sync_channel(WAITING);
        let job = move || {
            // Either end of the line gone: there is nothing left to do.
            let mut parser = Parser::new(limit);
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

    fn take(&self) -> Result<Block> {
        self.parsed.recv().map_err(|_| gone())
    }
}

fn gone() -> Error {
    Error::cannot("reading the record stream", "a thread ended early")
}
