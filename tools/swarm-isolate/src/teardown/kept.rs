//! `swarm-isolate kept`: lists the stacks that were kept on purpose, or releases (tears down) some.

use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::record::run::StackKept;
use lib_common::{Error, Exit, Io, Result};

use super::cli::{KeptAction, KeptArgs, ReleaseArgs};
use super::remover::Remover;
use super::standing::{self, Standing, Why};

const DOING: &str = "looking for kept stacks";

pub async fn run(args: &KeptArgs, io: &mut Io<'_>) -> Result<Exit> {
    match &args.action {
        None => list(args, io).await,
        Some(KeptAction::Release(args)) => release(args, io).await,
    }
}

async fn all(engine: &Engine) -> Result<Vec<Standing>> {
    standing::list(engine, Why::Kept).await.map_err(|e| e.into_error(DOING, "the swarm"))
}

async fn list(args: &KeptArgs, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    engine.require_manager().await?;
    let mut emitter = Emitter::new(args.investigation.id.clone(), None);
    for kept in all(&engine).await? {
        let record =
            StackKept { attempt_id: kept.attempt, stacks: kept.stacks, about: kept.about, since: kept.since };
        emitter.emit(io, &record)?;
    }
    Ok(Exit::Done)
}

async fn release(args: &ReleaseArgs, io: &mut Io<'_>) -> Result<Exit> {
    let engine = Engine::connect(&args.engine).await?;
    let remover = Remover::new(&engine, &engine.require_manager().await?, &args.down);
    for kept in choose(&all(&engine).await?, &args.name)? {
        if args.dry_run {
            io.diag.note(format_args!("would tear down {}", kept.stacks.join(", ")));
        } else {
            tear_down(kept, &remover, io).await?;
        }
    }
    Ok(Exit::Done)
}

/// All of the names, or none.
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

/// Until it is gone it stays listed, so a release that failed can be called again.
async fn tear_down(kept: &Standing, remover: &Remover, io: &Io<'_>) -> Result<()> {
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
