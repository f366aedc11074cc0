//! Finds values under the names of secrets, in the ways in which programs write names and values: `NAME=value`,
//! `name: value`, JSON, XML, PHP, Go, Ruby, header lists, connection strings, command lines, and plain sentences.
//!
//! A line is read once from left to right. Each name is looked at once, and what is searched behind it is bounded or
//! becomes part of a finding, so that the time grows with the line's length only.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::names::{Level, STEMS, judge, judge_words, words};
use super::value::{is_code, is_harmless, is_likely, is_phrase, is_prose, is_random, is_set, is_state, is_versioned};
use super::values::{Value, end_of, next_word, value};

/// A longer run of letters and digits is no name.
const LONGEST_NAME: usize = 80;
/// How far behind a name its value may begin, where words stand between.
const REACH: usize = 48;

static STEM: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(STEMS).ok());

/// How a value is tied to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    /// `NAME=value`, an attribute, a parameter: nothing else can stand there.
    Equals,
    /// `name = value`, `name := value`, `name => value`: also in the text of a program.
    Assigned,
    /// `name: value`: also in a sentence.
    Colon,
    /// `--name value`.
    Flag,
    /// `<name>value</name>`.
    Element,
    /// `"name", "value"`, `name | value`: also in lists of names.
    Beside,
    /// `name value`: a sentence, or a line of a configuration.
    Space,
}

/// Calls `on` with the place of each secret under a secret's name.
pub(super) fn find(line: &[u8], mut on: impl FnMut(usize, usize)) {
    let Some(stems) = &*STEM else { return };
    let mut at = 0;
    for stem in stems.find_iter(line) {
        if stem.start() < at {
            continue;
        }
        let Some(name) = Name::around(line, at, stem.start(), stem.end()) else {
            at = stem.end();
            continue;
        };
        at = name.end;
        if name.end - name.start > LONGEST_NAME {
            continue;
        }
        let level = name.level(line);
        if level == Level::Open {
            continue;
        }
        let found = name.values(line).into_iter().find_map(|(tie, value)| {
            let (start, end) = name.secret(line, level, tie, &value)?;
            Some((start, end_of(line, &value, end)))
        });
        if let Some((start, end)) = found {
            on(start, end);
            // What the finding covers is not read again, unless it is short, as in a list of names.
            at = at.max(end.min(line.len()));
        }
    }
}

/// Whether the value under this name, as environments and labels have it, is a secret.
#[must_use]
pub fn is_secret(name: &str, value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() || is_harmless(value) {
        return false;
    }
    match judge(name) {
        Level::Open => false,
        Level::Perhaps if is_environment(name) && is_set(value) => true,
        Level::Perhaps => is_random(value) || value.split_once([':', '/']).is_some_and(|(user, secret)| {
            !user.is_empty() && !secret.starts_with('/') && secret.len() >= 6 && is_likely(secret)
        }),
        Level::Secret => true,
    }
}

