//! Unusable addresses and answers, proxies, and token files.

use std::process::Command;

use crate::fake::Fake;
use crate::forge::{Forge, TOKEN, run_hiding};

#[test]
fn a_forge_that_is_away_is_try_again() {
    let forge = Forge::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    forge.run_at(&url, &[]).refused(75, &["asking the forge: GET", "refused"]);
}

#[test]
fn plain_http_is_for_this_machine() {
    let forge = Forge::new();
    forge.run_at("http://git.example.invalid", &[]).refused(2, &["plain http", "--insecure-http"]);
}

/// The API and git both use `HTTP_PROXY`, except for hosts in `NO_PROXY`.
#[test]
fn proxies_are_honoured() {
    let with = |forge: &Forge, command: &mut Command, none: &str| {
        for (name, value) in [
            ("HTTP_PROXY", &*forge.fake.url),
            ("http_proxy", &forge.fake.url),
            ("NO_PROXY", none),
            ("no_proxy", none),
        ] {
            command.env(name, value);
        }
    };
    let forge = Forge::new();
    let mut command = forge.command("http://git.example.invalid", &["--insecure-http"]);
    with(&forge, &mut command, "");
    assert_eq!(run_hiding(command).opened()["forge"], "http://git.example.invalid");
    let seen = forge.fake.state().seen.clone();
    assert!(seen.iter().all(|request| request.path.starts_with("http://git.example.invalid/api/v1/")));
    assert!(seen.iter().all(|request| request.header("authorization") == format!("token {TOKEN}")));
    forge.asks("token repo base list past create list");

    let other = Fake::new(forge.world.bare());
    let mut command = forge.command(&other.url, &["--forge-timeout", "5s"]);
    with(&forge, &mut command, "127.0.0.1");
    run_hiding(command).opened();
    assert_eq!(other.asked(), "token repo base list past create list");
}

#[test]
fn an_answer_that_is_none() {
    let forge = Forge::new();
    forge.fake.state().traps.nonsense = Some("<html>hello</html>");
    forge.run(&[]).refused(2, &["reading the forge's answer", "Gitea or Forgejo"]);
}

#[test]
fn a_base_that_is_not_there() {
    let forge = Forge::new();
    forge.run(&["--base", "nope"]).refused(2, &["o/n nope", "--base"]);
    forge.asks("token repo head");
}

#[test]
fn a_token_file_is_one_word() {
    let forge = Forge::new();
    for text in ["", "two words\n"] {
        std::fs::write(forge.world.path("token"), text).unwrap();
        forge.run(&[]).refused(2, &["reading the token", "not one word"]);
    }
}
