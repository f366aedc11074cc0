//! The rules, one test each.

use serde_json::{Value, json};

use crate::everywhere;
use crate::wire::{As, ask};

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|item| item["number"].as_u64().unwrap()).collect()
}

/// Two that come at once may both be opened; each then has a number, and lists show both.
#[test]
fn opening_is_not_one_step() {
    everywhere(|forge| {
        forge.push("fix/a/b", "x");
        let body = json!({"base": "main", "head": "fix/a/b", "title": "t"});
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let ask = || forge.send("POST", "/pulls", &body).status;
            let asking: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
        let opened = answers.iter().filter(|status| **status == 201).count();
        let listed = numbers(&forge.get("/pulls?state=open&limit=50&page=1").body);
        assert!(opened >= 1 && listed.len() == opened, "{opened} opened, {listed:?}");
        assert!(listed.is_sorted_by(|a, b| a > b), "the newest first: {listed:?}");
        // Later, one that is there is seen.
        let late = forge.send("POST", "/pulls", &body);
        assert_eq!(late.status, 409);
        assert!(
            late.message().contains("pull request already exists for these targets"),
            "{}",
            late.message()
        );
    });
}

#[test]
fn what_cannot_be_opened() {
    everywhere(|forge| {
        forge.push("fix/a/b", "x");
        let open = |head: &str, base: &str, title: &str| {
            forge.send("POST", "/pulls", &json!({"base": base, "head": head, "title": title})).status
        };
        assert_eq!(open("nope", "main", "t"), 404);
        assert_eq!(open("fix/a/b", "nope", "t"), 404);
        assert_eq!(open("fix/a/b", "main", ""), 422);
        assert_eq!(open("main", "main", "t"), 422);
        assert_eq!(forge.get("/pulls/77").status, 404);
        assert_eq!(forge.get("/branches/nope/nope").status, 404);
    });
}

/// Opening trims a title; editing keeps blanks, passes over an empty title, and answers 201.
#[test]
fn titles() {
    everywhere(|forge| {
        forge.push("fix/a/b", "x");
        let body = json!({"base": "main", "head": "fix/a/b", "title": "  a ", "body": "b"});
        let opened = forge.send("POST", "/pulls", &body);
        assert_eq!((opened.status, &opened.body["title"]), (201, &json!("a")), "{}", opened.text);
        let path = format!("/pulls/{}", opened.body["number"]);
        let edited = forge.send("PATCH", &path, &json!({"title": "b", "body": "c"}));
        assert_eq!((edited.status, &edited.body["title"]), (201, &json!("b")), "{}", edited.text);
        let kept = forge.send("PATCH", &path, &json!({"title": ""}));
        assert_eq!((kept.status, &kept.body["title"]), (201, &json!("b")), "{}", kept.text);
        let draft = forge.send("PATCH", &path, &json!({"title": "WIP: b"}));
        assert_eq!(draft.body["draft"], true, "{}", draft.text);
    });
}

/// A list names the head's branch in `label`, the repository of each end, and links that begin with the address asked.
#[test]
fn what_a_pull_request_says() {
    everywhere(|forge| {
        let head = forge.push("fix/a/b", "x");
        let number = forge.open("fix/a/b");
        let pull = forge.get(&format!("/pulls/{number}")).body;
        assert_eq!((&pull["head"]["label"], &pull["head"]["sha"]), (&json!("fix/a/b"), &json!(head)));
        assert_eq!((&pull["base"]["ref"], &pull["state"]), (&json!("main"), &json!("open")));
        assert_eq!(
            (&pull["merged"], pull["head"]["repo_id"] == pull["base"]["repo_id"]),
            (&json!(false), true)
        );
        assert_eq!(pull["user"]["login"], forge.bot_login);
        let link = format!("{}/{}/{}/pulls/{number}", forge.url, forge.owner, forge.repo);
        assert_eq!(pull["html_url"], link);
        let named = forge.get("/pulls/main/fix/a/b");
        assert_eq!((named.status, &named.body["number"]), (200, &json!(number)));
        assert_eq!(forge.get("/pulls/main/fix/a/c").status, 404);
    });
}

/// Names of the forge's own paths are never found by base and head.
#[test]
fn a_head_that_is_a_path_is_not_found() {
    everywhere(|forge| {
        for name in ["merge", "files", "commits"] {
            forge.push(name, name);
            let number = forge.open(name);
            assert_eq!(forge.get(&format!("/pulls/main/{name}")).status, 404, "{name}");
            assert!(numbers(&forge.get("/pulls?state=open&limit=50&page=1").body).contains(&number));
        }
    });
}

