//! `make install` and `make uninstall`: the installed programs work from their place, and uninstalling leaves nothing.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::{TOOLS, first, pipe, records, root, tool};

struct Target {
    dir: e2e::folder::Folder,
}

impl Target {
    const PREFIX: &str = "/opt/somewhere";

    fn new() -> Self {
        Self { dir: e2e::folder::Folder::new() }
    }

    fn make(&self, what: &str) -> Output {
        let completions = self.dir.path().join("completions");
        let written = Command::new(tool("dist")).arg(&completions).status().unwrap();
        assert!(written.success());
        let output = Command::new("make")
            .args(["-s", what, &format!("PREFIX={}", Self::PREFIX)])
            .arg(format!("DESTDIR={}", self.destdir().display()))
            .env("REDFIX_BIN", tool("log-snap").parent().unwrap())
            .env("COMPLETIONS", completions)
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn destdir(&self) -> PathBuf {
        self.dir.path().join("dest")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.destdir().join(Self::PREFIX.trim_start_matches('/')).join(path)
    }

    /// Calls an installed program with a PATH that has nothing of ours.
    fn call(&self, path: &str) -> Command {
        let mut command = Command::new(self.at(path));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .current_dir("/");
        command
    }
}

/// Every file, link and folder below this folder.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn what_is_installed_works_from_where_it_lies() {
    let target = Target::new();
    target.make("install");
    for name in TOOLS {
        let output = target.call(&format!("bin/{name}")).arg("--version").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name} {}\n", lib_common::VERSION));
        assert!(target.at(&format!("share/man/man1/{name}.1")).exists(), "{name}: no page");
        for file in [
            format!("bash-completion/completions/{name}"),
            format!("zsh/site-functions/_{name}"),
            format!("fish/vendor_completions.d/{name}.fish"),
        ] {
            assert!(target.at("share").join(&file).exists(), "{file}");
        }
    }
    for page in ["man5/redfix-records.5", "man7/redfix.7"] {
        assert!(target.at("share/man").join(page).exists(), "{page}");
    }
    for schema in ["records", "report"] {
        assert!(target.at(&format!("share/redfix/schema/redfix-{schema}.schema.json")).exists());
    }
    for script in [&["--help"][..], &["engine", "--help"], &["sweep", "--help"], &["case-failed", "--help"]] {
        let output = target.call("bin/redfix").args(script).output().unwrap();
        assert!(output.status.success(), "redfix {script:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // The installed scripts find the installed tools and recipes.
    let sweep = target.at("share/redfix/ground/rows/mumble/sweep.xml");
    let output = target
        .call("bin/redfix")
        .arg("case-failed")
        .arg(sweep)
        .args(["--recipe", "mumble"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let planned = pipe(target.call("bin/flake-classify").arg("--next"), &output.stdout);
    assert_eq!(first(&records(&planned.stdout), "run.planned")["factors"]["load"], "isolated");
}

#[test]
fn files_have_the_modes_of_the_checkout_and_anybody_may_read_them() {
    let target = Target::new();
    target.make("install");
    for path in everything(&target.destdir()).iter().filter(|path| !path.is_symlink()) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert!([0o644, 0o755].contains(&mode), "{mode:o} {}", path.display());
    }
    for path in everything(&target.at("share/redfix")).iter().filter(|path| path.is_symlink()) {
        assert!(path.exists(), "{}: it leads nowhere", path.display());
    }
    let script =
        |name: &str| target.at("share/redfix/scripts").join(name).metadata().unwrap().permissions().mode();
    assert_eq!((script("redfix") & 0o111, script("lib.sh") & 0o111), (0o111, 0));
}

#[test]
fn uninstall_takes_away_what_install_put_there_and_nothing_else() {
    let target = Target::new();
    target.make("install");
    target.make("install");
    target.make("uninstall");
    assert_eq!(everything(&target.destdir()).len(), 0, "{:#?}", everything(&target.destdir()));

    let (mine, page) = (target.at("bin/mine"), target.at("share/man/man1"));
    fs::create_dir_all(&page).unwrap();
    fs::create_dir_all(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "of somebody else").unwrap();
    let before = everything(&target.destdir());
    target.make("install");
    assert!(everything(&target.destdir()).len() > before.len() + 100);
    target.make("uninstall");
    assert_eq!(everything(&target.destdir()), before);
}
