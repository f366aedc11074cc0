//! Grants many leases at once. For each recipe it takes up the lease that is held already, or finds a free name and
//! stores a lease for it. Then it reads once all leases that could conflict with the new ones, and gives up those of its
//! own that came second.

use lib_common::docker::ApiResult;
use lib_common::{Error, Exit, Result};

use crate::clash;
use crate::grant::{DOING, Grant, Granter};
use crate::lease::{Lease, Query, Stored, meet};
use crate::name::Candidate;
use crate::store::{self, Store, fail};
use crate::watch::Refresh;
use crate::world::World;

/// How many random names are tried. There are 2^24, so if this many fail it is not by chance.
const TRIES: usize = 64;
/// How often a fixed name is tried: another process may be faster, and then release the name or turn out to be ours.
const FIXED_TRIES: usize = 3;

/// The outcome for each recipe, in order.
pub struct Granted {
    pub outcomes: Vec<(String, Result<Grant>)>,
    /// The error that ended the batch, if one did; recipes without an outcome were then not finished.
    pub stopped: Option<Error>,
}

/// One recipe that is to get a lease.
struct Job {
    recipe: String,
    /// Its lease, which is stored but not yet known to be the earliest.
    stored: Option<Grant>,
    outcome: Option<Result<Grant>>,
    /// A lease for the same recipe, purpose and holder may exist already.
    may_be_held: bool,
    /// Why the last name that was tried could not be leased.
    why: String,
}

