//! Tests that the manual pages describe every record type with its fields, and every exit code.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

mod support;

use std::collections::{BTreeMap, BTreeSet};

use lib_common::Exit;
use lib_common::record::TYPES;
use serde_json::Value;
use support::{fields_of, lines, parse};

/// Fields whose value is a map: its keys are data and not names of fields.
const MAPS: [&str; 4] = ["factors", "baseline", "under", "redactions"];

fn page(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../man/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Each `.Ss` section of a page with the words that its `.Va` macros mark, in items and in running text.
fn sections(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix(".Ss ") {
            title.clone_into(&mut name);
        } else if line.starts_with(".Sh ") {
            name.clear();
        } else if line.starts_with(".It Va ") || line.starts_with(".Va ") || line.starts_with(".Pq") {
            let words = line.split_whitespace().skip_while(|word| !word.ends_with("Va")).skip(1);
            let marked = words.take_while(|word| *word != "No" && *word != ";").map(str::to_owned);
            sections
                .entry(name.clone())
                .or_default()
                .extend(marked.filter(|word| word != "," && word != "."));
        }
    }
    sections
}

/// The names of all fields of a value, nested ones too.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                found.insert(key.clone());
                if !MAPS.contains(&key.as_str()) {
                    names(inner, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| names(inner, found)),
        _ => {}
    }
}

#[test]
fn every_type_has_a_section_with_every_field_of_its_own_and_no_other() {
    let sections = sections(&page("redfix-records.5"));
    for (kind, _) in TYPES {
        let marked = sections.get(*kind).unwrap_or_else(|| panic!("redfix-records(5) has no section {kind}"));
        for field in fields_of(kind) {
            assert!(marked.contains(field), "redfix-records(5): {kind} lacks {field}");
        }
    }
    let described = sections.keys().filter(|name| name.contains('.'));
    let types: BTreeSet<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
    for name in described {
        assert!(types.contains(name.as_str()), "redfix-records(5) describes {name}, which is no type");
    }
}

#[test]
fn every_field_that_is_ever_emitted_is_described_and_every_described_one_is_emitted() {
    let sections = sections(&page("redfix-records.5"));
    let shared: BTreeSet<&String> =
        ["Head", "Shared objects"].iter().flat_map(|name| sections.get(*name).unwrap()).collect();
    for (kind, _) in TYPES {
        let mut emitted = BTreeSet::new();
        for line in lines(kind) {
            let (head, known) = parse(&line);
            names(&serde_json::from_slice(&known.to_line(&head).unwrap()).unwrap(), &mut emitted);
        }
        let marked = sections.get(*kind).unwrap();
        for name in &emitted {
            assert!(marked.contains(name) || shared.contains(name), "redfix-records(5): {kind} lacks {name}");
        }
        for name in marked {
            assert!(emitted.contains(name), "redfix-records(5): {kind} has no {name}");
        }
    }
}

#[test]
fn the_version_that_the_page_names_is_that_of_every_type() {
    assert!(TYPES.iter().all(|(_, v)| *v == 1), "redfix-records(5) says that all types are at version 1");
    assert!(page("redfix-records.5").contains("All types are at version 1."));
}

#[test]
fn the_overview_has_every_exit_code_and_every_tool() {
    let page = page("redfix.7");
    let status = &page[page.find(".Sh EXIT STATUS").unwrap()..page.find(".Sh EXAMPLES").unwrap()];
    let listed: BTreeSet<u8> = status
        .lines()
        .filter_map(|line| line.strip_prefix(".It "))
        .map(|code| code.parse().unwrap())
        .collect();
    let codes = [Exit::Done, Exit::No, Exit::Cannot, Exit::Again].map(Exit::code);
    assert_eq!(listed, BTreeSet::from(codes));
    let tools = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools")).unwrap();
    for tool in tools {
        let tool = tool.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!(".It Xr {tool} 1")), "redfix(7) lacks {tool}");
    }
}
