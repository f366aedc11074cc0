//! Reads a long record stream fast: in blocks of whole lines, which two threads parse.
//!
//! [`Blocks`] cuts the stream, a tool's [`Parser`] parses the lines of one block on any thread, and [`each`] hands the
//! parsed blocks to the tool in the order of the stream. A parser reports no error: it marks a line that it cannot
//! read, and the tool has [`crate::stream::Reader::examine`] check it, which words the error as for any other stream.

mod block;
mod team;

pub use block::{Arrival, Block, Blocks, Piece, SIZE};
pub use team::{Parser, each};
