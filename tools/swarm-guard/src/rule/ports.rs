//! Rules for published ports: those that others have stay theirs.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::decision::{Kind, Stop};
use crate::refusal::Refusal;
use crate::world::Port;

/// The published ports of a service.
pub fn of_service(list: &Value) -> Result<Vec<Port>, Stop> {
    let list = list.as_array().into_iter().flatten();
    let all: Result<Vec<Port>, Stop> = list
        .map(|port| {
            let published = &port["PublishedPort"];
            let number = published.as_u64().or_else(|| published.is_null().then_some(0));
            let number =
                number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| odd(published))?;
            Ok((number, protocol(text(port, "Protocol"))))
        })
        .collect();
    Ok(all?.into_iter().filter(|(number, _)| *number > 0).collect())
}

/// The published ports of a container: `{"80/tcp": [{"HostPort": "8080"}]}`; also ranges, `8000-8010`.
pub fn of_container(bindings: &Value) -> Result<Vec<Port>, Stop> {
    let mut all = Vec::new();
    for (target, list) in bindings.as_object().into_iter().flatten() {
        let protocol = protocol(target.split_once('/').map_or("", |(_, protocol)| protocol));
        for binding in list.as_array().into_iter().flatten() {
            let given = &binding["HostPort"];
            let text = given.as_str().or_else(|| given.is_null().then_some("")).ok_or_else(|| odd(given))?;
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let number = |text: &str| {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit());
                if text.is_empty() { Some(0) } else { text.parse::<u16>().ok().filter(|_| plain) }
            };
            let (first, last) = number(first).zip(number(last)).ok_or_else(|| odd(given))?;
            all.extend((first.max(1)..=last).map(|number| (number, protocol.clone())));
        }
    }
    Ok(all)
}

/// Refuses ports that others publish or listen at: a service that asks for one waits for it, and takes it as soon as its
/// owner's is updated.
pub fn check(ask: &Ask, wanted: &[Port]) -> Result<(), Stop> {
    if wanted.is_empty() {
        return Ok(());
    }
    let taken = &ask.facts.world(Kind::Ports, "")?.ports;
    match taken.iter().find(|(port, _)| wanted.contains(port)) {
        None => Ok(()),
        Some(((number, protocol), by)) => {
            Err(Refusal::new("port", format!("{number}/{protocol}, which {by} has"))
                .remedy("publish another one, or none and ask the container itself")
                .into())
        }
    }
}

fn protocol(text: &str) -> String {
    if text.is_empty() { "tcp".to_owned() } else { text.to_ascii_lowercase() }
}

fn odd(given: &Value) -> Stop {
    Refusal::new("port", format!("{given}")).remedy("a port is a number up to 65535").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(ports: Result<Vec<Port>, Stop>) -> Option<Vec<String>> {
        ports.ok().map(|all| all.iter().map(|(number, protocol)| format!("{number}/{protocol}")).collect())
    }

    #[test]
    fn every_way_to_write_a_port() {
        let container = |given: Value| told(of_container(&json!({"80/udp": [{"HostPort": given}]})));
        assert_eq!(container(json!("8080")).unwrap(), ["8080/udp"]);
        assert_eq!(container(json!("0080")).unwrap(), ["80/udp"]);
        assert_eq!(container(json!("8000-8002")).unwrap(), ["8000/udp", "8001/udp", "8002/udp"]);
        for none in [json!(""), json!(null), json!("0")] {
            assert_eq!(container(none.clone()).unwrap(), [""; 0], "{none}");
        }
        for odd in [json!(80), json!("+80"), json!("80x"), json!("70000"), json!("-")] {
            let told = container(odd.clone());
            assert!(told.is_none() || odd == json!("-"), "{odd}: {told:?}");
        }
        let service = |given: Value| told(of_service(&json!([{"PublishedPort": given}])));
        assert_eq!(service(json!(80)).unwrap(), ["80/tcp"]);
        assert_eq!(service(json!(0)).unwrap(), [""; 0]);
        for odd in [json!("80"), json!(80.5), json!(-1), json!(65536)] {
            assert_eq!(service(odd.clone()), None, "{odd}");
        }
    }
}
