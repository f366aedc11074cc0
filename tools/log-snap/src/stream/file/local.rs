//! Decodes records of the `local` driver: a protobuf message between two copies of its length.
//!
//! `LogEntry { string source = 1; int64 time_nano = 2; bytes line = 3; bool partial = 4;
//! PartialLogEntryMetadata partial_log_metadata = 5 { bool last = 1; ... } }`. The lengths are 32-bit big-endian
//! integers.

use crate::stream::line::TimedPiece;
use lib_common::swarm::frame::From;

const BORDER: usize = 4;
/// Longest record. The engine splits lines every 16 KiB, so a longer record means that the file is damaged.
pub const LONGEST: usize = 1 << 20;

/// Length of the first record of `bytes`; `None` if it is not complete, an error if the file is damaged.
pub fn size(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(border) = bytes.get(..BORDER) else { return Ok(None) };
    let length = border.try_into().map_or(0, u32::from_be_bytes) as usize;
    if length == 0 || length > LONGEST {
        return Err(format!("a record claims to have {length} bytes"));
    }
    let whole = length + 2 * BORDER;
    match bytes.get(whole - BORDER..whole) {
        None => Ok(None),
        Some(after) if after == border => Ok(Some(whole)),
        Some(_) => Err("a record whose two lengths differ".into()),
    }
}

/// Decodes one record; `None` if it is damaged.
#[must_use]
pub fn decode(record: &[u8]) -> Option<TimedPiece<'_>> {
    let mut rest = record.get(BORDER..record.len().checked_sub(BORDER)?)?;
    let (mut source, mut at, mut text, mut partial, mut last): (&[u8], _, &[u8], _, _) =
        (b"", None, b"", false, false);
    while !rest.is_empty() {
        match field(&mut rest)? {
            (1, Value::Bytes(bytes)) => source = bytes,
            (2, Value::Number(number)) => at = Some(number.cast_signed()),
            (3, Value::Bytes(bytes)) => text = bytes,
            (4, Value::Number(number)) => partial = number != 0,
            (5, Value::Bytes(mut inner)) => {
                partial = true;
                while !inner.is_empty() {
                    if let (1, Value::Number(number)) = field(&mut inner)? {
                        last = number != 0;
                    }
                }
            }
            _ => {}
        }
    }
    let from = if source == b"stderr" { From::Err } else { From::Out };
    Some(TimedPiece { from, at: at?, text, ends: !partial || last })
}

enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

fn field<'b>(rest: &mut &'b [u8]) -> Option<(u64, Value<'b>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(rest)?),
        1 => Value::Bytes(take(rest, 8)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Bytes(take(rest, 4)?),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for place in 0..10 {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Encodes a record as the driver writes it.
    pub(in crate::stream::file) fn record(
        source: &str,
        at: u64,
        line: &[u8],
        partial: Option<bool>,
    ) -> Vec<u8> {
        let number = |mut n: u64| {
            let mut out = Vec::new();
            while n >= 0x80 {
                out.push(0x80 | u8::try_from(n & 0x7f).unwrap());
                n >>= 7;
            }
            out.push(u8::try_from(n).unwrap());
            out
        };
        let mut body = [&[0x0a], &number(source.len() as u64)[..], source.as_bytes()].concat();
        body.extend([&[0x10], &number(at)[..], &[0x1a], &number(line.len() as u64)[..], line].concat());
        if let Some(last) = partial {
            body.extend([0x20, 1, 0x2a, 4, 0x08, u8::from(last), 0x18, 7]);
        }
        let border = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&border[..], &body, &border].concat()
    }

    #[test]
    fn records_of_the_driver() {
        let bytes = record("stderr", 1_700_000_000_000_000_001, b"a\xff\x00b", None);
        assert_eq!(size(&bytes), Ok(Some(bytes.len())));
        let entry = decode(&bytes).unwrap();
        assert_eq!(
            entry,
            TimedPiece { from: From::Err, at: 1_700_000_000_000_000_001, text: b"a\xff\x00b", ends: true }
        );
        assert!(!decode(&record("stdout", 1, b"x", Some(false))).unwrap().ends);
        assert!(decode(&record("stdout", 1, b"x", Some(true))).unwrap().ends);
    }

    #[test]
    fn what_is_not_whole_or_damaged_is_told_apart() {
        let bytes = record("stdout", 1, b"hello", None);
        (0..bytes.len()).for_each(|end| assert_eq!(size(&bytes[..end]), Ok(None)));
        let mut broken = bytes.clone();
        *broken.last_mut().unwrap() ^= 1;
        assert!(size(&broken).unwrap_err().contains("differ"));
        assert!(size(&[0xff; 8]).is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            let _ = (size(&bytes), decode(&bytes));
        }
    }
}
