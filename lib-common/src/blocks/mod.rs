//! Reading a long record stream fast: in blocks of whole lines, which two threads parse.
//!
//! [`Blocks`] cuts the stream, [`Parser`] is what a tool makes of the lines of one block, on whichever thread has it,
//! and [`each`] hands the parsed blocks to the tool in the order of the stream. A parser words no complaint: it marks
//! what it cannot read, and the tool has [`crate::stream::Reader`] look at that line.

mod block;
mod team;

pub use block::{Arrival, Block, Blocks, Piece, SIZE};
pub use team::{Parser, each};
