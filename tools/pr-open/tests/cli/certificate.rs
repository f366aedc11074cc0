//! A forge whose certificate nobody vouches for.

use std::process::Command;
use std::time::Duration;

use crate::fixture::{ledger, run};
use crate::forge::{Forge, TOKEN};

/// A certificate that nobody vouches for is not passing trouble; one setting is for the API and for git.
#[test]
fn a_certificate_that_is_not_trusted() {
    let forge = Forge::new();
    let (key, certificate) = (forge.world.path("key.pem"), forge.world.path("ca.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut server = Command::new("openssl");
    server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
    server
        .arg(&certificate)
        .arg("-key")
        .arg(&key)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut server = server.spawn().unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let url = format!("https://127.0.0.1:{port}");
    let alone = forge.run_at(&url, &[]);
    let mut command = forge.command(&url, &[]);
    let trusted = run(
        {
            command.env("REDFIX_CA_FILE", &certificate);
            command
        },
        &ledger(),
    );
    let mut command = forge.command(&url, &["--ca-file", forge.world.path("token").to_str().unwrap()]);
    command.env_remove("REDFIX_CA_FILE");
    let none = run(command, &ledger());
    server.kill().unwrap();
    server.wait().unwrap();
    alone.refused(2, &["certificate", "--ca-file"]);
    // Past the handshake: what answers there is no forge.
    trusted.refused(2, &["reading the forge's answer"]);
    assert!(none.code == 2 && none.stderr.contains("no certificate in PEM form"), "{}", none.stderr);
    assert!(!alone.stderr.contains(TOKEN));
}
