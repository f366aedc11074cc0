//! What `--self-check` tries: the engines, the shared networks, the base domain, the ledger's folder.

use std::net::ToSocketAddrs as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lib_common::check::engine::{self, Manager};
use lib_common::check::{Finding, SelfCheck, tries};
use lib_common::cli::Voice;
use lib_common::exit::ToolArgs;
use lib_common::ledger::folder_of;
use lib_common::swarm::object::{self, Kind};

use crate::cli::{AllocArgs, Args};
use crate::name::Base;

const BASE: &str = "REDFIX_BASE_DOMAIN";
const SHARED: &str = "REDFIX_SHARED_NETWORK";
/// What the scripts take where nobody has said it.
const PLACE_HOLDER: &str = "ci.example";
/// Top-level domains that no DNS has (RFC 2606).
const RESERVED: [&str; 4] = ["test", "example", "invalid", "localhost"];
/// A resolver that says nothing for so long will not help a test either.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    alloc: AllocArgs,
}

impl ToolArgs for Args {
    const CHANGES_THE_WORLD: bool = true;
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        let AllocArgs { engine, ledger, base: asked, shared_network, nodes, .. } = &self.alloc;
        let mut found = engine::manages(engine, async |manager| {
            let Some(manager) = manager else { return Vec::new() };
            let mut found = engine::nodes("REDFIX_NODES", &nodes.nodes, engine).await;
            found.extend(networks(shared_network, &manager).await);
            found
        });
        found.push(base(asked.as_ref()));
        let ledger = ledger.ledger.as_deref().map(folder_of);
        found.extend(ledger.map(|folder| tries::writable("REDFIX_LEDGER", folder)));
        found
    }
}

/// Each is a network of the swarm.
async fn networks(names: &[String], manager: &Manager) -> Vec<Finding> {
    if names.is_empty() {
        return Vec::new();
    }
    let there = match manager.engine.get(Kind::Network.list_path()).await {
        Ok(answer) => object::parse(Kind::Network, &answer),
        Err(e) => {
            return vec![Finding::failed(SHARED, &e.into_error("listing the networks", "of the swarm"))];
        }
    };
    let judge = |name: &String| {
        if there.iter().any(|network| network.name == *name) {
            Finding::ok(SHARED, name)
        } else {
            Finding::wrong(SHARED, format!("{name}: the swarm has no such network"), "docker network ls")
        }
    };
    names.iter().map(judge).collect()
}

/// Somebody's own domain, and names below it resolve.
fn base(asked: Option<&Base>) -> Finding {
    let Some(base) = asked.map(ToString::to_string).filter(|base| base != PLACE_HOLDER) else {
        let what =
            format!("not set: the domain that runs get names below ({PLACE_HOLDER} is a place-holder)");
        return Finding::missing(BASE, what, "the one that your wildcard certificate covers");
    };
    if RESERVED.contains(&base.rsplit('.').next().unwrap_or_default()) {
        return Finding::unknown(BASE, format!("{base}: no DNS has names below it, by its last part"));
    }
    let name = format!("redfix-self-check.{base}");
    match resolve(name.clone()) {
        Ok(()) => Finding::ok(BASE, format!("{base}: names below it resolve")),
        Err(cause) => Finding::wrong(
            BASE,
            format!("{base}: {name}: {cause}"),
            "a wildcard record of DNS that points at the swarm, and a resolver here that knows it",
        ),
    }
}

/// Asks the system's resolver, which has no deadline of its own: a thread that waits for it ends with this process.
fn resolve(name: String) -> Result<(), String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send((name, 443_u16).to_socket_addrs().map(drop)));
    match told.recv_timeout(PATIENCE) {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::check::State;

    #[test]
    fn a_domain_of_ones_own() {
        let state = |text: &str| base(Some(&Base::parse(text).unwrap())).state;
        assert_eq!(base(None).state, State::Missing);
        assert_eq!(state("ci.example"), State::Missing);
        assert_eq!(state("ci.test.example"), State::Unknown);
        assert!(resolve("localhost".into()).is_ok());
    }
}