#[test]
fn a_head_that_is_deleted_closes_it() {
    everywhere(|forge| {
        let head = forge.push("fix/a/b", "x");
        let number = forge.open("fix/a/b");
        forge.delete("fix/a/b");
        let path = format!("/pulls/{number}");
        forge.until("it is closed", || forge.get(&path).body["state"] == "closed");
        let pull = forge.get(&path).body;
        assert_eq!((&pull["merged"], &pull["head"]["label"]), (&json!(false), &json!("fix/a/b")));
        assert_eq!(
            (&pull["head"]["ref"], &pull["head"]["sha"]),
            (&json!(format!("refs/pull/{number}/head")), &json!(head))
        );
        let closed = forge.get("/pulls?state=closed&limit=50&page=1");
        assert_eq!(numbers(&closed.body), [number]);
    });
}

/// A list ends where it says how many there are, and no page is larger than it may be.
#[test]
fn pages() {
    everywhere(|forge| {
        for n in 0..3 {
            forge.push(&format!("b{n}"), &format!("x{n}"));
            forge.open(&format!("b{n}"));
        }
        let first = forge.get("/pulls?state=open&limit=2&page=1");
        assert_eq!((first.body.as_array().unwrap().len(), &*first.header("x-total-count")), (2, "3"));
        assert_eq!(forge.get("/pulls?state=open&limit=2&page=2").body.as_array().unwrap().len(), 1);
        let beyond = forge.get("/pulls?state=open&limit=2&page=9");
        assert_eq!((beyond.status, &beyond.body), (200, &json!([])));
    });
}

/// Of a commit that is not there: 404. Ids count from 1 for each commit; the newest first, where that is asked for.
#[test]
fn statuses() {
    everywhere(|forge| {
        let unknown =
            forge.get(&format!("/commits/{}/statuses?sort=leastindex&limit=50&page=1", "1".repeat(40)));
        assert_eq!(unknown.status, 404, "{}", unknown.text);
        for n in 0..2 {
            let commit = forge.push(&format!("b{n}"), &format!("x{n}"));
            let path = format!("/commits/{commit}/statuses?sort=leastindex&limit=50&page=1");
            let none = forge.get(&path);
            assert_eq!((none.status, &none.body, &*none.header("x-total-count")), (200, &json!([]), "0"));
            for (context, state) in [("a", "pending"), ("b", "failure"), ("a", "success")] {
                forge.status(&commit, context, state);
            }
            let all = forge.get(&path).body;
            let said: Vec<_> =
                all.as_array().unwrap().iter().map(|s| (s["id"].clone(), s["status"].clone())).collect();
            let wanted =
                [(json!(3), json!("success")), (json!(2), json!("failure")), (json!(1), json!("pending"))];
            assert_eq!(said, wanted);
        }
    });
}

/// Comments have an author; whoever may write may edit them, and the author stays. No list of them has pages.
#[test]
fn comments() {
    everywhere(|forge| {
        forge.push("fix/a/b", "x");
        let path = format!("/issues/{}/comments", forge.open("fix/a/b"));
        let said = ask("POST", &forge.path(&path), As::Token(&forge.ann), Some(&json!({"body": " hers \n"})));
        assert_eq!((said.status, &said.body["body"]), (201, &json!(" hers \n")), "{}", said.text);
        let author = said.body["user"]["login"].clone();
        assert_ne!(author, json!(forge.bot_login));
        let edited =
            forge.send("PATCH", &format!("/issues/comments/{}", said.body["id"]), &json!({"body": "x"}));
        assert_eq!((edited.status, &edited.body["user"]["login"]), (200, &author), "{}", edited.text);
        for n in 0..3 {
            assert_eq!(forge.send("POST", &path, &json!({"body": n.to_string()})).status, 201);
        }
        let all = forge.get(&format!("{path}?limit=1"));
        let all = all.body.as_array().unwrap();
        let ids: Vec<u64> = all.iter().map(|comment| comment["id"].as_u64().unwrap()).collect();
        assert!(ids.len() == 4 && ids.is_sorted(), "{ids:?}");
        assert_eq!(forge.send("POST", &path, &json!({"body": ""})).status, 422);
    });
}

/// Scopes are looked at first, by the route, and a refusal names the one that is needed.
#[test]
fn scopes() {
    everywhere(|forge| {
        forge.push("fix/a/b", "x");
        let number = forge.open("fix/a/b");
        let code = forge.token(&["write:repository"]);
        let reader = forge.token(&["read:repository", "read:issue"]);
        let refused = |token: &str, method: &str, below: &str, body: Option<Value>, scope: &str| {
            let answer = ask(method, &forge.path(below), As::Token(token), body.as_ref());
            assert_eq!(answer.status, 403, "{method} {below}: {}", answer.text);
            let message = answer.message();
            assert!(message.contains("required scope") && message.contains(scope), "{message}");
        };
        let comments = format!("/issues/{number}/comments");
        refused(&code, "GET", &comments, None, "read:issue");
        refused(&code, "POST", &comments, Some(json!({"body": "x"})), "write:issue");
        refused(&code, "GET", "/labels", None, "read:issue");
        refused(&reader, "POST", "/pulls", Some(json!({"title": "t"})), "write:repository");
        refused(&reader, "POST", &comments, Some(json!({"body": "x"})), "write:issue");
        let org = ask("GET", &forge.api(&format!("/orgs/{}/labels", forge.owner)), As::Token(&code), None);
        assert!(org.status == 403 && org.message().contains("read:organization"), "{}", org.text);
        let wrong = ask("GET", &forge.path(""), As::Token("0123456789012345678901234567890123456789"), None);
        assert_eq!(wrong.status, 401, "{}", wrong.text);
    });
}

