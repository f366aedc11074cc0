//! Writes a ledger for benchmarks: `generate RECORDS CASES`, the same bytes on every machine.
//!
//! Each recipe has twenty cases; each run of a recipe is one `run.finished` and one `test.finished` per case, as a
//! sweep of whole test files writes them, about 273 bytes a record.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

const TESTS: u64 = 20;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse::<u64>().ok());
    let (Some(Some(records)), Some(Some(cases)), None) = (numbers.next(), numbers.next(), numbers.next())
    else {
        // If this cannot be written, nothing else can say so.
        let _ = writeln!(io::stderr(), "usage: generate RECORDS CASES");
        return ExitCode::from(2);
    };
    match write(records, cases.div_ceil(TESTS).max(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

fn write(records: u64, recipes: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut lines = Lines { left: records, seed: 20_250_607, text: String::new() };
    for recipe in 0..recipes {
        for test in 0..TESTS {
            lines.case(recipe, test);
        }
    }
    for run in 0.. {
        lines.run(run, run % recipes);
        out.write_all(lines.text.as_bytes())?;
        lines.text.clear();
        if lines.left == 0 {
            break;
        }
    }
    out.flush()
}

struct Lines {
    left: u64,
    seed: u64,
    text: String,
}

impl Lines {
    fn case(&mut self, recipe: u64, test: u64) {
        let name = name(test);
        self.line("case.failed", 0, &format!(
            r#""case":"r{recipe:03}@1/{name}","recipe":"r{recipe:03}","version":"1","test":"{name}","stage":"custom","source":"sweep.xml","baseline":{{"load":"loaded"}}"#
        ));
    }

    fn run(&mut self, run: u64, recipe: u64) {
        let second = run * 7;
        let load = if run / 100 % 3 == 2 { "loaded" } else { "isolated" };
        let (node, id) = (run % 3, format!("01JZ{run:016}"));
        let outcomes: Vec<bool> = (0..TESTS).map(|test| self.fails(recipe, test, load)).collect();
        let outcome = if outcomes.contains(&true) { "fail" } else { "pass" };
        self.line("run.finished", second, &format!(
            r#""attempt_id":"{id}","recipe":"r{recipe:03}","version":"1","ref":{{"commit":"4ca7f4180c2b7a1e9d5f3b6c8e0a1d2f3b4c5d6e","kind":"tag"}},"harness":"8a54c4d","tests":"b3:af13","engine":"20.10.24","node":"n{node}","boot_id":"6a0f6c1e-0d0d-4b7b-9f59-0d7f3a1d0c1{node}","stack":"iso-{run}","factors":{{"fix":"none","load":"{load}"}},"outcome":"{outcome}","exit_code":{},"stage":"custom","started":"{}","duration_ms":{},"isolation":{{"proved":true,"slots_held":1,"slots_total":2,"other_deploys":0,"foreign_cpu_before":0.02}},"cleanup":{{"created":[],"left":[],"duration_ms":900,"others_unchanged":true}}"#,
            i32::from(outcome == "fail"), time(second), 60_000 + run % 1000
        ));
        for (test, fails) in (0..).zip(outcomes) {
            let name = name(test);
            let how = if fails { r#","signature":"0011223344556677""# } else { "" };
            let word = if fails { "fail" } else { "pass" };
            self.line("test.finished", second, &format!(
                r#""attempt_id":"{id}","case":"r{recipe:03}@1/{name}","recipe":"r{recipe:03}","test":"{name}","outcome":"{word}","duration_ms":{}{how}"#,
                100 + run % 900
            ));
        }
    }

    /// A third of the cases always fail, a third fail only under load, and a third fail now and then.
    fn fails(&mut self, recipe: u64, test: u64, load: &str) -> bool {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = (self.seed >> 33) % 100;
        match (recipe + test) % 3 {
            0 => true,
            1 => load == "loaded" && dice < 80,
            _ => dice < 5,
        }
    }

    fn line(&mut self, kind: &str, second: u64, body: &str) {
        if self.left > 0 {
            self.left -= 1;
            // Writing to a string cannot fail.
            let _ = writeln!(
                self.text,
                r#"{{"type":"{kind}","v":1,"ts":"{}","investigation":"01JZ0000000000000000000000","tool":"gen/1",{body}}}"#,
                time(second)
            );
        }
    }
}

fn name(test: u64) -> String {
    format!("t{test}")
}

fn time(second: u64) -> String {
    let (day, hour, minute) = (second / 86_400, second / 3600 % 24, second / 60 % 60);
    let (year, month) = (2026 + day / 336, day / 28 % 12 + 1);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{:02}.000Z", day % 28 + 1, second % 60)
}
