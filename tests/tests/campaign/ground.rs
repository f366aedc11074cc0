//! Helpers of every fault: they run a tool until it ends or is killed, and check what must be true afterwards.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use e2e::bench::{Dice, kill};
use e2e::{root, unset};
use serde_json::Value;

/// `Err` says what was lost.
pub type Outcome = Result<(), String>;

pub struct Ended {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub said: String,
    /// Whether the tool was still running when the signal came.
    pub killed: bool,
}

impl Ended {
    /// The exit code is one of the manual's, and the tool did not panic.
    pub fn sane(&self) -> Outcome {
        let known = match self.code {
            Some(0 | 1 | 2 | 75) => true,
            None | Some(129 | 130 | 143) => self.killed,
            Some(_) => false,
        };
        ensure(known && !self.said.contains("panicked"), || format!("exit {:?}: {}", self.code, self.said))
    }
}

pub fn ensure(holds: bool, else_lost: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(else_lost()) }
}

/// A tool without the caller's `REDFIX_*` settings.
pub fn plain(name: &str, args: &[&str]) -> Command {
    let mut command = unset(name);
    command.args(args);
    command
}

/// Runs the tool, with its output in files of a scratch folder, and sends it the signal after so many milliseconds.
pub fn run(command: &mut Command, input: &[u8], signal: Option<(u64, &str)>) -> Result<Ended, String> {
    let dir = e2e::folder::Folder::new();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("in"), input).map_err(|e| e.to_string())?;
    let create = |name: &str| File::create(path(name)).map_err(|e| e.to_string());
    command.stdin(File::open(path("in")).map_err(|e| e.to_string())?);
    let mut child =
        command.stdout(create("out")?).stderr(create("err")?).spawn().map_err(|e| e.to_string())?;
    let mut killed = false;
    if let Some((after_ms, signal)) = signal {
        // A random moment is the fault to test, so this sleep waits for no condition.
        std::thread::sleep(Duration::from_millis(after_ms));
        if child.try_wait().map_err(|e| e.to_string())?.is_none() {
            kill(child.id(), signal);
            killed = true;
        }
    }
    let until = Instant::now() + Duration::from_mins(3);
    let status = loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break status,
            None if Instant::now() > until => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it hangs: {command:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(3)),
        }
    };
    let read = |name: &str| fs::read(path(name)).unwrap_or_default();
    let said = String::from_utf8_lossy(&read("err")).into_owned();
    Ok(Ended { code: status.code(), out: read("out"), said, killed })
}

/// The frozen example records of every type.
pub fn frozen() -> &'static [Vec<u8>] {
    static LINES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    LINES.get_or_init(|| {
        let folder = root().join("lib-common/tests/data/v1");
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).expect("frozen lines").flatten().map(|e| e.path()).collect();
        files.sort();
        let texts = files.iter().map(|file| fs::read(file).expect("frozen lines"));
        let lines: Vec<Vec<u8>> =
            texts.flat_map(|text| lines(&text).map(<[u8]>::to_vec).collect::<Vec<_>>()).collect();
        assert!(lines.len() > 20, "the frozen lines are there");
        lines
    })
}

pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

pub fn pick<'t, T>(dice: &mut Dice, from: &'t [T]) -> &'t T {
    &from[usize::try_from(dice.roll(from.len() as u64)).expect("small")]
}

/// Each whole line of a tool's output is byte for byte a line of its input, or a record that the tool made.
pub fn nothing_torn(input: &[u8], out: &[u8]) -> Outcome {
    let known: HashSet<&[u8]> = lines(input).collect();
    for line in lines(out).filter(|line| line.ends_with(b"\n") && !known.contains(line)) {
        // The input's last line may lack its line feed, which the tool adds.
        let own = serde_json::from_slice::<Value>(line).is_ok_and(|value| value["tool"].is_string());
        let ended = known.contains(&line[..line.len() - 1]);
        ensure(own || ended, || {
            format!("a line of nobody: {}", String::from_utf8_lossy(&line[..line.len().min(200)]))
        })?;
    }
    Ok(())
}

/// Each whole line of the input is in the output, in the same order.
pub fn all_passed(input: &[u8], out: &[u8]) -> Outcome {
    let mut printed = lines(out);
    for line in lines(input).filter(|line| line.ends_with(b"\n")) {
        let there = printed.any(|one| one == line);
        ensure(there, || {
            format!("a line is lost: {}", String::from_utf8_lossy(&line[..line.len().min(200)]))
        })?;
    }
    Ok(())
}

/// The records of a ledger. A kill may leave a torn last line; any other torn line is a loss.
pub fn ledger(path: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read(path).unwrap_or_default();
    let whole = lines(&text).filter(|line| line.ends_with(b"\n"));
    whole.map(|line| serde_json::from_slice(line).map_err(|e| format!("the ledger is torn: {e}"))).collect()
}

/// A small file system that is unmounted when dropped.
pub struct Small(pub e2e::folder::Folder);

impl Small {
    pub fn mount(bytes: u64) -> Result<Self, String> {
        let dir = e2e::folder::Folder::new();
        let size = format!("size={bytes}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).status();
        ensure(mounted.is_ok_and(|status| status.success()), || "mount: not root?".into())?;
        Ok(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).stderr(Stdio::null()).status();
    }
}
