//! What `--self-check` tries: the engines, the guard's program, what is protected, the slots, the ledger's folder, free space.

use lib_common::check::engine::{self, Manager};
use lib_common::check::{Finding, SelfCheck, tries};
use lib_common::cli::Voice;
use lib_common::exit::ToolArgs;
use lib_common::ledger::folder_of;
use lib_common::swarm::object::{self, Kind, Object};
use lib_common::vain::Vain;

use crate::cli::{Args, RunArgs};
use crate::teardown::pattern::Pattern;
use crate::{disk, guard, slot};

const PROTECT: &str = "REDFIX_PROTECT";
const SLOTS: &str = "REDFIX_SLOTS";

#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    run: RunArgs,
}

impl ToolArgs for Args {
    const CHANGES_THE_WORLD: bool = true;
    const VAIN: &'static [Vain] = &[
        Vain::Beside("until", &["factor", "condition"]),
        Vain::Without("resize", &["wait", "slot_ttl", "dry_run"]),
    ];
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        let mut found = engine::manages(&self.run.engine, async |manager| match manager {
            Some(manager) => self.on_swarm(&manager).await,
            None => self.without_swarm(),
        });
        found.extend(guard::find().err().map(|error| Finding::failed("swarm-guard", &error)));
        let ledger = self.run.ledger.ledger.as_deref().map(folder_of);
        found.extend(ledger.map(|folder| tries::writable("REDFIX_LEDGER", folder)));
        found
    }
}

impl CheckArgs {
    async fn on_swarm(&self, manager: &Manager) -> Vec<Finding> {
        let Manager { engine, info } = manager;
        let mut found = engine::nodes("REDFIX_NODES", &self.run.down.nodes, &self.run.engine).await;
        found.extend(match engine.get(Kind::Service.list_path()).await {
            Ok(answer) => protected(&self.run.down.protect, &object::parse(Kind::Service, &answer)),
            Err(e) => vec![Finding::failed(PROTECT, &e.into_error("listing the services", "of the swarm"))],
        });
        found.push(match slot::on_record(engine).await {
            Ok(there) => slots(self.run.slot.count.slots, there),
            Err(e) => Finding::failed(SLOTS, &e.into_error("listing the slots", "redfix-slot")),
        });
        let evidence = self.run.evidence.clone().or_else(|| self.run.ledger.ledger.clone());
        let evidence = evidence.unwrap_or_else(std::env::temp_dir);
        let folders: Vec<_> =
            disk::engine_folder(engine, info).into_iter().chain([evidence.as_path()]).collect();
        found.push(match disk::check(&folders, self.run.command.min_free) {
            Ok(()) => Finding::ok("free space", format!("{} MiB and more", self.run.command.min_free >> 20)),
            Err(error) => Finding::failed("free space", &error),
        });
        found
    }

    /// What there is to say where no engine answers.
    fn without_swarm(&self) -> Vec<Finding> {
        let slots = self.run.slot.count.slots.map_or_else(|| "not set".to_owned(), |slots| slots.to_string());
        let mut found = vec![Finding::unknown(SLOTS, format!("{slots}; not compared: no engine"))];
        let patterns = given(&self.run.down.protect);
        found.extend(patterns.is_empty().then(unprotected));
        found.extend(patterns.iter().map(|pattern| {
            Finding::unknown(
                PROTECT,
                format!("{}; not compared: no engine", String::from((*pattern).clone())),
            )
        }));
        found
    }
}

fn given(patterns: &[Pattern]) -> Vec<&Pattern> {
    patterns.iter().filter(|pattern| **pattern != Pattern::Nothing).collect()
}

fn unprotected() -> Finding {
    let what = "not set: what no run may ever touch, your live services";
    Finding::missing(PROTECT, what, "such as 'traefik_* warm-keycloak_*'")
}

/// Each pattern matches a service that is there, so that a typing error protects nobody by silence.
fn protected(patterns: &[Pattern], services: &[Object]) -> Vec<Finding> {
    let given = given(patterns);
    if given.is_empty() {
        return vec![unprotected()];
    }
    let judge = |pattern: &Pattern| {
        let text = String::from(pattern.clone());
        match services.iter().filter(|service| pattern.matches_object(service)).count() {
            0 => Finding::wrong(PROTECT, format!("{text}: no service matches"), "docker service ls"),
            count => Finding::ok(PROTECT, format!("{text}: {count} services")),
        }
    };
    given.into_iter().map(judge).collect()
}

/// `asked`: `--slots`; `there`: as many as the swarm has, if they were ever made.
fn slots(asked: Option<u32>, there: Option<u32>) -> Finding {
    match (asked, there) {
        (Some(asked), Some(there)) if asked != there => Finding::wrong(
            SLOTS,
            format!("{asked}, and the swarm has {there}"),
            format!("leave it out, or change it for everybody: swarm-isolate slots --resize {asked}"),
        ),
        (Some(asked), _) => Finding::ok(SLOTS, asked),
        (None, there) => Finding::ok(SLOTS, format!("not set: {}", there.unwrap_or(slot::DEFAULT))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::check::State;

    #[test]
    fn each_pattern_protects_somebody() {
        let services = [Object::named("live_app", "live"), Object::named("live_db", "live")];
        let patterns =
            |text: &str| text.split(' ').map(|word| word.parse().unwrap()).collect::<Vec<Pattern>>();
        let states = |text: &str| -> Vec<State> {
            protected(&patterns(text), &services).iter().map(|finding| finding.state).collect()
        };
        assert_eq!(states("live_* lvie_* live_db"), [State::Ok, State::Wrong, State::Ok]);
        assert_eq!(states(""), [State::Missing]);
    }

    #[test]
    fn the_swarm_knows_how_many_slots_there_are() {
        assert_eq!(slots(Some(2), Some(3)).state, State::Wrong);
        assert_eq!(slots(Some(2), None).state, State::Ok);
        assert!(slots(None, Some(5)).value.ends_with('5') && slots(None, None).value.ends_with('3'));
    }
}
