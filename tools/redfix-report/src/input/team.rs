//! Two threads parse while this one reads and folds; blocks come back in the order of the stream.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use super::parse::Block;

/// Large enough that a block costs little, small enough to stay in a core's cache.
const SIZE: u64 = if cfg!(test) { 4 * 1024 } else { 128 * 1024 };
const WORKERS: usize = 2;
/// Blocks that a worker may have waiting: the one at work, and the next.
const WAITING: usize = 2;

/// Hands every block of `input`, parsed, to `on`.
pub fn each<E: From<io::Error>>(
    mut input: impl BufRead,
    limit: u64,
    mut on: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let longest = usize::try_from(limit).unwrap_or(usize::MAX);
    let Some(mut first) = next(&mut input, limit)? else { return Ok(()) };
    let Some(second) = next(&mut input, limit)? else {
        first.parse(longest);
        return on(first);
    };
    thread::scope(|scope| {
        let team: Vec<Worker> =
            (0..WORKERS).map(|_| Worker::start(scope, longest)).collect::<io::Result<_>>()?;
        let mut under_way = VecDeque::new();
        let mut ready = VecDeque::from([first, second]);
        for turn in (0..WORKERS).cycle() {
            let block = match ready.pop_front() {
                Some(block) => Some(block),
                None => next(&mut input, limit)?,
            };
            let Some(block) = block else { break };
            team[turn].blocks.send(block).map_err(|_| gone())?;
            under_way.push_back(turn);
            if under_way.len() == WORKERS * WAITING
                && let Some(oldest) = under_way.pop_front()
            {
                on(team[oldest].parsed.recv().map_err(|_| gone())?)?;
            }
        }
        for worker in under_way {
            on(team[worker].parsed.recv().map_err(|_| gone())?)?;
        }
        Ok(())
    })
}

/// The next block, or `None` at the end. Of a line that is too long only the beginning, for somebody to complain.
fn next(input: &mut impl BufRead, limit: u64) -> io::Result<Option<Block>> {
    let mut bytes = Vec::with_capacity(usize::try_from(SIZE).unwrap_or(0) + 4096);
    input.by_ref().take(SIZE).read_to_end(&mut bytes)?;
    if bytes.last().is_some_and(|byte| *byte != b'\n') {
        input.by_ref().take(limit.saturating_add(3)).read_until(b'\n', &mut bytes)?;
    }
    Ok((!bytes.is_empty()).then_some(Block { bytes, lines: Vec::new() }))
}

struct Worker {
    blocks: SyncSender<Block>,
    parsed: Receiver<Block>,
}

impl Worker {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, limit: usize) -> io::Result<Self> {
        let (blocks, work) = sync_channel::<Block>(WAITING);
        let (done, parsed) = sync_channel(WAITING);
        let job = move || {
            // Either end of the line gone: there is nothing left to do.
            while let Ok(mut block) = work.recv() {
                block.parse(limit);
                if done.send(block).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("parse".into()).spawn_scoped(scope, job)?;
        Ok(Self { blocks, parsed })
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread ended early")
}
