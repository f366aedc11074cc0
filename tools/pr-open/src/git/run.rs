//! Runs git with a deadline, without any prompt, and without those of the caller's settings that would change the
//! result.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lib_common::redact::Redactor;
use lib_common::{Error, Result};

/// The program, and how long one call may take.
#[derive(Debug, Clone)]
pub struct Git {
    exe: PathBuf,
    timeout: Duration,
    /// What git says must not hold these.
    secrets: Vec<String>,
}

/// How a call ended.
pub struct Output {
    pub ok: bool,
    pub stdout: Vec<u8>,
    /// For people; never holds the token.
    pub stderr: String,
}

impl Output {
    /// Standard output without the last line feed.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }
}

/// What git needs of the caller's environment. Everything else is left out: a trace variable would print the token,
/// and what a hook has set for another repository would lead git astray.
const KEPT: [&str; 26] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

impl Git {
    pub fn find(timeout: Duration) -> Result<Self> {
        let exe = which::which("git")
            .map_err(|e| Error::cannot("looking for git", e).hint("apt-get install git"))?;
        Ok(Self { exe, timeout, secrets: vec![] })
    }

    /// The same git, whose messages hold none of `secrets`.
    #[must_use]
    pub fn hiding(self, secrets: Vec<String>) -> Self {
        Self { secrets, ..self }
    }

    /// The deadline of one call.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
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
        let quiet = [("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", ""), ("SSH_ASKPASS", "")];
        let kept = KEPT.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
        let given = env.iter().map(|(name, value)| ((*name).into(), value.clone()));
        let quiet = quiet.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let whole: Vec<(OsString, OsString)> = kept.chain(given).chain(quiet).collect();
        let command = duct::cmd(&self.exe, args)
            .full_env(whole)
            .stdin_bytes(stdin)
            .stdout_capture()
            .stderr_capture()
            .unchecked();
        let handle = command.start().map_err(|e| Error::cannot(&*doing, e))?;
        let ended = handle.wait_timeout(self.timeout).map_err(|e| Error::cannot(&*doing, e))?;
        let Some(output) = ended else {
            // Ignore the error: the message is the same if git cannot be killed.
            let _ = handle.kill();
            let cause = format!("not done after {} s", self.timeout.as_secs());
            return Err(Error::again(doing, cause).hint("raise it with --git-timeout"));
        };
        let ok = output.status.success();
        let mut said = output.stderr.clone();
        if !ok {
            // What a push was refused for is told on standard output, in lines that begin so.
            let refused =
                output.stdout.split_inclusive(|byte| *byte == b'\n').filter(|line| line.starts_with(b"!\t"));
            refused.for_each(|line| said.extend_from_slice(&[b"\n", line].concat()));
        }
        Ok(Output { ok, stdout: output.stdout.clone(), stderr: self.hidden(&said) })
    }

    /// What git said, without the secrets.
    fn hidden(&self, said: &[u8]) -> String {
        let clean =
            if self.secrets.is_empty() { said.to_vec() } else { Redactor::new(&self.secrets).text(said) };
        String::from_utf8_lossy(&clean).trim().to_owned()
    }
}