/// Newer forges tell what a token may do and whose it is; others do not know the question.
#[test]
fn whose_a_token_is() {
    everywhere(|forge| {
        let token = forge.token(&["write:repository"]);
        let said = ask("GET", &forge.api("/token"), As::Token(&token), None);
        if said.status == 404 {
            return;
        }
        assert_eq!(
            (said.status, &said.body["user"]["login"]),
            (200, &json!(forge.bot_login)),
            "{}",
            said.text
        );
        assert_eq!(said.body["scopes"], json!(["write:repository"]));
        let user = ask("GET", &forge.api("/user"), As::Token(&token), None);
        assert_eq!(user.status, 403, "{}", user.text);
    });
}

/// `permissions` are the user's, whatever the token may; without a token nobody pushes.
#[test]
fn permissions() {
    everywhere(|forge| {
        let reader = forge.token(&["read:repository"]);
        let push = |who: As| ask("GET", &forge.path(""), who, None).body["permissions"]["push"].clone();
        assert_eq!((push(As::Token(&reader)), push(As::Nobody)), (json!(true), json!(false)));
    });
}

#[test]
fn protected_branches() {
    everywhere(|forge| {
        forge.push("listed", "x");
        let open = forge.get("/branches/listed").body;
        assert_eq!((&open["protected"], &open["user_can_push"]), (&json!(false), &json!(true)));
        forge.protect("listed", true);
        let listed = forge.get("/branches/listed").body;
        assert_eq!((&listed["protected"], &listed["user_can_push"]), (&json!(true), &json!(true)));
    });
    everywhere(|forge| {
        forge.push("shut", "x");
        forge.protect("shut", false);
        let shut = forge.get("/branches/shut").body;
        assert_eq!((&shut["protected"], &shut["user_can_push"]), (&json!(true), &json!(false)));
    });
}

/// All or nothing, and never who opened it.
#[test]
fn reviewers() {
    everywhere(|forge| {
        forge.push("fix/a/b", "x");
        let path = format!("/pulls/{}/requested_reviewers", forge.open("fix/a/b"));
        let ask = |names: &[&str]| forge.send("POST", &path, &json!({ "reviewers": names }));
        let ann = if forge.owner == "o" { "ann" } else { &forge.owner };
        let unknown = ask(&[ann, "nobody-at-all"]);
        assert!(unknown.status == 404 && unknown.message().contains("nobody-at-all"), "{}", unknown.text);
        assert_eq!(ask(&[&forge.bot_login]).status, 422);
        let asked = ask(&[ann]);
        assert_eq!(asked.status, 201, "{}", asked.text);
    });
}

/// What was renamed answers with a redirect to a path without scheme and host; git says the status, and no more.
#[test]
fn a_repository_that_was_renamed() {
    everywhere(|forge| {
        forge.rename();
        let moved = forge.get("/pulls?state=open&limit=50&page=1");
        assert_eq!(moved.status, 301, "{}", moved.text);
        let wanted = format!("/api/v1/repos/{}/new/pulls?state=open&limit=50&page=1", forge.owner);
        assert!(moved.header("location").ends_with(&wanted), "{}", moved.header("location"));
        assert!(moved.header("location").starts_with('/'), "{}", moved.header("location"));
        let said = forge.git_says(&forge.bot, &forge.repo, &["ls-remote"]);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("returned error: 301"), "{said}");
    });
}

/// git's own words, from which it is told what is wrong.
#[test]
fn what_git_says() {
    everywhere(|forge| {
        let says = |token: &str, repo: &str, args: &[&str]| {
            let output = forge.git_says(token, repo, args);
            assert!(!output.status.success(), "{repo} {args:?}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let said = says(&forge.bot, "nope", &["ls-remote"]);
        assert!(said.contains("not found"), "{said}");
        let said = says("0123456789012345678901234567890123456789", &forge.repo, &["ls-remote"]);
        assert!(said.contains("Authentication failed") || said.contains("could not read"), "{said}");
        let reader = forge.token(&["read:repository"]);
        let said = says(&reader, &forge.repo, &["push", "-q", "--all"]);
        assert!(said.contains("returned error: 403"), "{said}");
    });
}
