//! Runs git with a deadline, without any prompt, and without those of the caller's settings that would change the
//! result.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lib_common::{Error, Result};

/// The program, and how long one call may take.
#[derive(Debug, Clone)]
pub struct Git {
    exe: PathBuf,
    timeout: Duration,
}

/// How a call ended.
pub struct Output {
    pub ok: bool,
    pub stdout: Vec<u8>,
    /// For people. It never holds the token, which git gets through its environment.
    pub stderr: String,
}

impl Output {
    /// Standard output without the last line feed.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }
}

/// Variables that a hook, or git itself, may have set for another repository.
const STRAY: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
];

impl Git {
    pub fn find(timeout: Duration) -> Result<Self> {
        let exe = which::which("git")
            .map_err(|e| Error::cannot("looking for git", e).hint("apt-get install git"))?;
        Ok(Self { exe, timeout })
    }

    /// Runs git on local files only. The caller's git configuration is ignored, so that the same patch on the same base
    /// gives the same commit everywhere.
    pub fn local<I, S>(&self, args: I, stdin: &[u8], env: &[(&str, OsString)]) -> Result<Output>
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        let mut alone = vec![
            ("GIT_CONFIG_NOSYSTEM", OsString::from("1")),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_ATTR_NOSYSTEM", "1".into()),
        ];
        alone.extend(env.iter().cloned());
        self.call(args, stdin, &alone)
    }

    /// Runs git where it may use the network. The caller's configuration applies: it has proxies, certificates and
    /// `safe.directory`.
    pub fn remote<I, S>(&self, args: I, env: &[(&str, OsString)]) -> Result<Output>
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.call(args, b"", env)
    }

    fn call<I, S>(&self, args: I, stdin: &[u8], env: &[(&str, OsString)]) -> Result<Output>
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        let shown = args.iter().find(|arg| !arg.to_string_lossy().starts_with('-')).cloned();
        let doing = format!("running git {}", shown.unwrap_or_default().to_string_lossy());
        let mut command =
            duct::cmd(&self.exe, args).stdin_bytes(stdin).stdout_capture().stderr_capture().unchecked();
        for name in STRAY {
            command = command.env_remove(name);
        }
        for (name, value) in env {
            command = command.env(name, value);
        }
        // Messages must be in English, because `refusal` reads them, and git must not ask, because nobody would answer.
        let quiet = [("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", ""), ("SSH_ASKPASS", "")];
        for (name, value) in quiet {
            command = command.env(name, value);
        }
        let handle = command.start().map_err(|e| Error::cannot(&*doing, e))?;
        let ended = handle.wait_timeout(self.timeout).map_err(|e| Error::cannot(&*doing, e))?;
        let Some(output) = ended else {
            // Ignore the error: the message is the same if git cannot be killed.
            let _ = handle.kill();
            let cause = format!("not done after {} s", self.timeout.as_secs());
            return Err(Error::again(doing, cause).hint("raise it with --git-timeout"));
        };
        Ok(Output {
            ok: output.status.success(),
            stdout: output.stdout.clone(),
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
