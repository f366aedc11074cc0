//! The tool itself, against the same forge: one pull request, one comment, whoever else is at it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::everywhere;
use crate::fixture::{Ran, bin, ledger, run};
use crate::ground::Ground;

impl Ground {
    fn tool(&self, extra: &[&str]) -> Command {
        let token = self.world.path("token");
        if !token.exists() {
            std::fs::write(&token, &self.bot).unwrap();
        }
        let mut command = bin();
        command.arg("--fix").arg(self.world.fix_dir("readiness"));
        command.args([
            "--forge",
            &self.url,
            "--repo",
            &format!("{}/{}", self.owner, self.repo),
            "--token-file",
        ]);
        command.arg(token).args(extra);
        command
    }

    fn comments(&self, number: &Value) -> Vec<String> {
        let all = self.get(&format!("/issues/{number}/comments")).body;
        all.as_array().unwrap().iter().map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn opened_asked_judged_and_mended() {
    everywhere(|forge| {
        let quick = [
            "--testme",
            "--wait",
            "--poll",
            "100ms",
            "--settle",
            "100ms",
            "--first-wait",
            "1s",
            "--grace",
            "1s",
        ];
        let first = run(forge.tool(&quick), &ledger());
        assert_eq!((first.code, &first.checked()["state"]), (75, &json!("none")), "{}", first.stderr);
        let opened = first.records("pr.opened").remove(0);
        assert_eq!(opened["action"], "created");
        let head = opened["head"].as_str().unwrap().to_owned();
        forge.status(&head, "ci", "success");
        let green = run(forge.tool(&quick), &ledger());
        assert_eq!((green.code, &green.checked()["state"]), (0, &json!("green")), "{}", green.stderr);
        assert_eq!(forge.comments(&opened["number"]), ["!testme"]);

        forge.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
        let dry = run(forge.tool(&["--testme", "--dry-run"]), &ledger());
        assert_eq!(dry.code, 0, "{}", dry.stderr);
        let second = run(forge.tool(&["--testme", "--grace", "1s"]), &ledger()).opened();
        assert_eq!((&second["action"], &second["number"]), (&json!("updated"), &opened["number"]));
        assert_ne!(second["head"], head);
        assert_eq!(forge.comments(&opened["number"]), ["!testme", "!testme"]);
        assert_eq!(run(forge.tool(&[]), &ledger()).opened()["action"], "unchanged");
        assert_eq!(forge.get("/pulls?state=all&limit=50&page=1").body.as_array().map(Vec::len), Some(1));
    });
}

/// As on so many machines, which have no lock in common.
#[test]
fn many_at_once_open_one() {
    everywhere(|forge| {
        let spawn = |n: usize| {
            let tmp = forge.world.path(&format!("tmp-{n}"));
            std::fs::create_dir_all(&tmp).unwrap();
            let mut command = forge.tool(&["--no-verdict", "--testme", "--grace", "20s"]);
            command.env("TMPDIR", tmp).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let children: Vec<_> = (0..5).map(spawn).collect();
        let opened: Vec<Value> =
            children.into_iter().map(|child| Ran::of(child.wait_with_output().unwrap()).opened()).collect();
        let created = opened.iter().filter(|record| record["action"] == "created").count();
        assert_eq!(created, 1, "{opened:#?}");
        assert_eq!(forge.get("/pulls?state=all&limit=50&page=1").body.as_array().map(Vec::len), Some(1));
        assert_eq!(forge.comments(&opened[0]["number"]), ["!testme"]);
    });
}

/// Labels nobody has, reviewers nobody knows: warnings, and the pull request is there.
#[test]
fn what_is_optional_never_fails() {
    everywhere(|forge| {
        let ran =
            run(forge.tool(&["--label", "nope", "--reviewer", "nobody-at-all", "--grace", "1s"]), &ledger());
        let record = ran.opened();
        let warnings = record["warnings"].to_string();
        assert!(warnings.contains("nope") && warnings.contains("nobody-at-all"), "{warnings}");
    });
}