impl<S: Store> Granter<'_, S> {
    /// Grants a lease for each of `recipes`: the one that is held for it already, else a new one.
    pub async fn grant_all(
        &self,
        recipes: &[String],
        world: &mut World,
        fresh: &mut impl Refresh,
    ) -> Granted {
        let mut jobs: Vec<Job> = recipes.iter().map(|recipe| self.job(recipe, world)).collect();
        let mut stopped = None;
        for _ in 0..if self.terms.pattern.varies() { TRIES } else { FIXED_TRIES } {
            for job in jobs.iter_mut().filter(|job| job.outcome.is_none()) {
                let proposed = match fresh.refresh(world).await {
                    Ok(()) => self.propose(job, world).await,
                    refused => refused,
                };
                match proposed {
                    Ok(()) => {}
                    Err(error) if error.exit() == Exit::No => job.outcome = Some(Err(error)),
                    Err(error) => {
                        stopped = Some(error);
                        break;
                    }
                }
            }
            if let Err(error) = self.settle(&mut jobs, world).await {
                stopped.get_or_insert(error);
            }
            if stopped.is_some() || jobs.iter().all(|job| job.outcome.is_some()) {
                break;
            }
        }
        // A signal came while names were settled. Nothing is printed yet, so give everything back.
        if let Err(error) = self.interrupt.check() {
            self.undo_all(&mut jobs).await;
            stopped.get_or_insert(error);
        }
        let give_up = |job: Job| {
            let none = || {
                Error::no(DOING, job.why)
                    .on(&job.recipe)
                    .hint("give another --pattern or --class to get other names")
            };
            match job.outcome {
                None if stopped.is_some() => None,
                outcome => Some((job.recipe.clone(), outcome.unwrap_or_else(|| Err(none())))),
            }
        };
        Granted { outcomes: jobs.into_iter().filter_map(give_up).collect(), stopped }
    }

    /// Releases a lease that was granted but cannot be printed; returns a sentence that says whether that worked.
    pub async fn undo(&self, lease: &Lease) -> String {
        let ended = store::end(self.store, lease).await;
        self.interrupt.remove_pending(lease);
        match ended {
            Ok(_) => "it was released again".to_owned(),
            Err(e) => format!("releasing it again failed too, so it may still be held: {}", e.message),
        }
    }

    fn job(&self, recipe: &str, world: &World) -> Job {
        let wanted = self.wanted(recipe);
        let may_be_held = world.leases.iter().any(|lease| lease.is_for_same(&wanted));
        Job { recipe: recipe.to_owned(), stored: None, outcome: None, may_be_held, why: String::new() }
    }

    /// What a lease for this recipe would be, apart from its name.
    fn wanted(&self, recipe: &str) -> Lease {
        self.lease(recipe, &Candidate::new("x", &self.terms.base))
    }

    /// Takes up the lease that is held, or stores one under a name that is free as far as we know.
    async fn propose(&self, job: &mut Job, world: &mut World) -> Result<()> {
        self.interrupt.check()?;
        if job.may_be_held
            && let Some(grant) = self.take_up(&job.recipe).await?
        {
            job.outcome = Some(Ok(grant));
            return Ok(());
        }
        let candidate = self.candidate(&job.recipe, world)?;
        if let Some(cause) = clash::clash(&candidate, world) {
            job.why = format!("{}: {cause}", candidate.domain);
            return Ok(());
        }
        let lease = self.lease(&job.recipe, &candidate);
        let grant = Grant { lease, is_new: true, checked: world.checked() };
        // Later names of this batch must not collide with this one.
        world.add_lease(&grant.lease);
        if self.terms.dry_run {
            job.outcome = Some(Ok(grant));
            return Ok(());
        }
        // Before the create, so that a signal during the call finds the lease here.
        self.interrupt.add_pending(&grant.lease);
        match self.create(&grant.lease).await {
            Ok(true) => job.stored = Some(grant),
            Ok(false) => {
                self.interrupt.remove_pending(&grant.lease);
                job.lost(&candidate);
            }
            Err(e) => {
                // The engine may have stored the lease although its answer was lost.
                let name = grant.lease.to_string();
                let outcome = self.undo(&grant.lease).await;
                return Err(e.into_error(DOING, &name).hint(format!("{name}: {outcome}")));
            }
        }
        Ok(())
    }

    /// Of two leases whose names conflict, or that are for the same, the earlier one stands. A lease that was stored
    /// before ours is found here; a lease that is stored later finds ours. Only leases that can conflict are asked for,
    /// since there may be thousands.
    async fn settle(&self, jobs: &mut [Job], world: &mut World) -> Result<()> {
        let stored: Vec<&Lease> =
            jobs.iter().filter_map(|job| job.stored.as_ref()).map(|grant| &grant.lease).collect();
        let Some(first) = stored.first().map(ToString::to_string) else { return Ok(()) };
        // Other processes may have stored conflicting names at the same time. All of them look after they stored, and all
        // find the same lease to be the earliest.
        let meeting = Query::Meeting(stored.iter().map(|lease| lease.name().label).collect());
        let same = Query::Holder(self.terms.holder.clone());
        let stacks: Vec<String> = stored.iter().map(|lease| lease.stack.clone()).collect();
        let looked = tokio::try_join!(self.held(&meeting), self.held(&same), self.store.configs_of(&stacks));
        let (meeting, same, used) = match looked {
            Ok(looked) => looked,
            Err(e) => {
                let outcome = self.undo_all(jobs).await;
                return Err(e.into_error(DOING, &first).hint(outcome));
            }
        };
        for job in jobs.iter_mut() {
            let Some(grant) = job.stored.take() else { continue };
            let (lease, name) = (&grant.lease, grant.lease.name());
            let mine = meeting.iter().find(|stored| stored.lease.id == lease.id);
            let goes_before = |other: &&Stored| {
                let concerns = meet(&name.label, &other.lease.name().label) || other.lease.is_for_same(lease);
                concerns && other.lease.id != lease.id && mine.is_some_and(|mine| other.is_before(mine))
            };
            let is_used = used.iter().any(|config| clash::continues(config, &lease.stack));
            let earlier = meeting.iter().chain(&same).find(goes_before);
            if mine.is_some() && !is_used && earlier.is_none() {
                job.outcome = Some(Ok(grant));
                continue;
            }
            // Note the lease that was earlier, so that the next name does not conflict with it.
            if let Some(earlier) = earlier {
                world.add_lease(&earlier.lease);
            }
            if let Some(mine) = mine {
                store::end_it(self.store, mine).await.map_err(fail(DOING, &lease.to_string()))?;
            }
            self.interrupt.remove_pending(lease);
            job.lost(&name);
        }
        Ok(())
    }

    /// Releases every lease that this batch created; returns what became of them, for people.
    async fn undo_all(&self, jobs: &mut [Job]) -> String {
        let mut said = Vec::new();
        for job in jobs {
            let granted = job.outcome.take_if(|outcome| outcome.as_ref().is_ok_and(|grant| grant.is_new));
            let grants = [job.stored.take(), granted.and_then(Result::ok)];
            for grant in grants.into_iter().flatten() {
                said.push(format!("{}: {}", grant.lease, self.undo(&grant.lease).await));
            }
        }
        said.join("; ")
    }

    /// Renews and returns the lease that this recipe, purpose and holder have already, if they have one.
    async fn take_up(&self, recipe: &str) -> Result<Option<Grant>> {
        let wanted = self.wanted(recipe);
        let held = self.held(&Query::Holder(self.terms.holder.clone())).await.map_err(fail(DOING, recipe))?;
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
            let renewal = store::renew(self.store, first, self.clock.now(), Some(self.terms.ttl_ms));
            renewal.await.map_err(fail(DOING, recipe))?
        };
        Ok(renewed.map(|lease| Grant { lease, is_new: false, checked: Vec::new() }))
    }

    /// The held leases that a query means. Deletes tombstones on the way, but not in a dry run.
    async fn held(&self, query: &Query) -> ApiResult<Vec<Stored>> {
        if self.terms.dry_run {
            Ok(self.store.find(query).await?.into_iter().filter(Stored::is_held).collect())
        } else {
            store::held_of(self.store, query).await
        }
    }

    /// Stores the lease; `false` if the name is taken. A tombstone that a dead process left under the name is deleted.
    async fn create(&self, lease: &Lease) -> ApiResult<bool> {
        if self.store.create(lease).await? {
            return Ok(true);
        }
        // A tombstone may have the name. Reading the held leases deletes it, so try once more.
        let held = self.held(&Query::Label(lease.name().label)).await?;
        Ok(held.is_empty() && self.store.create(lease).await?)
    }
}

impl Job {
    /// Another process was faster. It may be one of the same holder, so look for its lease at the next try.
    fn lost(&mut self, name: &Candidate) {
        self.why = format!("{}: somebody else was faster", name.domain);
        self.may_be_held = true;
    }
}

#[cfg(test)]
mod tests;
