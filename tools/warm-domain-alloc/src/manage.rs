//! Renews, releases, lists and collects leases that exist.

use jiff::Timestamp;
use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::swarm::nodes::Nodes;
use lib_common::{Exit, Io, Result};

use crate::clash;
use crate::cli::SelectArgs;
use crate::intake::Intake;
use crate::lease::{Lease, Stored};
use crate::nodes;
use crate::store::{self, Scope, Store, fail};
use crate::world::{NameOf, World};

/// Selects leases; a lease must match everything that is given.
#[derive(Debug, Default, Clone)]
pub struct Selection {
    pub lease: Option<String>,
    pub holder: Option<String>,
    pub recipe: Option<String>,
    pub purpose: Option<String>,
}

impl Selection {
    pub fn new(args: &SelectArgs) -> Self {
        let SelectArgs { lease, holder, recipe, purpose, .. } = args.clone();
        Self { lease, holder, recipe, purpose }
    }

    fn takes(&self, lease: &Lease) -> bool {
        let agrees = |wanted: &Option<String>, is: &String| wanted.as_ref().is_none_or(|wanted| wanted == is);
        agrees(&self.lease, &lease.id)
            && agrees(&self.holder, &lease.holder)
            && agrees(&self.recipe, &lease.recipe)
            && agrees(&self.purpose, &lease.purpose)
    }
}

/// The held leases that are selected, oldest first. Changes nothing.
async fn selected(store: &impl Store, selection: &Selection) -> Result<Vec<Stored>> {
    let all = store.list().await.map_err(fail("listing the leases", "the swarm"))?;
    let mut held: Vec<Stored> =
        all.into_iter().filter(|stored| stored.is_held() && selection.takes(&stored.lease)).collect();
    held.sort_by_key(|stored| (stored.created, stored.config_id.clone()));
    Ok(held)
}

/// `list`: prints each lease as the record that was printed when it was granted.
pub async fn list(
    store: &impl Store,
    selection: &Selection,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    for stored in selected(store, selection).await? {
        emitter.emit(io, &stored.lease.leased(None, Vec::new()))?;
    }
    Ok(Exit::Done)
}

/// `renew`: renews the selected leases; exits 1 when there is none.
pub async fn renew(store: &impl Store, selection: &Selection, dry_run: bool, io: &Io<'_>) -> Result<Exit> {
    let mut renewed = 0;
    for stored in selected(store, selection).await? {
        let lease = &stored.lease;
        if dry_run {
            io.diag.note(format_args!("dry run: would renew {lease}"));
            renewed += 1;
            continue;
        }
        let answer = store::renew(store, &stored, io.clock.now(), None).await;
        if answer.map_err(fail("renewing a lease", &lease.to_string()))?.is_some() {
            io.diag.phase(format_args!("renewed {lease}"));
            renewed += 1;
        }
    }
    if renewed == 0 {
        return Err(lib_common::Error::no("renewing leases", "no held lease matches"));
    }
    Ok(Exit::Done)
}

/// `release`: releases the selected leases; that a lease is gone already is no error.
pub async fn release(
    store: &impl Store,
    selection: &Selection,
    dry_run: bool,
    seen: &Intake,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    if !dry_run {
        // This deletes tombstones, which a process that died during a release has left.
        store::held(store).await.map_err(fail("releasing leases", "the swarm"))?;
    }
    for stored in selected(store, selection).await? {
        let name = stored.lease.to_string();
        if dry_run {
            io.diag.note(format_args!("dry run: would release {name}"));
            continue;
        }
        let ended = store::end_it(store, &stored).await.map_err(fail("releasing a lease", &name))?;
        if let Some(lease) = ended {
            let case = seen.leases.get(&lease.id).cloned().flatten();
            say_released(&lease.released(case, "released"), &lease, io, emitter)?;
        }
    }
    Ok(Exit::Done)
}

/// `gc`: ends leases that have expired and of which nothing is left on the swarm. A canonical's lease ends only by
/// `release`: its stack may be gone for months while its volumes are archived elsewhere.
pub async fn gc(
    engine: &Engine,
    nodes: &Nodes,
    selection: &Selection,
    dry_run: bool,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    if !dry_run {
        store::held(engine).await.map_err(fail("collecting leases", "the swarm"))?;
    }
    // Read the leases before the world. A renewal after that makes the compare-and-swap fail; a deploy before the world is
    // read shows there.
    let leases = selected(engine, selection).await?;
    let world = store::world(engine, nodes, &Scope::Everything).await?;
    let sees_all = nodes::are_all(nodes).await.map_err(fail("collecting leases", "the swarm's nodes"))?;
    for stored in &leases {
        let lease = &stored.lease;
        if let Some(reason) = keep(lease, &world, sees_all, io.clock.now()) {
            io.diag.phase(format_args!("keeping {lease}: {reason}"));
        } else if dry_run {
            io.diag.note(format_args!("dry run: would release {lease}"));
        } else if store::end_as_read(engine, stored)
            .await
            .map_err(fail("collecting a lease", &lease.to_string()))?
        {
            say_released(
                &lease.released(None, "expired, and nothing of its stack is left"),
                lease,
                io,
                emitter,
            )?;
        }
    }
    Ok(Exit::Done)
}

