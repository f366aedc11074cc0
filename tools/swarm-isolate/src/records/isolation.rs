//! The record's proof that the claimed condition (isolated or loaded) really held. No I/O.

use lib_common::record::run::{Isolation, NodeLoad};

use crate::finished::{End, Finished};
use crate::load::cli::{Condition, LoadArgs};
use crate::load::condition::too_much;
use crate::load::sampler::{self, Load, round};

pub fn of(args: &LoadArgs, node: &str, finished: &Finished) -> Isolation {
    let (before, during) = (finished.before.load.as_ref(), finished.ran.during.as_ref());
    let nodes = if ran(&finished.ran.end) { sampler::by_node(node, before, during) } else { Vec::new() };
    let why = doubt(args, finished, &nodes);
    let neighbours = finished.attempt.makers.iter().filter(|maker| maker.log != "load").count();
    Isolation {
        proved: why.is_none(),
        why,
        claimed: None,
        slots_held: finished.slots.0,
        slots_total: finished.slots.1,
        other_deploys: finished.before.other_deploys,
        foreign_cpu_before: before.map(|load| round(load.foreign_cpu)),
        foreign_cpu_during: during.map(|load| round(load.foreign_cpu)),
        cpu_pressure_before: before.map(|load| round(load.cpu_pressure)),
        cpu_pressure_during: during.map(|load| round(load.cpu_pressure)),
        neighbours: (args.neighbours > 0).then(|| u32::try_from(neighbours).unwrap_or(u32::MAX)),
        nodes,
    }
}

fn ran(end: &End) -> bool {
    !matches!(end, End::Taken(_) | End::NotStarted(_))
}

/// Why the claimed condition is not proved; `None` if it is.
fn doubt(args: &LoadArgs, finished: &Finished, nodes: &[NodeLoad]) -> Option<String> {
    if matches!(finished.ran.end, End::Taken(_)) {
        // Nothing ran, so nothing could be disturbed: that the namespace was taken is proof enough.
        return None;
    }
    if let Some(why) = &finished.ran.guard.unproved {
        return Some(why.clone());
    }
    let Some(during) = &finished.ran.during else {
        return Some("the node's CPU time could not be measured from here".into());
    };
    if let Some(node) = nodes.iter().find(|node| node.why.is_some()) {
        return Some(format!("node {}: {}", node.node, node.why.as_deref().unwrap_or_default()));
    }
    let changed = &finished.changes.others;
    match finished.attempt.condition {
        Condition::Loaded => never_loaded(args, finished).or_else(|| {
            let (share, min) = (during.foreign_cpu, args.min_foreign_cpu);
            (share < min).then(|| format!("foreign CPU share {share:.2} during the run is below {min}"))
        }),
        Condition::Isolated => {
            too_much(args, during).map(|what| format!("during the run {what}")).or_else(|| {
                (!changed.is_empty())
                    .then(|| format!("others changed during the run: {}", changed.join(", ")))
            })
        }
    }
}

/// Why a loaded run was never under load (`--min-pressure`): such a run is invalid, not green.
pub fn never_loaded(args: &LoadArgs, finished: &Finished) -> Option<String> {
    if finished.attempt.condition == Condition::Isolated || args.min_pressure <= 0.0 {
        return None;
    }
    let during = finished.ran.during.as_ref()?;
    let pressure = pressure(during);
    (pressure < args.min_pressure).then(|| {
        format!(
        "the run was never loaded: the foreign load waited for a CPU {pressure:.1} % of the time, and --min-pressure asks for {} %",
        args.min_pressure
        )
    })
}

/// The pressure of others' control groups; if they cannot be read, the node's as a whole.
fn pressure(load: &Load) -> f64 {
    load.foreign_pressure.unwrap_or(load.cpu_pressure)
}
