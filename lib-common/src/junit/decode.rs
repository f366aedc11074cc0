//! Decodes an XML file into text, and its references into characters. No file is refused: bytes that cannot be decoded
//! become U+FFFD, and an undefined reference stays as it is written.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::escape::resolve_html5_entity;

/// How many bytes an XML declaration may have.
const DECLARATION: usize = 256;

/// The decoded text, and whether any bytes had to be replaced.
pub fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or_else(|| (without_mark(bytes), 0));
    let (text, _, replaced) = encoding.decode(&bytes[mark..]);
    (text, replaced)
}

/// The encoding by the first two bytes, else the declared one. If UTF-16 is declared and the bytes are not, the file is
/// UTF-8: some writers declare the encoding that their strings have in memory.
fn without_mark(bytes: &[u8]) -> &'static Encoding {
    match bytes {
        [b'<', 0, ..] => return UTF_16LE,
        [0, b'<', ..] => return UTF_16BE,
        _ => {}
    }
    let head = &bytes[..bytes.len().min(DECLARATION)];
    let head = head.split(|byte| *byte == b'>').next().unwrap_or_default();
    let declared = memchr::memmem::find(head, b"encoding").and_then(|at| {
        let mut quoted = head[at..].split(|byte| matches!(byte, b'"' | b'\''));
        Encoding::for_label(quoted.nth(1)?)
    });
    declared.filter(|encoding| ![UTF_16LE, UTF_16BE].contains(encoding)).unwrap_or(UTF_8)
}

/// A text with references, e.g. the value of an attribute.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some((before, mut rest)) = raw.split_once('&') else { return Cow::Borrowed(raw) };
    let mut text = before.to_owned();
    loop {
        let reference = rest.split_once(';').and_then(|(name, after)| Some((resolve(name)?, after)));
        match reference {
            Some((resolved, after)) => {
                text.push_str(&resolved);
                rest = after;
            }
            None => text.push('&'),
        }
        let Some((before, after)) = rest.split_once('&') else { break };
        text.push_str(before);
        rest = after;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that `&name;` stands for. Characters that XML 1.0 does not allow (`&#0;`, `&#x1b;`) become U+FFFD.
pub fn resolve(name: &str) -> Option<Cow<'static, str>> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(Cow::Borrowed);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let allowed = |char: &char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let char = char::from_u32(code.ok()?).filter(allowed).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(Cow::Owned(char.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_as_they_are_and_as_they_are_declared() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let latin = b"<?xml version='1.0' encoding=\"ISO-8859-1\"?><a b='\xe9'/>";
        assert!(text(latin).0.ends_with("<a b='é'/>"));
        let wide = "<?xml version='1.0' encoding='utf-16'?><a b='é'/>";
        assert_eq!(text(&utf16(wide)).0, wide);
        assert_eq!(text(&[b"\xff\xfe".as_slice(), &utf16("<a/>")].concat()).0, "<a/>");
        assert_eq!(text(wide.as_bytes()).0, wide, "declared and not meant");
        assert_eq!(text(b"\xef\xbb\xbf<a/>"), ("<a/>".into(), false));
        assert_eq!(text(b"<a>\xff</a>"), ("<a>\u{fffd}</a>".into(), true));
        assert_eq!(text(b"<?xml encoding='klingon'?>").0, "<?xml encoding='klingon'?>");
    }

    #[test]
    fn references_are_text() {
        assert_eq!(unescape("expected &lt;200&gt; &amp; &quot;x&#34;"), "expected <200> & \"x\"");
        assert_eq!(unescape("a & b && c; &nosuch; &#xzz;&eacute;"), "a & b && c; &nosuch; &#xzz;é");
        assert_eq!(unescape("&#0;&#x1b;&#xd800;&#10;&#x1F600;"), "\u{fffd}\u{fffd}\u{fffd}\n😀");
        assert!(matches!(unescape("plain"), Cow::Borrowed("plain")));
    }
}
