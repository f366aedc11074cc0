//! What counts: whether one attempt says something about the case, and how it differs from the red baseline.
//! Pure.

use lib_common::record::Factors;
use lib_common::record::case::CaseFailed;
use lib_common::record::run::{Outcome, TestOutcome};

use crate::attempt::{Attempt, Profile, Reason, Run, Seen};
use crate::rule::Load;
use crate::settings::Settings;

/// The level of `fix` without a fix.
pub const NO_FIX: &str = "none";

/// Where an attempt belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The red baseline, alone or loaded: decides the verdict.
    Base,
    /// One further factor at another level: attributes the cause.
    Contrast { factor: String, level: String },
    /// The baseline with this patch: decides the fix.
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

    /// Milliseconds since 1970; always known but where the order means nothing.
    pub fn started(&self) -> Option<i64> {
        self.attempt.run.started
    }

    /// Who says that the condition held, where nothing measured it.
    pub fn claimed(&self) -> Option<&str> {
        let setup = self.attempt.run.setup();
        setup.claimed.as_deref().filter(|_| !setup.proved)
    }

    pub fn boot(&self) -> &str {
        &self.attempt.run.profile.boot
    }

    /// What the failure looked like: the test's own signature, else that of the run.
    pub fn signature(&self) -> Option<&str> {
        let test = self.attempt.test.as_ref().and_then(|seen| seen.signature.as_deref());
        test.or(self.attempt.run.signature.as_deref()).filter(|_| self.red)
    }
}

/// The baseline's levels, completed by what `case.failed` says of version and domain; without `load` and `fix`,
/// which the verdict varies itself.
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

/// The run's levels with the baseline's where it names none.
pub fn complete(levels: &Factors, baseline: &Factors) -> Factors {
    let mut complete = baseline.clone();
    complete.insert("fix".into(), NO_FIX.into());
    complete.extend(levels.clone());
    complete
}

/// What all runs of one profile are: their condition and their group. Either may be the reason why none counts;
/// that of the condition comes before any doubt about a single run, that of the group after.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    load: Result<Load, &'static str>,
    group: Result<Group, &'static str>,
}

pub fn kind(baseline: &Factors, profile: &Profile, settings: &Settings) -> Kind {
    Kind { load: condition(profile, settings), group: group(baseline, &profile.setup.factors) }
}

fn condition(profile: &Profile, settings: &Settings) -> Result<Load, &'static str> {
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
        // One condition that nobody knows: it takes the place of `isolated`, and the verdict says so.
        None if claimed => Load::Isolated,
        None => return Err("load-unknown"),
    };
    match load {
        _ if setup.proved || claimed => Ok(load),
        Load::Isolated => Err("isolation-unproved"),
        Load::Loaded => Err("load-unproved"),
    }
}

/// The sample that an attempt of this kind is, or the reason why it is none.
pub fn classify(
    case: &CaseFailed,
    kind: &Kind,
    attempt: &Attempt,
    settings: &Settings,
) -> Result<Sample, &'static str> {
    let load = kind.load?;
    if attempt.run.started.is_none() && !settings.rule.order_free {
        return Err("start-unreadable");
    }
    let red = result(case, &attempt.run, attempt.test.as_ref())?;
    Ok(Sample { attempt: attempt.clone(), load, red, group: kind.group.clone()? })
}

/// Red or green: the test's own result; for a stage of the life cycle, how far the run came.
fn result(case: &CaseFailed, run: &Run, test: Option<&Seen>) -> Result<bool, &'static str> {
    match test.map(|seen| seen.outcome) {
        Some(TestOutcome::Pass) => Ok(false),
        Some(TestOutcome::Fail) => Ok(true),
        Some(TestOutcome::Error) => Err("test-error"),
        Some(TestOutcome::Skip) => Err("skipped"),
        None if run.profile.reason == Some(Reason::Unver) => Err("unver"),
        None => by_stage(&case.test, &run.profile).ok_or("not-reached"),
    }
}

/// The life cycle's stages in their order. A case with such a name as its test needs no `JUnit`.
const STAGES: [&str; 8] = ["enrol", "deploy", "install", "backup", "restore", "custom", "upgrade", "promote"];

/// A run that failed later had passed this stage; one that failed earlier never came to it. A failed run
/// that does not say how far it came failed here.
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
        let attempt = Attempt { run, test: test.map(|outcome| Seen { outcome, signature: None }) };
        let kind = kind(&baseline(case), &attempt.run.profile, &settings());
        classify(case, &kind, &attempt, &settings())
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
