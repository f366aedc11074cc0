//! A hidden line at the end of a pull request's body: for which head a run was asked for, and which statuses and comments
//! there were before.
//!
//! A forge does not say at which commit a comment was written. The line does, so that a second call neither asks for a
//! run twice nor takes an older green status for the answer.

/// `<!-- redfix-run head=SHA after=STATUS comments=COMMENT -->`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The full hash of the commit for which the run was asked for.
    pub head: String,
    /// The largest id of that commit's statuses before the comment.
    pub after: u64,
    /// The largest id of the comments before it.
    pub comments: u64,
}

const START: &str = "<!-- redfix-run ";

impl Marker {
    /// The body, with this marker at its end.
    #[must_use]
    pub fn on(&self, body: &str) -> String {
        let Self { head, after, comments } = self;
        format!("{}\n\n{START}head={head} after={after} comments={comments} -->\n", body.trim_end())
    }
}

/// Splits a body into its text and its marker, if it has a valid one.
#[must_use]
pub fn split(body: &str) -> (String, Option<Marker>) {
    // A body that was edited in a browser has CRLF line ends.
    let body = body.replace("\r\n", "\n");
    let Some((text, rest)) = body.rsplit_once(START) else { return (body.trim_end().to_owned(), None) };
    let field =
        |name: &str| rest.split([' ', '\n']).find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let marker = (|| {
        let (after, comments) = (field("after")?.parse().ok()?, field("comments")?.parse().ok()?);
        Some(Marker { head: field("head")?.to_owned(), after, comments })
    })();
    (text.trim_end().to_owned(), marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_and_split_are_inverse() {
        let marker = Marker { head: "abc".into(), after: 7, comments: 9 };
        let whole = marker.on("text\n\nmore\n");
        assert_eq!(split(&whole), ("text\n\nmore".into(), Some(marker.clone())));
        assert_eq!(split(&whole.replace('\n', "\r\n")), ("text\n\nmore".into(), Some(marker.clone())));
        let again = Marker { after: 8, ..marker };
        assert_eq!(split(&again.on(&split(&whole).0)).1, Some(again));
    }

    #[test]
    fn a_spoilt_one_is_none() {
        assert_eq!(split("a\n<!-- redfix-run head=x after=y -->"), ("a".into(), None));
        assert_eq!(split("a"), ("a".into(), None));
    }
}
