//! `scripts/lib.sh` makes relative paths in settings absolute, so that every program started from a script uses the same
//! folder.

use std::process::Command;

use e2e::root;

/// The value of a setting in a program that a script starts in `/`, when the script itself was started in `/usr`.
fn seen_elsewhere(setting: &str, value: &str) -> String {
    let lib = root().join("scripts/lib.sh");
    let script = format!(". {}; cd /; printenv {setting}; echo $recipes", lib.display());
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("REDFIX_ENV", "/dev/null")
        .env_remove("REDFIX_RECIPES")
        .env(setting, value)
        .current_dir("/usr")
        .output()
        .expect("bash starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn relative_folders_are_those_of_who_named_them() {
    let ours = root().join("ground/rows").display().to_string();
    for name in ["REDFIX_DIR", "REDFIX_HARNESS", "REDFIX_BIN", "REDFIX_CA_FILE", "REDFIX_CACHE"] {
        assert_eq!(seen_elsewhere(name, "some/folder"), format!("/usr/some/folder\n{ours}\n"));
    }
    assert_eq!(seen_elsewhere("REDFIX_RECIPES", "mine"), "/usr/mine\n/usr/mine\n");
    assert_eq!(seen_elsewhere("REDFIX_FORGE", "dir:queue"), format!("dir:/usr/queue\n{ours}\n"));
}

#[test]
fn what_needs_no_folder_stays_as_it_is() {
    for (name, value) in [
        ("REDFIX_DIR", "/var/lib/redfix"),
        ("REDFIX_FORGE", "dir:/srv/review"),
        ("REDFIX_FORGE", "https://forge.example"),
    ] {
        assert_eq!(seen_elsewhere(name, value).lines().next(), Some(value));
    }
}
