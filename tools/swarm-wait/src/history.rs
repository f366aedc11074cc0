//! What several looks at a stack show together: which service got further, which fails again and again, which
//! stands still. No I/O: callers pass in the time, from a monotonic clock.
//!
//! Progress is any of: a service has more tasks up than ever; a task is in a later state than any earlier task of
//! its slot was; an update changed its state; a log line is of a kind not seen yet. Failures count only while no
//! other service makes progress: an app that restarts until its database has booted is not wedged.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use lib_common::record::stack::Wedge;
use lib_common::signature;
use tokio::time::Instant;

use crate::facts::{Service, State, Task};
use crate::fault::{ENDED, has_ended, is_hopeless, is_static, is_updating, kind_of, no_node_fits};
use crate::judge::Judgement;

/// At most this many kinds of log line are remembered, which bounds memory. Further ones no longer count as progress.
const KINDS: usize = 10_000;

/// A task without a health check counts as up when it has been running for this long, at least.
const STANDS: Duration = Duration::from_secs(5);

/// For how long a fault that waiting cannot cure must have stood before it is called one: what the engine writes down in
/// the middle of a deploy may be about to change.
const CERTAIN: Duration = Duration::from_secs(5);

/// How often a command may end with 0, or an image fail to be found, before that is no accident.
const TURNS: usize = 3;
const STATIC_TURNS: usize = 2;

/// When to give up; one field for each option of the same name.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub same_error: usize,
    pub stuck_after: Duration,
    pub settle: Duration,
    pub idle: Duration,
    pub allow_empty: bool,
}

/// Why the stack will never converge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    pub wedge: Wedge,
    pub service: Option<String>,
    pub message: String,
}

pub struct History {
    limits: Limits,
    start: Instant,
    /// When the last progress was seen.
    news: Instant,
    services: BTreeMap<String, Past>,
    lines: HashSet<String>,
    looked: bool,
    /// What to tell once, such as an update by somebody else.
    told: Vec<String>,
}

/// What is remembered of one service between looks.
#[derive(Default)]
struct Past {
    most_up: u64,
    least_stale: Option<usize>,
    update: Option<String>,
    furthest: HashMap<String, State>,
    spec: Option<u64>,
    /// Ids of the tasks that ended and are counted already.
    failed: HashSet<String>,
    /// The shortest life of a task that ended.
    shortest: Option<Duration>,
    /// Failures by kind of error, since another service last made progress: their number and the last one's message.
    errors: BTreeMap<String, (usize, String)>,
    /// A task failed after the first look, so the failures go on and are not only of an earlier deploy.
    fails_now: bool,
    running_since: HashMap<String, Instant>,
    /// By task id: its state and error, and since when both have been the same.
    standing: HashMap<String, (State, String, Instant)>,
    /// Since when there have been too few tasks although the engine makes no new ones.
    short_since: Option<Instant>,
}

