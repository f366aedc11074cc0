//! Parsing a block of whole lines: each line once, whatever it is. Pure.

use lib_common::blocks::{self, Block, Piece};
use lib_common::record::run::TestOutcome;
use lib_common::record::{Head, Known, Parsed, TestLine, parse_line};
use lib_common::text::Text;

use crate::order::Order;

/// What a line is; with the BLAKE3 of its content, where it is plainly right.
#[derive(Debug)]
pub enum Parsed {
    /// No record of ours.
    Other([u8; 32]),
    Known([u8; 32], Order, Head, Known),
    Test([u8; 32], Test),
    /// To be read in the careful way, which words every complaint.
    Doubtful,
}

/// A `test.finished`, most of any ledger; its names are places in the block.
#[derive(Debug)]
pub struct Test {
    pub ts: Piece,
    pub attempt: Piece,
    pub case: Piece,
    pub outcome: TestOutcome,
    pub message: Option<Text>,
}

/// Finds one [`Parsed`] for each line.
#[derive(Debug, Default)]
pub struct Parser;

impl blocks::Parser for Parser {
    type Found = Parsed;

    fn parse(&mut self, block: &mut Block<Parsed>) {
        let mut found = std::mem::take(&mut block.found);
        let bytes = block.bytes();
        found.extend(block.lines().map(|(_, text)| text.map_or(Parsed::Doubtful, |text| line(bytes, text))));
        block.found = found;
    }
}

fn line(block: &[u8], text: &str) -> Parsed {
    let hash = || blake3::hash(text.as_bytes());
    match parse_line(text) {
        Parsed::Other => Parsed::Other(hash().into()),
        Parsed::Test(line) => {
            test(block, &line).map_or(Parsed::Doubtful, |test| Parsed::Test(hash().into(), test))
        }
        Parsed::Known(known) => match serde_json::from_str::<Head>(text) {
            Ok(head) => {
                let hash = hash();
                Parsed::Known(hash.into(), Order::new(&head.ts, &hash), head, known)
            }
            Err(_) => Parsed::Doubtful,
        },
        Parsed::Doubtful => Parsed::Doubtful,
    }
}

fn test(block: &[u8], line: &TestLine) -> Option<Test> {
    let place = |part: &str| Piece::of(block, part.as_bytes());
    Some(Test {
        ts: place(line.ts)?,
        attempt: place(line.attempt_id)?,
        case: place(line.case)?,
        outcome: line.outcome,
        message: line.message.map(Text::from),
    })
}
