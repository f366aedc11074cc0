//! Finds the credentials of an Authorization header, in whatever list of headers it stands.

use super::value::{is_harmless, is_likely, is_random, is_state};
use super::values::{Value, next_word};

/// The credentials of an Authorization header: what stands behind the scheme, or all of it.
pub(super) fn authorization(line: &[u8], value: &Value) -> Option<(usize, usize)> {
    const SCHEMES: [&str; 16] = [
        "basic",
        "bearer",
        "digest",
        "token",
        "bot",
        "negotiate",
        "ntlm",
        "apikey",
        "api-key",
        "key",
        "jwt",
        "oauth",
        "hawk",
        "ssws",
        "aws4-hmac-sha256",
        "user",
    ];
    let text = value.text(line);
    let whole = |from: usize, to: usize| Some((value.start + from, value.start + to));
    let Some((scheme, rest)) = text.split_once(' ') else {
        if SCHEMES.iter().any(|known| text.eq_ignore_ascii_case(known)) {
            // The scheme ended a value without quotes; the credentials are the next word.
            let next = next_word(line, value.end)?;
            let word = std::str::from_utf8(&line[next.0..next.1]).unwrap_or_default();
            return credential(&text, word).then_some(next);
        }
        // A scheme of somebody's own.
        let next = next_word(line, value.end)
            .filter(|next| !value.quoted && is_random(&String::from_utf8_lossy(&line[next.0..next.1])));
        return if is_random(&text) { Some((value.start, value.end)) } else { next };
    };
    let known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if !known && !is_random(rest) {
        return None;
    }
    credential(scheme, rest).then(|| whole(scheme.len() + 1, text.len()))?
}

fn credential(scheme: &str, text: &str) -> bool {
    let text = text.trim();
    if ["digest", "aws4-hmac-sha256", "hawk", "oauth"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return text.contains('=');
    }
    let basic = scheme.eq_ignore_ascii_case("basic");
    let long = text.len() >= 16 || text.len() >= 8 && text.contains(['.', '-', '_', '=']);
    let plain = text.len() >= 4 && !text.contains(' ') && !is_harmless(text) && !is_state(text);
    plain && (basic && text.len().is_multiple_of(4) || is_likely(text) || long)
}
