//! Stacks that the command names itself, within `--allow stack=PATTERN`. A stack that matches and appears during the
//! run belongs to the run.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use lib_common::docker::{ApiError, Engine};
use lib_common::pattern::Pattern;
use lib_common::swarm::object::{Kind, Object, parse};
use lib_common::{Error, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clean::stack_of;
use crate::slot::Slot;

/// How often new stacks are looked for.
const EVERY: Duration = Duration::from_secs(1);

/// Lists every object on the swarm; all kinds are asked for at the same time.
pub async fn look(engine: &Engine) -> Result<Vec<Object>> {
    let fail = |e: ApiError| e.into_error("listing what is on the swarm", &engine.endpoint().to_string());
    let mut asked = JoinSet::new();
    for kind in Kind::ALL {
        let engine = engine.clone();
        asked.spawn(async move { engine.get(kind.list_path()).await.map(|list| parse(kind, &list)) });
    }
    let mut all = Vec::new();
    while let Some(list) = asked.join_next().await {
        let list = list.map_err(|e| Error::cannot("listing what is on the swarm", e))?;
        all.extend(list.map_err(fail)?);
    }
    // Sorted, so that messages do not depend on which answer came first.
    all.sort();
    Ok(all)
}

/// The patterns of admitted stacks, and the objects that existed before the run.
pub struct Admitted<'a> {
    patterns: &'a [Pattern],
    before: BTreeSet<(Kind, String)>,
}

impl<'a> Admitted<'a> {
    pub fn new(patterns: &'a [Pattern], before: Vec<Object>) -> Self {
        Self { patterns, before: before.into_iter().map(|object| (object.kind, object.id)).collect() }
    }

    /// Admitted stacks that exist now and did not before the run; none if the engine does not answer.
    pub async fn found(&self, engine: &Engine) -> Vec<String> {
        if self.patterns.is_empty() {
            return Vec::new();
        }
        self.new_stacks(&look(engine).await.unwrap_or_default())
    }

    fn new_stacks(&self, now: &[Object]) -> Vec<String> {
        let new = now.iter().filter(|object| !self.before.contains(&(object.kind, object.id.clone())));
        let stacks: BTreeSet<String> = new.filter_map(|object| stack_of(object, self.patterns)).collect();
        stacks.into_iter().collect()
    }

    /// Notes each new stack in the slot as intended, so that it is torn down even if this process dies, and adds it to
    /// the run's own stacks. Never returns.
    pub async fn record(
        &self,
        engine: &Engine,
        slot: &Slot,
        intended: Vec<String>,
        own: &watch::Sender<Vec<String>>,
    ) -> Infallible {
        if self.patterns.is_empty() {
            return std::future::pending().await;
        }
        let mut intended = intended;
        loop {
            let mut new = self.found(engine).await;
            new.retain(|stack| !intended.contains(stack));
            if !new.is_empty() {
                let all = [&intended[..], &new[..]].concat();
                // If the slot could not be updated, the next round tries again.
                if slot.intend(&all).await.is_ok() {
                    own.send_modify(|own| own.extend(new));
                    intended = all;
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use lib_common::swarm::label::STACK;
    use serde_json::json;

    use super::*;

    fn service(id: &str, name: &str, stack: &str) -> Object {
        let labels = json!({STACK: stack});
        parse(Kind::Service, &json!([{"ID": id, "Spec": {"Name": name, "Labels": labels}}])).remove(0)
    }

    #[test]
    fn only_what_is_new_and_admitted_is_the_runs() {
        let patterns = ["gite-*_ci".parse().unwrap()];
        let old = service("1", "gite-old_ci_app", "gite-old_ci");
        let admitted = Admitted::new(&patterns, vec![old.clone()]);
        let mut secret = service("3", "gite-two_ci_db_password_v1", "");
        secret.labels.clear();
        let now =
            [old, service("2", "gite-one_ci_app", "gite-one_ci"), secret, service("4", "live_app", "live")];
        assert_eq!(admitted.new_stacks(&now), ["gite-one_ci", "gite-two_ci"]);
    }
}
