//! Rules for volumes: the local driver only, under the owner's names.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::decision::{Decision, Forward, Kind, Stop};
use crate::refusal::Refusal;
use crate::shape::small;

pub fn create(ask: &Ask) -> Decision {
    let mut body = ask.body(&small::VOLUME)?;
    driver(text(&body, "Driver"), &body["DriverOpts"])?;
    let name = text(&body, "Name").to_owned();
    if !name.is_empty() {
        usable(ask, &name)?;
    }
    ask.stamp(&mut body, "Labels")?;
    Ok(Forward { creates: Some(Kind::Volume), ..ask.forward().json(body) })
}

pub fn delete(ask: &Ask) -> Decision {
    ask.for_own(Kind::Volume)
}

/// Whether the volume still has to be created. Refuses one that exists and is not the owner's.
pub fn usable(ask: &Ask, name: &str) -> Result<bool, Stop> {
    match ask.facts.find(Kind::Volume, name)? {
        Some(_) => ask.own(Kind::Volume, name).map(|_| false),
        None => Ok(ask.policy.name("volume", name).map(|()| true)?),
    }
}

/// Refuses driver options, with which the local driver can mount anything of the host; only tmpfs is harmless.
pub fn driver(name: &str, options: &Value) -> Result<(), Refusal> {
    if !["", "local"].contains(&name) {
        return Err(Refusal::new("volume driver", name.to_owned()).remedy("use the local driver"));
    }
    let options = options.as_object();
    if options.is_none_or(serde_json::Map::is_empty) {
        return Ok(());
    }
    let harmless = |(key, value): (&String, &Value)| match (key.as_str(), value.as_str()) {
        ("type" | "device", Some(value)) => value == "tmpfs",
        ("o", Some(value)) => value.split(',').all(|word| {
            let name = word.split_once('=').map_or(word, |(name, _)| name);
            ["", "size", "uid", "gid", "mode", "nr_inodes", "noexec", "nosuid", "nodev", "ro", "rw"]
                .contains(&name)
        }),
        _ => false,
    };
    let all = options.is_some_and(|options| {
        options.iter().all(harmless) && options.contains_key("type") && options.contains_key("device")
    });
    all.then_some(()).ok_or_else(|| {
        Refusal::new("volume options", "driver options that mount something of the host")
            .remedy("leave them out, or use type=tmpfs, device=tmpfs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_memory() {
        for fine in
            [json!({}), json!(null), json!({"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1"})]
        {
            assert!(driver("local", &fine).is_ok(), "{fine}");
        }
        for odd in [
            json!({"type": "none", "device": "/", "o": "bind"}),
            json!({"type": "tmpfs", "device": "/", "o": "bind"}),
            json!({"type": "tmpfs", "device": "tmpfs", "o": "size=1m,bind"}),
            json!({"type": "nfs", "device": ":/x", "o": "addr=10.0.0.1"}),
            json!({"type": "tmpfs"}),
            json!({"o": "bind", "device": "/"}),
            json!({"Type": "tmpfs", "device": "tmpfs"}),
        ] {
            assert!(driver("", &odd).is_err(), "{odd}");
        }
        assert!(driver("rclone", &json!({})).is_err());
    }
}
