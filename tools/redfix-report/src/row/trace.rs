//! Computes how the evidence of a case grew, run by run, until the verdict, for a plot. Pure.

use std::collections::BTreeMap;

use lib_common::glr;
use lib_common::record::verdict::{FlakeVerdict, Ratios, Tally, Thresholds};
use schemars::JsonSchema;
use serde::Serialize;

use crate::fold::Fold;
use crate::runs::level;

/// The likelihood ratios after each counted run, and the thresholds that they are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trace {
    pub points: Vec<Point>,
    #[schemars(with = "BTreeMap<String, f64>")]
    pub thresholds: Thresholds,
}

/// The state after one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    pub load: String,
    pub red: bool,
    #[schemars(with = "BTreeMap<String, f64>")]
    pub ratios: Ratios,
}

impl Trace {
    /// `None` if a counted run is not on the ledger or says nothing: a plot without it would show another proof.
    #[must_use]
    pub fn new(verdict: &FlakeVerdict, fold: &Fold) -> Option<Self> {
        let (mut isolated, mut loaded) = (Tally::default(), Tally::default());
        let mut points = Vec::new();
        for id in &verdict.attempts {
            let run = fold.runs.get(id)?;
            let red = !fold.runs.sample(run, &verdict.case)?;
            let is_loaded = level(&run.factors, "load") == "loaded";
            let tally = if is_loaded { &mut loaded } else { &mut isolated };
            *tally = glr::sum(*tally, Tally { fail: u32::from(red), pass: u32::from(!red) });
            let load = if is_loaded { "loaded" } else { "isolated" };
            points.push(Point { load: load.into(), red, ratios: glr::ratios(isolated, loaded) });
        }
        (!points.is_empty()).then_some(Self { points, thresholds: verdict.thresholds })
    }
}