impl History {
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            start: now,
            news: now,
            services: BTreeMap::new(),
            lines: HashSet::new(),
            looked: false,
            told: Vec::new(),
        }
    }

    /// What is to be told once, since it was asked for last.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// How many tasks of the service ended and were counted.
    pub fn restarts(&self, service: &str) -> u64 {
        self.services.get(service).map_or(0, |past| past.failed.len() as u64)
    }

    /// How long the youngest running task of the services was seen to run; `None` when none runs.
    pub fn watched(&self, now: Instant) -> Option<Duration> {
        let since = self.services.values().flat_map(|past| past.running_since.values()).max()?;
        Some(now.duration_since(*since))
    }

    /// Since when the service's oldest live task is as it is.
    pub fn since(&self, service: &str) -> Option<Instant> {
        self.services.get(service)?.standing.values().map(|(_, _, since)| *since).min()
    }

    /// Takes in a line of a log, or of what `--ready` printed; a line of a new kind is progress.
    pub fn note_line(&mut self, of: &str, line: &[u8], now: Instant) {
        let kind = format!("{of}: {}", signature::signature(line));
        if self.lines.len() < KINDS && self.lines.insert(kind) {
            self.news = now;
        }
    }

    /// Takes in one look at all services.
    pub fn note(&mut self, looks: &[(Service, Judgement)], now: Instant) {
        let first = !std::mem::replace(&mut self.looked, true);
        let mut further = Vec::new();
        for (service, judged) in looks {
            let past = self.services.entry(service.name.clone()).or_default();
            // The first look shows what was there before, which is no progress.
            if past.spec.is_some_and(|spec| spec != service.spec) {
                self.told
                    .push(format!("{} was updated meanwhile: its new tasks are waited for", service.name));
            }
            past.spec = Some(service.spec);
            if past.progress(service, judged) && !first {
                self.news = now;
                further.push(&service.name);
            }
            if past.failures(service, first) {
                self.news = now;
            }
            past.stand(service, judged, now);
        }
        // Another service got further. Failures that may have waited for it, such as for a database that was not up,
        // start from zero again. A missing image does not come by itself.
        for name in further {
            for (other, past) in &mut self.services {
                if other != name {
                    past.errors.retain(|error, _| is_static(error));
                    past.fails_now = !past.errors.is_empty() && past.fails_now;
                }
            }
        }
    }

    /// Whether the running tasks have been running for long enough. The engine reports even a command that exits at once
    /// as running for a moment, on a busy machine for a second.
    pub fn is_settled(&self, service: &Service, now: Instant) -> bool {
        let Some(past) = self.services.get(&service.name) else { return true };
        // A loop whose tasks live for L has stood for longer than ever after 1.5 L, and a service that the engine restarts
        // after a pause is not between two tasks after that pause.
        let shortest = past.shortest.unwrap_or_default();
        let of_before = self.limits.settle.max(shortest + shortest / 2);
        let enough = match (past.failed.is_empty(), service.checked) {
            (false, true) => of_before,
            (false, false) => of_before.max(STANDS).max(service.restart.delay),
            (true, true) => Duration::ZERO,
            (true, false) => STANDS.max(service.restart.delay),
        };
        past.running_since.values().all(|since| now.duration_since(*since) >= enough)
    }

    /// What the first service that has not converged still lacks, for people; `None` when all have converged.
    pub fn missing(&self, looks: &[(Service, Judgement)], now: Instant) -> Option<String> {
        // The next service of a deploy may be on its way.
        if looks.iter().all(|(service, _)| service.mode.is_empty()) && !self.limits.allow_empty {
            return Some("no service asks for a task".to_owned());
        }
        looks.iter().find_map(|(service, judged)| {
            let unsettled =
                || (!self.is_settled(service, now)).then(|| "up, but not for long enough".to_owned());
            Some(format!("{}: {}", service.name, judged.missing.clone().or_else(unsettled)?))
        })
    }

    /// Why the stack will never converge, if that is known. `full` describes, by id, the networks without a free address.
    pub fn stuck(
        &self,
        looks: &[(Service, Judgement)],
        full: &HashMap<String, String>,
        now: Instant,
    ) -> Option<Stuck> {
        let wedged = looks.iter().find_map(|(service, judged)| {
            let (wedge, message) = judged.wedge.clone()?;
            Some(Stuck { wedge, service: Some(service.name.clone()), message })
        });
        if wedged.is_some() {
            return wedged;
        }
        let waited = now.duration_since(self.start);
        let empty = !self.limits.allow_empty && looks.iter().all(|(service, _)| service.mode.is_empty());
        if empty && waited >= CERTAIN / 2 {
            let message = "nothing is asked to run: every service has 0 replicas".to_owned();
            return Some(Stuck { wedge: Wedge::NothingAsked, service: None, message });
        }
        for (service, _) in looks.iter().filter(|(_, judged)| judged.missing.is_some()) {
            let at = |wedge, message| Some(Stuck { wedge, service: Some(service.name.clone()), message });
            let Some(past) = self.services.get(&service.name) else { continue };
            if let Some((wedge, message)) = past.loops(self.limits.same_error) {
                return at(wedge, message);
            }
            if let Some((wedge, message)) = past.stands(service, full, self.limits.stuck_after, now) {
                return at(wedge, message);
            }
            let patience = self.limits.settle.min(CERTAIN);
            if past.short_since.is_some_and(|since| now.duration_since(since) >= patience) {
                return at(Wedge::GaveUp, past.gave_up(service));
            }
            if no_node_fits(service) && waited >= CERTAIN {
                let among = if service.constraints.is_empty() { "" } else { ": " };
                let message = format!("no node fits this global service{among}{}", service.constraints);
                return at(Wedge::NoSuitableNode, message);
            }
        }
        self.idles(looks, now)
    }

    fn idles(&self, looks: &[(Service, Judgement)], now: Instant) -> Option<Stuck> {
        // A health check may announce a long start period; until that is over, silence is expected.
        let starting = |service: &&Service| {
            service.tasks.iter().any(|task| task.intended && task.state == State::Starting)
        };
        let promised =
            looks.iter().map(|(service, _)| service).filter(starting).map(|service| service.start_period);
        let asked = looks.iter().map(|(service, _)| service.timeout).max().unwrap_or_default();
        let limit = self.limits.idle.max(asked) + promised.max().unwrap_or_default();
        if now.duration_since(self.news) < limit {
            return None;
        }
        let missing = looks.iter().find_map(|(service, judged)| Some((service, judged.missing.as_ref()?)));
        let (wedge, service, what) = match missing {
            Some((service, missing)) => (Wedge::Idle, Some(service.name.clone()), missing.as_str()),
            None => (Wedge::NotReady, None, "every service is up, --ready does not succeed"),
        };
        Some(Stuck { wedge, service, message: format!("nothing new for {} s: {what}", limit.as_secs()) })
    }
}

