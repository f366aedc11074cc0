//! Collects from the records what matters to a pull request. Of each run only a few fields are kept.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use lib_common::cli::Common;
use lib_common::diag::Diag;
use lib_common::record::Known;
use lib_common::record::run::RunFinished;
use lib_common::record::verdict::{FixVerdict, FlakeVerdict};
use lib_common::stream::{Reader, Torn};
use lib_common::{Error, Result};

/// What the records say; a later record replaces an earlier one about the same thing.
#[derive(Debug, Default)]
pub struct Seen {
    /// Verdicts by case.
    pub verdicts: BTreeMap<String, FlakeVerdict>,
    /// Verdicts on fixes, by case and patch.
    pub fixes: BTreeMap<(String, String), FixVerdict>,
    /// Runs by attempt.
    pub runs: HashMap<String, RunSummary>,
    /// The sweep's failure messages, by case.
    pub messages: BTreeMap<String, String>,
    /// The investigation of the ledger, if one was read.
    pub investigation: Option<String>,
}

/// The few fields of a run that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Whether it is proved that the claimed condition held.
    pub proved: bool,
    /// Whether the claimed condition is "isolated".
    pub isolated: bool,
    /// BLAKE3 of the evidence folder.
    pub blake3: Option<String>,
}

impl Seen {
    /// Reads a whole ledger, for when standard input is the text.
    pub fn read(&mut self, ledger: &Path, common: &Common, diag: &Diag) -> Result<()> {
        let name = ledger.display().to_string();
        let file = File::open(ledger).map_err(|e| Error::cannot("reading the ledger", e).on(&name))?;
        let mut reader = Reader::new(BufReader::new(file), name, common, Torn::SetAside);
        while let Some(line) = reader.next_line(diag)? {
            if self.investigation.is_none() {
                self.investigation = line.keys().investigation.map(Into::into);
            }
            if let Some(record) = reader.known(&line, diag)? {
                self.learn(record);
            }
        }
        Ok(())
    }

    pub fn learn(&mut self, record: Known) {
        match record {
            Known::CaseFailed(case) => {
                if let Some(message) = &case.message {
                    self.messages.insert(case.case.clone(), message.lossy().into_owned());
                }
            }
            Known::RunFinished(run) => {
                self.runs.insert(run.attempt_id.clone(), RunSummary::of(&run));
            }
            Known::FlakeVerdict(verdict) => {
                self.verdicts.insert(verdict.case.clone(), *verdict);
            }
            Known::FixVerdict(verdict) => {
                self.fixes.insert((verdict.case.clone(), verdict.fix.clone()), *verdict);
            }
            _ => {}
        }
    }
}

impl RunSummary {
    fn of(run: &RunFinished) -> Self {
        Self {
            proved: run.isolation.proved,
            isolated: run.factors.get("load").is_some_and(|load| load == "isolated"),
            blake3: run.evidence.as_ref().map(|evidence| evidence.blake3.clone()),
        }
    }
}
