//! The redactor as a whole: every tier, every form, every split.

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

fn redact(secrets: &[&str], text: &str) -> String {
    String::from_utf8(Redactor::new(secrets).text(text.as_bytes())).unwrap()
}

fn has(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[test]
fn exact_values_in_every_encoding() {
    let secret = "p\"w/ d+x:é";
    for form in encodings::all(secret.as_bytes()) {
        let mut text = b"before ".to_vec();
        text.extend_from_slice(&form);
        text.extend_from_slice(b" after");
        let redactor = &mut Redactor::new(&[secret]);
        assert!(redactor.leaks(&text));
        let out = redactor.text(&text);
        assert!(!has(&out, &form) && !redactor.leaks(&out), "{}", String::from_utf8_lossy(&form));
        assert!(out.starts_with(b"before [REDACTED:exact:") && out.ends_with(b" after"), "{out:?}");
    }
}

#[test]
fn the_longest_of_two_secrets_wins_and_overlapping_ones_go_together() {
    assert!(!redact(&["abcde", "abcdefgh"], "x abcdefgh y").contains("fgh"));
    let out = redact(&["abcdef", "defghi"], "x abcdefghi y");
    assert!(out.starts_with("x [REDACTED:exact:") && out.ends_with("] y") && !out.contains("ghi"), "{out}");
}

#[test]
fn empty_and_short_values_replace_nothing() {
    assert_eq!(redact(&["", "abc", "\n\n\n\n\n\n"], "abc stays\n\n\n\n\n\n\n"), "abc stays\n\n\n\n\n\n\n");
}

#[test]
fn names_urls_headers_and_tokens() {
    for (text, secret, rule) in [
        ("POSTGRES_PASSWORD=hunter22 next", "hunter22", "key-name"),
        ("{\"db_password\": \"hunter 22\", \"x\": 1}", "hunter 22", "key-name"),
        ("{\\\"password\\\":\\\"hunter22\\\"}", "hunter22", "key-name"),
        ("  password: 'two words'", "two words", "key-name"),
        ("app_key := hunter22", "hunter22", "key-name"),
        ("X-Auth-Token: hunter22", "hunter22", "key-name"),
        ("GET /x?access_token=hunter22&y=1", "hunter22", "key-name"),
        ("postgres://bob:hunter22@db:5432/x", "hunter22", "url-password"),
        ("redis://:hunter22@db/0", "hunter22", "url-password"),
        ("amqp://u:hun@ter22@db/0", "ter22", "url-password"),
        ("https://0123456789abcdef0123@git.example/x", "0123456789abcdef0123", "url-password"),
        ("root:hunter22@tcp(db:3306)/x", "hunter22", "dsn-password"),
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi", "key-name"),
        ("authorization: Basic aHVudGVyMjI=", "aHVudGVyMjI", "key-name"),
        ("Set-Cookie: sid=hunter22; Path=/", "hunter22", "cookie"),
        ("mysqldump --password hunter22 db", "hunter22", "key-name"),
        ("[\"app\", \"--api-key\", \"hunter22\"]", "hunter22", "key-name"),
        ("curl -u bob:hunter22 http://x", "hunter22", "command"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIiOiIxIn0", "jwt"),
        ("x $2y$10$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUV12345", "ABCDEFG", "password-hash"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE", "aws-key"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "0123456789", "github-token"),
        ("PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "yAnz5TF", "key-name"),
        ("session_id=Zk3uQ9vXy7Lw2Rt8Bn4Mc6Ds1", "Zk3uQ9vXy7Lw", "opaque-id"),
        ("https://1234567890abcdef1234567890abcdef@sentry.example/3", "1234567890abcdef", "url-password"),
    ] {
        let mut redactor = Redactor::new(&[""; 0]);
        let out = String::from_utf8(redactor.text(text.as_bytes())).unwrap();
        assert!(!out.contains(secret), "{text} -> {out}");
        assert!(redactor.counts().contains_key(rule), "{text} -> {out}: {:?}", redactor.counts());
        assert_eq!(
            Redactor::new(&[""; 0]).text(out.as_bytes()),
            out.as_bytes(),
            "redacted text stays as it is"
        );
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "the password was wrong",
        "token_type=bearer expires_in=3600",
        "PASSWORD_FILE=/run/secrets/db_password",
        "password: null, token = true",
        "GET http://example.com/a@b HTTP/1.1",
        "http://10.0.0.1:8080/mail?to=me@example.com",
        "started session 12",
        "cache key=user:12",
        "-----BEGIN CERTIFICATE-----",
        "password: .",
        "mysqldump --no-password -v",
        "error: token: expired",
        "Secret: not found in namespace",
        "max_tokens=4096 exceeded",
        "friendsName: bob",
    ] {
        assert_eq!(redact(&[], text), text);
    }
}

#[test]
fn a_private_key_over_several_lines_or_in_one() {
    let out = redact(&[], "a\n-----BEGIN PRIVATE KEY-----\nMIIE\nabcd\n-----END PRIVATE KEY-----\nb\n");
    assert!(!out.contains("MIIE") && !out.contains("abcd"), "{out}");
    assert!(out.starts_with("a\n[REDACTED:private-key:") && out.ends_with("]\nb\n"), "{out}");
    let out =
        redact(&[], "k=\"-----BEGIN EC PRIVATE KEY-----\\nMIIE\\n-----END EC PRIVATE KEY-----\\n\" x\nb\n");
    assert!(out.starts_with("k=\"[REDACTED:private-key:") && out.ends_with("]\\n\" x\nb\n"), "{out}");
}

#[test]
fn one_secret_has_one_pseudonym_whatever_its_form() {
    let mut redactor = Redactor::new(&["hunter22"]);
    let one = redactor.text(b"hunter22");
    assert_eq!(one, redactor.fork().text(b"hunter22"));
    assert_eq!(one, redactor.text(b"68756e7465723232"), "hex");
    assert_eq!(redactor.counts().get("exact"), Some(&2));
    let key = Key::random();
    let with = |key: &Key| Redactor::with_key(&["hunter22"], key).text(b"hunter22");
    assert_eq!(with(&key), with(&key));
    assert_ne!(with(&key), with(&Key::random()));
}

/// A text with a secret of each kind.
fn sample() -> Vec<u8> {
    [
        b"one s3cr3t/Zebra+42 two\n".as_slice(),
        b"czNjcjN0L1plYnJhKzQy\npassword=xyzzy1 next\n\n",
        b"-----BEGIN PRIVATE KEY-----\nMIIEabcdef\n-----END PRIVATE KEY----- rest\n",
        b"\xff\xfe plain \x00\nhttps://u:pw1234@h/x s3cr3t/Zebra+42",
    ]
    .concat()
}

#[test]
fn every_split_gives_the_same() {
    let text = sample();
    let redactor = Redactor::new(&["s3cr3t/Zebra+42"]);
    let whole = redactor.fork().text(&text);
    assert!(
        !has(&whole, b"Zebra") && !has(&whole, b"xyzzy1") && !has(&whole, b"MIIE") && !has(&whole, b"pw1234")
    );
    for one in 0..=text.len() {
        for two in (one..=text.len()).step_by(13) {
            let (mut fork, mut out) = (redactor.fork(), Vec::new());
            for part in [&text[..one], &text[one..two], &text[two..]] {
                fork.push(part, &mut out);
            }
            fork.finish(&mut out);
            assert!(out == whole, "split at {one} and {two}");
        }
    }
}

#[test]
fn a_line_beyond_the_limit_is_redacted_in_parts_and_never_cut_within_a_secret() {
    let secret = "s3cr3t/Zebra+42";
    let redactor = Redactor::new(&[secret]);
    for offset in 0..120 {
        let text =
            [&vec![b'x'; 300 + offset][..], secret.as_bytes(), &[b'y'; 400], secret.as_bytes()].concat();
        let mut outs = Vec::new();
        for chunk in [1, 17, 1000] {
            let (mut fork, mut out) = (redactor.fork(), Vec::new());
            fork.max_line = 200;
            text.chunks(chunk).for_each(|part| fork.push(part, &mut out));
            fork.push(b"\n", &mut out);
            assert!(!has(&out, b"Zebra") && !has(&out, b"s3c"), "{offset}");
            assert_eq!(fork.counts().get("exact"), Some(&2));
            outs.push(out);
        }
        assert!(outs.windows(2).all(|pair| pair[0] == pair[1]), "{offset}");
    }
}

/// Lines of one pattern only, which a search that begins again at each name would read over and over.
#[test]
fn hostile_lines_take_time_in_proportion_to_their_length() {
    let redactor = Redactor::new(&["s3cr3t/Zebra+42"]);
    let seconds = |pattern: &str, length: usize| {
        let line = pattern.repeat(length / pattern.len());
        let once = || {
            let began = std::time::Instant::now();
            redactor.fork().text(line.as_bytes());
            began.elapsed().as_secs_f64()
        };
        // The machine may be busy: the least of several is what it takes.
        (0..3).map(|_| once()).fold(f64::MAX, f64::min)
    };
    for pattern in [
        "auth=",
        "token=(",
        "pw='pw=\"",
        "pw=\\\"pw=\\\\\\\"",
        "<password>",
        "<a:token ",
        "token is for ",
        "key: a key ",
        "http://a:b",
        "http://",
        "mysql -p docker login -u ",
        "authorization: basic ",
        "cookie=a=",
        "name=PASSWORD value=",
        "user x on >",
        "[REDACTED:x:0] token=",
        "eyJ",
        "echo a password-stdin ",
    ] {
        let (short, long) = (seconds(pattern, 1 << 12), seconds(pattern, 1 << 15));
        assert!(long < 40.0 * short + 0.05, "{pattern}: {short} s, and {long} s for eight times the length");
    }
}

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&[b"s3cr3t/Zebra+42"]));

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_no_secret_survives(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let secret = b"s3cr3t/Zebra+42";
        let at = at.index(bytes.len() + 1);
        let text = [&bytes[..at], secret, &bytes[at..]].concat();
        let redactor = &*REDACTOR;
        let whole = redactor.fork().text(&text);
        prop_assert!(!redactor.leaks(&whole));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let (mut fork, mut out) = (redactor.fork(), Vec::new());
        cuts.windows(2).for_each(|pair| fork.push(&text[pair[0]..pair[1]], &mut out));
        fork.finish(&mut out);
        prop_assert_eq!(out, whole);
    }
}
