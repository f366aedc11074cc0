//! Waits until the node's load is as the run claims: low before an isolated run, high before a loaded one.

use std::time::{Duration, Instant};

use lib_common::{Error, Result};

use super::cli::{Condition, LoadArgs};
use super::makers;
use super::sampler::Load;
use super::watch::Watch;
use crate::context::{Attempt, Context};
use crate::teardown;

/// What was measured just before the command started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Before {
    pub load: Option<Load>,
    pub other_deploys: u32,
}

/// How long the load of a loaded run may take to reach its threshold.
const LOAD_DEADLINE: Duration = Duration::from_mins(1);
/// How often the node is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Waits. `Ok(None)` when a signal asked to stop; an error with exit code 75 when the node did not calm down in time.
pub async fn wait(context: &Context<'_>, attempt: &Attempt, watch: &mut Watch) -> Result<Option<Before>> {
    let (start, stacks) = (Instant::now(), attempt.stacks());
    let mut stop = context.stop.clone();
    loop {
        let load = if context.engine.endpoint().is_local() { watch.look().await } else { None };
        let other_deploys = teardown::other_deploys(context.engine, &stacks, context.clock.now())
            .await
            .map_err(|e| e.into_error("looking for other deploys", &context.engine.endpoint().to_string()))?;
        if let Some(conflict) = makers::conflict(context, attempt).await {
            return Err(makers::refusal(&conflict));
        }
        let before = Before { load, other_deploys };
        let Some(obstacle) = obstacle(&context.args.load, attempt.condition, &before) else {
            return Ok(Some(before));
        };
        match attempt.condition {
            Condition::Isolated if start.elapsed() >= context.args.wait => {
                return Err(Error::again("waiting for a calm node", obstacle).hint(
                    "wait longer with --wait, or raise --max-foreign-cpu or --max-pressure if that is this node's normal state",
                ));
            }
            Condition::Loaded if start.elapsed() >= LOAD_DEADLINE.min(context.args.wait) => {
                return Err(Error::cannot("loading the node", obstacle)
                    .hint("give --load-with more work, or lower --min-foreign-cpu"));
            }
            _ => context.diag.phase(format_args!("waiting: {obstacle}")),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = context.budget.spent() => {
                return Err(Error::again("waiting for the node", format!("{obstacle}, and the budget is spent"))
                    .hint("what is done is on record"));
            }
            _ = stop.wait_for(Option::is_some) => return Ok(None),
        }
    }
}

/// Why the command may not start now. If the load cannot be measured there is no obstacle: the run goes on, and its
/// record says that the condition is not proved.
fn obstacle(args: &LoadArgs, condition: Condition, before: &Before) -> Option<String> {
    let load = before.load.as_ref();
    match condition {
        Condition::Isolated if before.other_deploys > 0 => {
            Some(format!("{} other services are being deployed", before.other_deploys))
        }
        Condition::Isolated => too_much(args, load?),
        Condition::Loaded if load?.foreign_cpu < args.min_foreign_cpu => {
            Some(format!("foreign CPU share {:.2} is below {}", load?.foreign_cpu, args.min_foreign_cpu))
        }
        Condition::Loaded => None,
    }
}

/// Which threshold of an isolated run is exceeded.
pub fn too_much(args: &LoadArgs, load: &Load) -> Option<String> {
    let pressure = load.foreign_pressure.unwrap_or_default();
    if load.foreign_cpu > args.max_foreign_cpu {
        return Some(format!("foreign CPU share {:.2} is above {}", load.foreign_cpu, args.max_foreign_cpu));
    }
    (pressure > args.max_pressure).then(|| {
        format!(
            "a container of others waits for a CPU {pressure:.0} % of the time, above {}",
            args.max_pressure
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_stands_in_the_way_by_itself() {
        let args = LoadArgs {
            condition: Condition::Isolated,
            load_with: None,
            neighbours: 0,
            max_foreign_cpu: 0.35,
            min_foreign_cpu: 0.5,
            max_pressure: 80.0,
            min_pressure: 0.0,
        };
        let before = |cpu, pressure, other_deploys| Before {
            load: Some(Load { foreign_cpu: cpu, foreign_pressure: pressure, ..Load::default() }),
            other_deploys,
        };
        let says = |condition, before: &Before| obstacle(&args, condition, before).unwrap_or_default();
        assert_eq!(says(Condition::Isolated, &before(0.1, Some(10.0), 0)), "");
        assert_eq!(says(Condition::Isolated, &before(0.1, None, 0)), "");
        assert!(says(Condition::Isolated, &before(0.4, None, 0)).contains("0.40 is above 0.35"));
        assert!(says(Condition::Isolated, &before(0.1, Some(90.0), 0)).contains("90 % of the time"));
        assert!(says(Condition::Isolated, &before(0.1, None, 2)).contains("2 other services"));
        assert!(says(Condition::Loaded, &before(0.1, None, 2)).contains("is below 0.5"));
        assert_eq!(says(Condition::Loaded, &before(0.9, Some(90.0), 2)), "");
        assert_eq!(says(Condition::Isolated, &Before::default()), "", "what cannot be measured");
    }
}
