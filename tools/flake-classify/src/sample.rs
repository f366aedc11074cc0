//! Decides whether an attempt counts, that is, says something about the case, and in which factor it differs from the
//! red baseline. Pure.

use lib_common::record::Factors;
use lib_common::record::case::CaseFailed;
use lib_common::record::run::{Outcome, TestOutcome};

use crate::attempt::{Attempt, Profile, Reason, Run, TestResult};
use crate::rule::Load;
use crate::settings::Settings;

/// The level of `fix` without a fix.
pub const NO_FIX: &str = "none";

/// What an attempt is evidence for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The red baseline, isolated or loaded. It decides the verdict.
    Base,
    /// The baseline with one further factor at another level. It attributes the cause.
    Contrast { factor: String, level: String },
    /// The baseline with this patch. It decides the verdict on the fix.
    Fix(String),
}

/// One result that may count, once its revisions have been compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub attempt: Attempt,
    pub load: Load,
    pub red: bool,
    pub group: Group,
}

impl Sample {
    pub fn id(&self) -> &str {
        &self.attempt.run.id
    }

    /// Milliseconds since 1970. Only with `--order-free` may it be unknown.
    pub fn started(&self) -> Option<i64> {
        self.attempt.run.started
    }

    /// Who claims that the condition held, if nothing measured it.
    pub fn claimed(&self) -> Option<&str> {
        let setup = self.attempt.run.setup();
        setup.claimed.as_deref().filter(|_| !setup.proved)
    }

    pub fn boot(&self) -> &str {
        &self.attempt.run.profile.boot
    }

    /// The signature of the failure: the test's own, else that of the run.
    pub fn signature(&self) -> Option<&str> {
        let test = self.attempt.test.as_ref().and_then(|test| test.signature.as_deref());
        test.or(self.attempt.run.signature.as_deref()).filter(|_| self.red)
    }
}

/// The baseline's levels, completed by the version and the domain of `case.failed`; without `load` and `fix`, which the
/// verdict varies by itself.
pub fn baseline(case: &CaseFailed) -> Factors {
    let mut levels = case.baseline.clone();
    levels.remove("load");
    levels.remove("fix");
    levels.entry("version".into()).or_insert_with(|| case.version.clone());
    if let Some(domain) = &case.domain {
        levels.entry("domain".into()).or_insert_with(|| domain.clone());
    }
    levels
}

/// All levels of a run: its own, and for the factors that it does not name those of the baseline.
pub fn complete(levels: &Factors, baseline: &Factors) -> Factors {
    let mut complete = baseline.clone();
    complete.insert("fix".into(), NO_FIX.into());
    complete.extend(levels.clone());
    complete
}

/// The condition and the group of all runs with one profile. Each may instead be the reason why none of them counts. Of
/// several reasons that of the condition is given first, then those about the single run, then that of the group.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    load: Result<Load, &'static str>,
    group: Result<Group, &'static str>,
}

pub fn place(baseline: &Factors, profile: &Profile, settings: &Settings) -> Placement {
    Placement { load: condition(profile, settings), group: group(baseline, &profile.setup.factors) }
}

pub fn condition(profile: &Profile, settings: &Settings) -> Result<Load, &'static str> {
    match profile.reason {
        Some(Reason::Selected) => return Err("selected"),
        Some(Reason::SweepWide) => return Err("sweep-wide"),
        Some(Reason::Unver) | None => {}
    }
    match profile.outcome {
        Outcome::Infra if profile.reason == Some(Reason::Unver) => return Err("unver"),
        Outcome::Aborted => return Err("aborted"),
        Outcome::Infra => return Err("infra"),
        Outcome::Disturbed => return Err("disturbed"),
        Outcome::GuardBypassed => return Err("guard-bypassed"),
        Outcome::Pass | Outcome::Fail | Outcome::Timeout => {}
    }
    let setup = &profile.setup;
    let claimed = setup.claimed.is_some() && settings.accept_claimed;
    let load = match setup.factors.get("load") {
        Some(level) => Load::parse(level).ok_or("load-unknown")?,
        // The runs of a history have one condition, though an unknown one. It takes the place of `isolated`, and the
        // verdict says so.
        None if claimed => Load::Isolated,
        None => return Err("load-unknown"),
    };
    match load {
        _ if setup.proved || claimed => Ok(load),
        Load::Isolated => Err("isolation-unproved"),
        Load::Loaded => Err("load-unproved"),
    }
}

