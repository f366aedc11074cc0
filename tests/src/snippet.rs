//! What examples/ shows other programs: their YAML and unit files, read as those programs read them, and a home to run
//! their commands in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{root, tool};

#[must_use]
pub fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// A YAML file as JSON.
///
/// # Panics
/// When it is none, or there is no YAML for Python.
#[must_use]
pub fn yaml(name: &str) -> Value {
    let script =
        "import json, sys, yaml\njson.dump(yaml.load(open(sys.argv[1]), yaml.BaseLoader), sys.stdout)";
    let output = Command::new("python3").args(["-c", script]).arg(example(name)).output().expect("python3");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Fails where a mapping has a key that its reader does not know.
///
/// # Panics
/// Then, or when it is no mapping.
#[track_caller]
pub fn only(value: &Value, keys: &[&str]) {
    for key in value.as_object().unwrap_or_else(|| panic!("no mapping: {value}")).keys() {
        assert!(keys.contains(&key.as_str()), "{key} is none of {keys:?}");
    }
}

/// A step's commands as one script, and its environment.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn commands(step: &Value) -> String {
    let lines = step["commands"].as_array().unwrap_or_else(|| panic!("no commands: {step}"));
    let lines = lines.iter().map(|line| line.as_str().expect("a word").to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// The values of a key of a unit file, in their order.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn unit(name: &str, key: &str) -> Vec<String> {
    let text = fs::read_to_string(example("systemd").join(name)).expect("a unit");
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(ToOwned::to_owned).collect()
}

/// Where the examples find the tools, as if they were installed there, one recipe, and what is recorded.
pub struct Home {
    pub dir: crate::folder::Folder,
}

impl Home {
    /// # Panics
    /// Without room, or unbuilt tools.
    #[must_use]
    #[allow(clippy::new_without_default)] // it makes a folder
    pub fn new() -> Self {
        let dir = crate::folder::Folder::new();
        fs::create_dir_all(dir.path().join("home/target")).expect("made");
        let bin = tool("swarm-isolate").parent().expect("its folder").to_owned();
        for (from, to) in [
            (root().join("scripts"), "home/scripts"),
            (root().join("ground"), "home/ground"),
            (bin, "home/target/release"),
        ] {
            symlink(from, dir.path().join(to)).expect("linked");
        }
        fs::create_dir(dir.path().join("recipes")).expect("made");
        symlink(example("recipes/hello"), dir.path().join("recipes/hello")).expect("linked");
        Self { dir }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A shell that runs a script as a CI's step: it ends at the first command that fails.
    #[must_use]
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-ec", script]);
        self.dress(&mut command);
        command
    }

    /// What an operator's settings would say.
    pub fn dress(&self, command: &mut Command) {
        command
            .envs([("CHECKOUT", self.path("home")), ("REDFIX_DIR", self.path("state"))])
            .env("REDFIX_RECIPES", self.path("recipes"))
            .env("REDFIX_BIN", self.path("home/target/release"))
            .env("REDFIX_ENV", "/dev/null")
            .env("REDFIX_BASE_DOMAIN", "ci.example")
            // A node of tests is not calm, and has no night to wait for.
            .envs([
                ("REDFIX_MAX_FOREIGN_CPU", "2"),
                ("REDFIX_ACCEPT_CORRELATED", "true"),
                ("REDFIX_SPACING", "1s"),
            ])
            .env_remove("E2E_BIN_DIR")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
    }

    /// A unit's command.
    #[must_use]
    pub fn unit_command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        let here = line.replace("/opt/redfix", &self.path("home").display().to_string());
        command.args(["-c", &format!("exec {here}")]);
        self.dress(&mut command);
        command
    }

    /// Copies of all units that name this home: what `systemd-analyze verify` reads.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn units(&self) -> Vec<PathBuf> {
        let folder = self.path("units");
        fs::create_dir_all(&folder).expect("made");
        let entries = fs::read_dir(example("systemd")).expect("units").flatten();
        let copied = entries.map(|entry| {
            let text = fs::read_to_string(entry.path()).expect("a unit");
            let to = folder.join(entry.file_name());
            fs::write(&to, text.replace("/opt/redfix", &self.path("home").display().to_string()))
                .expect("written");
            to
        });
        copied.collect()
    }
}

/// Both outputs of a command.
#[must_use]
pub fn told(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// # Panics
/// When the exit code is another.
#[track_caller]
pub fn ends(output: &std::process::Output, codes: &[i32]) {
    assert!(
        output.status.code().is_some_and(|code| codes.contains(&code)),
        "{}: {}",
        output.status,
        told(output)
    );
}

/// The records of a file.
///
/// # Panics
/// When it is no ledger.
#[must_use]
pub fn ledger(path: &Path) -> Vec<Value> {
    crate::records(&fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}
