//! `swarm-isolate kept`: lists the stacks that were kept on purpose, or releases (tears down) some.

use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::record::run::StackKept;
use lib_common::{Error, Exit, Io, Result};

use super::cli::{KeptAction, KeptArgs};
use super::remover::Remover;
use super::standing::{self, Standing, Why};
use crate::cli::Args;

const DOING: &str = "looking for kept stacks";

pub async fn run(args: &KeptArgs, tool: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&tool.engine).await?;
    let remover = Remover::new(&engine, &engine.require_manager().await?, &tool.run);
    let kept = standing::list(&engine, Why::Kept).await.map_err(|e| e.into_error(DOING, "the swarm"))?;
    match &args.action {
        None => list(&kept, &mut Emitter::new(tool.common.investigation.clone(), None), io),
        Some(KeptAction::Release { name, dry_run }) => {
            let chosen = choose(&kept, name)?;
            for kept in chosen {
                if *dry_run {
                    io.diag.note(format_args!("would tear down {}", kept.stacks.join(", ")));
                } else {
                    release(kept, &remover, io).await?;
                }
            }
            Ok(Exit::Done)
        }
    }
}

fn list(kept: &[Standing], emitter: &mut Emitter, io: &mut Io<'_>) -> Result<Exit> {
    for kept in kept {
        let record = StackKept {
            attempt_id: kept.attempt.clone(),
            stacks: kept.stacks.clone(),
            about: kept.about.clone(),
            since: kept.since.clone(),
        };
        emitter.emit(io, &record)?;
    }
    Ok(Exit::Done)
}

/// Finds all names; if one is unknown nothing is released.
fn choose<'k>(kept: &'k [Standing], names: &[String]) -> Result<Vec<&'k Standing>> {
    let find = |name: &String| {
        kept.iter().find(|kept| kept.is_called(name)).ok_or_else(|| {
            Error::cannot("releasing a kept stack", "no kept stack or attempt of this name")
                .on(format!("'{name}'"))
                .hint("'swarm-isolate kept' lists them")
        })
    };
    names.iter().map(find).collect()
}

/// Tears a kept stack down. It stays listed until it is gone, so a release that failed can be repeated.
async fn release(kept: &Standing, remover: &Remover, io: &Io<'_>) -> Result<()> {
    let fail = |e: lib_common::docker::ApiError| e.into_error("releasing a kept stack", &kept.attempt);
    io.diag.phase(format_args!("tearing down {}", kept.stacks.join(", ")));
    let outcome = remover.remove_remains(&kept.target()).await.map_err(fail)?;
    if !outcome.is_clean() {
        let rest = outcome.left.iter().chain(&outcome.unproved).cloned().collect::<Vec<_>>().join(", ");
        return Err(Error::cannot("releasing a kept stack", "not proved to be gone").on(rest));
    }
    standing::forget(&remover.nodes.manager, &kept.attempt).await.map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_kept_releases_nothing() {
        let kept =
            ["a", "b"].map(|name| Standing::new(Why::Kept, name, &[format!("{name}-stack")], "x".into()));
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(choose(&kept, &names(&["b-stack", "a"])).unwrap(), [&kept[1], &kept[0]]);
        let error = choose(&kept, &names(&["a", "a-sta"])).unwrap_err();
        assert!(error.to_string().contains("'a-sta'"), "{error}");
    }
}
