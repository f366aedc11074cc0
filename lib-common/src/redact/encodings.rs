//! The encoded forms in which a secret may appear in logs: base64, URL, JSON, hex, shell, HTML.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::MIN_SECRET;
use crate::text::percent_encode;

/// Shortest line of a secret of several lines that is searched for by itself; shorter ones are too common, unless they
/// look like secrets.
const MIN_LINE: usize = 8;
/// After how many characters `base64` and `openssl base64` begin a new line.
const WRAPS: [usize; 2] = [76, 64];

/// The longest secret of which also the encodings of encodings are searched for: of a longer one they would be too many,
/// and its lines are searched for by themselves.
const TWICE: usize = 192;

/// The secret itself and all its encoded forms, also encoded twice, sorted. Forms shorter than [`MIN_SECRET`] are left
/// out.
pub(super) fn all(secret: &[u8]) -> Vec<Vec<u8>> {
    let secret = secret.trim_ascii_end();
    let mut forms = once(secret);
    let lines: Vec<Vec<u8>> = lines(secret).collect();
    for line in &lines {
        forms.extend(once(line));
    }
    // One encoding may lie within another: a script within an argument, a JSON request within a log line, a redirect
    // within a URL.
    let outer: Vec<Vec<u8>> =
        forms.iter().filter(|form| form.len() <= TWICE).flat_map(|form| nested(form)).collect();
    forms.extend(outer);
    if secret.len() <= TWICE {
        // Base64 of the other forms, and the other forms of base64.
        for form in distinct(once(secret)) {
            forms.extend(base64(&form));
        }
    }
    forms.retain(|form| form.len() >= MIN_SECRET);
    distinct(forms)
}

fn distinct(mut forms: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    forms.sort();
    forms.dedup();
    forms
}

/// The secret itself and its forms in one encoding.
fn once(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    forms.extend(base64(secret));
    let hex = secret.iter().flat_map(|byte| hex_digits(*byte)).collect::<String>();
    forms.extend([hex.to_uppercase(), hex].map(String::into_bytes));
    forms.extend(urls(secret));
    forms.extend(jsons(&String::from_utf8_lossy(secret)).map(String::into_bytes));
    forms.extend(shells(secret));
    forms.extend(["&#39;", "&#x27;"].map(|quote| html(secret, quote, "&quot;")));
    forms.push(html(secret, "&#39;", "&#34;"));
    distinct(forms)
}

fn is_likely(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(super::value::is_likely)
}

fn hex_digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
}

/// The lines of a secret of several lines: logs are searched line by line, so each is searched for by itself. The BEGIN
/// and END lines of a PEM block are left out, because they are not secret and the rule for PEM blocks needs them.
fn lines(secret: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let parts = secret.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let several = secret.contains(&b'\n');
    parts
        .filter(move |line| {
            several && !line.starts_with(b"-----") && (line.len() >= MIN_LINE || is_likely(line))
        })
        .map(<[u8]>::to_vec)
}

/// The secret as it appears within the base64 of a longer text. Base64 encodes groups of three bytes, so there are
/// three alignments; of each the characters at both ends are left out, because they also depend on the neighbouring
/// bytes. Of a long secret each line of the wrapped form is added.
fn base64(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for skip in 0..3usize {
        let padded = [vec![0; skip], secret.to_vec()].concat();
        let inside = |text: String| {
            let from = (skip * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            text.get(from..to).map(|part| part.as_bytes().to_vec())
        };
        forms.extend(inside(STANDARD_NO_PAD.encode(&padded)));
        forms.extend(inside(URL_SAFE_NO_PAD.encode(&padded)));
    }
    let plain = STANDARD.encode(secret);
    for width in WRAPS {
        if plain.len() > width {
            let whole = plain.as_bytes().chunks(width).filter(|part| part.len() >= MIN_LINE);
            forms.extend(whole.map(<[u8]>::to_vec));
        }
    }
    forms
}

/// Percent-encoded forms. Programs differ in which characters they leave as they are, and in the case of hex digits.
fn urls(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for plain in ["", "/", "!'()*", "/:@!$&'()*+,;="] {
        let encode = |byte: &u8| {
            if plain.as_bytes().contains(byte) {
                (*byte as char).to_string()
            } else {
                percent_encode([*byte])
            }
        };
        // An encoded byte has three characters (`%2F`), any other has one.
        let lower = |part: String| if part.len() == 3 { part.to_lowercase() } else { part };
        let upper: String = secret.iter().map(encode).collect();
        let lower: String = secret.iter().map(encode).map(lower).collect();
        forms.extend([upper.replace("%20", "+"), upper, lower].map(String::into_bytes));
    }
    forms
}

/// The secret within a JSON string: as serde and most programs write it, as Go does (it escapes `<>&`), as PHP does (it
/// escapes `/`), as Python does (ASCII only), and within JSON that is itself in a JSON string.
fn jsons(secret: &str) -> [String; 5] {
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let go = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let php = plain.replace('/', "\\/");
    let mut ascii = String::new();
    for c in plain.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii += "\\u";
                ascii.extend(unit.to_be_bytes().into_iter().flat_map(hex_digits));
            }
        }
    }
    // JSON within a JSON string.
    let nested = plain.replace('\\', "\\\\").replace('"', "\\\"");
    [plain, go, php, ascii, nested]
}

/// A form within a URL, a JSON string or a shell's quotes once more.
fn nested(form: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = urls(form);
    if form.iter().any(|byte| b"'\"\\/<>&".contains(byte)) {
        forms.extend(jsons(&String::from_utf8_lossy(form)).map(String::into_bytes));
    }
    // Forms without quotes and backslashes stay as they are when quoted.
    if form.iter().any(|byte| b"'\"\\".contains(byte)) {
        let [single, other, ..] = shells(form);
        forms.extend([single, other]);
    }
    if form.iter().any(|byte| b"'\"<>&".contains(byte)) {
        forms.push(html(form, "&#39;", "&quot;"));
    }
    forms
}

