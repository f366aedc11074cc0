//! Finds and replaces a section of a text between two marker lines. Pure.

use std::ops::Range;

fn markers(name: &str) -> (String, String) {
    (format!("<!-- redfix:begin {name} -->"), format!("<!-- redfix:end {name} -->"))
}

/// Where the content of a section is, without the markers; `None` if there is no such section. A marker without its
/// counterpart, and a marker that is there twice, is an error that names the line.
pub fn find(text: &str, name: &str) -> Result<Option<Range<usize>>, String> {
    let (begin, end) = markers(name);
    let (mut start, mut found, mut at) = (None, None, 0);
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let place = |what: &str| format!("line {}: {what}", n + 1);
        if line.trim() == begin {
            if start.is_some() || found.is_some() {
                return Err(place("the section begins twice"));
            }
            start = Some((at + line.len(), n + 1));
        } else if line.trim() == end {
            let Some((from, _)) = start.take() else {
                return Err(place("the section ends before it begins"));
            };
            found = Some(from..at);
        }
        at += line.len();
    }
    match start {
        Some((_, line)) => Err(format!("line {line}: the section does not end")),
        None => Ok(found),
    }
}

/// `text` with `content` in the section. If there is no such section, it is added at the end.
pub fn replaced(text: &str, name: &str, section: Option<Range<usize>>, content: &str) -> String {
    if let Some(range) = section {
        return [&text[..range.start], content, &text[range.end..]].concat();
    }
    let (begin, end) = markers(name);
    let gap = match text {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{begin}\n{content}{end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markers_must_pair() {
        assert_eq!(find("a\n", "x"), Ok(None));
        let whole = "a\n<!-- redfix:begin x -->\nb\n  <!-- redfix:end x -->\r\nc";
        assert_eq!(find(whole, "x").unwrap().map(|range| &whole[range]), Some("b\n"));
        assert_eq!(find(whole, "y"), Ok(None));
        let begin = "<!-- redfix:begin x -->\n";
        let end = "<!-- redfix:end x -->\n";
        for (text, line) in [
            (format!("\n{begin}"), "line 2"),
            (end.to_owned(), "line 1"),
            (format!("{begin}{begin}{end}"), "line 2"),
            (format!("{begin}{end}\n{begin}{end}"), "line 4"),
        ] {
            assert!(find(&text, "x").unwrap_err().starts_with(line), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_found_again_and_the_rest_stays(before in "[a-z\n]{0,40}", one in "([a-z]{0,9}\n){0,3}", two in "([a-z]{0,9}\n){0,3}") {
            let first = replaced(&before, "x", None, &one);
            let range = find(&first, "x").unwrap().unwrap();
            prop_assert_eq!(&first[range.clone()], &one);
            prop_assert!(first.starts_with(&before));
            let second = replaced(&first, "x", Some(range.clone()), &two);
            prop_assert_eq!(&second[..range.start], &first[..range.start]);
            prop_assert_eq!(&second[find(&second, "x").unwrap().unwrap()], &two);
        }
    }
}
