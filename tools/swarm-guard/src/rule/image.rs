//! Rules for images: the owner builds, tags and removes its own ones; those of others it only reads and pulls.

use lib_common::swarm::label;
use serde_json::{Value, json};

use crate::ask::{Ask, text};
use crate::decision::{Answer, Decision, Forward, Kind, Outgoing, Stop};
use crate::labels;
use crate::refusal::Refusal;
use crate::shape::container::COMMIT;

const PLAIN: &str = "build it without";

/// `POST /build`: labels the image with its owner, and has the engine leave no container behind.
pub fn build(ask: &Ask) -> Decision {
    let head = ask.head;
    for (_, tag) in head.query.iter().filter(|(key, tag)| key == "t" && !tag.is_empty()) {
        ask.policy.image(tag)?;
    }
    for (key, rule) in [("cgroupparent", "cgroup parent"), ("securityopt", "security option")] {
        if head.get(key).is_some_and(|value| !["", "null", "[]"].contains(&value)) {
            return Err(Refusal::new(rule, format!("build with {key}")).remedy(PLAIN).into());
        }
    }
    let mut forward = Forward { body: Outgoing::Archive, builds: true, ..ask.forward() };
    match head.get("networkmode").unwrap_or_default() {
        "" | "default" | "bridge" | "none" => {}
        mode if mode == "host" || mode.starts_with("container:") => {
            return Err(Refusal::new("host namespace", format!("build with networkmode {mode}"))
                .remedy(PLAIN)
                .into());
        }
        network => forward.head.set("networkmode", ask.network(Kind::Network, network)?.id.clone()),
    }
    outputs(head.get("outputs").unwrap_or_default())?;
    remote(head.get("remote").unwrap_or_default())?;
    let mut given = parsed(head.get("labels").unwrap_or_default())?;
    labels::check(ask.policy, given.as_object().into_iter().flatten())?;
    given[label::RUN] = ask.policy.owner.clone().into();
    forward.head.set("labels", given.to_string());
    // Intermediate containers have no label by which teardown could find them, so none may outlive the build.
    forward.head.set("rm", "1");
    forward.head.set("forcerm", "1");
    Ok(forward)
}

/// Refuses a source that the engine would fetch from the node itself, or from an address: it could be anybody's.
fn remote(source: &str) -> Result<(), Stop> {
    let fine = ["", "-", "client-session"].contains(&source) || !labels::is_local(source);
    Ok(fine.then_some(()).ok_or_else(|| {
        Refusal::new("image", format!("the source {source}")).remedy("send it from here, or name its host")
    })?)
}

/// Allows the `BuildKit` outputs that go to the client. The others could give images names of others.
fn outputs(text: &str) -> Result<(), Stop> {
    let fine = |output: &Value| matches!(output["Type"].as_str(), Some("local" | "tar"));
    let all = text.is_empty()
        || crate::json::parse(text.as_bytes())
            .is_ok_and(|value| value.as_array().is_some_and(|list| list.iter().all(fine)) || value.is_null());
    Ok(all.then_some(()).ok_or_else(|| Refusal::new("image", "build outputs").remedy(PLAIN))?)
}

fn parsed(labels: &str) -> Result<Value, Stop> {
    if labels.is_empty() {
        return Ok(json!({}));
    }
    let value = crate::json::parse(labels.as_bytes()).map_err(|e| Refusal::new("query", e))?;
    match value {
        Value::Null => Ok(json!({})),
        Value::Object(_) => Ok(value),
        _ => Err(Refusal::new("query", "labels that are no object").into()),
    }
}

/// `POST /session`: over it the engine's builder asks the client for files. It gives the client no power over the
/// engine.
#[allow(clippy::unnecessary_wraps)] // rules have one signature
pub fn session(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Hijack, ..ask.forward() })
}

/// `POST /images/create`: pulls are free, since every deploy makes them. An import makes an image of the owner's.
pub fn create(ask: &Ask) -> Decision {
    let mut forward = ask.forward();
    let import = ask.head.get("fromSrc").is_some_and(|source| !source.is_empty());
    if import {
        remote(ask.head.get("fromSrc").unwrap_or_default())?;
        if let Some(repo) = ask.head.get("repo").filter(|repo| !repo.is_empty()) {
            ask.policy.image(repo)?;
        }
        labelled(ask, &mut forward);
        forward.body = Outgoing::Archive;
    }
    Ok(forward)
}

