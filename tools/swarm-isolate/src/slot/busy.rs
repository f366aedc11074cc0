//! Asks another CI whether it is deploying (`--busy CMD`).

use std::process::Stdio;
use std::time::Duration;

use lib_common::{Error, Result};
use tokio::process::Command;

/// Deadline of one call.
const DEADLINE: Duration = Duration::from_mins(1);

/// Whether the other CI is deploying: exit 0 says yes, 1 says no. 75 says that it cannot be asked now, which counts as
/// yes. Any other end is an error, because a broken question must not pass for "no".
pub async fn ask(command: &str) -> Result<bool> {
    let fail = |cause: String| {
        Error::cannot("asking whether another CI is deploying", cause).on(format!("'{command}'"))
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(DEADLINE, shell.status()).await;
    let status = status.map_err(|_| fail("no answer within a minute".into()))?;
    let status = status.map_err(|e| fail(e.to_string()))?;
    match status.code() {
        Some(0 | 75) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(fail(format!("{status}"))
            .hint("the command must exit 0 if the CI is deploying, 1 if not, 75 if it cannot tell now")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = |command| runtime.block_on(ask(command));
        assert_eq!(answer("true"), Ok(true));
        assert_eq!(answer("exit 75"), Ok(true));
        assert_eq!(answer("false"), Ok(false));
        for broken in ["exit 2", "no-such-command-at-all 2>/dev/null", "kill -9 $$"] {
            assert!(answer(broken).unwrap_err().to_string().contains(broken), "{broken}");
        }
    }
}