impl Past {
    /// Whether the service made progress: it got further than at any look before.
    fn progress(&mut self, service: &Service, judged: &Judgement) -> bool {
        let mut further = judged.up > self.most_up;
        self.most_up = self.most_up.max(judged.up);
        let stale = service.tasks.iter().filter(|task| !task.intended && task.state.is_live()).count();
        further |= self.least_stale.is_some_and(|least| stale < least);
        self.least_stale = Some(self.least_stale.map_or(stale, |least| least.min(stale)));
        let update = service.update.as_ref().map(|(state, _)| state.clone());
        further |= self.update != update;
        self.update = update;
        for task in service.tasks.iter().filter(|task| task.intended && task.state.is_live()) {
            let furthest = self.furthest.entry(task.slot.clone()).or_insert(State::New);
            further |= task.state > *furthest;
            *furthest = task.state.max(*furthest);
        }
        further
    }

    /// Counts each failed task once; returns whether a kind of error is new. Tasks that failed before the first look are
    /// counted too, but alone they are no reason to give up: an earlier deploy may have left them.
    fn failures(&mut self, service: &Service, first: bool) -> bool {
        let mut new = false;
        for task in service.tasks.iter().filter(|task| task.intended && has_ended(service, task)) {
            if self.failed.insert(task.id.clone()) {
                let words = if task.state == State::Complete { ENDED } else { &task.error };
                let kind = String::from_utf8_lossy(&signature::normalise(words.as_bytes())).into_owned();
                let entry = self.errors.entry(kind).or_default();
                new |= entry.0 == 0;
                *entry = (entry.0 + 1, words.to_owned());
                self.fails_now |= !first;
                // Who was never started has no life that tells anything.
                if !is_static(words) {
                    self.shortest = Some(self.shortest.map_or(task.age, |least| least.min(task.age)));
                }
            }
        }
        new
    }

