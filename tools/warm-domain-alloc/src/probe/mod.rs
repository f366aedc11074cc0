//! `probe`: finds out why a domain answers as it does. It asks each layer (`net`, `tls`), computes from the engine what
//! Traefik should do (`judge`), asks Traefik's API and log if they can show more (`api`, `log`), and names one cause
//! (`verdict`).

mod api;
mod cause;
mod cert;
pub mod judge;
mod log;
mod net;
mod odd;
pub mod target;
mod tasks;
mod tls;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::record::domain::DomainProbed;
use lib_common::{Error, Exit, Io, Result};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cli::ProbeArgs;
use crate::compose::{self, Objects};
use crate::route::proxy::{self, Proxy};
use crate::route::swarm::Swarm;
use crate::store;
pub use cert::parse as certificate;
use judge::Question;
pub use log::lines as log_lines;
use net::{Asking, LayerAnswers};
use target::Target;
use verdict::Facts;

/// Pause between two rounds with `--wait`.
const PAUSE: Duration = Duration::from_millis(500);

/// The targets of one call, and how they are asked.
struct Prober<'a> {
    args: &'a ProbeArgs,
    targets: Vec<Target>,
    asking: Arc<Asking>,
    objects: Objects,
    engine: Option<Engine>,
}

/// Probes all targets at the same time, and prints one record for each, in the order in which they were named.
pub async fn run(
    args: &ProbeArgs,
    leased: &[String],
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    let started = Instant::now();
    let manager = async {
        let engine = Engine::connect(&args.engine).await?;
        engine.require_manager().await.map(|_| engine)
    };
    let engine = match manager.await {
        Ok(engine) => Some(engine),
        Err(error) => {
            io.diag.warn(format_args!("{error}: judging only from what the network shows"));
            None
        }
    };
    let prober = Prober {
        args,
        targets: targets(args, leased)?,
        asking: Arc::new(Asking {
            resolve: args.resolve.clone(),
            timeout: args.timeout,
            tls: Arc::new(tls::Settings::load(&args.ca_file)?),
        }),
        objects: compose::read(&args.compose)?,
        engine,
    };
    if prober.targets.is_empty() {
        return Err(Error::cannot("reading the arguments", "no domain to probe")
            .hint("name domains, --from FILE, or pass domain.leased records on standard input"));
    }
    let mut last: Option<Vec<DomainProbed>> = None;
    loop {
        let left = args.deadline.saturating_sub(started.elapsed());
        let round = tokio::time::timeout(left, prober.round(io)).await;
        let is_late = round.is_err();
        let late = || Error::again("probing domains", "the deadline passed").on(prober.targets.len());
        // If the deadline cut this round off, use the last complete one, if there is one.
        let mut records = round.unwrap_or_else(|_| last.take().ok_or_else(late))?;
        let all_route = records.iter().all(|record| record.routes);
        let is_last = is_late || started.elapsed() + PAUSE >= args.deadline;
        if args.wait && !all_route && !is_last {
            if let Some(record) = records.iter().find(|record| !record.routes) {
                let kind = record.kind.as_deref().unwrap_or_default();
                io.diag.phase(format_args!("waiting for {}: {kind}", record.domain));
            }
            last = Some(records);
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        odd::mark(&mut records);
        for record in &records {
            if let Some(odd) = &record.odd {
                let kind = record.kind.as_deref().unwrap_or("it routes");
                io.diag.note(format_args!("odd one out: {}: {kind}; {odd}", record.domain));
            }
            emitter.emit(io, record)?;
        }
        return Ok(if all_route {
            Exit::Done
        } else if args.wait {
            Exit::Again
        } else {
            Exit::No
        });
    }
}

fn targets(args: &ProbeArgs, leased: &[String]) -> Result<Vec<Target>> {
    let mut all = args.domains.clone();
    for file in &args.from {
        let fail = |cause: String| Error::cannot("reading a list of domains", cause).on(file.display());
        let text = std::fs::read_to_string(file).map_err(|e| fail(e.to_string()))?;
        all.extend(target::list(&text).map_err(fail)?);
    }
    if args.domains.is_empty() && args.from.is_empty() {
        let fail = |cause| Error::cannot("reading the records", cause);
        for domain in leased {
            all.push(Target::parse(domain).map_err(fail)?);
        }
    }
    Ok(all)
}

impl Prober<'_> {
    /// Asks and judges all targets once.
    async fn round(&self, io: &Io<'_>) -> Result<Vec<DomainProbed>> {
        let swarm = match &self.engine {
            Some(engine) => Some(store::swarm(engine).await?),
            None => None,
        };
        let proxy = swarm.as_ref().map(|swarm| self.proxy(swarm)).transpose()?.flatten();
        let instead =
            proxy.iter().flat_map(|proxy| &proxy.addresses).filter_map(|address| address.parse().ok());
        let instead: Vec<_> = instead.collect();
        let (asked, api) = tokio::join!(self.ask_all(&instead), async {
            match &self.args.traefik {
                Some(url) => api::fetch(url, self.args.timeout).await.map_err(Some),
                None => Err(None),
            }
        });
        if let Err(Some(cause)) = &api {
            io.diag.warn(format_args!("asking Traefik's API: {cause}: judging from the engine alone"));
        }
        let routers = api.unwrap_or_default();
        let now = io.clock.now();
        let judged: Vec<_> = self
            .targets
            .iter()
            .map(|target| {
                let Target { domain, port, https, .. } = target;
                let question = Question { domain, port: *port, https: *https, now, objects: &self.objects };
                swarm.as_ref().map(|swarm| judge::judge(&question, swarm, proxy.as_ref()))
            })
            .collect();
        let log = self.log(&asked, proxy.as_ref()).await;
        let results =
            self.targets.iter().zip(&asked).zip(&judged).map(|((target, (seen, took_ms)), judgement)| {
                let declared =
                    judgement.as_ref().map(|judgement| judgement.routers.as_slice()).unwrap_or_default();
                let facts = Facts {
                    target,
                    seen,
                    judgement: judgement.as_ref(),
                    proxy: proxy.as_ref(),
                    api: api::of_domain(&routers, &target.domain, declared),
                    log: &log,
                    insecure: self.args.insecure,
                    expect: self.args.expect.as_ref(),
                    now,
                };
                verdict::record(&facts, &verdict::verdict(&facts), *took_ms)
            });
        Ok(results.collect())
    }

    /// The Traefik of `--proxy`, else the first that runs.
    fn proxy(&self, swarm: &Swarm) -> Result<Option<Proxy>> {
        let mut all = proxy::all(swarm);
        let Some(name) = &self.args.proxy else { return Ok(all.into_iter().next()) };
        let at = all.iter().position(|proxy| proxy.service == *name);
        let Some(at) = at else {
            return Err(
                Error::cannot("looking for Traefik", "no service of that name watches the swarm").on(name)
            );
        };
        Ok(Some(all.swap_remove(at)))
    }

    /// Asks all targets, `--at-once` of them at the same time; also returns how many milliseconds each took.
    async fn ask_all(&self, instead: &[std::net::IpAddr]) -> Vec<(LayerAnswers, u64)> {
        let limit = Arc::new(Semaphore::new(self.args.at_once));
        let mut running = JoinSet::new();
        for (at, target) in self.targets.iter().cloned().enumerate() {
            let (limit, asking, instead) = (Arc::clone(&limit), Arc::clone(&self.asking), instead.to_vec());
            running.spawn(async move {
                let _permit = limit.acquire_owned().await;
                let started = Instant::now();
                let seen = net::ask(&target, &asking, &instead).await;
                (at, seen, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
            });
        }
        let mut all = vec![(LayerAnswers::default(), 0); self.targets.len()];
        while let Some(done) = running.join_next().await {
            if let Ok((at, seen, took_ms)) = done {
                all[at] = (seen, took_ms);
            }
        }
        all
    }

    /// Traefik's log, if some target got Traefik's own certificate; else nothing.
    async fn log(&self, asked: &[(LayerAnswers, u64)], proxy: Option<&Proxy>) -> Vec<String> {
        let is_default = |seen: &LayerAnswers| {
            seen.tls
                .as_ref()
                .and_then(|tls| tls.as_ref().ok())
                .is_some_and(|tls| tls.certificate.is_traefik_default())
        };
        match (&self.engine, proxy) {
            (Some(engine), Some(proxy)) if asked.iter().any(|(seen, _)| is_default(seen)) => {
                log::tail(engine, &proxy.id, self.args.timeout).await
            }
            _ => Vec::new(),
        }
    }
}
