//! `--self-check`: what an operator learns before the night.

use std::os::unix::fs::PermissionsExt as _;

use crate::fixture::{Ran, bin, run};
use crate::forge::{Forge, TOKEN};

/// Its answer, with these settings and a token of mode 600.
fn check(forge: &Forge, settings: &[(&str, &str)]) -> Ran {
    let token = forge.world.path("token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = bin();
    command.arg("--self-check").env("REDFIX_FORGE", &forge.fake.url).env("REDFIX_OWNER", "o");
    command.env("REDFIX_TOKEN_FILE", &token).env("REDFIX_AUTHOR", "Ada <ada@example.org>");
    let ran = run(
        {
            command.envs(settings.iter().copied());
            command
        },
        "",
    );
    assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "the token shows");
    ran
}

/// The states of its lines, by the name of the setting.
fn state(ran: &Ran, name: &str) -> String {
    let line = ran.stdout.lines().find(|line| line.split_whitespace().nth(1) == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name}: {}{}", ran.stdout, ran.stderr));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_token_is_tried_at_the_forge() {
    let forge = Forge::new();
    let ran = check(&forge, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("of bot"), "{}", ran.stdout);
    forge.asks("ourselves owner");

    forge.fake.state().traps.refuse.push(("GET", "/user", 401, "token is expired"));
    let ran = check(&forge, &[("REDFIX_OWNER", "nobody")]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert_eq!(state(&ran, "REDFIX_TOKEN_FILE"), "wrong");
    assert_eq!(state(&ran, "REDFIX_FORGE"), "ok");
    assert_eq!(state(&ran, "REDFIX_OWNER"), "wrong");
    forge.asks("ourselves owner");
}

#[test]
fn what_is_not_set_or_not_understood_is_named_all_at_once() {
    let forge = Forge::new();
    let ran = run(
        {
            let mut command = bin();
            command.arg("--self-check");
            command
        },
        "",
    );
    assert_eq!(ran.code, 1);
    for name in ["REDFIX_FORGE", "REDFIX_OWNER", "REDFIX_AUTHOR"] {
        assert_eq!(state(&ran, name), "missing");
    }
    let bad = [
        ("REDFIX_FORGE", "https://bob:hunter2@git.example"),
        ("REDFIX_AUTHOR", "Ada"),
        ("REDFIX_OWNER", "a/b"),
    ];
    let ran = check(&forge, &bad);
    assert_eq!(ran.code, 1);
    for (name, _) in bad {
        assert_eq!(state(&ran, name), "wrong");
    }
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    let ran = check(&forge, &[("REDFIX_FORGE", "https://127.0.0.1:9")]);
    assert_eq!((ran.code, state(&ran, "REDFIX_FORGE").as_str()), (1, "wrong"));
    forge.asks("");
}
