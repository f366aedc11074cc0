//! Reads what stands behind a name: how its value is tied to it, and where the value begins.

/// How far behind a name its value may begin, where words stand between.
pub(super) const REACH: usize = 48;

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

/// What stands behind a name.
pub(super) struct Behind {
    /// Behind the quotes and brackets that close the name.
    at: usize,
    quoted: bool,
    closed: bool,
    /// Behind the blanks there.
    next: usize,
}

impl Behind {
    pub fn new(line: &[u8], end: usize) -> Self {
        let (mut at, mut quoted, mut closed) = (end, false, false);
        for _ in 0..8 {
            let rest = &line[at..];
            let entity = ["&quot;", "&#34;", "&#39;", "%22", "%27"]
                .iter()
                .find(|entity| rest.starts_with(entity.as_bytes()));
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
    pub fn separated(&self, line: &[u8]) -> Option<(Tie, usize)> {
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
            [b'=', b'=' | b'~', ..] | [b':', b':', ..] => None,
            [b'=', ..] if from > self.at => tie(Tie::Assigned, 1),
            [b'=', ..] if blank(1) => tie(Tie::Colon, 1),
            [b'=', ..] => tie(Tie::Equals, 1),
            [b':', ..] => tie(Tie::Colon, 1),
            [b'|', ..] => tie(Tie::Beside, 1),
            [b'>', ..] if self.quoted => tie(Tie::Element, 1),
            _ if rest.starts_with(b"&#61;") || rest.starts_with(b"%253D") || rest.starts_with(b"%253d") => {
                tie(Tie::Equals, 5)
            }
            _ if rest.starts_with(b"%3D") || rest.starts_with(b"%3d") => tie(Tie::Equals, 3),
            _ if rest.starts_with(b"%3A") || rest.starts_with(b"%3a") => tie(Tie::Colon, 3),
            _ => None,
        }
    }

    /// The tie of what only stands beside: a flag's next word, the next item of a list, the next word of a sentence.
    pub fn beside(&self, line: &[u8], flag: bool) -> Option<(Tie, usize)> {
        let rest = &line[self.next..];
        match rest.first()? {
            b',' if self.quoted
                && rest[1..].trim_ascii_start().first().is_some_and(|byte| b"\"'\\".contains(byte)) =>
            {
                Some((if flag { Tie::Flag } else { Tie::Beside }, self.next + 1))
            }
            b'(' if rest.get(1).is_some_and(|byte| b"\"'".contains(byte)) => {
                Some((Tie::Beside, self.next + 1))
            }
            _ if self.next == self.at => None,
            _ if flag => Some((Tie::Flag, self.next)),
            _ if self.closed || line[self.at..self.next].contains(&b'\t') => Some((Tie::Beside, self.next)),
            _ => {
                let verb = ["is ", "was ", "to ", "value ", "set to ", "is: ", "of "]
                    .iter()
                    .find(|verb| rest.starts_with(verb.as_bytes()));
                Some((Tie::Space, self.next + verb.map_or(0, |verb| verb.len())))
            }
        }
    }

    /// The value of a pair whose name is a value itself: `"name": "DB_PASSWORD", "value": "x"`.
    pub fn field(&self, line: &[u8]) -> Option<usize> {
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

    /// `<setting name="Password"><value>x</value>`, `<key>password</key><string>x</string>`: where the value begins.
    pub fn sibling(&self, line: &[u8]) -> Option<usize> {
        let rest = &line[self.at..line.len().min(self.at + REACH)];
        if !rest.contains(&b'>') {
            return None;
        }
        let tags: [&[u8]; 3] = [b"<value>", b"<string>", b"<val>"];
        let found = tags.iter().find_map(|tag| Some(memchr::memmem::find(rest, tag)? + tag.len()))?;
        Some(self.at + found)
    }

    /// `password for admin: x`: where the value begins.
    pub fn far(&self, line: &[u8]) -> Option<usize> {
        let rest = &line[self.at..line.len().min(self.at + REACH)];
        if !rest.starts_with(b" for ") && !rest.starts_with(b" of ") && !rest.starts_with(b" (") {
            return None;
        }
        let colon = rest.windows(2).position(|pair| pair == b": ")?;
        Some(self.at + colon + 1)
    }
}
