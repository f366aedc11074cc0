//! `swarm-isolate wait STACK`: waits until a stack has converged, as long as it gets further, and gives up early
//! on a wedge, naming its cause.
//!
//! `look` asks the engine, `facts` reduces what it says, `judge` decides one look, `history` what several of
//! them mean; `ready` asks the user's own command.

mod cli;
mod facts;
mod history;
mod judge;
mod look;
mod ready;

pub use cli::ConvergeArgs;

use std::collections::HashMap;
use std::time::Duration;

use lib_common::docker::{ApiResult, Engine};
use lib_common::emit::Emitter;
use lib_common::record::stack::{ServiceSeen, StackChecked, StackState, Wedge};
use lib_common::redact::Redactor;
use lib_common::text::Text;
use lib_common::{Error, Exit, Io, Result};
use tokio::time::Instant;

use facts::{Service, State};
use history::{History, Limits, Stuck};
use judge::{Judgement, judge};

const DOING: &str = "waiting for the stack";
const PAUSE: Duration = Duration::from_millis(500);
/// Logs and networks cost more than states, and are asked less often.
const SELDOM: Duration = Duration::from_secs(5);

/// How the wait ended.
enum End {
    Converged,
    Stuck(Stuck),
    Deadline(String),
}

type Looks = Vec<(Service, Judgement)>;

pub async fn wait(
    args: &ConvergeArgs,
    engine: &Engine,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    let start = Instant::now();
    let mut looks = Looks::new();
    let end = watch(args, engine, io, &mut looks, start).await?;
    let record = record(args, &end, &looks, start.elapsed());
    emitter.emit(io, &record)?;
    let told = record.message.as_ref().map(|text| text.lossy().into_owned()).unwrap_or_default();
    let on =
        record.service.as_ref().map_or_else(|| args.stack.clone(), |name| format!("{}_{name}", args.stack));
    match end {
        End::Converged => Ok(Exit::Done),
        End::Stuck(stuck) => Err(Error::no(DOING, told).on(on).hint(hint(stuck.wedge))),
        End::Deadline(_) => Err(Error::again(DOING, told).on(on).hint("wait longer with --deadline")),
    }
}

async fn watch(
    args: &ConvergeArgs,
    engine: &Engine,
    io: &Io<'_>,
    looks: &mut Looks,
    start: Instant,
) -> Result<End> {
    let limits = Limits {
        same_error: args.same_error as usize,
        stuck_after: args.stuck_after,
        settle: args.settle,
        idle: args.idle_timeout,
    };
    let mut history = History::new(limits, start);
    let (mut stable, mut full, mut seldom) = (0, HashMap::new(), start);
    let mut told = "--ready has not answered".to_owned();
    let end = start + args.deadline;
    loop {
        let missing = match look(engine, &args.stack, looks, end).await {
            Ok(()) if looks.is_empty() => {
                return Err(Error::cannot(DOING, "no service is of that stack")
                    .on(&args.stack)
                    .hint("deploy it first; names are case-sensitive, see 'docker stack ls'"));
            }
            Ok(()) => {
                let now = Instant::now();
                history.note(looks, now);
                if now >= seldom {
                    seldom = now + SELDOM;
                    full = extras(engine, looks, &mut history).await;
                }
                let missing = missing(looks, &history);
                if let Some(stuck) = wedged(looks).or_else(|| history.stuck(looks, &full, Instant::now())) {
                    return Ok(End::Stuck(stuck));
                }
                missing
            }
            // No answer, no leader: that passes, and the wait has an end.
            Err(e) if e.status == 0 || e.status >= 500 => Some(e.message),
            Err(e) => return Err(e.into_error(DOING, &args.stack)),
        };
        let missing = match (missing, &args.ready) {
            (None, Some(command)) => not_ready(command, args, end, &mut history, &mut told).await?,
            (missing, _) => missing,
        };
        let Some(missing) = missing else {
            stable += 1;
            if stable >= args.stable {
                return Ok(End::Converged);
            }
            pause(end).await;
            continue;
        };
        stable = 0;
        io.diag.phase(format_args!("waiting for {}: {missing}", args.stack));
        if Instant::now() >= end {
            return Ok(End::Deadline(missing));
        }
        pause(end).await;
    }
}

async fn pause(end: Instant) {
    tokio::time::sleep(PAUSE.min(end.saturating_duration_since(Instant::now()))).await;
}

async fn look(engine: &Engine, stack: &str, looks: &mut Looks, end: Instant) -> ApiResult<()> {
    // An engine that answers nothing does not make the wait longer than its deadline.
    let late = || lib_common::docker::ApiError { status: 0, message: "the engine does not answer".into() };
    let end = end.max(Instant::now() + Duration::from_secs(1));
    let services =
        tokio::time::timeout_at(end, look::services(engine, stack)).await.map_err(|_| late())??;
    *looks = services
        .into_iter()
        .map(|service| (judge(&service), service))
        .map(|(judged, s)| (s, judged))
        .collect();
    Ok(())
}

