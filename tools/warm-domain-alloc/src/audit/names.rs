//! Finds names near or over their limits, leases without stacks, and stacks without leases. No I/O.

use std::collections::BTreeSet;

use lib_common::swarm::stack::{STACK_MAX, stack_of};

use super::{Finding, Scene};
use crate::clash;
use crate::limits::{CONFIG_MAX, LABEL_MAX};
use crate::world::NameOf;
use lib_common::swarm::object::Kind;

/// A name with this many characters left is near its limit: the next version number in it may exceed the limit.
const NEAR: usize = 3;
const SHORTER: &str = "take a shorter domain, or shorter object names in the recipe";

pub fn findings(scene: &Scene) -> Vec<Finding> {
    let mut found = Vec::new();
    for (kind, name) in &scene.world.names {
        let max = match kind {
            NameOf::Object(Kind::Service | Kind::Network) => LABEL_MAX,
            NameOf::Object(Kind::Secret | Kind::Config) => CONFIG_MAX,
            NameOf::Stack => STACK_MAX,
            _ => continue,
        };
        let length = name.chars().count();
        if length + NEAR <= max {
            continue;
        }
        let over = length > max;
        found.push(Finding {
            // The engine lets no object exceed its limit. A stack can: abra would cut its name, and deploy beside it.
            breaks: over,
            kind: if over { "name-over-limit" } else { "name-near-limit" },
            what: format!("{} {name} has {length} of {max} characters", kind.singular()),
            objects: vec![format!("{} {name}", kind.singular())],
            remedy: SHORTER,
        });
    }
    found.extend(leases_without_stack(scene));
    found.extend(stacks_without_lease(scene));
    found
}

fn leases_without_stack(scene: &Scene) -> Vec<Finding> {
    let held = scene.leases.iter().filter(|stored| stored.is_held());
    let idle = held.filter(|stored| {
        let label = stored.lease.name().label;
        let is_its =
            |(kind, name): &&(NameOf, String)| *kind == NameOf::Stack && clash::continues(name, &label);
        !scene.world.names.iter().any(|name| is_its(&name))
    });
    let finding = |stored: &crate::lease::Stored| Finding {
        breaks: false,
        kind: "lease-without-stack",
        what: format!(
            "{} is leased by {} for {}, and nothing is deployed there",
            stored.lease.domain, stored.lease.holder, stored.lease.recipe
        ),
        objects: vec![format!("lease {}", stored.lease.id)],
        remedy: "deploy there, or release the lease (warm-domain-alloc release --lease ID); gc ends expired leases",
    };
    idle.map(finding).collect()
}

/// Stacks whose names come from domains below the base and which nobody leased.
fn stacks_without_lease(scene: &Scene) -> Vec<Finding> {
    let Some(base) = scene.base else { return Vec::new() };
    let end = format!("_{}", stack_of(base));
    let leased: BTreeSet<String> = scene
        .leases
        .iter()
        .filter(|stored| stored.is_held())
        .map(|stored| stored.lease.name().label)
        .collect();
    let stacks =
        scene.world.names.iter().filter(|(kind, name)| *kind == NameOf::Stack && name.ends_with(&end));
    let free = stacks.filter(|(_, name)| !leased.iter().any(|label| clash::continues(name, label)));
    let finding = |(_, name): &(NameOf, String)| Finding {
        breaks: false,
        kind: "stack-without-lease",
        what: format!("stack {name} is below {base} and nobody leased it"),
        objects: vec![format!("stack {name}")],
        remedy: "lease names before you deploy; a live service needs no lease, since its stack already takes the name",
    };
    free.map(finding).collect()
}