/// A name of several words in upper case.
fn is_environment(name: &str) -> bool {
    name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

struct Name {
    start: usize,
    end: usize,
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

impl Name {
    /// The whole name that `start..end` lies in; it does not begin before `from`.
    fn around(line: &[u8], from: usize, start: usize, end: usize) -> Option<Self> {
        let before = line[from..start].iter().rev().take(LONGEST_NAME).take_while(|byte| is_name_byte(**byte)).count();
        let behind = line[end..].iter().take_while(|byte| is_name_byte(**byte)).count();
        let (mut start, mut end) = (start - before, end + behind);
        while start < end && b"-.".contains(&line[start]) {
            start += 1;
        }
        // The letter of an escape in a string: `\nDB_PASSWORD`.
        if start > 0 && line[start - 1] == b'\\' && b"nrt".contains(&line[start]) && end - start > 3 {
            start += 1;
        }
        // A property of Java: `-Dpassword`.
        if start > 0 && line[start - 1] == b'-' && line[start] == b'D' && end - start > 3 {
            start += 1;
        }
        // An encoded sign: `%26password`.
        if start > 0 && line[start - 1] == b'%' && line[start..].iter().take(2).all(u8::is_ascii_hexdigit) && end - start > 4 {
            start += 2;
        }
        while start < end && b"-.".contains(&line[end - 1]) {
            end -= 1;
        }
        (start < end).then_some(Self { start, end })
    }

    fn text<'l>(&self, line: &'l [u8]) -> &'l str {
        std::str::from_utf8(&line[self.start..self.end]).unwrap_or_default()
    }

    /// What the name says. Of a lone `key` the word before it tells: `Unseal Key 1`, `cache key`.
    fn level(&self, line: &[u8]) -> Level {
        let text = self.text(line);
        if !["key", "keys", "pass"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return judge(text);
        }
        let before = &line[self.start.saturating_sub(REACH)..self.start];
        let before = before.strip_suffix(b" ").unwrap_or_default();
        let from = before.iter().rposition(|byte| !is_name_byte(*byte)).map_or(0, |at| at + 1);
        let mut all = words(std::str::from_utf8(&before[from..]).unwrap_or_default());
        all.extend(words(text));
        judge_words(&all)
    }

    /// Where this name's value may stand, the likeliest place first.
    fn values(&self, line: &[u8]) -> Vec<(Tie, Value)> {
        let mut found = Vec::new();
        let element = self.is_element(line);
        let behind = Behind::new(line, self.end);
        if let Some(from) = element {
            found.push((Tie::Element, value(line, from)));
        } else if let Some((tie, from)) = behind.separated(line) {
            found.push((tie, value(line, from)));
        }
        if found.is_empty()
            && let Some((tie, from)) = behind.beside(line, self.is_flag(line))
        {
            found.push((tie, value(line, from)));
        }
        if let Some(from) = behind.field(line) {
            found.insert(0, (Tie::Equals, value(line, from)));
        }
        if let Some(from) = behind.far(line) {
            found.push((Tie::Space, value(line, from)));
        }
        found
    }

    fn is_flag(&self, line: &[u8]) -> bool {
        let dashes = line[..self.start].iter().rev().take_while(|byte| **byte == b'-').count();
        let before = (self.start - dashes).checked_sub(1).map_or(b' ', |at| line[at]);
        (1..=2).contains(&dashes) && (before.is_ascii_whitespace() || b"\"'[(,=`".contains(&before))
    }

    /// Where the text of the element begins that has this name: `<name>`, `<ns:name a="b">`, `&lt;name&gt;`.
    fn is_element(&self, line: &[u8]) -> Option<usize> {
        let before = &line[self.start.saturating_sub(16)..self.start];
        if before.ends_with(b"&lt;") {
            return line[self.end..].starts_with(b"&gt;").then_some(self.end + 4);
        }
        let before = match before.iter().rposition(|byte| !byte.is_ascii_alphanumeric()) {
            Some(at) if before.ends_with(b":") && before[..before.len() - 1].iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count() > 0 => {
                let prefix = before[..at].iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
                &before[..at - prefix]
            }
            _ => before,
        };
        if !before.ends_with(b"<") {
            return None;
        }
        let rest = &line[self.end..line.len().min(self.end + 200)];
        let close = rest.iter().position(|byte| b"<>".contains(byte))?;
        let plain = rest[..close].first().is_none_or(u8::is_ascii_whitespace);
        (rest[close] == b'>' && plain && !rest[..close].ends_with(b"/")).then_some(self.end + close + 1)
    }

    /// The part of the value that is secret, if it is.
    fn secret(&self, line: &[u8], level: Level, tie: Tie, value: &Value) -> Option<(usize, usize)> {
        let text = value.text(line);
        let name = self.text(line);
        let last = words(name).pop().unwrap_or_default();
        if last.ends_with("authorization") {
            return authorization(line, value);
        }
        let bare = text.trim_end_matches(['.', ')', ']', ':', '>', '…', ';', ',']);
        if bare.len() < 3 || is_harmless(&text) || is_harmless(bare) || (!value.quoted && is_code(&text)) {
            return None;
        }
        let number = bare.bytes().all(|byte| byte.is_ascii_digit());
        let short_number = number && (bare.len() < 6 || !last.contains("pass") && !last.starts_with('p') && last != "secret");
        let whole = Some((value.start, value.end));
        if level == Level::Perhaps {
            // `key="DB_PASSWORD" value="x"` names the name.
            let names = last == "key" && bare.bytes().all(is_name_byte) && judge(bare) == Level::Secret;
            let said = tie != Tie::Space || last == "auth" || words(name).len() > 1;
            // In an environment such names are those of secrets more often: `REDISCLI_AUTH=hunter22`.
            let set = [Tie::Equals, Tie::Flag].contains(&tie) && is_environment(name) && is_set(bare);
            let secret = said && !names && (set || is_random(bare) || value.quoted && is_phrase(&text));
            return self.part(line, value).or(whole.filter(|_| secret));
        }
        let prose = is_prose(&text) || is_state(bare);
        let secret = match tie {
            Tie::Equals => !(number && bare.len() < 4 && last != "password") && !(value.quoted && is_prose(&text)),
            Tie::Flag => !(last.starts_with("secret") && is_versioned(bare)) && !(number && bare.len() < 4) && !is_state(bare) && !bare.starts_with('-'),
            Tie::Assigned => !prose && !short_number,
            Tie::Element => {
                let closed = [b"<".as_slice(), b"&lt;", b"]]>"].iter().any(|sign| line[value.end..].starts_with(sign));
                !prose && !short_number && (closed || is_likely(bare))
            }
            Tie::Colon if value.quoted => !prose && !short_number,
            Tie::Colon => {
                let object = last.starts_with("secret") && is_versioned(bare);
                let last_word = line[value.end..].trim_ascii().is_empty();
                let upper = is_environment(name);
                !prose && !object && (is_likely(bare) && !short_number || upper && last_word && !number && bare.len() > 4)
            }
            Tie::Beside => !prose && is_likely(bare) && !short_number,
            Tie::Space => {
                // A line of a configuration has two words only.
                let directive = line[..self.start].trim_ascii().is_empty()
                    && line[value.end..].trim_ascii().is_empty()
                    && (last.len() > 8 || name.contains(['_', '-']) || value.quoted);
                let said = last.contains("passw") && is_likely(bare) && !short_number && bare.bytes().any(|byte| byte.is_ascii_digit());
                let sql = value.quoted && last == "password" && !name.bytes().any(|byte| byte.is_ascii_lowercase());
                !prose && (is_random(bare) || said || (directive || sql) && !number)
            }
        };
        secret.then_some(()).and(whole)
    }

    /// `user:password` and `user/password` under a name such as `BASIC_AUTH`.
    fn part(&self, line: &[u8], value: &Value) -> Option<(usize, usize)> {
        let text = value.text(line);
        let at = text.find([':', '/'])?;
        let (user, secret) = (&text[..at], &text[at + 1..]);
        let base64 = user.bytes().any(|byte| byte.is_ascii_digit()) && user.bytes().any(|byte| byte.is_ascii_uppercase());
        let plain = !user.is_empty() && !base64 && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-@".contains(&byte));
        let auth = words(self.text(line)).iter().any(|word| word.ends_with("auth") || word.ends_with("dsn"));
        (plain && auth && secret.len() >= 6 && is_likely(secret)).then_some((value.start + at + 1, value.end))
    }
}

