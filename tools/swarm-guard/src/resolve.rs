//! Looks up the objects that a request names. The engine itself resolves names and id prefixes, so the guard gets the
//! same object that the engine would take.

use std::path::Path;

use lib_common::docker::{ApiError, Engine, filters, percent_encode};
use lib_common::swarm::label::{self, SERVICE_NAME};
use serde_json::Value;

use crate::decision::Kind;
use crate::facts::{Found, Object, is_anonymous};
use crate::shared::Shared;
use crate::survey;

/// Looks one reference up on the engine; a path on this machine. Fails when the engine does not answer.
pub async fn look_up(shared: &Shared, kind: Kind, reference: &str) -> Result<Found, ApiError> {
    let engine = &shared.engine;
    match kind {
        Kind::Path | Kind::NewPath => {
            return Ok(match survey::path(shared, kind, reference).await {
                Ok(object) => Found::Object(Box::new(object)),
                // Nothing is told of the host where the owner may not look.
                Err(why)
                    if shared
                        .policy
                        .folders
                        .iter()
                        .any(|folder| Path::new(reference).starts_with(folder)) =>
                {
                    Found::Missing(400, format!("{reference}: {why}"))
                }
                Err(_) => Found::Object(Box::new(Object { id: reference.to_owned(), ..Object::default() })),
            });
        }
        Kind::Node | Kind::Names | Kind::Ports | Kind::Ranges => {
            return Ok(match survey::look_up(shared, kind, reference).await {
                Ok(world) => Found::World(Box::new(world)),
                Err(e) if e.status != 0 => Found::Missing(e.status, e.message),
                Err(e) => return Err(e),
            });
        }
        _ => {}
    }
    if reference.is_empty() {
        return Ok(Found::Missing(400, format!("no {} is named", kind.word())));
    }
    let encoded = match kind {
        Kind::Image => reference.split('/').map(percent_encode).collect::<Vec<_>>().join("/"),
        _ => percent_encode(reference),
    };
    match engine.get(&describe(kind, &encoded)).await {
        Ok(value) => {
            let mut object = object(kind, &value);
            // The engine makes anonymous volumes itself and gives them no label. They belong to the owner of the
            // containers that use them.
            if kind == Kind::Volume && object.owner.is_none() && is_anonymous(&object.name) {
                object.owner = owner_of(engine, &object.name).await?;
            }
            Ok(Found::Object(Box::new(object)))
        }
        // Besides 404, engines answer 400 or 500 when an id prefix is ambiguous.
        Err(e) if e.status != 0 => Ok(Found::Missing(e.status, e.message)),
        Err(e) => Err(e),
    }
}

/// The owner of an anonymous volume, which has no label: the one owner of all containers that mount it.
async fn owner_of(engine: &Engine, volume: &str) -> Result<Option<String>, ApiError> {
    let path = format!("/containers/json?all=1&{}", filters(&[("volume", volume)]));
    let users = engine.get(&path).await?;
    let mut owners: Vec<Option<&str>> =
        users.as_array().into_iter().flatten().map(|user| user["Labels"][label::RUN].as_str()).collect();
    owners.dedup();
    // A volume that containers of several owners use belongs to none of them.
    Ok(if let [Some(owner)] = owners[..] { Some(owner.to_owned()) } else { None })
}

fn describe(kind: Kind, reference: &str) -> String {
    match kind {
        Kind::Container => format!("/containers/{reference}/json"),
        Kind::Service => format!("/services/{reference}"),
        Kind::Task => format!("/tasks/{reference}"),
        Kind::Network => format!("/networks/{reference}"),
        Kind::SwarmNetwork => format!("/networks/{reference}?scope=swarm"),
        Kind::Volume => format!("/volumes/{reference}"),
        Kind::Config => format!("/configs/{reference}"),
        Kind::Secret => format!("/secrets/{reference}"),
        Kind::Exec => format!("/exec/{reference}/json"),
        Kind::Image => format!("/images/{reference}/json"),
        Kind::Path | Kind::NewPath | Kind::Node | Kind::Names | Kind::Ports | Kind::Ranges => String::new(),
    }
}

/// Reduces the engine's description of an object to what rules need.
fn object(kind: Kind, value: &Value) -> Object {
    let (id, name, labels) = match kind {
        Kind::Container => (&value["Id"], &value["Name"], &value["Config"]["Labels"]),
        Kind::Service | Kind::Config | Kind::Secret => {
            (&value["ID"], &value["Spec"]["Name"], &value["Spec"]["Labels"])
        }
        Kind::Task => (&value["ID"], &value["ID"], &value["Spec"]["ContainerSpec"]["Labels"]),
        Kind::Network | Kind::SwarmNetwork => (&value["Id"], &value["Name"], &value["Labels"]),
        Kind::Volume => (&value["Name"], &value["Name"], &value["Labels"]),
        Kind::Exec => (&value["ID"], &value["ID"], &Value::Null),
        Kind::Image => (&value["Id"], &value["Id"], &value["Config"]["Labels"]),
        Kind::Path | Kind::NewPath | Kind::Node | Kind::Names | Kind::Ports | Kind::Ranges => {
            (&Value::Null, &Value::Null, &Value::Null)
        }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let label = |name: &str| labels[name].as_str().map(ToOwned::to_owned);
    let has_labels = matches!(kind, Kind::Image | Kind::Container);
    let tags = value["RepoTags"].as_array().into_iter().flatten();
    Object {
        id: text(id),
        name: text(name).trim_start_matches('/').to_owned(),
        owner: label(label::RUN),
        service: label(SERVICE_NAME),
        container: value["ContainerID"].as_str().map(ToOwned::to_owned),
        tags: tags.filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        labels: labels.as_object().filter(|_| has_labels).cloned().unwrap_or_default(),
        mount: None,
    }
}
