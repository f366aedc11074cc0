//! The decoder of the engine's log stream, and the joining of its pieces: any split gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lib_common::swarm::frame::{Decoder, Piece};
use log_snap::stream::line::Assembler;

fn lines(parts: &[&[u8]]) -> (Vec<(i64, Vec<u8>)>, bool) {
    let (mut decoder, mut assembler, mut lines) = (Decoder::default(), Assembler::new(1000), Vec::new());
    let mut take = |piece: Piece| {
        if let Piece::Log(from, piece) = piece {
            assembler.push(from, piece, &mut |line| lines.push((line.at, line.text.to_vec())));
        }
    };
    let whole = parts.iter().try_for_each(|part| decoder.push(part, &mut take));
    let whole = whole.and_then(|()| decoder.finish(&mut take)).is_ok();
    assembler.finish(&mut |line| lines.push((line.at, line.text.to_vec())));
    (lines, whole)
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, rest)) = data.split_first() else { return };
    let cut = usize::from(cut).min(rest.len());
    assert_eq!(lines(&[rest]), lines(&[&rest[..cut], &rest[cut..]]));
});
