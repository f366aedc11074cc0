//! Looks at a stack again and again until it has converged, is seen never to converge, or the deadline has passed.

use std::collections::HashMap;
use std::time::Duration;

use lib_common::diag::Diag;
use lib_common::docker::{ApiError, ApiResult, Engine};
use lib_common::{Error, Result};
use tokio::time::Instant;

use crate::cli::Args;
use crate::facts::{Service, State};
use crate::history::{History, Limits, Stuck};
use crate::judge::{self, Judgement};
use crate::outcome::{self, DOING, Outcome};
use crate::{look, ready};

/// Pause between two looks at states.
const PAUSE: Duration = Duration::from_millis(500);
/// Time between two looks at logs and networks, which cost the engine more than states do.
const SELDOM: Duration = Duration::from_secs(5);

pub struct Watch<'a> {
    args: &'a Args,
    engine: &'a Engine,
    diag: &'a Diag,
    deadline: Instant,
    history: History,
    /// The services at the last look that the engine answered.
    services: Vec<(Service, Judgement)>,
    /// Networks on which no address is free: a description by network id.
    full: HashMap<String, String>,
    /// When logs and networks are due to be looked at again.
    seldom: Instant,
    /// What `--ready` printed last.
    told: String,
    /// What the health checks of starting tasks say: by task id.
    checks: HashMap<String, String>,
}

/// What one look means for the wait.
enum Step {
    /// Everything is up, and `--ready` succeeded.
    Up,
    Missing(String),
    Stuck(Stuck),
}

impl<'a> Watch<'a> {
    pub fn new(args: &'a Args, engine: &'a Engine, diag: &'a Diag, start: Instant) -> Self {
        let limits = Limits {
            same_error: args.same_error as usize,
            stuck_after: args.stuck_after,
            settle: args.settle,
            idle: args.idle_timeout,
            allow_empty: args.allow_empty,
        };
        Self {
            args,
            engine,
            diag,
            deadline: start + args.deadline,
            history: History::new(limits, start),
            services: Vec::new(),
            full: HashMap::new(),
            seldom: start,
            told: "--ready has not answered".to_owned(),
            checks: HashMap::new(),
        }
    }

    /// The services at the last look that the engine answered.
    pub fn services(&self) -> &[(Service, Judgement)] {
        &self.services
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// Looks until the outcome is known. Fails when there is no such stack, or when the engine refuses a request.
    pub async fn until_the_end(&mut self) -> Result<Outcome> {
        let mut stable = 0;
        loop {
            match self.step().await? {
                Step::Stuck(stuck) => return Ok(Outcome::Stuck(stuck)),
                Step::Up => {
                    stable += 1;
                    if stable >= self.args.stable {
                        return Ok(Outcome::Converged);
                    }
                }
                Step::Missing(missing) => {
                    stable = 0;
                    self.diag.phase(format_args!(
                        "waiting for {}: {}",
                        self.args.stack,
                        self.progress(&missing)
                    ));
                    if Instant::now() >= self.deadline {
                        return Ok(Outcome::Deadline(missing));
                    }
                }
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            tokio::time::sleep(PAUSE.min(left)).await;
        }
    }

    async fn step(&mut self) -> Result<Step> {
        match self.look().await {
            Ok(()) => {}
            // The engine is away (0) or the swarm has no leader (5xx). Both pass; the deadline bounds the wait.
            Err(e) if e.status == 0 || e.status >= 500 => return Ok(Step::Missing(e.message)),
            Err(e) => return Err(e.into_error(DOING, &self.args.stack)),
        }
        if self.services.is_empty() {
            return Err(Error::cannot(DOING, "no service belongs to that stack")
                .on(&self.args.stack)
                .hint("deploy it first; names are case-sensitive, see 'docker stack ls'"));
        }
        let now = Instant::now();
        self.history.note(&self.services, now);
        for told in self.history.told() {
            self.diag.warn(told);
        }
        if now >= self.seldom {
            self.seldom = now + SELDOM;
            self.look_closer().await;
        }
        let now = Instant::now();
        if let Some(stuck) = self.history.stuck(&self.services, &self.full, now) {
            return Ok(Step::Stuck(stuck));
        }
        if let Some(missing) = self.history.missing(&self.services, now) {
            return Ok(Step::Missing(missing));
        }
        self.ready().await
    }

    async fn look(&mut self) -> ApiResult<()> {
        // An engine that does not answer must not make the wait longer than its deadline; the last look gets 1 s.
        let late = || ApiError { status: 0, message: "the engine does not answer".into() };
        let end = self.deadline.max(Instant::now() + Duration::from_secs(1));
        let answer = look::services(self.engine, &self.args.stack);
        let services = tokio::time::timeout_at(end, answer).await.map_err(|_| late())??;
        self.services = judge::each(services);
        Ok(())
    }

    /// Reads the logs of the services that are not up, and, if a task waits for an address, which networks are full.
    async fn look_closer(&mut self) {
        let short = self.services.iter().filter(|(_, judged)| judged.missing.is_some());
        let short: Vec<Service> = short.map(|(service, _)| service.clone()).collect();
        self.checks = look::health(self.engine, &short).await;
        for service in &short {
            for line in look::last_lines(self.engine, service).await {
                self.history.note_line(&service.name, &line, Instant::now());
            }
        }
        let waits = |service: &Service| {
            service
                .tasks
                .iter()
                .any(|task| matches!(task.state, State::New | State::Preparing) && task.intended)
        };
        self.full = if short.iter().any(waits) {
            // Without an answer no network is called full: that would be a wedge without evidence.
            look::full_networks(self.engine, &short).await.unwrap_or_default()
        } else {
            HashMap::new()
        };
    }

    /// How far the stack is: `3 of 5 up; db: starting for 42 s (health check: 2 of 30 tries, "connection refused")`.
    fn progress(&self, missing: &str) -> String {
        let now = Instant::now();
        let short: Vec<_> = self.services.iter().filter(|(_, judged)| judged.missing.is_some()).collect();
        if short.is_empty() {
            return missing.to_owned();
        }
        let mut parts = vec![format!("{} of {} up", self.services.len() - short.len(), self.services.len())];
        for (service, judged) in short {
            let since =
                self.history.since(&service.name).map_or(0, |since| now.duration_since(since).as_secs());
            let check = service.tasks.iter().find_map(|task| self.checks.get(&task.id));
            let error = || service.tasks.iter().rev().map(|task| &task.error).find(|e| !e.is_empty());
            let why = match check {
                Some(check) => format!(" (health check: {check})"),
                None => error().map_or_else(String::new, |error| format!(" ({error})")),
            };
            parts.push(format!("{}: {} for {since} s{why}", service.name, outcome::word(judged.state)));
        }
        parts.join("; ")
    }

    /// Runs the user's command, if there is one. A new kind of line in its output is progress.
    async fn ready(&mut self) -> Result<Step> {
        let Some(command) = &self.args.ready else { return Ok(Step::Up) };
        let answer = tokio::time::timeout_at(self.deadline, ready::ask(command, &self.args.stack)).await;
        let Ok(answer) = answer else { return Ok(Step::Missing(self.told.clone())) };
        let answer = answer?;
        self.told = format!("--ready: {}", answer.told);
        self.history.note_line("--ready", answer.told.as_bytes(), Instant::now());
        Ok(if answer.ready { Step::Up } else { Step::Missing(self.told.clone()) })
    }
}
