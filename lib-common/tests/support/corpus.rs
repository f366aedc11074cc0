//! Two corpora of lines, made from the files in `tests/data/redact`: lines with a secret, and lines without one that
//! hold what looks or sounds like one. Names, shapes and values are multiplied; values follow from the line's number, so
//! that every run has the same lines.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use lib_common::redact::Redactor;

/// The halves: shapes that were written down before the rules were read, and after.
pub const HALVES: [&str; 2] = ["blind", "read"];
/// How many bytes of a secret in a row are a leak.
const LEAK: usize = 6;

/// How one corpus fared.
#[derive(Default)]
pub struct Figure {
    pub lines: usize,
    /// Lines whose secret stayed, or harmless lines that changed: the line, and what came out.
    pub wrong: Vec<(String, String)>,
}

impl Figure {
    /// The share of lines that are as they should be, in percent.
    pub fn right(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let share = (self.lines - self.wrong.len()) as f64 / self.lines.max(1) as f64;
        100.0 * share
    }
}

/// Lines of a data file that are no comments.
fn read(half: &str, name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/redact").join(half).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).map(str::to_owned).collect()
}

/// How much of the secrets of this half was hidden.
pub fn recall(half: &str) -> Figure {
    let mut figure = Figure::default();
    let mut number = 0;
    let mut check = |template: &str, name: Option<&str>| {
        number += 1;
        let (line, secrets) = fill(template, name, number);
        let out = redact(&line);
        figure.lines += 1;
        let rest = without_marks(&out);
        if secrets.iter().any(|secret| leaks(secret, &rest)) {
            figure.wrong.push((line, out));
        }
    };
    let names = read(half, "names");
    for shape in read(half, "shapes") {
        for name in &names {
            check(&shape, Some(name));
        }
    }
    for line in read(half, "lines") {
        check(&line, None);
    }
    for form in read(half, "forms") {
        for context in
            ["using «FORM»", "{\"x\":\"«FORM»\"}", "GET /x/«FORM»?y=1", "x=«FORM» y=1", "(«FORM»)", "«FORM»"]
        {
            check(&context.replace("FORM", &form), None);
        }
    }
    figure
}

/// How many harmless lines of this half were changed.
pub fn harmless(half: &str) -> Figure {
    let mut lines = read(half, "harmless-lines");
    let shapes = read(half, "harmless-shapes");
    for pair in read(half, "harmless-names") {
        let (name, value) = pair.split_once(' ').unwrap_or_else(|| panic!("{pair}: no value"));
        lines.extend(shapes.iter().map(|shape| shape.replace("{n}", name).replace("{v}", value)));
    }
    let mut figure = Figure { lines: lines.len(), wrong: Vec::new() };
    for (number, line) in lines.into_iter().enumerate() {
        let (line, _) = fill(&line, None, number);
        let out = redact(&line);
        if out != line {
            figure.wrong.push((line, out));
        }
    }
    figure
}

/// What is left of a text without the marks of the redactor.
fn without_marks(out: &str) -> String {
    out.split("[REDACTED:")
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once(']').map_or(part, |(_, rest)| rest) })
        .collect::<Vec<_>>()
        .join("\0")
}

fn redact(line: &str) -> String {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&[""; 0]));
    String::from_utf8_lossy(&REDACTOR.fork().text(line.as_bytes())).into_owned()
}

/// Whether [`LEAK`] bytes in a row of the secret are still there.
fn leaks(secret: &str, out: &str) -> bool {
    let secret = secret.as_bytes();
    secret.windows(LEAK.min(secret.len())).any(|part| memchr::memmem::find(out.as_bytes(), part).is_some())
}