/// The attempt as a sample, or the reason why it does not count.
pub fn classify(
    case: &CaseFailed,
    placement: &Placement,
    attempt: &Attempt,
    settings: &Settings,
) -> Result<Sample, &'static str> {
    let load = placement.load?;
    if attempt.run.started.is_none() && !settings.rule.order_free {
        return Err("start-unreadable");
    }
    let red = result(case, &attempt.run, attempt.test.as_ref())?;
    Ok(Sample { attempt: attempt.clone(), load, red, group: placement.group.clone()? })
}

/// Whether the attempt is red: by the test's own result, or for a stage of the life cycle by how far the run came.
fn result(case: &CaseFailed, run: &Run, test: Option<&TestResult>) -> Result<bool, &'static str> {
    match test.map(|test| test.outcome) {
        Some(TestOutcome::Pass) => Ok(false),
        Some(TestOutcome::Fail) => Ok(true),
        Some(TestOutcome::Error) => Err("test-error"),
        Some(TestOutcome::Skip) => Err("skipped"),
        None if run.profile.reason == Some(Reason::Unver) => Err("unver"),
        None => by_stage(&case.test, &run.profile).ok_or("not-reached"),
    }
}

/// The life cycle's stages in their order. A case whose test has the name of a stage needs no `JUnit` file.
const STAGES: [&str; 8] = ["enrol", "deploy", "install", "backup", "restore", "custom", "upgrade", "promote"];

/// Whether the stage `test` was red in a run. A run that failed in a later stage had passed this one; a run that failed
/// earlier never reached it (`None`). A failed run that does not say how far it came counts as red.
fn by_stage(test: &str, run: &Profile) -> Option<bool> {
    let place = |name: &str| STAGES.iter().position(|stage| *stage == name);
    let ours = place(test)?;
    if run.outcome == Outcome::Pass {
        return Some(false);
    }
    let Some(reached) = run.stage.as_deref() else { return Some(true) };
    match place(reached)?.cmp(&ours) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(true),
        std::cmp::Ordering::Greater => Some(false),
    }
}

