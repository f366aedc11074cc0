//! Places of secrets in a line. Several rules may find the same secret; here their findings become places that do not
//! overlap.

/// A place in a line, and why it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub rule: String,
    /// Given for a known secret; for any other it is made from the text at this place.
    pub pseudonym: Option<String>,
}

/// The places of marks that an earlier redaction left. They are not redacted again.
pub(super) fn marks(line: &[u8]) -> Vec<(usize, usize)> {
    let mut marks = Vec::new();
    for start in memchr::memmem::find_iter(line, b"[REDACTED:") {
        let words = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        let end = start + 10 + line[start + 10..].iter().take(100).take_while(words).count();
        // Only a short one that is closed is a mark. Anything else could be a secret behind `[REDACTED:`.
        if line.get(end) == Some(&b']') {
            marks.push((start, end + 1));
        }
    }
    marks
}

/// The parts of `start..end` that lie outside of `marks` and have at least one letter or digit.
pub(super) fn outside(
    line: &[u8],
    marks: &[(usize, usize)],
    (start, end): (usize, usize),
) -> Vec<(usize, usize)> {
    let marks = &marks[marks.partition_point(|(_, to)| *to <= start)..];
    // A match that begins within a mark was caused by the mark's own text.
    if marks.first().is_some_and(|(from, _)| *from < start) {
        return Vec::new();
    }
    let (mut parts, mut at) = (Vec::new(), start);
    for (from, to) in marks.iter().take_while(|(from, _)| *from < end) {
        parts.push((at, (*from).max(at)));
        at = *to;
    }
    parts.push((at, end.max(at)));
    parts.retain(|(from, to)| line[*from..*to].iter().any(u8::is_ascii_alphanumeric));
    parts
}

/// Joins spans that overlap. The joined span has the rule of the one that starts first, and of those the longest, and
/// of equal ones the first found. If it is longer than each of its parts, it is not a known secret as a whole and loses
/// the pseudonym.
pub(super) fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    // The sort is stable and known values were found first, so a known value comes before a rule with the same place.
    spans.sort_by(|a, b| (a.start, b.end).cmp(&(b.start, a.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => {
                if span.end > last.end {
                    last.end = span.end;
                    last.pseudonym = None;
                }
            }
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, rule: &str) -> Span {
        Span { start, end, rule: rule.into(), pseudonym: (rule == "exact").then(|| "p".into()) }
    }

    #[test]
    fn what_overlaps_is_one() {
        let spans =
            vec![span(4, 8, "exact"), span(0, 9, "rule"), span(9, 12, "exact"), span(11, 15, "exact")];
        let merged = merge(spans);
        assert_eq!((merged.len(), &*merged[0].rule, merged[0].end), (2, "rule", 9));
        assert_eq!((merged[1].start, merged[1].end, &merged[1].pseudonym), (9, 15, &None));
    }

    #[test]
    fn marks_are_left_alone() {
        let line = b"password=ab[REDACTED:exact:0123abcd]cd, [REDACTED: x";
        let found = marks(line);
        assert_eq!(found, [(11, 36)]);
        assert_eq!(outside(line, &found, (9, 38)), [(9, 11), (36, 38)]);
        assert_eq!(outside(line, &found, (12, 20)), []);
        assert_eq!(outside(line, &found, (11, 38)), [(36, 38)]);
    }

    #[test]
    fn a_known_value_keeps_its_pseudonym() {
        assert_eq!(merge(vec![span(2, 5, "exact"), span(2, 5, "rule")]), [span(2, 5, "exact")]);
    }
}
