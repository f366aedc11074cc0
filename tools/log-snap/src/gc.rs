//! `log-snap gc`: removes bundles that are old and that no ledger names.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use lib_common::cli::Common;
use lib_common::diag::Diag;
use lib_common::ledger::folder_of;
use lib_common::record::Known;
use lib_common::stream::{Reader, Torn};
use lib_common::{Error, Result};
use serde::Serialize;

use crate::bundle::INDEX;
use crate::bundle::read::Bundle;
use crate::cli::Gc;
use lib_common::swarm::stamp;

const DOING: &str = "removing old bundles";
/// How many folders deep bundles are looked for. Evidence lies only a few folders deep.
const DEPTH: u32 = 8;

/// What happens to one bundle: a line of the output.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Fate {
    pub bundle: String,
    pub ended: String,
    /// `removed`, `kept`, or with a dry run `would remove`
    pub action: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: &'static str,
}

/// Goes through all bundles below the folders and hands what happens to each to `on`. `now` is in nanoseconds since
/// 1970.
pub fn run(
    args: &Gc,
    common: &Common,
    now: i64,
    diag: &Diag,
    mut on: impl FnMut(Fate) -> Result<()>,
) -> Result<()> {
    // All ledgers are read before the first bundle is removed: if one cannot be read, nothing is removed at all.
    let mut needed = BTreeSet::new();
    for ledger in &args.ledger {
        read_ledger(ledger, common, diag, &mut needed)?;
    }
    let oldest = now.saturating_sub(i64::try_from(args.keep.as_nanos()).unwrap_or(i64::MAX));
    for folder in &args.folders {
        let mut bundles = Vec::new();
        find(folder, DEPTH, &mut bundles).map_err(|e| Error::cannot(DOING, e).on(folder.display()))?;
        for path in bundles {
            // Without a readable index that starts with a `snap` line this may be a folder of another program.
            let Ok(Bundle { snap: Some(snap), .. }) = Bundle::open(&path) else { continue };
            let young = stamp::parse(&snap.ended).is_none_or(|ended| ended >= oldest);
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let (action, why) = match (needed.contains(&real), young) {
                (true, _) => ("kept", "a ledger names it"),
                (false, true) => ("kept", "young"),
                (false, false) if args.dry_run => ("would remove", ""),
                (false, false) => {
                    remove(&path).map_err(|e| Error::cannot(DOING, e).on(path.display()))?;
                    ("removed", "")
                }
            };
            on(Fate { bundle: path.display().to_string(), ended: snap.ended, action, why })?;
        }
    }
    Ok(())
}

/// Adds the bundles that a ledger names to `needed`. Its paths are relative to the ledger's folder.
fn read_ledger(path: &Path, common: &Common, diag: &Diag, needed: &mut BTreeSet<PathBuf>) -> Result<()> {
    let fail = |e: io::Error| Error::cannot("reading the ledger", e).on(path.display());
    let file = fs::File::open(path).map_err(fail)?;
    let folder = folder_of(path);
    let mut reader = Reader::new(BufReader::new(file), path.display().to_string(), common, Torn::SetAside);
    while let Some(line) = reader.next_line(diag)? {
        if let Some(Known::LogSnapped(snapped)) = reader.known(&line, diag)? {
            // `canonicalize` fails for a bundle that is gone already; there is nothing to keep then.
            needed.extend(folder.join(&snapped.path).canonicalize());
        }
    }
    Ok(())
}

/// Collects the folders that hold an index. Symbolic links and hidden folders are not entered, nor are bundles.
fn find(folder: &Path, depth: u32, bundles: &mut Vec<PathBuf>) -> io::Result<()> {
    if folder.join(INDEX).is_file() {
        bundles.push(folder.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type()?.is_dir() && !hidden {
            find(&entry.path(), depth - 1, bundles)?;
        }
    }
    Ok(())
}

/// Renames the bundle to a hidden name and then removes it, so that a bundle that was removed only in part is never
/// taken for a whole one. If this process is killed in between, the next capture to that path removes the rest.
fn remove(bundle: &Path) -> io::Result<()> {
    let name = bundle.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let gone = bundle.with_file_name(format!(".tmp-{name}-gc"));
    fs::rename(bundle, &gone)?;
    fs::remove_dir_all(&gone)
}
