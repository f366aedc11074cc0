//! Parses a block of whole lines. Each line gives one [`Parsed`], also one that is no record. Pure.

use lib_common::blocks::{self, Block, Piece};
use lib_common::record::run::TestOutcome;
use lib_common::record::{Content, Head, Known, TestLine, parse_line};
use lib_common::text::Text;

use crate::order::Order;

/// What a line is. All but doubtful lines have the BLAKE3 of their content.
#[derive(Debug)]
pub enum Parsed {
    /// An object that is no record that this build knows.
    Other([u8; 32]),
    Known([u8; 32], Order, Head, Known),
    Test([u8; 32], ParsedTest),
    /// A line that must be checked by [`lib_common::stream::Reader::examine`], which words errors and warnings.
    Doubtful,
}

/// A `test.finished`. Most of a ledger are these, so that its texts are not copied, but kept as places in the block.
#[derive(Debug)]
pub struct ParsedTest {
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
        Content::Other => Parsed::Other(hash().into()),
        Content::Test(line) => {
            test(block, &line).map_or(Parsed::Doubtful, |test| Parsed::Test(hash().into(), test))
        }
        Content::Known(known) => match serde_json::from_str::<Head>(text) {
            Ok(head) => {
                let hash = hash();
                Parsed::Known(hash.into(), Order::new(&head.ts, &hash), head, known)
            }
            Err(_) => Parsed::Doubtful,
        },
        Content::Doubtful => Parsed::Doubtful,
    }
}

fn test(block: &[u8], line: &TestLine) -> Option<ParsedTest> {
    let place = |part: &str| Piece::of(block, part.as_bytes());
    Some(ParsedTest {
        ts: place(line.ts)?,
        attempt: place(line.attempt_id)?,
        case: place(line.case)?,
        outcome: line.outcome,
        message: line.message.map(Text::from),
    })
}