/// The secret in a shell command: within single quotes (whose own quotes are written in two ways), within double
/// quotes, as `printf %q` writes it, and within `$'...'`.
fn shells(secret: &[u8]) -> [Vec<u8>; 5] {
    let escape = |special: &dyn Fn(u8) -> bool| -> Vec<u8> {
        secret.iter().flat_map(|&byte| [special(byte).then_some(b'\\'), Some(byte)]).flatten().collect()
    };
    let single = |quote: &'static [u8]| -> Vec<u8> {
        secret
            .iter()
            .flat_map(|byte| if *byte == b'\'' { quote } else { std::slice::from_ref(byte) })
            .copied()
            .collect()
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./:=@%+,".contains(&byte);
    let ansi = secret.iter().flat_map(|&byte| match byte {
        b'\n' => b"\\n".to_vec(),
        b'\t' => b"\\t".to_vec(),
        b'\'' | b'\\' => vec![b'\\', byte],
        0..0x20 | 0x7f.. => format!("\\x{byte:02x}").into_bytes(),
        _ => vec![byte],
    });
    [
        single(b"'\\''"),
        single(b"'\"'\"'"),
        escape(&|byte| b"$`\"\\!".contains(&byte)),
        escape(&|byte| !plain(byte)),
        ansi.collect(),
    ]
}

/// The secret in HTML. Programs differ in how they write the two quotes.
fn html(secret: &[u8], apostrophe: &str, quote: &str) -> Vec<u8> {
    let escape = |&byte: &u8| match byte {
        b'&' => b"&amp;".to_vec(),
        b'<' => b"&lt;".to_vec(),
        b'>' => b"&gt;".to_vec(),
        b'"' => quote.as_bytes().to_vec(),
        b'\'' => apostrophe.as_bytes().to_vec(),
        _ => vec![byte],
    };
    secret.iter().flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) -> bool {
        all(secret.as_bytes()).iter().any(|found| found == form.as_bytes())
    }

    #[test]
    fn usual_encodings() {
        let secret = "p\"w/ d'<x:é";
        for form in [
            secret,
            "p%22w%2F%20d%27%3Cx%3A%C3%A9",
            "p%22w%2f%20d%27%3cx%3a%c3%a9",
            "p%22w%2F+d%27%3Cx%3A%C3%A9",
            "p\\\"w/ d'<x:é",
            "p\\\"w/ d'\\u003cx:é",
            "p\\\"w\\/ d'<x:é",
            "p\\\"w/ d'<x:\\u00e9",
            "p\\\\\\\"w/ d'<x:é",
            "7022772f2064273c783ac3a9",
            "7022772F2064273C783AC3A9",
            "p\"w/ d'\\''<x:é",
            "p\\\"w/\\ d\\'\\<x:é",
            "p\"w/ d\\'<x:\\xc3\\xa9",
            "p&quot;w/ d&#39;&lt;x:é",
        ] {
            assert!(has(secret, form), "{form}");
        }
    }

    #[test]
    fn one_encoding_within_another() {
        let secret = "p\"w/ d+x&Z9";
        let url = |text: &str| {
            text.bytes().fold(String::new(), |out, byte| {
                if byte.is_ascii_alphanumeric() {
                    out + &(byte as char).to_string()
                } else {
                    out + &percent_encode([byte])
                }
            })
        };
        let json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
        let forms = all(secret.as_bytes());
        for (form, text) in [
            ("url url", url(&url(secret))),
            ("url base64", url(&STANDARD.encode(secret))),
            ("url json", url(&json(secret))),
            ("json url", json(&url(secret))),
            ("json json", json(&json(secret))),
            ("json base64", json(&STANDARD.encode(secret))),
        ] {
            let found = |form: &Vec<u8>| form.len() > 10 && text.contains(&*String::from_utf8_lossy(form));
            assert!(forms.iter().any(found), "{form}: {text}");
        }
        for inner in
            [url(secret), json(secret), STANDARD.encode(format!("u:{secret}")), STANDARD.encode(secret)]
        {
            let outer = STANDARD.encode(format!("x{inner}"));
            let found = |form: &Vec<u8>| form.len() > 10 && outer.contains(&*String::from_utf8_lossy(form));
            assert!(forms.iter().any(found), "{inner}: {outer}");
        }
    }

    #[test]
    fn base64_at_every_alignment_is_covered() {
        let secret = "s3cr3t/Zebra+42";
        let forms = all(secret.as_bytes());
        for before in ["", "x", "xy", "user:", "longer prefix "] {
            for after in ["", "y", "yz", "tail"] {
                let text = STANDARD.encode(format!("{before}{secret}{after}"));
                let found =
                    |form: &Vec<u8>| form.len() > 16 && text.contains(&*String::from_utf8_lossy(form));
                assert!(forms.iter().any(found), "{before}{after}: {text}");
            }
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_found_line_by_line() {
        let secret = "-----BEGIN X-----\nMIIEowIBAAKC\nshort\n-----END X-----\n";
        assert!(has(secret, "MIIEowIBAAKC"));
        assert!(!has(secret, "short") && !has(secret, "-----BEGIN X-----"));
        let long = "k".repeat(100);
        let wrapped = STANDARD.encode(&long);
        assert!(has(&long, &wrapped[..76]) && has(&long, &wrapped[76..]) && has(&long, &wrapped[64..128]));
    }
}
