//! The terms of a grant, and the choice of a name that would work under them.

use std::collections::BTreeSet;

use lib_common::clock::{Clock, rfc3339};
use lib_common::{Error, Result};
use regex::Regex;

use crate::clash;
use crate::compose::Objects;
use crate::interrupt::Interrupt;
use crate::lease::Lease;
use crate::limits;
use crate::name::{Base, Candidate, Class, Pattern, certificate_covers, cut, short, slug};
use crate::store::Scope;
use crate::world::World;

pub const DOING: &str = "leasing a domain";

/// The terms that all grants of one call have in common.
#[derive(Debug)]
pub struct Terms {
    pub base: Base,
    pub class: Class,
    pub purpose: String,
    pub holder: String,
    pub investigation: String,
    pub ttl_ms: u64,
    pub pattern: Pattern,
    pub avoid: Vec<Regex>,
    pub objects: Objects,
    /// The shared networks that the recipe joins; `None` if not known, so that all of them count.
    pub shared: Option<BTreeSet<String>>,
    /// The names that the certificate covers; empty if not known.
    pub certificate: Vec<String>,
    pub dry_run: bool,
}

impl Terms {
    /// Which configs have to be read before names for `recipes` are chosen: if each try gives another name, only those
    /// with names near them.
    pub fn scope(&self, recipes: &[String]) -> Scope {
        let mut beginnings = BTreeSet::new();
        if self.dry_run || !self.pattern.varies() {
            return Scope::Everything;
        }
        for whole in recipes.iter().map(|recipe| slug(recipe)) {
            for (prefix, part) in self
                .class
                .prefixes()
                .iter()
                .flat_map(|prefix| [(prefix, whole.clone()), (prefix, cut(&whole))])
            {
                let beginning = |short: &str| {
                    let label = self.pattern.fill(prefix, &part, short);
                    label.split('-').next().unwrap_or_default().to_owned()
                };
                if beginning("0") != beginning("1") {
                    return Scope::Everything;
                }
                beginnings.insert(beginning("0"));
            }
        }
        Scope::Near { beginnings, holder: self.holder.clone() }
    }
}

/// A lease that was granted to us.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub lease: Lease,
    /// Created by this call, so that it is undone if it cannot be printed.
    pub is_new: bool,
    pub checked: Vec<String>,
}

/// Makes grants.
pub struct Granter<'a, S> {
    pub store: &'a S,
    pub terms: &'a Terms,
    pub clock: &'a dyn Clock,
    pub interrupt: &'a Interrupt,
}

impl<S> Granter<'_, S> {
    /// A name that would work, with the first class prefix that sorts before the shared networks, and with the recipe's
    /// name cut if the whole would be too long.
    pub fn candidate(&self, recipe: &str, world: &World) -> Result<Candidate> {
        let prefixes = self.terms.class.prefixes();
        let last = if self.terms.pattern.has_class() { prefixes.len() } else { 1 };
        let first = self.candidate_with(&prefixes[0], recipe, world);
        let others = prefixes[1..last].iter().map(|prefix| self.candidate_with(prefix, recipe, world));
        match first {
            Err(Unfit::Sorts(error)) => others.into_iter().find_map(std::result::Result::ok).ok_or(error),
            other => other.map_err(Unfit::into_error),
        }
    }

    fn candidate_with(
        &self,
        prefix: &str,
        recipe: &str,
        world: &World,
    ) -> std::result::Result<Candidate, Unfit> {
        let terms = self.terms;
        let whole = slug(recipe);
        let cannot = |cause: String| Error::cannot(DOING, cause).on(recipe);
        if whole.is_empty() {
            return Err(Unfit::Ever(cannot("its name has no character that a domain may have".into())));
        }
        let short = short();
        let named = |part: &str| {
            let label = terms.pattern.fill(prefix, part, &short);
            Candidate { is_exact: terms.class.is_exact(), ..Candidate::new(&label, &terms.base) }
        };
        let (long, brief) = (named(&whole), named(&cut(&whole)));
        let candidate = if limits::exceeded(&long, &terms.objects).is_none() { long } else { brief };
        if let Some(cause) = limits::exceeded(&candidate, &terms.objects) {
            return Err(Unfit::Ever(cannot(cause).hint("a shorter --base or --pattern leaves more room")));
        }
        let covered = terms.certificate.iter().any(|name| certificate_covers(name, &candidate.domain));
        if !terms.certificate.is_empty() && !covered {
            let cause = format!(
                "{} is covered by no certificate of {}",
                candidate.domain,
                terms.certificate.join(", ")
            );
            return Err(Unfit::Ever(
                cannot(cause).hint("a wildcard covers one label: take its own domain as --base"),
            ));
        }
        if let Some(regex) = clash::avoided(&candidate, &terms.avoid) {
            return Err(Unfit::Ever(cannot(format!(
                "{} or its attempts match --avoid '{regex}'",
                candidate.domain
            ))));
        }
        let shared = terms.shared.as_ref().unwrap_or(&world.shared);
        if let Some(network) = clash::sorts_behind(&candidate, shared) {
            let cause = format!(
                "{} sorts behind the shared network {network}, where strangers would answer for its services",
                candidate.stack
            );
            let hint = "take a --class that sorts before it, or name the networks that the recipe joins: --compose, --shared-network";
            return Err(Unfit::Sorts(cannot(cause).hint(hint)));
        }
        Ok(candidate)
    }

    pub fn lease(&self, recipe: &str, name: &Candidate) -> Lease {
        let now = rfc3339(self.clock.now());
        Lease {
            id: lib_common::new_id(),
            recipe: recipe.to_owned(),
            purpose: self.terms.purpose.clone(),
            holder: self.terms.holder.clone(),
            domain: name.domain.clone(),
            stack: name.stack.clone(),
            class: self.terms.class.0.clone(),
            ttl_ms: self.terms.ttl_ms,
            investigation: self.terms.investigation.clone(),
            granted: now.clone(),
            renewed: now,
        }
    }
}

/// Why a candidate cannot be used.
enum Unfit {
    /// It sorts behind a shared network; another prefix may work.
    Sorts(Error),
    /// No prefix would help.
    Ever(Error),
}

impl Unfit {
    fn into_error(self) -> Error {
        match self {
            Self::Sorts(error) | Self::Ever(error) => error,
        }
    }
}
