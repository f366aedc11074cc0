//! The forms in which a secret turns up in logs besides its own: base64 at each alignment, URL, JSON, hex.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::MIN_SECRET;
use crate::text::percent_encode;

/// The secret itself first, then its encodings; short remainders are left out.
pub(super) fn all(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec(), hex(secret), percent_encode(secret).into_bytes(), json(secret)];
    for skip in 0..3usize {
        // Three alignments: what a longer encoded text shows of the secret, without the characters that
        // mix with its neighbours.
        let padded = [vec![0; skip], secret.to_vec()].concat();
        let inside = |text: String| {
            let from = (skip * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            text.get(from..to).map(|part| part.as_bytes().to_vec())
        };
        forms.extend(inside(STANDARD_NO_PAD.encode(&padded)));
        forms.extend(inside(URL_SAFE_NO_PAD.encode(&padded)));
    }
    forms.retain(|form| form.len() >= MIN_SECRET);
    forms
}

fn hex(secret: &[u8]) -> Vec<u8> {
    secret.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn json(secret: &[u8]) -> Vec<u8> {
    let quoted = serde_json::to_string(&String::from_utf8_lossy(secret)).unwrap_or_default();
    quoted.trim_matches('"').as_bytes().to_vec()
}
