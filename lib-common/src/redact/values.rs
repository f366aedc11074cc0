//! Reads a value that stands behind a name, from where it begins to where it ends.

/// How much of a value without quotes is read at first, so that a line of names only is not read again for each of them.
const BARE: usize = 512;

/// A value's place, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub start: usize,
    /// Of a value without quotes that is very long, no more than its beginning lies before this place.
    pub end: usize,
    pub quoted: bool,
}

impl Value {
    pub fn text<'l>(&self, line: &'l [u8]) -> std::borrow::Cow<'l, str> {
        String::from_utf8_lossy(&line[self.start..self.end])
    }
}

/// What may stand between a separator and the value, with what closes it.
const OPENERS: &[&[u8]] = &[
    b"<![CDATA[",
    b"[]string{",
    b"Some(",
    b"Just(",
    b"Secret(",
    b"Token(",
    b"Password(",
    b"[",
    b"(",
    b"b",
    b"u",
    b"r",
    b"@",
];

/// The value that begins at or behind `from`.
pub(super) fn value(line: &[u8], from: usize) -> Value {
    let mut at = skip_blanks(line, from);
    for _ in 0..4 {
        let rest = &line[at..];
        let Some(opener) = OPENERS.iter().find(|opener| rest.starts_with(opener)) else { break };
        // A letter opens a string only if a quote is behind it.
        if opener.len() == 1
            && (opener[0].is_ascii_alphabetic() || opener[0] == b'@')
            && !rest.get(1).is_some_and(|byte| b"\"'".contains(byte))
        {
            break;
        }
        // A call of a program's own has a quote behind it, or else is no value.
        let call = opener.ends_with(b"(")
            && opener.len() > 1
            && !opener.starts_with(b"Some")
            && !opener.starts_with(b"Just");
        if call && !rest.get(opener.len()).is_some_and(|byte| b"\"'".contains(byte)) {
            break;
        }
        at = skip_blanks(line, at + opener.len());
    }
    quoted(line, at).unwrap_or_else(|| bare(line, at, from))
}

/// The end of a value that is secret: of a very long one, whose beginning ends at `end`, the next blank or quote.
pub(super) fn end_of(line: &[u8], value: &Value, end: usize) -> usize {
    if value.quoted || value.end - value.start < BARE || end < value.end {
        return end;
    }
    end + line[end..]
        .iter()
        .take_while(|byte| !byte.is_ascii_whitespace() && !b"\"'`<".contains(byte))
        .count()
}

/// The next word behind `from`, up to a blank or a quote.
pub(super) fn next_word(line: &[u8], from: usize) -> Option<(usize, usize)> {
    let start = skip_blanks(line, from);
    let length = line[start..]
        .iter()
        .take_while(|byte| !byte.is_ascii_whitespace() && !b"\"'\\],<".contains(byte))
        .count();
    (start > from && length > 0).then_some((start, start + length))
}

fn skip_blanks(line: &[u8], from: usize) -> usize {
    from + line[from..].iter().take(64).take_while(|byte| b" \t".contains(byte)).count()
}

/// A value within quotes; they may be escaped, as in JSON within a JSON string, and so may quotes in the value.
fn quoted(line: &[u8], at: usize) -> Option<Value> {
    for entity in ["&quot;", "&#34;", "&#39;", "%22", "%27"] {
        if line[at..].starts_with(entity.as_bytes()) {
            let start = at + entity.len();
            let length =
                memchr::memmem::find(&line[start..], entity.as_bytes()).unwrap_or(line.len() - start);
            return Some(Value { start, end: start + length, quoted: true });
        }
    }
    let depth = line[at..].iter().take(16).take_while(|byte| **byte == b'\\').count();
    let quote = *line.get(at + depth).filter(|byte| b"\"'`".contains(byte))?;
    let start = at + depth + 1;
    // What no value begins with stands behind a quote that closes: `prompt="Password: " next=...`.
    if line.get(start).is_none_or(|byte| byte.is_ascii_whitespace() || b",;]})".contains(byte)) {
        return Some(Value { start, end: start, quoted: true });
    }
    let mut from = start;
    while let Some(found) = memchr::memchr(quote, &line[from..]).map(|found| from + found) {
        let slashes = line[start..found].iter().rev().take_while(|byte| **byte == b'\\').count();
        let next = line.get(found + 1).copied();
        // A doubled quote stands for one, in YAML, SQL and CSV.
        if slashes == 0 && depth == 0 && next == Some(quote) && found > start {
            from = found + 2;
            continue;
        }
        // `'it'\''s'`, as a shell's trace writes it.
        if quote == b'\'' && depth == 0 && line[found..].starts_with(b"'\\''") {
            from = found + 4;
            continue;
        }
        if slashes < depth || closes(slashes, depth) || (quote == b'\'' && depth == 0 && slashes == 0) {
            // Fewer slashes end the text around the value.
            let end = if slashes < depth { found - slashes } else { found - depth };
            return Some(Value { start, end: end.max(start), quoted: true });
        }
        from = found + 1;
    }
    let end = line.len() - line[start..].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    Some(Value { start, end: end.max(start), quoted: true })
}

