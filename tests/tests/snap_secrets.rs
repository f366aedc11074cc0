//! Secrets are planted in more than forty ways; none may be in the bundle, the record, or the messages.
//!
//! Needs the same as `snap.rs`.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use e2e::snap::{Attached, Bundle, holds};
use e2e::stack::{Stack, try_docker};
use e2e::{pipe, tool, wait_for};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

/// A secret in the service's environment, which `log-snap` can read, and in its logs.
const SECRET: &str = "s3cr3t/Zebra+42='x'";
/// The value of a swarm secret. The engine never shows it; the guard hands it to `log-snap`.
const HANDED: &str = "h4nded-Over&77";
const KEY_LINE: &str = "MIIEowIBAAKCAQEAplantedplantedplantedplantedplantedplantedplante";

/// The forms in which a secret is printed. A shell makes them, so that the test does not rely on our own encoding code.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let python = r"
import base64, html, json, shlex, sys, urllib.parse as u
s = sys.argv[1]; b = s.encode()
print(json.dumps([
 ['raw', s], ['base64', base64.b64encode(b).decode()], ['base64 1', base64.b64encode(b'x'+b+b'y').decode()],
 ['base64 2', base64.b64encode(b'xy'+b+b'z').decode()], ['base64 user', base64.b64encode(b'admin:'+b).decode()],
 ['urlsafe', base64.urlsafe_b64encode(b).decode()], ['urlsafe 1', base64.urlsafe_b64encode(b'?'+b).decode()],
 ['urlsafe 2', base64.urlsafe_b64encode(b'??'+b).decode()], ['twice', base64.b64encode(base64.b64encode(b)).decode()],
 ['hex', b.hex()], ['HEX', b.hex().upper()], ['url', u.quote(s, safe='')], ['url path', u.quote(s)],
 ['url plus', u.quote_plus(s)], ['url lower', u.quote(s, safe='').replace('%2F','%2f').replace('%2B','%2b').replace('%3D','%3d')],
 ['json', json.dumps(s)], ['php', json.dumps(s).replace('/', '\\/')], ['shell', shlex.quote(s)], ['html', html.escape(s)],
 ['go', json.dumps(s).replace('&', '\\u0026').replace('<', '\\u003c')]]))
";
    let output = Command::new("python3").args(["-c", python, secret]).output().unwrap();
    let pairs: Vec<(String, String)> = serde_json::from_slice(&output.stdout).unwrap();
    pairs.into_iter().map(|(name, form)| (&*name.leak(), form)).collect()
}

