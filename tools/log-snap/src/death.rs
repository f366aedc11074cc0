//! Says in words how a container ended, from its exit code and what else is known. An out-of-memory kill is told
//! apart from other SIGKILLs, which have the same exit code 137.

/// What is known about the end of a container.
pub struct Death<'a> {
    pub exit_code: i64,
    /// Whether the engine's inspection or an `oom` event said that the kernel killed it.
    pub oom_killed: bool,
    /// Numbers of the signals that the engine was asked to send, from its `kill` events.
    pub signals: &'a [String],
    /// Swarm's error text, which names a failed health check.
    pub error: &'a str,
}

impl Death<'_> {
    /// How the container ended, in words for people.
    #[must_use]
    pub fn meaning(&self) -> String {
        let unhealthy = self.error.contains("unhealthy");
        let killed = self.signals.iter().any(|signal| signal == "9");
        let asked = self.signals.iter().any(|signal| signal == "15");
        match self.exit_code {
            0 => "success".into(),
            _ if self.oom_killed => "out of memory: killed by the kernel".into(),
            137 if unhealthy => "SIGKILL after failed health probes, not for want of memory".into(),
            137 if killed && asked => {
                "SIGKILL by the engine: it did not end within its stop time after SIGTERM".into()
            }
            137 if killed => "SIGKILL by the engine, not for want of memory".into(),
            137 => "SIGKILL, and not by the engine: no out-of-memory kill was recorded".into(),
            143 if unhealthy => "SIGTERM after failed health probes".into(),
            143 => "SIGTERM: asked to end".into(),
            125 => "the engine could not run it".into(),
            126 => "its command is not executable".into(),
            127 => "its command was not found".into(),
            code @ 129..=192 => format!("ended by signal {}{}", code - 128, name(code - 128)),
            code => format!("failed with its own code {code}"),
        }
    }
}

fn name(signal: i64) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL: an instruction that this processor does not have?)",
        6 => " (SIGABRT: it gave up by itself)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        11 => " (SIGSEGV: it crashed)",
        13 => " (SIGPIPE)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(exit_code: i64, oom_killed: bool, signals: &[&str], error: &str) -> String {
        let signals: Vec<String> = signals.iter().map(ToString::to_string).collect();
        Death { exit_code, oom_killed, signals: &signals, error }.meaning()
    }

    #[test]
    fn out_of_memory_is_told_apart_from_a_kill() {
        assert!(meaning(137, true, &[], "").starts_with("out of memory"));
        assert!(meaning(137, false, &["15", "9"], "").contains("stop time"));
        assert!(meaning(137, false, &[], "").contains("not by the engine"));
        assert!(
            meaning(137, false, &["15", "9"], "task: non-zero exit (137): unhealthy container")
                .contains("health probes")
        );
    }

    #[test]
    fn the_usual_codes() {
        assert_eq!(meaning(0, false, &[], ""), "success");
        assert!(meaning(127, false, &[], "").contains("not found"));
        assert!(meaning(139, false, &[], "").contains("SIGSEGV"));
        assert_eq!(meaning(150, false, &[], ""), "ended by signal 22");
        assert_eq!(meaning(3, false, &[], ""), "failed with its own code 3");
    }
}