/// Whether a quote with this many slashes before it ends what began with a quote with `depth` slashes. Each level of
/// quoting doubles the slashes of the level within and adds one for the quote.
fn closes(slashes: usize, depth: usize) -> bool {
    (slashes + 1).is_multiple_of(depth + 1) && ((slashes + 1) / (depth + 1) - 1).is_multiple_of(2)
}

/// A value without quotes: up to a blank, or a sign behind which something else begins.
fn bare(line: &[u8], start: usize, from: usize) -> Value {
    let encoded = line[..from].ends_with(b"%3D") || line[..from].ends_with(b"%3d");
    let mut end = start;
    let mut open = 0usize;
    while let Some(&byte) = line.get(end).filter(|_| end - start < BARE) {
        let rest = &line[end + 1..];
        let next = rest.first().copied();
        let stop = match byte {
            _ if byte.is_ascii_whitespace() => true,
            b'"' | b'`' | b'<' | b'\'' => true,
            b'\\' => next.is_none_or(|next| b"\"'nrt\\u".contains(&next)),
            b'&' => next.is_none_or(|_| {
                begins_other(rest)
                    || rest.starts_with(b"amp;")
                    || rest.starts_with(b"quot;")
                    || rest.starts_with(b"lt;")
            }),
            b',' | b';' | b'|' => begins_other(rest) || next.is_none_or(|next| b"}])".contains(&next)),
            b'(' | b'[' | b'{' => {
                open += 1;
                false
            }
            b')' | b']' | b'}' => match open.checked_sub(1) {
                Some(less) => {
                    open = less;
                    false
                }
                None => next.is_none_or(|next| !next.is_ascii_alphanumeric()),
            },
            b'%' => encoded && (rest.starts_with(b"26") || rest.starts_with(b"22")),
            _ => false,
        };
        if stop {
            break;
        }
        end += 1;
    }
    Value { start, end, quoted: false }
}

/// Whether another item begins here: a blank, a quote, or a name with a separator.
fn begins_other(rest: &[u8]) -> bool {
    let Some(first) = rest.first() else { return true };
    if first.is_ascii_whitespace() || b"\"'".contains(first) {
        return true;
    }
    let name = rest
        .iter()
        .take(40)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(byte))
        .count();
    name > 0 && rest.get(name).is_some_and(|byte| b"=:".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_values_end() {
        for (line, found) in [
            (r#""plain" x"#, "plain"),
            (r#""a\"b" x"#, r#"a\"b"#),
            (r#"\"a\\\"b\" x"#, r#"a\\\"b"#),
            (r#""a\\" x"#, r"a\\"),
            (r#"\"cut" x"#, "cut"),
            ("'it''s' x", "it''s"),
            (r"'it'\''s' x", r"it'\''s"),
            (r#"["one","two"]"#, "one"),
            ("&quot;a&quot; b", "a"),
            ("<![CDATA[a]b]]></x>", "a]b"),
            ("a,b;c&d next", "a,b;c&d"),
            ("a,b=c", "a"),
            ("a&b=c", "a"),
            ("a;Other Key=c", "a"),
            ("f(x)]) y", "f(x)"),
            ("\"open end ", "open end"),
            ("b'bytes'", "bytes"),
            ("\" next=\"x\"", ""),
            ("Some(\"x\")", "x"),
            ("x\\ny", "x"),
        ] {
            let value = value(line.as_bytes(), 0);
            assert_eq!(value.text(line.as_bytes()), found, "{line}");
        }
    }

    #[test]
    fn only_a_quote_of_the_same_depth_closes() {
        let closing = |depth: usize| (0..16).filter(|slashes| closes(*slashes, depth)).collect::<Vec<_>>();
        assert_eq!(closing(0), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(closing(1), [1, 5, 9, 13]);
        assert_eq!(closing(3), [3, 11]);
    }
}