/// The text in single quotes for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn forty_ways_and_none_survives() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    // In a run the guard hands over the values of swarm secrets; here a pipe does.
    let handed = dir.path().join("handed");
    let value = String::from_utf8(pipe(Command::new("base64").arg("-w0"), HANDED.as_bytes()).stdout);
    fs::write(&handed, format!("{}\n", json!({"name": "db", "value_base64": value.unwrap()}))).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 3<\"$HANDED\""]).arg(tool("log-snap")).env("HANDED", &handed);
    command.env("REDFIX_SECRETS_FD", "3");
    let attached = Attached::start_with(command, &stack, dir.path(), &[]);
    let mut script = String::new();
    let (mut ways, mut needles) =
        (0, vec!["Zebra".to_owned(), "h4nded".into(), "Over&77".into(), KEY_LINE.into()]);
    for secret in [SECRET, HANDED] {
        for (name, form) in forms(secret) {
            writeln!(script, "echo '{name}' {}", quoted(&form)).unwrap();
            ways += 1;
            // Of an encoded form, the middle alone is a leak.
            needles.push(form[6..form.len() - 6].to_owned());
        }
    }
    // The engine splits lines at 16 KiB: plant the secret across that border, at every offset.
    for offset in 0..SECRET.len() {
        writeln!(script, "head -c {} /dev/zero | tr '\\0' x; echo {}", 16_384 - offset, quoted(SECRET))
            .unwrap();
        ways += 1;
    }
    // In two writes, in a trace, without a line feed, after a name, in a URL, in a private key, on standard error.
    write!(
        script,
        "printf %s \"${{DB_PASSWORD%%Z*}}\"; printf '%s\\n' \"${{DB_PASSWORD#s3cr3t/}}\"; (set -x; : \"$DB_PASSWORD\"); echo \"$DB_PASSWORD\" >&2\n\
         echo password=unknown-Zebra-value; echo '{{\"api_key\": \"unknown Zebra value\"}}'\n\
         echo postgres://u:unknownZebra@db/x; echo 'Cookie: sid=Zebra-unknown-1'; echo run --token Zebra-unknown-2\n\
         echo '-----BEGIN RSA PRIVATE KEY-----'; echo {KEY_LINE}; echo {KEY_LINE}; echo '-----END RSA PRIVATE KEY-----'\n\
         printf '%s' \"$DB_PASSWORD\"; sleep 1; echo; echo done; exec sleep 1000\n"
    )
    .unwrap();
    ways += 11;
    let yaml = |text: &str| json!(text.replace('$', "$$"));
    let more = format!(
        "    environment: {{DB_PASSWORD: {0}, URL: {1}}}\n    labels: {{app.api_key: {0}, note: {2}, {0}: key}}\n    \
         deploy: {{endpoint_mode: dnsrr, labels: {{service.secret: {0}}}}}\n    hostname: h\n    \
         healthcheck: {{test: [\"CMD-SHELL\", \"echo probe $$DB_PASSWORD; exit 1\"], interval: 1s, retries: 99}}\n",
        yaml(SECRET),
        yaml(&format!("redis://u:{}@db/x", "Zebra-in-url")),
        yaml(&format!("has {SECRET} in it")),
    );
    let lost = format!(
        "    environment: {{DB_PASSWORD: {}}}\n    entrypoint: [{}]\n    \
         deploy: {{endpoint_mode: dnsrr, restart_policy: {{condition: none}}}}\n",
        yaml(SECRET),
        yaml(&format!("/nonexistent/{SECRET}")),
    );
    ways += 8;
    assert!(ways > 40, "{ways}");
    stack.deploy(&[("app", &script, &more), ("lost", "true", &lost)]);
    stack.wait_for_log("app", "done");
    wait_for("a probe", 180, || {
        let ids = try_docker(&["ps", "-q", "--filter", &stack.label()]).stdout;
        let id = String::from_utf8(ids).unwrap().lines().next().unwrap_or_default().to_owned();
        holds(&try_docker(&["inspect", "--format", "{{json .State.Health}}", &id]).stdout, "probe")
    });
    wait_for("the task that cannot start", 180, || {
        let tasks = try_docker(&["stack", "ps", "--no-trunc", "--format", "{{.Error}}", &stack.name]).stdout;
        holds(&tasks, "nonexistent")
    });
    let (code, record, bundle) = attached.stop();
    assert_clean(&bundle, &needles);
    assert!(!holds(record.to_string().as_bytes(), "Zebra"), "{record}");
    assert_eq!((code, bundle.verify().0), (0, 0), "{record}");
    let log = bundle.logs("app").concat();
    for words in ["raw [REDACTED:exact:", "hex [REDACTED:exact:", "[REDACTED:private-key:", "done\n"] {
        assert!(
            holds(&log, words),
            "{words}: {}",
            String::from_utf8_lossy(&log[log.len().saturating_sub(3000)..])
        );
    }
    let errors: Vec<String> = bundle.of_kind("task").iter().map(|task| task["error"].to_string()).collect();
    assert!(errors.iter().any(|error| error.contains("[REDACTED:exact:")), "{errors:?}");
    // The key of the pseudonyms lies beside the ledger, not in the bundle. A second bundle with it has the same pseudonyms.
    assert_eq!(fs::read(dir.path().join("redact.key")).unwrap().len(), 32);
    again(&stack, dir.path(), &bundle);
}

fn assert_clean(bundle: &Bundle, needles: &[String]) {
    let everything = bundle.everything();
    for needle in needles {
        let at = everything.windows(needle.len()).position(|part| part == needle.as_bytes());
        let around = at.map(|at| {
            let end = everything.len().min(at + 80);
            String::from_utf8_lossy(&everything[at.saturating_sub(200)..end]).into_owned()
        });
        assert_eq!(around, None, "{needle} is in the bundle");
    }
}

/// `log-snap redact` with an additional rule: it hides what matches, changes nothing else, and keeps the pseudonyms.
fn again(stack: &Stack, dir: &std::path::Path, bundle: &Bundle) {
    let rules = dir.join("rules.toml");
    fs::write(&rules, "[[rules]]\nid = \"own\"\nregex = '''no (p[a-z]+ess)'''\nkeywords = [\"no p\"]\n")
        .unwrap();
    let mut command = Command::new(tool("log-snap"));
    command.arg("redact").arg(&bundle.folder).arg("--out").arg(dir.join("again")).arg("--rules").arg(&rules);
    let output = command.env("REDFIX_LEDGER_DIR", dir).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (record["path"].as_str(), record["stack"].as_str()),
        (Some("again"), Some(stack.name.as_str()))
    );
    let again = Bundle::read(&dir.join("again"));
    assert_eq!(again.verify().0, 0);
    assert_eq!(again.logs("app"), bundle.logs("app"), "redacted text stays as it is");
}
