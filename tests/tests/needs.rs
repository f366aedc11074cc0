//! A script that needs a missing program says so at once and names the package that has it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use e2e::root;

/// The programs in the first column of scripts/packages.
fn listed() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("scripts/packages")).expect("scripts/packages");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let lib = root().join("scripts/lib.sh");
    for (program, hint) in [
        ("docker", "apt-get install docker-cli or docker.io"),
        ("dockerd", "apt-get install docker.io"),
        ("shfmt", "apt-get install shfmt"),
        ("log-snap", "make build"),
    ] {
        let script = format!(
            ". {}; awk() {{ /usr/bin/awk \"$@\"; }}; PATH=/nonexistent need {program}",
            lib.display()
        );
        let output =
            Command::new("bash").args(["-c", &script]).env("REDFIX_ENV", "/dev/null").output().expect("bash");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{program}: not found")) && said.contains(hint), "{said}");
    }
}

#[test]
fn whatever_a_script_needs_is_in_the_list_or_ours() {
    let (listed, mut unknown) = (listed(), Vec::new());
    let ours = |program: &str| {
        ["tools", "scripts", "ground"].iter().any(|folder| root().join(folder).join(program).exists())
    };
    let mut found = 0;
    for folder in ["scripts", "ground", "check", "scripts/redfix.d", "ground/neighbours", "benches"] {
        let files = fs::read_dir(root().join(folder)).expect("a folder").flatten();
        for file in files.map(|entry| entry.path()).filter(|path| path.is_file()) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let commands = text.split(['\n', ';', '|', '&']).map(str::trim);
            let needs = commands.filter_map(|command| command.strip_prefix("need "));
            let words = needs.flat_map(|rest| rest.split('#').next().unwrap_or_default().split_whitespace());
            for word in
                words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
            {
                found += 1;
                if !listed.contains(word) && !ours(word) {
                    unknown.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    assert!(found > 40, "only {found} words behind `need` were found");
    assert_eq!(unknown, Vec::<String>::new());
}
