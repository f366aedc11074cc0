//! The shells themselves complete what the tools take.
#![allow(clippy::unwrap_used)] // a helper of a test fails as the test does

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_dist")).arg(folder.path()).status().unwrap();
    assert!(status.success());
    folder
}

/// The words that a script in that shell prints; it knows nothing but the folder.
fn ask(shell: &[&str], script: &str, folder: &Path) -> BTreeSet<String> {
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", script])
        .current_dir(folder)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("TERM", "dumb")])
        .env("HOME", folder)
        .output();
    let output = output.unwrap_or_else(|e| panic!("{shell:?}: {e}; check/fetch test installs it"));
    assert!(output.status.success() && output.stderr.is_empty(), "{shell:?} {script}: {output:?}");
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(ToOwned::to_owned).collect()
}

/// The long flags of a command, and the names of its subcommands, as far as a user may see them.
fn words(command: &clap::Command) -> BTreeSet<String> {
    let flags = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long());
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    let commands = commands.map(|command| command.get_name().to_owned());
    flags.map(|flag| format!("--{flag}")).chain(commands).collect()
}

#[test]
fn bash_and_fish_offer_every_flag_and_command() {
    let folder = written();
    for command in dist::commands() {
        let name = command.get_name();
        let wanted = words(&command);
        assert!(wanted.len() >= 4, "{name}: {wanted:?}");
        let bash = format!(
            "source bash-completion/completions/{name}
             function=$(complete -p {name} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
             COMP_WORDS=({name} '') COMP_CWORD=1; $function {name} '' {name}; echo ${{COMPREPLY[@]}}"
        );
        let offered = ask(&["bash", "--norc"], &bash, folder.path());
        assert_eq!(wanted.difference(&offered).collect::<Vec<_>>(), Vec::<&String>::new(), "bash: {name}");
        let fish = format!(
            "source fish/vendor_completions.d/{name}.fish
             complete -C '{name} --'; complete -C '{name} '"
        );
        let offered = ask(&["fish", "--no-config"], &fish, folder.path());
        assert_eq!(wanted.difference(&offered).collect::<Vec<_>>(), Vec::<&String>::new(), "fish: {name}");
    }
}

#[test]
fn zsh_finds_a_function_for_every_command() {
    let folder = written();
    let script =
        "fpath=($PWD/zsh/site-functions $fpath); autoload -Uz compinit; compinit -D -u; print -l ${(k)_comps}
                  for file in zsh/site-functions/*; do zsh -n $file || exit; done";
    let known = ask(&["zsh", "-f"], script, folder.path());
    for command in dist::commands() {
        assert!(known.contains(command.get_name()), "zsh: {}", command.get_name());
    }
}
