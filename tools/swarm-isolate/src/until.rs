//! `--until CMD`: asks another program which run would be most informative next.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use lib_common::record::{Factors, Known};
use lib_common::stream::Line;
use lib_common::{Error, Result};
use tokio::process::Command;

/// Deadline of the program.
const DEADLINE: Duration = Duration::from_mins(10);

/// All records of the investigation so far, in a temporary file, so that memory does not grow with them.
pub struct Spool(File);

impl Spool {
    pub fn new() -> Result<Self> {
        tempfile::tempfile().map(Self).map_err(|e| Error::cannot("making a temporary file", e))
    }

    pub fn add(&mut self, line: &[u8]) -> Result<()> {
        let end = if line.ends_with(b"\n") { "" } else { "\n" };
        let written = self.0.write_all(line).and_then(|()| self.0.write_all(end.as_bytes()));
        written.map_err(|e| Error::cannot("spooling records", e))
    }

    fn reader(&mut self) -> Result<Stdio> {
        let rewound = self.0.seek(SeekFrom::Start(0)).and_then(|_| self.0.try_clone());
        rewound.map(Into::into).map_err(|e| Error::cannot("reading spooled records", e))
    }

    fn seek_end(&mut self) -> Result<()> {
        self.0.seek(SeekFrom::End(0)).map(|_| ()).map_err(|e| Error::cannot("spooling records", e))
    }
}

/// The program's answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Settled,
    Run(Planned),
}

/// The run that it plans.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned {
    pub case: String,
    pub factors: Factors,
    /// The run must not start earlier: it would add no independent evidence.
    pub not_before: Option<Timestamp>,
}

/// Runs `command` with all records on its standard input.
pub async fn ask(command: &str, spool: &mut Spool) -> Result<Answer> {
    let doing = "asking what to run next";
    let fail = |cause: String| Error::cannot(doing, cause).on(format!("'{command}'"));
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(spool.reader()?).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, shell.output()).await;
    // The command shares the file's offset with us. Put it back to the end before the next line is added.
    spool.seek_end()?;
    let output =
        output.map_err(|_| fail("no answer within 10 minutes".into()))?.map_err(|e| fail(e.to_string()))?;
    match output.status.code() {
        Some(0) => Ok(Answer::Settled),
        Some(1) => planned(&output.stdout)
            .map(Answer::Run)
            .ok_or_else(|| fail("it exited 1 without a run.planned".into())),
        Some(code) => Err(fail(format!("it exited {code}; 0 (settled) and 1 (more runs) are understood"))),
        None => Err(fail(format!("it ended by {}", output.status))),
    }
}

/// The first `run.planned` in the output.
fn planned(stdout: &[u8]) -> Option<Planned> {
    stdout.split(|byte| *byte == b'\n').filter(|raw| !raw.is_empty()).find_map(|raw| {
        let line = Line { raw: raw.to_vec(), number: 0, is_object: true };
        let keys = line.keys();
        match Known::parse(&keys.kind?, keys.v?, raw).ok()?? {
            Known::RunPlanned(plan) => Some(Planned {
                not_before: plan.not_before.and_then(|time| time.parse().ok()),
                case: plan.case,
                factors: plan.factors,
            }),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(command: &str) -> Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut spool = Spool::new().unwrap();
        spool.add(b"{\"a\":1}").unwrap();
        runtime.block_on(ask(command, &mut spool))
    }

    #[test]
    fn exit_codes_decide() {
        assert_eq!(answer("true").unwrap(), Answer::Settled);
        assert!(answer("exit 1").unwrap_err().to_string().contains("without a run.planned"));
        assert!(answer("exit 7").unwrap_err().to_string().contains("exited 7"));
    }

    #[test]
    fn it_reads_all_records_and_its_plan_is_read() {
        let plan = r#"{"type":"run.planned","v":1,"ts":"t","investigation":"i","tool":"x/1","case":"a@1/t","factors":{"load":"loaded"},"not_before":"2026-06-17T23:18:04.000Z","why":"w","minimum_runs":1,"expected_runs":1.5,"if_pass":"p","if_fail":"f"}"#;
        let command = format!("grep -qx '{{\"a\":1}}' && echo '{plan}'; exit 1");
        let factors = Factors::from([("load".into(), "loaded".into())]);
        let not_before = Some("2026-06-17T23:18:04Z".parse().unwrap());
        assert_eq!(
            answer(&command).unwrap(),
            Answer::Run(Planned { case: "a@1/t".into(), factors, not_before })
        );
    }
}
