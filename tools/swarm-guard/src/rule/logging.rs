//! Rules for log drivers: logs stay with the engine, and no option names a file or a socket of the host.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::refusal::Refusal;

/// Drivers that keep logs on the node.
const HERE: [&str; 5] = ["", "json-file", "local", "none", "journald"];
/// Their options.
const OPTIONS: [&str; 10] = [
    "max-size",
    "max-file",
    "max-buffer-size",
    "compress",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
    "tag",
    "mode",
];

/// `name` is the key of the driver's name in `config`, `options` that of its options.
pub fn check(ask: &Ask, config: &Value, name: &str, options: &str) -> Result<(), Refusal> {
    let driver = text(config, name);
    let allowed = ask.policy.log_drivers.iter().any(|one| one == driver);
    if !HERE.contains(&driver) && !allowed {
        return Err(Refusal::new("log driver", driver.to_owned()).remedy(format!(
            "use json-file, local, journald or none, or allow it: --allow log-driver={driver}"
        )));
    }
    for (key, value) in config[options].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let is_path = (value.contains('/') && !value.contains("://")) || value.contains("unix");
        let fine = if allowed { key == "tag" || !is_path } else { OPTIONS.contains(&key.as_str()) };
        if !fine {
            return Err(Refusal::new("log driver", format!("option {key}"))
                .remedy("leave it out: logs reach no file or socket of the host"));
        }
    }
    Ok(())
}