/// The line of a template, and its secrets: what stands between `«` and `»`, or else every value.
fn fill(template: &str, name: Option<&str>, number: usize) -> (String, Vec<String>) {
    let (mut line, mut secrets) = (String::new(), Vec::new());
    let mut random = Random(blake3::hash(format!("{template}{number}").as_bytes()));
    let mut rest = template;
    let mut marked = None;
    while let Some(at) = rest.find(['{', '«', '»']) {
        line += &rest[..at];
        let sign = rest[at..].chars().next().unwrap_or_default();
        rest = &rest[at + sign.len_utf8()..];
        match sign {
            '«' => marked = Some(line.len()),
            '»' => secrets.extend(marked.take().map(|from| line[from..].to_owned())),
            _ => {
                let found = rest.find('}').map(|end| (&rest[..end], end));
                let value = found.and_then(|(kind, _)| random.value(kind));
                let named = found.and_then(|(kind, _)| joined(name?, kind));
                match (value, named, found) {
                    (Some(value), _, Some((_, end))) => {
                        if name.is_some() {
                            secrets.push(value.clone());
                        }
                        line += &value;
                        rest = &rest[end + 1..];
                    }
                    (_, Some(named), Some((_, end))) => {
                        line += &named;
                        rest = &rest[end + 1..];
                    }
                    _ => line.push('{'),
                }
            }
        }
    }
    (line + rest, secrets)
}

/// The words of a name, joined as the placeholder shows: `NAME`, `name`, `na-me`, `naMe`, `NaMe`, `naame`.
fn joined(name: &str, kind: &str) -> Option<String> {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let words: Vec<&str> = name.split(' ').collect();
    Some(match kind {
        "NAME" => words.join("_").to_uppercase(),
        "name" => words.join("_"),
        "na-me" => words.join("-"),
        "naame" => words.concat(),
        "NaMe" => words.iter().map(|word| capital(word)).collect(),
        "naMe" => words[0].to_owned() + &words[1..].iter().map(|word| capital(word)).collect::<String>(),
        _ => return None,
    })
}

/// Values that follow from a hash.
struct Random(blake3::Hash);

impl Random {
    /// A value of a kind: `v` letters and digits, `h` hex, `s` lower case and digits, `A` upper case and digits, `b`
    /// base64, each with a length behind it; `p` with signs, `p2` with fewer, `q` with blanks too; `w44` a key of
    /// `WireGuard`, `u` a UUID.
    fn value(&mut self, kind: &str) -> Option<String> {
        let lower = "abcdefghijkmnpqrstuvwxyz";
        let upper = "ABCDEFGHJKLMNPQRSTUVWXYZ";
        let digits = "0123456789";
        let (letter, length) = kind.split_at(kind.len().min(1));
        let length: usize = if length.is_empty() { 0 } else { length.parse().ok()? };
        let long = |standard: usize| if length > 0 { length } else { standard };
        Some(match letter {
            "v" => self.of(&[lower, upper, digits], long(12)),
            "h" => self.of(&["abcdef", digits, digits], long(32)),
            "s" => self.of(&[lower, digits], long(20)),
            "A" => self.of(&[upper, digits, upper], long(20)),
            "b" => self.of(&[lower, upper, digits, lower, upper, "+/"], long(27)) + "=",
            "p" if length == 2 => self.of(&[lower, digits, "!#*_-.", upper], 13),
            "p" => self.of(&[upper, lower, "!#@^*+~%?", digits], 14),
            "q" => {
                let [one, two] = [0; 2].map(|_| self.of(&[upper, lower, "!#@^*", digits], 7));
                format!("{one} {two}")
            }
            "w" => self.of(&[lower, upper, digits], 42) + "E=",
            "u" => {
                let mut text = String::new();
                for (at, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                    let part = self.of(&["abcdef", digits], length);
                    let _ = write!(text, "{}{part}", if at > 0 { "-" } else { "" });
                }
                text
            }
            _ => return None,
        })
    }

    /// `length` characters, one of each alphabet by turns.
    fn of(&mut self, alphabets: &[&str], length: usize) -> String {
        let mut text = String::new();
        for at in 0..length {
            if at % 32 == 0 {
                self.0 = blake3::hash(self.0.as_bytes());
            }
            let alphabet = alphabets[at % alphabets.len()].as_bytes();
            text.push(alphabet[usize::from(self.0.as_bytes()[at % 32]) % alphabet.len()] as char);
        }
        text
    }
}
