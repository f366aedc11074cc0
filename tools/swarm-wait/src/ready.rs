//! Runs `--ready CMD`, the user's own check that the services do what they are for.

use std::process::Stdio;
use std::time::Duration;

use lib_common::{Error, Result};
use tokio::process::Command;

/// Deadline of one call: a command that hangs has not succeeded.
const DEADLINE: Duration = Duration::from_mins(1);

/// The result of one call.
pub struct Answer {
    pub ready: bool,
    /// Its exit status, and the last line that it printed.
    pub told: String,
}

/// Runs `command` once, with `REDFIX_STACK` set. It leads a process group, so that what it started can be killed too.
pub async fn ask(command: &str, stack: &str) -> Result<Answer> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("REDFIX_STACK", stack).stdin(Stdio::null()).stdout(Stdio::piped());
    // With a process group, everything that the shell started can be killed at the deadline.
    shell.stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = shell.spawn().map_err(|e| Error::cannot("starting --ready", e).on(format!("'{command}'")))?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await;
    let Ok(output) = output else {
        if let Some(group) = group {
            // Ignore ESRCH: the group has ended already.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        return Ok(Answer { ready: false, told: "no answer within a minute".into() });
    };
    let output = output.map_err(|e| Error::cannot("running --ready", e).on(format!("'{command}'")))?;
    let text = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let last = text.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    let told = format!("{}: {}", output.status, String::from_utf8_lossy(last));
    Ok(Answer { ready: output.status.success(), told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_the_answer_and_words_are_kept() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = |command| runtime.block_on(ask(command, "s")).unwrap();
        assert!(ask("test $REDFIX_STACK = s").ready);
        let no = ask("echo a; echo 'not yet'; exit 3");
        assert!(!no.ready && no.told.contains("exit status: 3: not yet"), "{}", no.told);
    }
}
