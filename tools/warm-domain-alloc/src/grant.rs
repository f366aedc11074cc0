//! Granting a lease: find it, or prove a name free, store it, and look again.

use std::collections::BTreeSet;

use lib_common::clock::{Clock, rfc3339};
use lib_common::{Error, Result};
use regex::Regex;
use serde_json::json;

use crate::clash;
use crate::compose::Objects;
use crate::interrupt::Interrupt;
use crate::lease::{Lease, Stored};
use crate::limits;
use crate::name::{Base, Candidate, Class, Pattern, cut, short, slug};
use crate::store::{self, Store, fail};
use crate::world::{Kind, World};

/// How many random names are tried; with 2^24 of them, more only fail for one and the same reason.
const TRIES: usize = 64;
const DOING: &str = "leasing a domain";

/// What every grant of one call has in common.
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
    /// Shared networks that the recipe joins; `None`: not known, so all of them count.
    pub shared: Option<BTreeSet<String>>,
    pub dry_run: bool,
}

/// A lease that is ours now.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub lease: Lease,
    /// Made by this call: it is undone when it cannot be printed.
    pub is_new: bool,
    pub checked: Vec<String>,
}

/// Where grants are made.
pub struct Granter<'a, S> {
    pub store: &'a S,
    pub world: &'a World,
    pub terms: &'a Terms,
    pub clock: &'a dyn Clock,
    pub interrupt: &'a Interrupt,
}

impl<S: Store> Granter<'_, S> {
    /// The lease for `recipe`: the one that is held for it already, else a new one.
    pub async fn grant(&self, recipe: &str) -> Result<Grant> {
        self.interrupt.check()?;
        let mut why = String::new();
        for _ in 0..if self.terms.pattern.varies() { TRIES } else { 1 } {
            let held = self.held(recipe).await?;
            if let Some(grant) = self.take_up(recipe, &held).await? {
                return Ok(grant);
            }
            let world = self.world_with(&held);
            let candidate = self.candidate(recipe)?;
            if let Some(cause) = clash::clash(&candidate, &world) {
                why = format!("{}: {cause}", candidate.domain);
                continue;
            }
            let lease = self.lease(recipe, &candidate);
            let checked = world.checked(held.len());
            if self.terms.dry_run || self.store_it(&lease).await? {
                return Ok(Grant { lease, is_new: true, checked });
            }
            why = format!("{}: somebody else was faster", candidate.domain);
        }
        Err(Error::no(DOING, why).on(recipe).hint("another --pattern or --class gives other names"))
    }

    /// Gives back what was granted but cannot be printed; the answer says what became of it.
    pub async fn undo(&self, lease: &Lease) -> String {
        match store::end(self.store, &lease.id).await {
            Ok(_) => "it was released again".to_owned(),
            Err(e) => format!("releasing it again failed too: {}: it may still be held", e.message),
        }
    }

    async fn held(&self, recipe: &str) -> Result<Vec<Stored>> {
        let held = if self.terms.dry_run {
            self.store.list().await.map(|all| all.into_iter().filter(Stored::is_held).collect())
        } else {
            store::held(self.store).await
        };
        held.map_err(fail(DOING, recipe))
    }

    /// The lease that recipe, purpose and holder have already, renewed.
    async fn take_up(&self, recipe: &str, held: &[Stored]) -> Result<Option<Grant>> {
        let wanted = self.lease(recipe, &Candidate::new("x", &self.terms.base));
        let same = held.iter().filter(|stored| stored.lease.is_for_same(&wanted));
        let Some(first) = same.reduce(|a, b| if b.is_before(a) { b } else { a }) else { return Ok(None) };
        let lease = &first.lease;
        if !self.terms.base.covers(&lease.domain) {
            let cause = format!("its holder has {lease} for the same purpose, under another base");
            return Err(Error::no(DOING, cause).on(recipe).hint("release it, or give another --purpose"));
        }
        let renewed = if self.terms.dry_run {
            Some(lease.clone())
        } else {
            let renewal = store::renew(self.store, &lease.id, self.clock.now(), Some(self.terms.ttl_ms));
            renewal.await.map_err(fail(DOING, recipe))?
        };
        Ok(renewed.map(|lease| Grant { lease, is_new: false, checked: Vec::new() }))
    }

    /// A name that would work; the recipe is cut where it has to be.
    fn candidate(&self, recipe: &str) -> Result<Candidate> {
        let terms = self.terms;
        let whole = slug(recipe);
        let cannot = |cause: String| Error::cannot(DOING, cause).on(recipe);
        if whole.is_empty() {
            return Err(cannot("nothing of its name can stand in a domain".into()));
        }
        let short = short();
        let named = |part: &str| Candidate::new(&terms.pattern.fill(&terms.class, part, &short), &terms.base);
        let (long, brief) = (named(&whole), named(&cut(&whole)));
        let candidate = if limits::exceeded(&long, &terms.objects).is_none() { long } else { brief };
        if let Some(cause) = limits::exceeded(&candidate, &terms.objects) {
            return Err(cannot(cause).hint("a shorter --base or --pattern leaves more room"));
        }
        if let Some(regex) = clash::avoided(&candidate, &terms.avoid) {
            return Err(cannot(format!("{} or its attempts match --avoid '{regex}'", candidate.domain)));
        }
        let shared = terms.shared.as_ref().unwrap_or(&self.world.shared);
        if let Some(network) = clash::sorts_behind(&candidate, shared) {
            let cause = format!(
                "{} sorts behind the shared network {network}, where strangers would answer for its services",
                candidate.stack
            );
            let hint = "take a --class that sorts before it, or name the networks that the recipe joins: --compose, --shared-network";
            return Err(cannot(cause).hint(hint));
        }
        Ok(candidate)
    }

    fn lease(&self, recipe: &str, name: &Candidate) -> Lease {
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

    fn world_with(&self, held: &[Stored]) -> World {
        let mut world = self.world.clone();
        for stored in held {
            let name = stored.lease.name();
            world.add(Kind::Lease, &json!(name.stack));
            world.add(Kind::Lease, &json!(name.label));
        }
        world
    }

    /// Stores the lease. Two grants may have been proved free at the same moment: whoever then sees an
    /// earlier one that meets it, or is for the same, steps back. False: try again.
    async fn store_it(&self, lease: &Lease) -> Result<bool> {
        self.interrupt.set_pending(Some(lease.to_string()));
        let stored = self.create_and_look(lease).await;
        match stored {
            Ok(true) => {}
            Ok(false) => self.interrupt.set_pending(None),
            Err(error) => {
                let outcome = self.undo(lease).await;
                self.interrupt.set_pending(None);
                return Err(error.hint(format!("{lease}: {outcome}")));
            }
        }
        stored
    }

    async fn create_and_look(&self, lease: &Lease) -> Result<bool> {
        let name = lease.to_string();
        if !self.store.create(lease).await.map_err(fail(DOING, &name))? {
            return Ok(false);
        }
        let all = store::held(self.store).await.map_err(fail(DOING, &name))?;
        self.interrupt.check()?;
        let Some(mine) = all.iter().find(|stored| stored.lease.id == lease.id) else { return Ok(false) };
        let candidate = lease.name();
        let first = all.iter().all(|other| {
            let names = [other.lease.name().label, other.lease.stack.clone()];
            let meets = names.iter().any(|name| clash::names_meet(Kind::Lease, name, &candidate));
            other.lease.id == lease.id || !other.is_before(mine) || !(meets || other.lease.is_for_same(lease))
        });
        if !first {
            store::end(self.store, &lease.id).await.map_err(fail(DOING, &name))?;
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests;