    /// Notes since when each live task has been as it is, and since when the service has been short of tasks.
    fn stand(&mut self, service: &Service, judged: &Judgement, now: Instant) {
        let live = || service.tasks.iter().filter(|task| task.intended && task.state.is_live());
        let mut running: HashMap<String, Instant> = HashMap::new();
        let mut standing = HashMap::new();
        for task in live() {
            if task.state == State::Running {
                running.insert(task.id.clone(), self.running_since.get(&task.id).copied().unwrap_or(now));
            }
            let before = self
                .standing
                .get(&task.id)
                .filter(|(state, error, _)| (*state, error) == (task.state, &task.error));
            let since = before.map_or(now, |(_, _, since)| *since);
            standing.insert(task.id.clone(), (task.state, task.error.clone(), since));
        }
        (self.running_since, self.standing) = (running, standing);
        // The service is short when it has fewer tasks than wanted and the engine will not make another. A task that
        // waits out its restart delay may already be marked as failed, but its desired state still says that it is
        // coming. A job's failed task is not restarted in its place, so only live tasks of jobs are coming.
        let meant = |task: &&Task| match task.desired.as_str() {
            "running" | "ready" => true,
            "complete" => task.state.is_live(),
            _ => false,
        };
        let coming = service.tasks.iter().filter(|task| task.intended).filter(meant);
        let coming = coming.filter(|task| task.state != State::Running).count() as u64;
        let updating = is_updating(service);
        let ended = service.tasks.iter().any(|task| task.intended && !task.state.is_live());
        let short = judged.up + coming < judged.wanted && ended && !updating;
        self.short_since = short.then(|| self.short_since.unwrap_or(now));
    }

    /// Why there is no task, and why there will be none.
    fn gave_up(&self, service: &Service) -> String {
        let last = self.errors.values().next().map_or("its task ended", |(_, words)| words);
        let condition = service.restart.condition.word();
        let leans = service.leans.as_ref().filter(|_| last == ENDED);
        let leans = leans.map(|why| format!("; it may not rest, since {why}")).unwrap_or_default();
        format!("{last}, and its restart policy ({condition}) makes no new task{leans}")
    }

    /// Tasks fail again and again: `limit` times with one error, or twice as often with changing ones.
    fn loops(&self, limit: usize) -> Option<(Wedge, String)> {
        if !self.fails_now {
            return None;
        }
        let often = |(count, words): &&(usize, String)| {
            let limit = if is_static(words) { limit.min(STATIC_TURNS) } else { limit };
            *count >= if words == ENDED { limit.min(TURNS) } else { limit }
        };
        let found = self.errors.values().filter(often).max_by_key(|(count, _)| *count);
        if let Some((count, words)) = found {
            return Some((kind_of(words), format!("{words}, {count} times")));
        }
        // Errors may differ each time. So many failures of any kind are a crash loop, too.
        let all: usize = self.errors.values().map(|(count, _)| count).sum();
        let (_, words) = self.errors.values().max_by_key(|(count, _)| *count)?;
        (all >= 2 * limit).then(|| (Wedge::CrashLoop, format!("{all} tasks failed, the last: {words}")))
    }

    /// A task has waited for a node or an address for `limit`.
    fn stands(
        &self,
        service: &Service,
        full: &HashMap<String, String>,
        limit: Duration,
        now: Instant,
    ) -> Option<(Wedge, String)> {
        let stood = |task: &Task| {
            self.standing.get(&task.id).map_or(Duration::ZERO, |(_, _, since)| now.duration_since(*since))
        };
        // Nothing that the stack itself will do gives these a node or an image.
        let hopeless = |task: &Task| match task.state {
            // The task that it replaces may still hold its port.
            State::Pending => !service.ending && !is_updating(service) && is_hopeless(&task.error),
            State::Preparing => is_static(&task.error),
            _ => false,
        };
        let long = |task: &&Task| stood(task) >= if hopeless(task) { limit.min(CERTAIN) } else { limit };
        let full: Vec<&str> =
            service.networks.iter().filter_map(|id| full.get(id)).map(String::as_str).collect();
        service.tasks.iter().filter(|task| task.desired == "running").filter(long).find_map(|task| match task
            .state
        {
            State::Pending if !task.error.is_empty() => Some((Wedge::NoSuitableNode, task.error.clone())),
            State::Preparing if is_static(&task.error) => Some((Wedge::ImageMissing, task.error.clone())),
            // Only the allocator of network addresses works on a task between new and pending.
            State::New if !service.networks.is_empty() => {
                let more = if full.is_empty() { String::new() } else { format!(": {}", full.join(", ")) };
                Some((Wedge::NoFreeAddress, format!("the swarm allocates no address{more}")))
            }
            // A node that joins a network takes an address on it for itself, so a full network stops it here.
            State::Preparing if !full.is_empty() => {
                Some((Wedge::NoFreeAddress, format!("its node cannot join the network: {}", full.join(", "))))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
