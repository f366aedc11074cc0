//! Finds values under the names of secrets, in the ways in which programs write names and values: `NAME=value`,
//! `name: value`, JSON, XML, PHP, Go, Ruby, header lists, connection strings, command lines, and plain sentences.
//!
//! A line is read once from left to right. Each name is looked at once, and what is searched behind it is bounded or
//! becomes part of a finding, so that the time grows with the line's length only.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::behind::{Behind, REACH, Tie};
use super::header::authorization;
use super::names::{Level, judge, judge_words, words};
use super::value::{
    is_code, is_harmless, is_likely, is_phrase, is_prose, is_random, is_set, is_state, is_version,
    is_versioned,
};
use super::values::{Value, end_of, value};
use super::words::LISTS;

/// A longer run of letters and digits is no name.
const LONGEST_NAME: usize = 80;

static STEM: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(&LISTS.stems).ok());

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
        Level::Perhaps => {
            is_random(value)
                || value.split_once([':', '/']).is_some_and(|(user, secret)| {
                    !user.is_empty() && !secret.starts_with('/') && secret.len() >= 6 && is_likely(secret)
                })
        }
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
        let before =
            line[from..start].iter().rev().take(LONGEST_NAME).take_while(|byte| is_name_byte(**byte)).count();
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
        if start > 0
            && line[start - 1] == b'%'
            && line[start..].iter().take(2).all(u8::is_ascii_hexdigit)
            && end - start > 4
        {
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
        if let Some(from) = behind.sibling(line) {
            found.push((Tie::Element, value(line, from)));
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
            Some(at)
                if before.ends_with(b":")
                    && before[..before.len() - 1]
                        .iter()
                        .rev()
                        .take_while(|b| b.is_ascii_alphanumeric())
                        .count()
                        > 0 =>
            {
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
        let short_number = number
            && (bare.len() < 6 || !last.contains("pass") && !last.starts_with('p') && last != "secret");
        // The name of a swarm secret, which is none itself.
        let object = last.starts_with("secret") && bare.rsplit('=').next().is_some_and(is_versioned);
        let count = number && bare.len() < 4;
        let whole = Some((value.start, value.end));
        if is_version(bare) {
            return None;
        }
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
            Tie::Equals => {
                let said = value.quoted && is_prose(&text);
                !said && (!count || last == "password")
            }
            Tie::Flag => !object && !count && !is_state(bare) && !bare.starts_with('-'),
            Tie::Assigned => !prose && !short_number,
            Tie::Element => {
                let closed =
                    [b"<".as_slice(), b"&lt;", b"]]>"].iter().any(|sign| line[value.end..].starts_with(sign));
                !prose && !short_number && (closed || is_likely(bare))
            }
            Tie::Colon if value.quoted => !prose && !short_number,
            Tie::Colon => {
                let last_word = line[value.end..].trim_ascii().is_empty();
                let upper = is_environment(name);
                !prose
                    && !object
                    && (is_likely(bare) && !short_number || upper && last_word && !number && bare.len() > 4)
            }
            Tie::Beside => !prose && is_likely(bare) && !short_number,
            Tie::Space => {
                // A line of a configuration has two words only.
                let directive = line[..self.start].trim_ascii().is_empty()
                    && line[value.end..].trim_ascii().is_empty()
                    && (last.len() > 8 || name.contains(['_', '-']) || value.quoted);
                // `token` also is what a parser reads.
                let random = is_random(bare) && (last != "token" || bare.len() >= 12);
                let said = last.contains("passwo")
                    && is_likely(bare)
                    && !short_number
                    && bare.bytes().any(|byte| byte.is_ascii_digit());
                let sql =
                    value.quoted && last == "password" && !name.bytes().any(|byte| byte.is_ascii_lowercase());
                !prose && (random || said || (directive || sql) && !number)
            }
        };
        secret.then_some(()).and(whole)
    }

    /// `user:password` and `user/password` under a name such as `BASIC_AUTH`.
    fn part(&self, line: &[u8], value: &Value) -> Option<(usize, usize)> {
        let text = value.text(line);
        let at = text.find([':', '/'])?;
        let (user, secret) = (&text[..at], &text[at + 1..]);
        let base64 = user.bytes().any(|byte| byte.is_ascii_digit())
            && user.bytes().any(|byte| byte.is_ascii_uppercase());
        let plain = !user.is_empty()
            && !base64
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-@".contains(&byte));
        let auth = words(self.text(line)).iter().any(|word| word.ends_with("auth") || word.ends_with("dsn"));
        (plain && auth && secret.len() >= 6 && is_likely(secret)).then_some((value.start + at + 1, value.end))
    }
}