fn group(baseline: &Factors, levels: &Factors) -> Result<Group, &'static str> {
    let fix = levels.get("fix").map_or(NO_FIX, String::as_str);
    let varied: Vec<(&String, &String)> = levels
        .iter()
        .filter(|(name, level)| {
            !matches!(name.as_str(), "load" | "fix") && baseline.get(*name) != Some(level)
        })
        .collect();
    match (fix, varied.as_slice()) {
        (NO_FIX, []) => Ok(Group::Base),
        (NO_FIX, [(factor, level)]) => {
            Ok(Group::Contrast { factor: (*factor).clone(), level: (*level).clone() })
        }
        (fix, []) => Ok(Group::Fix(fix.to_owned())),
        _ => Err("several-factors"),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::attempt::{Facts, Profiles, Shared, View, milliseconds};
    use crate::testing::{case, run_body, settings};
    use lib_common::record::run::RunFinished;

    type Change = Box<dyn Fn(&mut RunFinished)>;

    fn classified(
        case: &CaseFailed,
        change: impl Fn(&mut RunFinished),
        test: Option<TestOutcome>,
    ) -> Result<Sample, &'static str> {
        let mut body = run_body("1", 0, "isolated");
        change(&mut body);
        let facts = Facts {
            id: "1",
            started: milliseconds(&body.started),
            cost_ms: 1,
            profile: Profiles::default().of(&View::of(&body)),
            signature: None,
        };
        let run = Rc::new(Shared::default().run(&facts));
        let attempt = Attempt { run, test: test.map(|outcome| TestResult { outcome, signature: None }) };
        let placement = place(&baseline(case), &attempt.run.profile, &settings());
        classify(case, &placement, &attempt, &settings())
    }

    #[test]
    fn what_never_counts() {
        let fail = Some(TestOutcome::Fail);
        let cases: [(&str, Change, Option<TestOutcome>); 12] = [
            ("infra", Box::new(|r| r.outcome = Outcome::Infra), fail),
            ("aborted", Box::new(|r| r.outcome = Outcome::Aborted), fail),
            ("disturbed", Box::new(|r| r.outcome = Outcome::Disturbed), fail),
            ("guard-bypassed", Box::new(|r| r.outcome = Outcome::GuardBypassed), fail),
            ("isolation-unproved", Box::new(|r| r.isolation.proved = false), fail),
            (
                "load-unproved",
                Box::new(|r| {
                    r.isolation.proved = false;
                    r.factors.insert("load".into(), "loaded".into());
                }),
                fail,
            ),
            (
                "load-unknown",
                Box::new(|r| {
                    r.factors.remove("load");
                }),
                fail,
            ),
            ("start-unreadable", Box::new(|r| r.started = "yesterday".into()), fail),
            ("test-error", Box::new(|_| {}), Some(TestOutcome::Error)),
            ("skipped", Box::new(|_| {}), Some(TestOutcome::Skip)),
            ("not-reached", Box::new(|r| r.outcome = Outcome::Timeout), None),
            (
                "several-factors",
                Box::new(|r| {
                    r.factors.insert("path".into(), "warm".into());
                    r.factors.insert("cpu".into(), "2".into());
                }),
                fail,
            ),
        ];
        for (reason, change, test) in cases {
            assert_eq!(classified(&case(), change, test).unwrap_err(), reason);
        }
    }

    #[test]
    fn factors_place_a_run() {
        let mut case = case();
        case.baseline = Factors::from([("path".into(), "warm".into()), ("load".into(), "loaded".into())]);
        let with = |factors: &[(&str, &str)]| {
            let factors = factors.to_vec();
            let change = move |r: &mut RunFinished| {
                r.factors.extend(factors.iter().map(|(k, v)| ((*k).into(), (*v).into())));
            };
            classified(&case, change, Some(TestOutcome::Fail)).map(|sample| sample.group)
        };
        assert_eq!(with(&[]), Ok(Group::Base));
        assert_eq!(with(&[("path", "warm"), ("version", "1")]), Ok(Group::Base));
        assert_eq!(
            with(&[("path", "cold")]),
            Ok(Group::Contrast { factor: "path".into(), level: "cold".into() })
        );
        assert_eq!(with(&[("fix", "abc")]), Ok(Group::Fix("abc".into())));
        assert_eq!(with(&[("fix", "abc"), ("path", "cold")]), Err("several-factors"));
    }

    #[test]
    fn a_stage_is_judged_by_how_far_the_run_came() {
        let mut case = case();
        case.test = "backup".into();
        let at = |outcome, stage: Option<&str>| {
            let stage = stage.map(String::from);
            classified(
                &case,
                move |r| {
                    r.outcome = outcome;
                    r.stage.clone_from(&stage);
                },
                None,
            )
            .map(|sample| sample.red)
        };
        assert_eq!(at(Outcome::Pass, None), Ok(false));
        assert_eq!(at(Outcome::Timeout, Some("backup")), Ok(true));
        assert_eq!(at(Outcome::Fail, None), Ok(true));
        assert_eq!(at(Outcome::Fail, Some("upgrade")), Ok(false));
        assert_eq!(at(Outcome::Fail, Some("deploy")), Err("not-reached"));
        assert_eq!(at(Outcome::Fail, Some("warp")), Err("not-reached"));
    }
}
