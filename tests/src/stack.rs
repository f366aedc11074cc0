//! A stack that a test deploys from a few words and that is removed when the test ends.

use lib_common::swarm::label::{self, SERVICE_NAME};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{docker, pipe, require_engine, wait_for};

/// The image that `ground/images/build busybox` makes.
pub const IMAGE: &str = "redfix/busybox:latest";

/// Calls the docker client and accepts that it fails.
///
/// # Panics
/// Without a docker client.
#[allow(clippy::must_use_candidate)] // often run for its effect alone
pub fn try_docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).stdin(Stdio::null()).output().expect("the docker client")
}

/// Creates a service of one replica that stops at once (SIGKILL). `options` come before the image.
///
/// # Panics
/// When it is not created.
pub fn create_service(name: &str, options: &[&str], command: &[&str]) {
    let create = ["service", "create", "--quiet", "--no-resolve-image", "--endpoint-mode", "dnsrr"];
    let named = ["--stop-signal", "SIGKILL", "--name", name];
    docker([&create[..], &named, options, &[IMAGE], command].concat());
}

/// A stack with a name that no other test uses. It is removed when dropped.
pub struct Stack {
    pub name: String,
}

impl Stack {
    /// # Panics
    /// Without an engine or its test image.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        require_engine();
        let image = try_docker(&["image", "inspect", IMAGE]);
        assert!(image.status.success(), "{IMAGE} is missing: ground/images/build busybox");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("snap{}x{number}", std::process::id()) }
    }

    /// Deploys services: `(name, script, further yaml lines)`.
    ///
    /// # Panics
    /// When the engine refuses.
    pub fn deploy(&self, services: &[(&str, &str, &str)]) {
        let mut yaml = "version: \"3.8\"\nservices:\n".to_owned();
        for (name, script, more) in services {
            let script = serde_json::to_string(&script.replace('$', "$$")).expect("a string");
            let command = format!("    command: [\"/bin/sh\", \"-c\", {script}]\n    stop_signal: SIGKILL\n");
            yaml.extend(["  ", name, ":\n    image: ", IMAGE, "\n", &command]);
            let deploy = more.contains("deploy:");
            yaml += more;
            if !deploy {
                yaml += "    deploy: {endpoint_mode: dnsrr}\n";
            }
        }
        let mut deploy = Command::new("docker");
        deploy.args(["stack", "deploy", "--resolve-image", "never", "-c", "-", &self.name]);
        let output = pipe(&mut deploy, yaml.as_bytes());
        assert!(output.status.success(), "{}\n{yaml}", String::from_utf8_lossy(&output.stderr));
    }

    /// The docker filter that matches the stack's objects.
    #[must_use]
    pub fn label(&self) -> String {
        format!("label={}", label::of_stack(&self.name))
    }

    /// Full ids of the stack's containers that had this event in the last ten minutes.
    #[must_use]
    pub fn containers_with(&self, event: &str) -> Vec<String> {
        let filter = format!("event={event}");
        let args = ["events", "--since", "10m", "--until", "0s", "--filter", "type=container", "--filter"];
        let more = [&*self.label(), "--filter", &filter, "--format", "{{.Actor.ID}}"];
        docker([&args[..], &more[..]].concat()).lines().map(ToOwned::to_owned).collect()
    }

    /// Waits until a container of the service has logged `needle`.
    pub fn wait_for_log(&self, service: &str, needle: &str) {
        let name = format!("{}_{service}", self.name);
        wait_for(&format!("'{needle}' in the log of {name}"), 180, || {
            let ids = docker(["ps", "-aq", "--filter", &format!("label={SERVICE_NAME}={name}")]);
            let has = |id: &str| {
                let output = try_docker(&["logs", id]);
                [output.stdout, output.stderr]
                    .concat()
                    .windows(needle.len())
                    .any(|part| part == needle.as_bytes())
            };
            ids.lines().any(has)
        });
    }

    /// Removes the stack and waits until none of its objects is left; false after five minutes.
    #[must_use]
    pub fn remove(&self) -> bool {
        try_docker(&["stack", "rm", &self.name]);
        let label = self.label();
        let empty = |args: &[&str]| {
            let output = try_docker(&[args, &["-q", "--filter", &label]].concat());
            output.status.success() && output.stdout.is_empty()
        };
        let gone = || {
            empty(&["service", "ls"])
                && empty(&["ps", "-a"])
                && empty(&["network", "ls"])
                && empty(&["config", "ls"])
        };
        (0..1500).any(|_| {
            std::thread::sleep(Duration::from_millis(200));
            gone()
        })
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let gone = self.remove();
        // A second panic would abort and hide the first.
        assert!(gone || std::thread::panicking(), "stack {} is not gone", self.name);
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}
