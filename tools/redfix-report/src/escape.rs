//! Makes foreign text harmless for a terminal and for Markdown. Pure.

use std::fmt::Write;

/// One line without escape sequences, control characters or text-direction marks; white space folded.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => skip_sequence(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Skips what belongs to an ESC: a CSI sequence up to its final byte, OSC and the other strings up to BEL or ST, else
/// one character.
fn skip_sequence(chars: &mut Chars) {
    match chars.next() {
        Some('[') => skip_csi(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\x07' || c == '\u{9c}' || (c == '\x1b' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        // These choose a character set or a size, by one more byte.
        Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
            chars.next();
        }
        _ => {}
    }
}

fn skip_csi(chars: &mut Chars) {
    while chars.next_if(|c| ('\x20'..='\x3f').contains(c)).is_some() {}
    chars.next_if(|c| ('\x40'..='\x7e').contains(c));
}

/// Characters that change the direction of text or take no room, so that a line could look like another one; and the
/// two characters besides control characters that XML does not allow.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// Cuts a text to `limit` characters. The last is an ellipsis if something was cut.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Plain text as Markdown that shows just that text: nothing in it is markup, a mention, a reference, a command or a
/// link. A zero-width space breaks up what a forge would turn into one of these.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = plain(text).chars().collect::<Vec<_>>().into_iter().peekable();
    while let Some(c) = chars.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '|' => {
                let _ = write!(out, "\\{c}");
            }
            '@' | '#' | '!' | '~' | '%' | '$' | '^' => {
                let _ = write!(out, "\\{c}\u{200b}");
            }
            ':' if chars.peek() == Some(&'/') => out.push_str(":\u{200b}"),
            '.' if out.ends_with("www") || out.ends_with("WWW") => out.push_str("\u{200b}."),
            '-' if out.ends_with("GH") => out.push_str("-\u{200b}"),
            '+' | '-' | '=' if out.is_empty() => {
                let _ = write!(out, "\\{c}");
            }
            c => out.push(c),
        }
    }
    out
}

/// A fenced code block. The fence is longer than any in `text`, so that the text cannot end the block.
#[must_use]
pub fn fenced(text: &str, language: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sequences_and_marks_are_gone() {
        assert_eq!(plain("\x1b[31;1mred\x1b[0m\tand\r\n  blue\x07"), "red and blue");
        assert_eq!(plain("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x07!"), "click!");
        assert_eq!(plain("a\u{202e}b\u{9b}2Jc\u{0}\u{7f}\x1b(Bd"), "abcd");
        assert_eq!(plain("a\u{fffe}b\u{ffff}"), "ab");
    }

    #[test]
    fn markdown_is_only_text() {
        assert_eq!(markdown("a|b `c` <img>"), "a\\|b \\`c\\` &lt;img&gt;");
        assert_eq!(markdown("@ada #12 !testme"), "\\@\u{200b}ada \\#\u{200b}12 \\!\u{200b}testme");
        assert_eq!(markdown("http://x www.y"), "http:\u{200b}//x www\u{200b}.y");
        assert_eq!(markdown("- x"), "\\- x");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("a ```` b", "sh"), "`````sh\na ```` b\n`````\n");
    }

    #[test]
    fn cut_counts_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }

    proptest! {
        #[test]
        fn plain_never_leaves_a_control_character(text in ".{0,80}") {
            let once = plain(&text);
            prop_assert!(!once.chars().any(|c| c.is_control() || is_invisible(c)));
            prop_assert_eq!(plain(&once), once);
        }

        #[test]
        fn markdown_leaves_no_bare_special(text in "[ -~]{0,60}") {
            let out = markdown(&text);
            prop_assert!(!out.contains(['<', '>', '\n']));
            let mut escaped = false;
            for c in out.chars() {
                prop_assert!(escaped || !"`*_[]()|@#!~$".contains(c), "{}", out);
                escaped = c == '\\' && !escaped;
            }
        }
    }
}
