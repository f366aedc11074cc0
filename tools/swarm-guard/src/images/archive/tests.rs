//! Tests of archives that `docker save` could have written, and of manipulated ones.

use super::*;
use proptest::prelude::*;

const OWN: &str = r#"[{"Config":"c.json","Layers":["a/layer.tar"],"RepoTags":["own/web:1"]}]"#;

fn own(name: &str) -> Result<(), Refusal> {
    if name.starts_with("own/") { Ok(()) } else { Err(Refusal::new("image", name)) }
}

/// A header with any path, also one that the library's checked writer would refuse.
fn header(kind: EntryType, path: &str, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header
}

fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut built = Builder::new(Vec::new());
    for (kind, path, data) in entries {
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        let mut header = header(*kind, path, if is_link { 0 } else { data.len() });
        if is_link {
            header.set_link_name_literal(data).unwrap();
        }
        header.set_cksum();
        built.append(&header, if is_link { &b""[..] } else { data.as_bytes() }).unwrap();
    }
    built.into_inner().unwrap()
}

fn file<'e>(path: &'e str, data: &'e str) -> (EntryType, &'e str, &'e str) {
    (EntryType::Regular, path, data)
}

fn said(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut sent = Vec::new();
    copy(bytes, &mut sent, own).map_err(|refusal| refusal.to_string())?;
    let mut read = Archive::new(&sent[..]);
    let entries = read.entries().unwrap().map(Result::unwrap);
    let text = |mut entry: Entry<&[u8]>| {
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut data = String::new();
        entry.read_to_string(&mut data).unwrap();
        (path, data)
    };
    Ok(entries.map(text).collect())
}

#[test]
fn the_runs_own_images_pass_and_other_names_are_left_out() {
    let id = "0".repeat(64);
    let shared = format!("../{id}/layer.tar");
    let sent = said(&archive(&[
        (EntryType::Directory, "a/", ""),
        file("./a/layer.tar", "layer"),
        file("c.json", "{}"),
        (EntryType::Symlink, "b/layer.tar", &shared),
        file("repositories", r#"{"live":{"latest":"x"}}"#),
        file("index.json", "{}"),
        file("manifest.json", OWN),
    ]))
    .unwrap();
    let pairs: Vec<(&str, &str)> = sent.iter().map(|(path, data)| (path.as_str(), data.as_str())).collect();
    assert_eq!(
        pairs,
        [("a/layer.tar", "layer"), ("c.json", "{}"), ("b/layer.tar", ""), ("manifest.json", OWN)]
    );
}

#[test]
fn whatever_could_give_another_name_is_refused() {
    let live = OWN.replace("own/web:1", "live/web:1");
    let folded = OWN.replace("RepoTags", "repotags");
    let both = OWN.replace("\"Layers\"", "\"repoTags\":[\"live/web:1\"],\"Layers\"");
    let twice = OWN.replace("\"Layers\"", "\"RepoTags\":[\"live/web:1\"],\"Layers\"");
    let nameless = OWN.replace("[\"own/web:1\"]", "null");
    let manifests = [&live, &folded, &both, &twice, &nameless, "{}", "[7]", "[", ""];
    for manifest in manifests {
        let told = said(&archive(&[file("manifest.json", manifest)])).unwrap_err();
        assert!(told.starts_with("image: "), "{manifest}: {told}");
    }
    let good = file("manifest.json", OWN);
    let others = [
        vec![],
        vec![file("a", "")],
        vec![good, file("manifest.json", &live)],
        vec![good, file("./manifest.json", &live)],
        vec![good, file("x/../manifest.json", &live)],
        vec![good, file("/manifest.json", &live)],
        vec![good, (EntryType::Link, "manifest.json", "a")],
        vec![good, (EntryType::Link, "a", "manifest.json")],
        vec![(EntryType::Symlink, "manifest.json", "a"), file("a", &live)],
        vec![(EntryType::Symlink, "a/layer.tar", "../.."), good],
        vec![(EntryType::Symlink, "a", "."), file("a/manifest.json", &live), good],
        vec![good, (EntryType::Directory, "manifest.json/", ""), file("manifest.json/x", "")],
        vec![good, (EntryType::Char, "device", "")],
        vec![good, (EntryType::Fifo, "pipe", "")],
    ];
    for entries in others {
        let told = said(&archive(&entries)).unwrap_err();
        assert!(told.contains("an archive with "), "{entries:?}: {told}");
    }
}

#[test]
fn what_is_compressed_or_cut_off_is_refused() {
    let whole = archive(&[file("c.json", "something"), file("manifest.json", OWN)]);
    assert!(said(&whole[..700]).is_err());
    assert!(said(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap_err().contains("uncompressed"));
    assert!(said(b"").unwrap_err().contains("no manifest.json"));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_copied_the_same_again(
        mut bytes in Just(archive(&[file("c.json", "something"), file("manifest.json", OWN)])),
        changes in proptest::collection::vec((0..2048_usize, any::<u8>()), 0..8),
    ) {
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Some(sent) = crate::fuzz::images(&bytes) {
            prop_assert_eq!(crate::fuzz::images(&sent), Some(sent.clone()));
        }
    }
}
