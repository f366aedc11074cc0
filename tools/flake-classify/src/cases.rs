//! Turns what a sweep wrote into `case.failed` records (`--emit cases`): one for each red test.

use std::fs;
use std::path::Path;

use lib_common::case::CaseKey;
use lib_common::emit::Emitter;
use lib_common::junit::{self, Test};
use lib_common::record::Factors;
use lib_common::record::case::{CaseFailed, Contrast, Stage};
use lib_common::record::run::TestOutcome;
use lib_common::redact::Redactor;
use lib_common::text::Text;
use lib_common::{Error, Exit, Io, Result};

use crate::cli::{Args, Sweep};

/// Longest failure text that a record keeps; logs belong into bundles.
const MESSAGE_MAX: usize = 64 * 1024;

/// Exit 1 where nothing is red.
pub fn emit(args: &Args, io: &mut Io, emitter: &mut Emitter) -> Result<Exit> {
    let mut any = false;
    for file in &args.sweep.files {
        let fail = |cause: String| Error::cannot("reading a JUnit file", cause).on(file.display());
        let xml = fs::read_to_string(file).map_err(|e| fail(e.to_string()))?;
        for test in junit::parse(&xml).map_err(fail)?.into_iter().filter(is_red) {
            emitter.emit(io, &case(&args.sweep, file, test)?)?;
            any = true;
        }
    }
    Ok(if any { Exit::Done } else { Exit::No })
}

fn is_red(test: &Test) -> bool {
    matches!(test.outcome, TestOutcome::Fail | TestOutcome::Error)
}

fn case(sweep: &Sweep, file: &Path, test: Test) -> Result<CaseFailed> {
    let (recipe, version) =
        (sweep.recipe.clone().unwrap_or_default(), sweep.version_under_test.clone().unwrap_or_default());
    let key = CaseKey::parse(&format!("{recipe}@{version}/{}", test.id))?;
    let levels = |levels: &[String]| levels.first().cloned().unwrap_or_default();
    // The first level of a factor is that of the red run; a sweep is a loaded run.
    let mut baseline: Factors =
        sweep.contrast.iter().map(|(factor, of)| (factor.clone(), levels(of))).collect();
    baseline.insert("load".into(), "loaded".into());
    Ok(CaseFailed {
        case: key.to_string(),
        recipe,
        version,
        reference: None,
        stage: stage(&test.id),
        test: test.id,
        domain: None,
        stack: None,
        message: test.message.map(|text| message(&text)),
        hypothesis: None,
        source: file.display().to_string(),
        contrasts: sweep.contrast.iter().map(|(factor, levels)| contrast(factor, levels)).collect(),
        baseline,
        last_green: None,
    })
}

fn contrast(factor: &str, levels: &[String]) -> Contrast {
    Contrast { factor: factor.to_owned(), levels: levels.to_vec() }
}

/// The first part of the test's name, e.g. `custom` of `custom/test_x.py::test_y`.
fn stage(test: &str) -> Stage {
    let first = test.split(['/', ':']).next().unwrap_or_default();
    serde_json::from_value(first.into()).unwrap_or(Stage::Custom)
}

fn message(text: &str) -> Text {
    let mut end = text.len().min(MESSAGE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text(Redactor::new::<&[u8]>(&[]).text(&text.as_bytes()[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_the_first_part() {
        assert_eq!(stage("custom/test_x.py::test_y"), Stage::Custom);
        assert_eq!(stage("restore/test_restore.py::t"), Stage::Restore);
        assert_eq!(stage("deploy"), Stage::Deploy);
        assert_eq!(stage("smoke::t"), Stage::Custom);
    }

    #[test]
    fn a_long_message_is_cut_between_characters_and_redacted() {
        assert_eq!(message(&"é".repeat(MESSAGE_MAX)).0.len(), MESSAGE_MAX);
        assert!(!message("PASSWORD=hunter22").lossy().contains("hunter22"));
    }
}
