//! Takes one request through the guard: reads it, has a rule decide on it, carries it out, answers it.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming as Stream};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{Request, Response, StatusCode};
use lib_common::docker::ApiError;
use lib_common::record::guard::{GuardCreated, GuardPassed, GuardRefused};
use lib_common::swarm::label::{self, STACK};
use lib_common::text::Text;
use serde_json::{Value, json};

use crate::ask::{Ask, text};
use crate::body;
use crate::bulk;
use crate::decision::{Answer, Forward, Kind, Outgoing, Stop};
use crate::facts::{Facts, Found};
use crate::forward::{self, Body};
use crate::images;
use crate::labels;
use crate::refusal::Refusal;
use crate::request::Head;
use crate::resolve;
use crate::route::{self, Route};
use crate::shared::Shared;
use crate::tell::{Event, Unheard};

/// Most objects that one request may name; each costs a call of the engine.
const MAX_LOOK_UPS: usize = 1000;
/// Largest answer of the engine that the guard has to parse: the id of a new object, or the swarm's description.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why a request was not forwarded.
enum Failure {
    Refused(Refusal),
    /// Status and message with which the engine answered a look-up: there is no such object.
    Missing(u16, String),
    Engine(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A call whose record cannot be written must not reach the engine.
impl From<Unheard> for Failure {
    fn from(_: Unheard) -> Self {
        Self::Engine("the guard is ending".into())
    }
}

/// Answers one request.
pub async fn serve(shared: Arc<Shared>, request: Request<Stream>) -> Result<Response<Body>, Infallible> {
    let (method, target) = (request.method().to_string(), target(&request));
    shared.state().requests += 1;
    let head = match Head::parse(&method, &target) {
        Ok(head) => head,
        Err(refusal) => {
            let path = target.split('?').next().unwrap_or_default();
            let shown: String = path.chars().take(80).flat_map(char::escape_default).collect();
            body::drain(request.into_body()).await;
            return Ok(refuse(&shared, format!("{method} {shown}"), refusal).await);
        }
    };
    let named = head.to_string();
    Ok(match handle(&shared, head, request).await {
        Ok(response) => response,
        Err(Failure::Refused(refusal)) => refuse(&shared, named, refusal).await,
        Err(Failure::Missing(status, message)) => {
            message_of(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), &message)
        }
        Err(Failure::Engine(cause)) => {
            message_of(StatusCode::BAD_GATEWAY, &format!("swarm-guard: no answer from the engine: {cause}"))
        }
    })
}

/// Path and query of the request, also when its target is a whole URL (absolute form).
fn target(request: &Request<Stream>) -> String {
    request.uri().path_and_query().map_or_else(|| request.uri().to_string(), ToString::to_string)
}

async fn handle(
    shared: &Arc<Shared>,
    head: Head,
    mut request: Request<Stream>,
) -> Result<Response<Body>, Failure> {
    let found = route::find(&head).and_then(|found| body::no_form(&request).map(|()| found));
    let found = found
        .and_then(|found| if shared.policy.read_only { reads(&head).map(|()| found) } else { Ok(found) });
    let (route, params) = match found {
        Ok(found) => found,
        Err(refusal) => {
            body::drain(request.into_body()).await;
            return Err(refusal.into());
        }
    };
    let client = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let mut body = Some(body);
    let (json, _turn) = body::read(shared, route, &mut body, &parts.headers).await?;
    let decided = decide(shared, route, &head, &params, json.as_ref()).await;
    let forward = match decided {
        Ok(forward) => forward,
        Err(failure) => {
            if let Some(body) = body {
                body::drain(body).await;
            }
            return Err(failure);
        }
    };
    if forward.creates.is_none() && forward.updates.is_none() {
        return carry_out(shared, forward, &parts, body, Some(client)).await;
    }
    // A task of its own goes on when the client goes away: the guard must see which object the engine creates.
    let shared = Arc::clone(shared);
    let work = tokio::spawn(async move {
        let _creating = shared.creating.read().await;
        carry_out(&shared, forward, &parts, body, None).await
    });
    work.await.map_err(|e| Failure::Engine(e.to_string()))?
}

/// Refuses what may change something.
fn reads(head: &Head) -> Result<(), Refusal> {
    if head.changes() {
        return Err(Refusal::new("read only", head.to_string())
            .remedy("ask a guard that was started without --read-only"));
    }
    Ok(())
}

/// Calls the rule until it decides; each time it lacks a fact, that is looked up and the rule called again.
async fn decide(
    shared: &Shared,
    route: &Route,
    head: &Head,
    params: &[String],
    body: Option<&Value>,
) -> Result<Forward, Failure> {
    let mut facts = Facts::default();
    for _ in 0..MAX_LOOK_UPS {
        let decision = {
            let state = shared.state();
            let (policy, known) = (&shared.policy, &state.known);
            (route.decide)(&Ask { head, params, body, policy, facts: &facts, known })
        };
        match decision {
            Ok(forward) => return Ok(forward),
            Err(Stop::Refuse(refusal)) => return Err(refusal.into()),
            Err(Stop::Missing(status, message)) => return Err(Failure::Missing(status, message)),
            Err(Stop::Need(kind, reference)) => {
                let recalled = shared.state().known.recall(kind, &reference);
                let found = match recalled {
                    Some(object) => Found::Object(Box::new(object)),
                    None => resolve::look_up(shared, kind, &reference)
                        .await
                        .map_err(|e: ApiError| Failure::Engine(e.message))?,
                };
                facts.learn(kind, reference, found);
            }
        }
    }
    Err(Refusal::new("body", format!("more than {MAX_LOOK_UPS} objects named")).into())
}

/// Sends a request that may pass to the engine and returns its answer. The record `guard.passed` is written first.
async fn carry_out(
    shared: &Arc<Shared>,
    forward: Forward,
    parts: &hyper::http::request::Parts,
    stream: Option<Stream>,
    client: Option<hyper::upgrade::OnUpgrade>,
) -> Result<Response<Body>, Failure> {
    let owner = &shared.policy.owner;
    if forward.starts {
        // Whatever is created now is checked before it can start.
        drop(shared.creating.write().await);
    }
    if forward.head.changes() {
        let (method, path) = (forward.head.method.clone(), forward.head.path());
        shared.teller.tell(Event::Passed(GuardPassed { owner: owner.clone(), method, path })).await?;
    }
    // Make these volumes with a label: the engine would make them without one.
    for name in &forward.make_volumes {
        let body = json!({"Name": name, "Labels": {label::RUN: owner}});
        let made = shared.engine.post("/volumes/create", Some(&body)).await;
        made.map_err(|e| Failure::Engine(e.message))?;
        remember(shared, Kind::Volume, name, name).await?;
    }
    {
        let known = &mut shared.state().known;
        known.built |= forward.builds;
        known.nameless_volumes |= forward.nameless_volumes;
        known.expected_volumes.extend(forward.expect_volumes);
        known.ports.extend(forward.ports);
        known.notes.extend(forward.notes);
        known.call(&forward.head);
    }
    // The value must be in the pipe before a container can get the secret and print it.
    if let Some((name, value)) = &forward.secret {
        let told = shared.secrets.tell(name, value).await;
        told.map_err(|e| {
            Failure::Engine(format!("writing the secret's value to the pipe for secrets: {e}"))
        })?;
    }
    let creates = forward.creates.map(|kind| Created::of(kind, &forward.body));
    let (kind, body) = match forward.body {
        Outgoing::Nothing => (None, forward::nothing()),
        Outgoing::Json(body) => (Some("application/json"), forward::whole(body.to_string())),
        Outgoing::Archive => {
            (Some("application/x-tar"), stream.map_or_else(forward::nothing, forward::stream))
        }
        Outgoing::Images => {
            let checked = match stream {
                Some(stream) => images::checked(&shared.policy, stream).await?,
                None => forward::nothing(),
            };
            (Some("application/x-tar"), checked)
        }
    };
    let hijack = forward.answer == Answer::Hijack;
    let headers = forward::request_headers(&parts.headers, kind, hijack);
    if forward.answer == Answer::Bulk && parts.method == hyper::Method::GET {
        let answer = bulk::get(shared.engine.endpoint(), &forward.head.target(), headers).await;
        return answer.map_err(Failure::Engine);
    }
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = forward.head.target().parse().map_err(|e| Failure::Engine(format!("{e}")))?;
    *request.headers_mut() = headers;
    let engine = &shared.engine;
    let sent = shared.pool.send(engine.endpoint(), engine.timeout(), request, hijack).await;
    let response = sent.map_err(Failure::Engine)?;
    if let Some(creates) = creates {
        return created(shared, creates, response).await;
    }
    if let Some(service) = &forward.updates {
        let success = response.status().is_success();
        let (parts, bytes) = whole(response).await?;
        if success {
            note_spec(shared, service).await;
        }
        return Ok(Response::from_parts(parts, forward::whole(bytes)));
    }
    if forward.answer == Answer::Scrubbed {
        return scrubbed(response).await;
    }
    Ok(forward::answer(response, client.filter(|_| hijack)))
}

/// The object that the engine was asked to create.
struct Created {
    kind: Kind,
    name: String,
    stack: String,
}

impl Created {
    fn of(kind: Kind, body: &Outgoing) -> Self {
        let Outgoing::Json(body) = body else {
            return Self { kind, name: String::new(), stack: String::new() };
        };
        // A swarm's network is unique by name; a local one is not, and must not be recalled by name.
        let swarm = text(body, "Driver") == "overlay" || text(body, "Scope") == "swarm";
        let kind = if kind == Kind::Network && swarm { Kind::SwarmNetwork } else { kind };
        Self { kind, name: text(body, "Name").to_owned(), stack: text(&body["Labels"], STACK).to_owned() }
    }
}

/// Remembers the object that the engine has created, from its answer.
async fn created(
    shared: &Shared,
    made: Created,
    response: Response<Stream>,
) -> Result<Response<Body>, Failure> {
    let success = response.status().is_success();
    let (parts, bytes) = whole(response).await?;
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let id = ["Id", "ID", "Name"].iter().find_map(|key| value[key].as_str());
    if let Some(id) = id.filter(|_| success) {
        shared.state().known.stacks.insert(made.stack);
        remember(shared, made.kind, id, &made.name).await?;
        match made.kind {
            Kind::Container => look_again(shared, id).await?,
            Kind::Service => note_spec(shared, id).await,
            _ => {}
        }
    }
    Ok(Response::from_parts(parts, forward::whole(bytes)))
}

/// Checks the labels of a new container once more, with those that it has from its image: the image's name may have come to
/// mean another one after the guard looked. Until this is done nobody can start the container through the guard.
async fn look_again(shared: &Shared, id: &str) -> Result<(), Failure> {
    let made = match shared.engine.get(&format!("/containers/{id}/json")).await {
        Ok(made) => made,
        Err(e) if e.is_missing() => return Ok(()),
        Err(e) => return Err(Failure::Engine(e.message)),
    };
    let labels = made["Config"]["Labels"].as_object().into_iter().flatten();
    let checked = labels::effective(&shared.policy, labels);
    if checked.is_err() {
        let removed = shared.engine.delete(&format!("/containers/{id}?force=1&v=1")).await;
        removed.map_err(|e| Failure::Engine(e.message))?;
    }
    Ok(checked?)
}

/// Notes what the engine has made of a service's spec, so that another one shows that somebody went around the guard.
async fn note_spec(shared: &Shared, id: &str) {
    // A service that is gone again has none.
    if let Ok(service) = shared.engine.get(&format!("/services/{id}")).await {
        shared.state().known.spec(id, &service["Spec"]);
    }
}

/// Notes that the object is the owner's, and records `guard.created`.
async fn remember(shared: &Shared, kind: Kind, id: &str, name: &str) -> Result<(), Failure> {
    shared.state().known.add(kind, id, name);
    let created = GuardCreated {
        owner: shared.policy.owner.clone(),
        kind: kind.word().to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
    };
    Ok(shared.teller.tell(Event::Created(created)).await?)
}

/// The swarm's description without the join tokens.
async fn scrubbed(response: Response<Stream>) -> Result<Response<Body>, Failure> {
    let (mut parts, bytes) = whole(response).await?;
    let mut value: Value = serde_json::from_slice(&bytes).map_err(|e| Failure::Engine(e.to_string()))?;
    if let Some(map) = value.as_object_mut() {
        map.remove("JoinTokens");
    }
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, forward::whole(value.to_string())))
}

async fn whole(response: Response<Stream>) -> Result<(hyper::http::response::Parts, Bytes), Failure> {
    let (mut parts, body) = response.into_parts();
    let bytes = Limited::new(body, MAX_ANSWER).collect().await.map_err(|e| Failure::Engine(e.to_string()))?;
    parts.headers.remove(hyper::header::TRANSFER_ENCODING);
    Ok((parts, bytes.to_bytes()))
}

async fn refuse(shared: &Shared, call: String, refusal: Refusal) -> Response<Body> {
    shared.state().refused += 1;
    let response = message_of(StatusCode::FORBIDDEN, &format!("swarm-guard: refused: {refusal}"));
    let told = GuardRefused {
        owner: shared.policy.owner.clone(),
        rule: refusal.rule.to_owned(),
        call: Text::from(call),
        what: Text::from(refusal.what),
        remedy: refusal.remedy.map(Text::from),
    };
    // Ignore the error: if the record cannot be written the guard ends, and the request stays refused.
    let _ = shared.teller.tell(Event::Refused(told)).await;
    response
}

/// An error in the engine's format, so that clients show its message.
fn message_of(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(forward::whole(json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
