//! Config objects that outlive a run: they name stacks that are kept on purpose, and debts, which are stacks that could
//! not be proved gone (because a node was down, for example).
//!
//! A stack is kept once its config exists and no slot names it any more. The holder first creates the config, then
//! removes the stack from its slot by compare-and-swap. If somebody took the slot over in between, that fails, and the
//! new holder tears the stack down and removes the config.

use lib_common::docker::models::ConfigSpec;
use lib_common::docker::{ApiResult, Engine, filters};
use lib_common::swarm::label;
use lib_common::swarm::object::Kind;
use serde_json::Value;

use super::Teardown;
use super::objects::Target;

const DATA: &str = "cmVkZml4"; // "redfix" in base64: the engine refuses a config without data

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Kept on purpose, and never reaped.
    Kept,
    /// A debt: later calls try again to tear it down.
    Owed,
}

impl Why {
    fn label(self) -> &'static str {
        match self {
            Self::Kept => "redfix.kept",
            Self::Owed => "redfix.owed",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Kept => "redfix-kept-",
            Self::Owed => "redfix-owed-",
        }
    }
}

/// Stacks that outlive their run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub why: Why,
    pub attempt: String,
    pub stacks: Vec<String>,
    /// Of kept stacks, recipe and version; of a debt, what is not proved.
    pub about: String,
    /// RFC 3339, by the engine's clock.
    pub since: String,
}

impl Standing {
    pub fn new(why: Why, attempt: &str, stacks: &[String], about: String) -> Self {
        Self { why, attempt: attempt.to_owned(), stacks: stacks.to_vec(), about, since: String::new() }
    }

    pub fn target(&self) -> Target {
        Target::of_run(&self.attempt, &self.stacks)
    }

    /// Why the debt could not be settled, for people.
    pub fn unpaid(&self, outcome: &Teardown) -> String {
        let why: Vec<&str> = outcome.left.iter().chain(&outcome.unproved).map(String::as_str).collect();
        format!("not proved to be gone: {}: {}", self.stacks.join(", "), why.join("; "))
    }

    pub fn is_called(&self, name: &str) -> bool {
        self.attempt == name || self.stacks.iter().any(|stack| stack == name)
    }

    fn name(&self) -> String {
        format!("{}{}", self.why.prefix(), self.attempt)
    }

    fn spec(&self) -> ConfigSpec {
        let labels = [
            (self.why.label(), self.attempt.clone()),
            ("redfix.stacks", self.stacks.join(",")),
            ("redfix.about", self.about.clone()),
        ];
        ConfigSpec {
            name: Some(self.name()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
            data: Some(DATA.to_owned()),
            templating: None,
        }
    }

    fn parse(why: Why, config: &Value) -> Option<Self> {
        let labels = label::pairs(&config["Spec"]["Labels"]);
        let stacks = labels.get("redfix.stacks").map_or("", String::as_str);
        Some(Self {
            why,
            attempt: labels.get(why.label())?.clone(),
            stacks: stacks.split(',').filter(|s| !s.is_empty()).map(ToOwned::to_owned).collect(),
            about: labels.get("redfix.about").cloned().unwrap_or_default(),
            since: config["CreatedAt"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// Creates the config, unless it exists already.
pub async fn put(engine: &Engine, standing: &Standing) -> ApiResult<()> {
    engine.create_config(standing.spec()).await.map(drop)
}

pub async fn list(engine: &Engine, why: Why) -> ApiResult<Vec<Standing>> {
    let list = engine.get(&format!("/configs?{}", filters(&[("label", why.label())]))).await?;
    Ok(list.as_array().into_iter().flatten().filter_map(|config| Standing::parse(why, config)).collect())
}

/// Removes the configs of an attempt. Call it when nothing of the attempt is left.
pub async fn forget(engine: &Engine, attempt: &str) -> ApiResult<()> {
    for why in [Why::Kept, Why::Owed] {
        engine.remove(Kind::Config, &format!("{}{attempt}", why.prefix())).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read() {
        for why in [Why::Kept, Why::Owed] {
            let standing = Standing::new(why, "01A", &["x".into(), "x-load".into()], "mumble 1.0".into());
            let spec = standing.spec();
            assert!(spec.name.as_ref().unwrap().len() <= 64);
            let config = json!({"Spec": spec});
            assert_eq!(Standing::parse(why, &config), Some(standing.clone()));
            assert!(standing.is_called("x") && standing.is_called("01A") && !standing.is_called("x-"));
        }
        assert_eq!(Standing::parse(Why::Owed, &json!({})), None);
    }
}
