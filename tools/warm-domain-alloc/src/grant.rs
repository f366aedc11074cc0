//! Granting a lease: find it, or prove a name free, store it, and look again.

use std::collections::BTreeSet;

use lib_common::clock::{Clock, rfc3339};
use lib_common::docker::ApiResult;
use lib_common::{Error, Result};
use regex::Regex;

use crate::clash;
use crate::compose::Objects;
use crate::interrupt::Interrupt;
use crate::lease::{Lease, Query, Stored};
use crate::limits;
use crate::name::{Base, Candidate, Class, Pattern, certificate_covers, cut, short, slug};
use crate::store::{self, Store, fail};
use crate::world::World;

/// How many random names are tried; with 2^24 of them, more only fail for one and the same reason.
const TRIES: usize = 64;
/// How often a name that does not vary is tried: once more after another process was faster.
const FIXED_TRIES: usize = 3;
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
    /// Names that the certificate covers; empty: not known.
    pub certificate: Vec<String>,
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
    pub terms: &'a Terms,
    pub clock: &'a dyn Clock,
    pub interrupt: &'a Interrupt,
}

impl<S: Store> Granter<'_, S> {
    /// The lease for `recipe`: the one that is held for it already, else a new one.
    pub async fn grant(&self, recipe: &str, world: &World) -> Result<Grant> {
        self.interrupt.check()?;
        let owner = self.lease(recipe, &Candidate::new("x", &self.terms.base)).owner();
        let mut is_held = world.leases.iter().any(|lease| lease.owner() == owner);
        let mut why = String::new();
        let varies = self.terms.pattern.varies();
        for _ in 0..if varies { TRIES } else { FIXED_TRIES } {
            if is_held && let Some(grant) = self.take_up(recipe, &owner).await? {
                return Ok(grant);
            }
            let candidate = self.candidate(recipe, world)?;
            if let Some(cause) = clash::clash(&candidate, world) {
                why = format!("{}: {cause}", candidate.domain);
                if varies {
                    continue;
                }
                break;
            }
            let lease = self.lease(recipe, &candidate);
            if self.terms.dry_run || self.store_it(&lease).await? {
                return Ok(Grant { lease, is_new: true, checked: world.checked() });
            }
            why = format!("{}: somebody else was faster", candidate.domain);
            // Perhaps another process of the same holder, for the same.
            is_held = true;
        }
        Err(Error::no(DOING, why).on(recipe).hint("another --pattern or --class gives other names"))
    }

    /// Gives back what was granted but cannot be printed; the answer says what became of it.
    pub async fn undo(&self, lease: &Lease) -> String {
        match store::end(self.store, lease).await {
            Ok(_) => "it was released again".to_owned(),
            Err(e) => format!("releasing it again failed too: {}: it may still be held", e.message),
        }
    }

    /// The lease that recipe, purpose and holder have already, renewed.
    async fn take_up(&self, recipe: &str, owner: &str) -> Result<Option<Grant>> {
        let same = self.held(&Query::Owner(owner.to_owned())).await.map_err(fail(DOING, recipe))?;
        let Some(first) = same.iter().reduce(|a, b| if b.is_before(a) { b } else { a }) else {
            return Ok(None);
        };
        let lease = &first.lease;
        if !self.terms.base.covers(&lease.domain) {
            let cause = format!("its holder has {lease} for the same purpose, under another base");
            return Err(Error::no(DOING, cause).on(recipe).hint("release it, or give another --purpose"));
        }
        let renewed = if self.terms.dry_run {
            Some(lease.clone())
        } else {
            let renewal = store::renew(self.store, first, self.clock.now(), Some(self.terms.ttl_ms));
            renewal.await.map_err(fail(DOING, recipe))?
        };
        Ok(renewed.map(|lease| Grant { lease, is_new: false, checked: Vec::new() }))
    }

    /// What is held; a dry run leaves tombstones where they are.
    async fn held(&self, query: &Query) -> ApiResult<Vec<Stored>> {
        if self.terms.dry_run {
            Ok(self.store.find(query).await?.into_iter().filter(Stored::is_held).collect())
        } else {
            store::held_of(self.store, query).await
        }
    }

    /// A name that would work: with the first class prefix that sorts before the shared networks, and the recipe cut
    /// where it has to be.
    fn candidate(&self, recipe: &str, world: &World) -> Result<Candidate> {
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
            return Err(Unfit::Ever(cannot("nothing of its name can stand in a domain".into())));
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
        let fail = || fail(DOING, &name);
        if !self.create(lease).await.map_err(fail())? {
            return Ok(false);
        }
        // Whoever stored a lease that meets this one before it was stored is found now; whoever does so later finds
        // this one. Only what can matter is asked for, however many leases there are.
        let (meeting, owner) = (Query::Meeting(lease.name().label), Query::Owner(lease.owner()));
        let (meeting, same, is_used) = tokio::try_join!(
            self.held(&meeting),
            self.held(&owner),
            self.store.has_configs_of(&lease.stack),
        )
        .map_err(fail())?;
        self.interrupt.check()?;
        let Some(mine) = meeting.iter().find(|stored| stored.lease.id == lease.id) else { return Ok(false) };
        let mut others = meeting.iter().chain(&same).filter(|other| other.lease.id != lease.id);
        let is_first = !is_used && others.all(|other| !other.is_before(mine));
        if !is_first {
            store::end_it(self.store, mine).await.map_err(fail())?;
        }
        Ok(is_first)
    }

    /// Stores the lease; a tombstone that a dead process left in its place is deleted first. False: it is taken.
    async fn create(&self, lease: &Lease) -> ApiResult<bool> {
        if self.store.create(lease).await? {
            return Ok(true);
        }
        let held = self.held(&Query::Label(lease.name().label)).await?;
        Ok(held.is_empty() && self.store.create(lease).await?)
    }
}

/// Why a candidate will not do.
enum Unfit {
    /// Another prefix may.
    Sorts(Error),
    Ever(Error),
}

impl Unfit {
    fn into_error(self) -> Error {
        match self {
            Self::Sorts(error) | Self::Ever(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
