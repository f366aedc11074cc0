//! Finds the odd one out of many domains. No I/O.

use std::collections::BTreeMap;

use lib_common::record::domain::DomainProbed;

/// Marks the records that differ from the majority, if more than half of all agree with one another.
pub fn mark(records: &mut [DomainProbed]) {
    let key = |record: &DomainProbed| (record.routes, record.kind.clone());
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for record in records.iter() {
        *counts.entry(key(record)).or_default() += 1;
    }
    let Some((most, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return };
    let all = records.len();
    // Without a clear majority there is no odd one out.
    if count * 2 <= all || count == all {
        return;
    }
    let (routes, kind) = &most;
    let say = match kind {
        None if *routes => format!("{count} of {all} route"),
        kind => format!("{count} of {all}: {}", kind.as_deref().unwrap_or("they do not route")),
    };
    for record in records.iter_mut().filter(|record| key(record) != most) {
        record.odd = Some(say.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(kinds: &[Option<&str>]) -> Vec<Option<String>> {
        let one = |kind: Option<&str>| {
            let line = serde_json::json!({"domain": "d", "routes": kind.is_none(), "kind": kind});
            serde_json::from_value(line).unwrap()
        };
        let mut records: Vec<DomainProbed> = kinds.iter().copied().map(one).collect();
        mark(&mut records);
        records.into_iter().map(|record| record.odd).collect()
    }

    #[test]
    fn the_minority_is_odd() {
        assert_eq!(probed(&[None, Some("x"), None]), [None, Some("2 of 3 route".into()), None]);
        assert_eq!(probed(&[Some("x"), None, Some("x")])[1].as_deref(), Some("2 of 3: x"));
        assert_eq!(probed(&[None, Some("x")]), [None, None]);
        assert_eq!(probed(&[None, None]), [None, None]);
        assert_eq!(probed(&[]), Vec::<Option<String>>::new());
    }
}
