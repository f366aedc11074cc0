//! Rules for names and addresses on networks of others: nobody there may come to be asked for by a name of somebody else.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::decision::{Kind, Stop};
use crate::facts::Object;
use crate::refusal::Refusal;
use crate::world;
use lib_common::swarm::label::{self, STACK};
use lib_common::swarm::traefik::rule;

/// What the swarm itself puts in a template's place; none of it can be chosen.
const TEMPLATES: [&str; 7] = [
    "{{.Service.ID}}",
    "{{.Service.Name}}",
    "{{.Task.ID}}",
    "{{.Task.Name}}",
    "{{.Task.Slot}}",
    "{{.Node.ID}}",
    "{{.Node.Hostname}}",
];

/// The names that one object wants, and by which of them its stack calls it.
pub struct Wanted {
    short: Vec<String>,
    names: Vec<String>,
}

impl Wanted {
    pub fn of_service(ask: &Ask, spec: &Value) -> Self {
        let name = text(spec, "Name");
        let cuts = name.match_indices('_').map(|(at, _)| (&name[..at], &name[at + 1..]));
        let stack = text(&spec["Labels"], STACK);
        let short = cuts.filter(|(before, _)| *before == stack || ask.policy.is_stack(before));
        let short = short.map(|(_, rest)| world::plain(rest)).collect();
        Self { short, names: Vec::new() }.with(text(&spec["TaskTemplate"]["ContainerSpec"], "Hostname"))
    }

    pub fn of_container(labels: &Value, hostname: &str, domain: &str) -> Self {
        let short = vec![world::plain(text(labels, label::COMPOSE_SERVICE))];
        let wanted = Self { short, names: Vec::new() }.with(hostname);
        if domain.is_empty() { wanted } else { wanted.with(&format!("{hostname}.{domain}")) }
    }

    /// Also those of a list.
    pub fn and(&self, aliases: &Value) -> Self {
        let given = aliases.as_array().into_iter().flatten().filter_map(Value::as_str);
        let names = self.names.iter().cloned().chain(given.map(ToOwned::to_owned)).collect();
        Self { short: self.short.clone(), names }
    }

    fn with(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }
}

/// Refuses names by which others on the network are asked for, and names with a dot that are not the owner's: on a network
/// with others they would take a domain's visitors. What a stack calls its service by itself (`app`) is everybody's.
///
/// Those are added to `notes`.
pub fn check(ask: &Ask, network: &Object, wanted: &Wanted, notes: &mut Vec<String>) -> Result<(), Stop> {
    let mut names = wanted.names.iter().filter(|name| !name.is_empty()).peekable();
    if ask.is_own(Kind::Network, network) || names.peek().is_none() {
        return Ok(());
    }
    let taken = &ask.facts.world(Kind::Names, &network.id)?.names;
    for name in names {
        let refuse = |what: String| {
            Err(Refusal::new("name", what).remedy(format!(
                "on '{}' take a name that begins with '{}_', or a network of your own",
                network.name, ask.policy.stack
            )))
        };
        let fixed = TEMPLATES.iter().fold(name.replace(' ', ""), |rest, template| rest.replace(template, ""));
        if fixed.contains("{{") {
            return Ok(refuse(format!("the template '{name}'"))?);
        }
        let plain = world::plain(name);
        let is_short = wanted.short.contains(&plain);
        let mut theirs = taken.iter().filter(|one| one.name == plain);
        notes.extend(theirs.clone().next().filter(|one| one.is_short && is_short).map(|one| {
            format!("the name '{name}' on '{}', by which '{}' is asked for, too", network.name, one.by)
        }));
        if let Some(theirs) = theirs.find(|one| !(one.is_short && is_short)) {
            return Ok(refuse(format!(
                "'{name}', by which '{}' is asked for on '{}'",
                theirs.by, network.name
            ))?);
        }
        let own = ask.policy.is_name(plain.strip_prefix("tasks.").unwrap_or(&plain));
        if fixed.contains('.') && !own && !is_own_domain(ask, &plain) {
            return Ok(refuse(format!("'{name}' on '{}': a domain that is not yours", network.name))?);
        }
    }
    Ok(())
}

fn is_own_domain(ask: &Ask, name: &str) -> bool {
    ask.policy.domains.iter().any(|domain| domain == "*") || rule::is_within(name, &ask.policy.domains)
}

/// Refuses addresses that a container would choose itself on a network of others, where they may be somebody's.
pub fn addresses(ask: &Ask, network: Option<&Object>, endpoint: &Value) -> Result<(), Stop> {
    if network.is_some_and(|network| ask.is_own(Kind::Network, network)) {
        return Ok(());
    }
    let given = ["MacAddress", "IPAddress", "GlobalIPv6Address"].iter().map(|key| &endpoint[key]);
    let given = given.chain(endpoint["IPAMConfig"].as_object().into_iter().flatten().map(|(_, value)| value));
    if given.into_iter().all(crate::shape::is_nothing) {
        return Ok(());
    }
    Err(Refusal::new("address", "an address of one's own choice on a network of others")
        .remedy("let the engine choose it, or take a network of your own")
        .into())
}
