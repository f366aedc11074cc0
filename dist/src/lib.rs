//! Shell completions of the tools and of `redfix`, where bash, zsh and fish look for them.

mod script;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

/// Every command that an installation puts on the path.
#[must_use]
pub fn commands() -> Vec<Command> {
    vec![
        flake_classify::Args::command(),
        log_snap::Args::command(),
        pr_open::Args::command(),
        redfix_report::Args::command(),
        swarm_guard::Args::command(),
        swarm_isolate::Args::command(),
        swarm_wait::Args::command(),
        warm_domain_alloc::Args::command(),
        script::redfix(),
    ]
}

/// Writes the completions of every command below `folder`, as they lie below `share`.
pub fn write(folder: &Path) -> io::Result<()> {
    for command in &mut commands() {
        let name = command.get_name().to_owned();
        for (shell, path) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Zsh, format!("zsh/site-functions/_{name}")),
            (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
        ] {
            let path = folder.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            generate(shell, command, &name, &mut File::create(path)?);
        }
    }
    Ok(())
}
