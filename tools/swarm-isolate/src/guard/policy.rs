//! The guard's policy for one run: its own names, and what the operator allows besides. No I/O.

use std::path::Path;

use lib_common::allow::{Allow, Kind, Policy, values};
use lib_common::{Error, Result};

use crate::plan::Namespace;

/// The network that Traefik is on, by Co-op Cloud's convention. Allowed if `--allow` names no network.
const PROXY: &str = "proxy";

/// The policy: the run's domain and scratch folder first, then what is allowed besides.
pub fn of_run(run: &str, names: &Namespace, scratch: &Path, allowed: &[Allow]) -> Result<Policy> {
    let scratch = scratch.to_string_lossy();
    let own = [(Kind::Domain, names.domain.as_str()), (Kind::Path, scratch.as_ref())];
    let proxy = values(allowed, Kind::Network).next().is_none().then_some((Kind::Network, PROXY));
    let ours = own.into_iter().chain(proxy).map(|(kind, value)| Allow::new(kind, value));
    let ours: std::result::Result<Vec<Allow>, String> = ours.collect();
    let ours = ours.map_err(|e| Error::cannot("planning a run", e))?;
    Ok(Policy {
        owner: run.to_owned(),
        stack: Some(names.stack.clone()),
        allow: [&ours[..], allowed].concat(),
        read_only: false,
        hide_others: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(allowed: &[&str]) -> String {
        let names = Namespace { domain: "iso-x.ci".into(), stack: "iso-x_ci".into() };
        let allowed: Vec<Allow> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let policy = of_run("01JD", &names, Path::new("/tmp/s"), &allowed).unwrap();
        assert_eq!((policy.owner.as_str(), policy.stack.as_deref()), ("01JD", Some("iso-x_ci")));
        let all: Vec<String> = policy.allow.iter().map(ToString::to_string).collect();
        all.join(" ")
    }

    #[test]
    fn a_runs_own_come_first_and_the_proxy_goes_for_a_named_network() {
        assert_eq!(told(&[]), "domain=iso-x.ci path=/tmp/s network=proxy");
        assert_eq!(told(&["exec=bot"]), "domain=iso-x.ci path=/tmp/s network=proxy exec=bot");
        assert_eq!(told(&["network=edge"]), "domain=iso-x.ci path=/tmp/s network=edge");
    }
}