/// The credentials of an Authorization header: what stands behind the scheme, or all of it.
fn authorization(line: &[u8], value: &Value) -> Option<(usize, usize)> {
    const SCHEMES: [&str; 16] = [
        "basic", "bearer", "digest", "token", "bot", "negotiate", "ntlm", "apikey", "api-key", "key", "jwt", "oauth", "hawk",
        "ssws", "aws4-hmac-sha256", "user",
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
    if ["digest", "aws4-hmac-sha256", "hawk", "oauth"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return text.contains('=');
    }
    let basic = scheme.eq_ignore_ascii_case("basic");
    let long = text.len() >= 16 || text.len() >= 8 && text.contains(['.', '-', '_', '=']);
    let plain = text.len() >= 4 && !text.contains(' ') && !is_harmless(text) && !is_state(text);
    plain && (basic && text.len() % 4 == 0 || is_likely(text) || long)
}

/// What stands behind a name.
struct Behind {
    /// Behind the quotes and brackets that close the name.
    at: usize,
    quoted: bool,
    closed: bool,
    /// Behind the blanks there.
    next: usize,
}

impl Behind {
    fn new(line: &[u8], end: usize) -> Self {
        let (mut at, mut quoted, mut closed) = (end, false, false);
        for _ in 0..8 {
            let rest = &line[at..];
            let entity = ["&quot;", "&#34;", "&#39;", "%22", "%27"].iter().find(|entity| rest.starts_with(entity.as_bytes()));
            match (rest.first(), entity) {
                (_, Some(entity)) => (at, quoted) = (at + entity.len(), true),
                (Some(b'"' | b'\'' | b'`'), _) => (at, quoted) = (at + 1, true),
                (Some(b'\\'), _) if rest.get(1).is_some_and(|byte| b"\\\"'".contains(byte)) => at += 1,
                (Some(b']' | b')'), _) => (at, closed) = (at + 1, true),
                _ => break,
            }
        }
        let blanks = line[at..].iter().take(32).take_while(|byte| b" \t".contains(byte)).count();
        Self { at, quoted, closed, next: at + blanks }
    }

    /// The tie of `=`, `:` and their like, and where the value begins.
    fn separated(&self, line: &[u8]) -> Option<(Tie, usize)> {
        let mut from = self.next;
        // `Unseal Key 1: ...`
        let digits = line[from..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        if from > self.at && digits > 0 && line.get(from + digits) == Some(&b':') {
            from += digits;
        }
        let rest = &line[from..];
        let blank = |at: usize| rest.get(at).is_none_or(u8::is_ascii_whitespace);
        let tie = |tie: Tie, length: usize| Some((tie, from + length));
        match rest {
            [b'=', b'>', ..] | [b':', b'=', ..] => tie(Tie::Assigned, 2),
            [b'-', b'>', ..] => tie(Tie::Beside, 2),
            [b'=', b'=', ..] | [b':', b':', ..] | [b'=', b'~', ..] => None,
            [b'=', ..] if from > self.at => tie(Tie::Assigned, 1),
            [b'=', ..] if blank(1) => tie(Tie::Colon, 1),
            [b'=', ..] => tie(Tie::Equals, 1),
            [b':', ..] => tie(Tie::Colon, 1),
            [b'|', ..] => tie(Tie::Beside, 1),
            [b'>', ..] if self.quoted => tie(Tie::Element, 1),
            _ if rest.starts_with(b"&#61;") || rest.starts_with(b"%253D") || rest.starts_with(b"%253d") => tie(Tie::Equals, 5),
            _ if rest.starts_with(b"%3D") || rest.starts_with(b"%3d") => tie(Tie::Equals, 3),
            _ if rest.starts_with(b"%3A") || rest.starts_with(b"%3a") => tie(Tie::Colon, 3),
            _ => None,
        }
    }

    /// The tie of what only stands beside: a flag's next word, the next item of a list, the next word of a sentence.
    fn beside(&self, line: &[u8], flag: bool) -> Option<(Tie, usize)> {
        let rest = &line[self.next..];
        match rest.first()? {
            b',' if self.quoted && rest[1..].trim_ascii_start().first().is_some_and(|byte| b"\"'\\".contains(byte)) => Some((if flag { Tie::Flag } else { Tie::Beside }, self.next + 1)),
            b'(' if rest.get(1).is_some_and(|byte| b"\"'".contains(byte)) => Some((Tie::Beside, self.next + 1)),
            _ if self.next == self.at => None,
            _ if flag => Some((Tie::Flag, self.next)),
            _ if self.closed || line[self.at..self.next].contains(&b'\t') => Some((Tie::Beside, self.next)),
            _ => {
                let verb = ["is ", "was ", "to ", "value ", "set to ", "is: ", "of "].iter().find(|verb| rest.starts_with(verb.as_bytes()));
                Some((Tie::Space, self.next + verb.map_or(0, |verb| verb.len())))
            }
        }
    }

    /// The value of a pair whose name is a value itself: `"name": "DB_PASSWORD", "value": "x"`.
    fn field(&self, line: &[u8]) -> Option<usize> {
        let rest = &line[self.at..line.len().min(self.at + 12)];
        let skipped = rest.iter().take_while(|byte| b" ,{}\"'\\;\t".contains(byte)).count();
        let from = self.at + skipped;
        let word = line[from..].iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let name = line[from..from + word].to_ascii_lowercase();
        let known: [&[u8]; 6] = [b"value", b"val", b"v", b"content", b"data", b"default"];
        if skipped == 0 || !known.contains(&name.as_slice()) {
            return None;
        }
        let behind = Self::new(line, from + word);
        let (_, from) = behind.separated(line)?;
        Some(from)
    }

    /// `password for admin: x`: where the value begins.
    fn far(&self, line: &[u8]) -> Option<usize> {
        let rest = &line[self.at..line.len().min(self.at + REACH)];
        if !rest.starts_with(b" for ") && !rest.starts_with(b" of ") && !rest.starts_with(b" (") {
            return None;
        }
        let colon = rest.windows(2).position(|pair| pair == b": ")?;
        Some(self.at + colon + 1)
    }
}