/// Why a lease must be kept; `None` if it may end.
fn keep(lease: &Lease, world: &World, sees_all: bool, now: Timestamp) -> Option<String> {
    if lease.class == "canon" {
        return Some("a canonical's lease ends only by release".into());
    }
    if !lease.is_expired(now) {
        return Some("its time to live has not passed".into());
    }
    if !sees_all {
        return Some(
            "the swarm has nodes whose volumes cannot be seen from here: name all nodes with --nodes".into(),
        );
    }
    let name = lease.name();
    // The world also has the lease's own name, which must not keep it.
    let is_left =
        |(kind, other): &&(NameOf, String)| *kind != NameOf::Lease && clash::continues(other, &name.label);
    let left = world.names.iter().find(is_left);
    left.map(|(kind, other): &(NameOf, String)| format!("{} {other} is left", kind.singular()))
}

/// Prints the record of a release. If that fails the release has still happened, so the error says so.
fn say_released(
    record: &lib_common::record::domain::DomainReleased,
    lease: &Lease,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<()> {
    emitter.emit(io, record).map_err(|e| {
        lib_common::Error::cannot("saying that a lease was released", e.cause())
            .on(lease)
            .hint("the lease was released all the same")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::lease;
    use crate::store::fake::Fake;
    use lib_common::clock::SystemClock;
    use lib_common::diag::Diag;
    use lib_common::swarm::object::Kind;
    use serde_json::{Value, json};

    fn io(out: &mut Vec<u8>) -> Io<'_> {
        Io {
            stdin: Box::new(std::io::empty()),
            stdin_is_terminal: false,
            stdout: Box::new(out),
            diag: Diag::to_writer("t", Box::new(std::io::sink())),
            clock: &SystemClock,
        }
    }

    fn records(out: &[u8]) -> Vec<Value> {
        out.split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn what_is_selected_is_listed_and_released() {
        let mumble = Lease { recipe: "mumble".into(), ..lease("b") };
        let fake = Fake::with(&[lease("a"), mumble, lease("c")]);
        let mut out = Vec::new();
        let mut emitter = Emitter::new(Some("I".into()), None);
        list(&fake, &Selection::default(), &mut io(&mut out), &mut emitter).await.unwrap();
        let domains: Vec<Value> = records(&out).iter().map(|r| r["domain"].clone()).collect();
        assert_eq!(domains, ["a.b", "b.b", "c.b"]);

        let gitea = Selection { recipe: Some("gitea".into()), ..Selection::default() };
        let mut seen = Intake::default();
        seen.leases.insert("id-c".into(), Some("gitea@1/x".into()));
        out.clear();
        release(&fake, &gitea, true, &seen, &mut io(&mut out), &mut emitter).await.unwrap();
        assert!(out.is_empty() && fake.domains().len() == 3);
        for _ in 0..2 {
            release(&fake, &gitea, false, &seen, &mut io(&mut out), &mut emitter).await.unwrap();
        }
        let released = records(&out);
        assert_eq!(released.len(), 2);
        assert_eq!((&released[0]["domain"], &released[1]["case"]), (&json!("a.b"), &json!("gitea@1/x")));
        assert_eq!(fake.domains(), ["b.b"]);
    }

    #[tokio::test]
    async fn renewing_nothing_is_a_no() {
        let fake = Fake::with(&[lease("a")]);
        let mut out = Vec::new();
        let by = |id: &str| Selection { lease: Some(id.into()), ..Selection::default() };
        assert_eq!(renew(&fake, &by("id-a"), false, &io(&mut out)).await, Ok(Exit::Done));
        assert_eq!(renew(&fake, &by("gone"), false, &io(&mut out)).await.unwrap_err().exit(), Exit::No);
    }

    #[test]
    fn only_what_is_over_and_gone_is_collected() {
        let late = "2030-01-01T00:00:00Z".parse().unwrap();
        let early = "2026-01-01T00:00:00Z".parse().unwrap();
        let nothing = World::default();
        assert_eq!(keep(&lease("iso-a"), &nothing, true, late), None);
        assert!(keep(&lease("iso-a"), &nothing, true, early).is_some());
        assert!(keep(&lease("iso-a"), &nothing, false, late).is_some());
        assert!(keep(&Lease { class: "canon".into(), ..lease("iso-a") }, &nothing, true, late).is_some());
        let mut volume = World::default();
        volume.add(Kind::Volume, &json!("iso-a-abcdef_b_data"));
        assert_eq!(keep(&lease("iso-a"), &volume, true, late).unwrap(), "volume iso-a-abcdef_b_data is left");
        assert_eq!(keep(&lease("iso-ab"), &volume, true, late), None);
    }
}