/// Log lines of what is not up, and full networks where a task waits for one.
async fn extras(engine: &Engine, looks: &Looks, history: &mut History) -> HashMap<String, String> {
    let short: Vec<Service> = looks
        .iter()
        .filter(|(_, judged)| judged.missing.is_some())
        .map(|(service, _)| service.clone())
        .collect();
    for service in &short {
        for line in look::last_lines(engine, service).await {
            history.note_line(&service.name, &line, Instant::now());
        }
    }
    let waits = |service: &Service| {
        service.tasks.iter().any(|task| matches!(task.state, State::New | State::Preparing) && task.intended)
    };
    if short.iter().any(waits) {
        // What cannot be asked is not full.
        return look::full_networks(engine, &short).await.unwrap_or_default();
    }
    HashMap::new()
}

/// What is missing in the first service that has not converged.
fn missing(looks: &Looks, history: &History) -> Option<String> {
    let now = Instant::now();
    looks.iter().find_map(|(service, judged)| {
        let unsettled =
            || (!history.is_settled(service, now)).then(|| "up, but not for long enough".to_owned());
        Some(format!("{}: {}", service.name, judged.missing.clone().or_else(unsettled)?))
    })
}

fn wedged(looks: &Looks) -> Option<Stuck> {
    looks.iter().find_map(|(service, judged)| {
        let (wedge, message) = judged.wedge.clone()?;
        Some(Stuck { wedge, service: Some(service.name.clone()), message })
    })
}

/// What the user's command says is missing; what it says anew is progress.
async fn not_ready(
    command: &str,
    args: &ConvergeArgs,
    end: Instant,
    history: &mut History,
    told: &mut String,
) -> Result<Option<String>> {
    let answer = tokio::time::timeout_at(end, ready::ask(command, &args.stack)).await;
    let Ok(answer) = answer else { return Ok(Some(told.clone())) };
    let answer = answer?;
    *told = format!("--ready: {}", answer.told);
    history.note_line("--ready", answer.told.as_bytes(), Instant::now());
    Ok((!answer.ready).then(|| told.clone()))
}

fn record(args: &ConvergeArgs, end: &End, looks: &Looks, waited: Duration) -> StackChecked {
    let mut redactor = Redactor::new::<&[u8]>(&[]);
    let mut text = |text: &str| Text(redactor.text(text.as_bytes()));
    let (state, cause, message, service) = match end {
        End::Converged => (StackState::Converged, None, None, None),
        End::Stuck(stuck) => {
            (StackState::Wedged, Some(stuck.wedge), Some(text(&stuck.message)), stuck.service.clone())
        }
        End::Deadline(missing) => (StackState::Deadline, None, Some(text(missing)), None),
    };
    let seen = looks.iter().map(|(service, judged)| ServiceSeen {
        name: service.name.clone(),
        up: judged.up,
        wanted: judged.wanted,
        missing: judged.missing.as_deref().map(&mut text),
    });
    StackChecked {
        stack: args.stack.clone(),
        state,
        cause,
        service,
        services: seen.collect(),
        waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        attempt_id: std::env::var("REDFIX_ATTEMPT").ok().filter(|id| !id.is_empty()),
        message,
    }
}

fn hint(wedge: Wedge) -> &'static str {
    match wedge {
        Wedge::CrashLoop | Wedge::SameError | Wedge::GaveUp => {
            "see 'docker service logs' and 'docker service ps --no-trunc'"
        }
        Wedge::ImageMissing => "build, load or push the image, or correct its name",
        Wedge::NoSuitableNode => "see its constraints, reservations and host-mode ports",
        Wedge::NoFreeAddress => "give the network a larger subnet, or remove what leaked addresses on it",
        Wedge::UpdatePaused => "'docker service update --force' goes on, a new deploy replaces it",
        Wedge::RolledBack => "the new spec failed, the old one runs: deploy a repaired one",
        Wedge::NotReady => "see what --ready prints",
        Wedge::Idle => "wait longer with --idle-timeout, if its start is really that quiet",
    }
}

/// For the fuzz targets: how many services of the stack `x` these are, judged twice.
pub fn look_at(told: &serde_json::Value) -> usize {
    let now = Instant::now();
    let limits = Limits { same_error: 1, stuck_after: PAUSE, settle: PAUSE, idle: SELDOM };
    let mut history = History::new(limits, now);
    let services = facts::parse("x", &told["services"], &told["tasks"], &told["nodes"]);
    let looks: Looks =
        services.into_iter().map(|service| (judge(&service), service)).map(|(j, s)| (s, j)).collect();
    for now in [now, now + SELDOM * 2] {
        history.note(&looks, now);
        let _ = (missing(&looks, &history), wedged(&looks), history.stuck(&looks, &HashMap::new(), now));
    }
    looks.len()
}

/// For the fuzz targets: the lines of a service's log.
pub fn read_log(bytes: &[u8]) {
    let _ = look::lines(bytes);
}
