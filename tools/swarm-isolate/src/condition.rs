//! Waits until the node is as the run claims: calm before an isolated run, busy before a loaded one.

use std::time::{Duration, Instant};

use lib_common::{Error, Result};

use crate::attempt::Context;
use crate::cli::Condition;
use crate::sampler::{self, Load, Own};
use crate::teardown;

/// What was seen just before the command started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Before {
    pub load: Option<Load>,
    pub other_deploys: u32,
}

/// A load that has not arrived by then will not.
const LOAD_DEADLINE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_secs(2);

/// `Ok(None)`: asked to stop. Exit 75 where the node did not calm down in time.
pub async fn wait(context: &Context<'_>, condition: Condition, stacks: &[String]) -> Result<Option<Before>> {
    let start = Instant::now();
    let mut stop = context.stop.clone();
    loop {
        let load = tokio::select! {
            load = sampler::look(context.engine, Own::default(), LOOK) => load,
            _ = stop.wait_for(Option::is_some) => return Ok(None),
        };
        let other_deploys = teardown::other_deploys(context.engine, stacks, context.clock.now())
            .await
            .map_err(|e| e.into_error("looking for other deploys", &context.engine.endpoint().to_string()))?;
        let before = Before { load, other_deploys };
        let Some(obstacle) = obstacle(context, condition, &before) else { return Ok(Some(before)) };
        match condition {
            Condition::Isolated if start.elapsed() >= context.args.wait => {
                return Err(Error::again("waiting for a calm node", obstacle).hint(
                    "wait longer with --wait, or raise --max-foreign-cpu if that is this node's normal state",
                ));
            }
            Condition::Loaded if start.elapsed() >= LOAD_DEADLINE.min(context.args.wait) => {
                return Err(Error::cannot("loading the node", obstacle)
                    .hint("give --load-with more work, or lower --min-foreign-cpu"));
            }
            _ => context.diag.phase(format_args!("waiting: {obstacle}")),
        }
    }
}

/// What stands in the way of starting now, in words.
fn obstacle(context: &Context<'_>, condition: Condition, before: &Before) -> Option<String> {
    let (max, min) = (context.args.max_foreign_cpu, context.args.min_foreign_cpu);
    match (condition, before.load) {
        (Condition::Isolated, _) if before.other_deploys > 0 => {
            Some(format!("{} other services are being deployed", before.other_deploys))
        }
        (Condition::Isolated, Some(load)) if load.foreign_cpu > max => {
            Some(format!("foreign CPU share {:.2} is above {max}", load.foreign_cpu))
        }
        (Condition::Loaded, Some(load)) if load.foreign_cpu < min => {
            Some(format!("foreign CPU share {:.2} is below {min}", load.foreign_cpu))
        }
        // Where it cannot be measured the run goes on, and its record says that nothing is proved.
        _ => None,
    }
}