/// `POST /commit`
pub fn commit(ask: &Ask) -> Decision {
    let container = ask.own(Kind::Container, ask.head.get("container").unwrap_or_default())?.id.clone();
    if let Some(repo) = ask.head.get("repo").filter(|repo| !repo.is_empty()) {
        ask.policy.image(repo)?;
    }
    let mut forward = ask.forward();
    forward.head.set("container", container);
    labelled(ask, &mut forward);
    match ask.body {
        None | Some(Value::Null) => Ok(forward),
        Some(_) => Ok(forward.json(ask.body(&COMMIT)?)),
    }
}

/// Checks an image's labels, which what is made of it inherits, and Traefik and others follow. Many an image was built by
/// compose and names the project of its author: that is blanked in `labels`, those of the new object.
pub fn inherited(ask: &Ask, image: &str, labels: &mut Value) -> Result<(), Stop> {
    let Some(found) = ask.facts.find(Kind::Image, image)? else { return Ok(()) };
    let is_compose = |key: &str| [label::COMPOSE_PROJECT, label::COMPOSE_SERVICE].contains(&key);
    labels::effective(ask.policy, found.labels.iter().filter(|(key, _)| !is_compose(key)))?;
    let project = found.labels.get(label::COMPOSE_PROJECT).and_then(Value::as_str).unwrap_or_default();
    if !ask.policy.is_name(project) && labels[label::COMPOSE_PROJECT].is_null() {
        for (key, _) in found.labels.iter().filter(|(key, _)| is_compose(key)) {
            labels[key] = "".into();
        }
    }
    Ok(())
}

/// The same for the tasks of a service. What their image will be when they start is not known, so a Traefik that reads
/// containers is told to leave them alone, unless the container's own labels say otherwise.
pub fn of_tasks(ask: &Ask, container: &mut Value) -> Result<(), Stop> {
    let image = text(container, "Image").to_owned();
    inherited(ask, &image, &mut container["Labels"])?;
    let has_own =
        container["Labels"].as_object().into_iter().flatten().any(|(key, _)| labels::is_traefik(key));
    if !has_own {
        container["Labels"][labels::TRAEFIK_ENABLE] = "false".into();
    }
    Ok(())
}

/// Adds the owner's label as the last of the `changes` to the new image, so that none before it can undo it.
fn labelled(ask: &Ask, forward: &mut Forward) {
    forward.head.query.push(("changes".into(), format!("LABEL {}={}", label::RUN, ask.policy.owner)));
}

/// `POST /images/{}/tag`
pub fn tag(ask: &Ask) -> Decision {
    ask.policy.image(ask.head.get("repo").unwrap_or_default())?;
    Ok(ask.forward())
}

/// `DELETE /images/{}`: allows a tag of the owner's, or an image of the owner's that nobody else has tagged.
pub fn delete(ask: &Ask) -> Decision {
    let reference = &ask.params[0];
    let image = ask.facts.must(Kind::Image, reference)?;
    let ours = ask.is_own(Kind::Image, image);
    let by_tag = ask.policy.image(reference);
    if by_tag.is_err() && !(ours && image.tags.iter().all(|tag| ask.policy.image(tag).is_ok())) {
        by_tag?;
    }
    // Removing the last tag removes the image itself, which others may still need by its id.
    if !ours && image.tags.iter().all(|tag| ask.policy.image(tag).is_ok()) {
        return Err(Refusal::new("image", format!("'{reference}' is the last name of an image of others"))
            .remedy("leave it")
            .into());
    }
    Ok(ask.forward())
}

/// `GET /images/get` and `GET /images/{}/get`: an archive of the owner's images.
pub fn save(ask: &Ask) -> Decision {
    let named =
        ask.head.query.iter().filter(|(key, _)| key == "names").flat_map(|(_, names)| names.split(','));
    for name in ask.params.iter().map(String::as_str).chain(named) {
        let image = ask.facts.must(Kind::Image, name)?;
        if !ask.is_own(Kind::Image, image) && ask.policy.image(name).is_err() {
            return Err(Refusal::new("of others", format!("image '{name}'"))
                .remedy("save images of your own; what a container may run is no archive for you")
                .into());
        }
    }
    Ok(Forward { answer: Answer::Bulk, ..ask.forward() })
}

/// `POST /images/load`: the tags are inside the archive, so `images` checks it before it is sent on.
#[allow(clippy::unnecessary_wraps)] // rules have one signature
pub fn load(ask: &Ask) -> Decision {
    Ok(Forward { body: Outgoing::Images, ..ask.forward() })
}
