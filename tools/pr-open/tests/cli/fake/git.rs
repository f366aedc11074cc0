//! git's smart HTTP, by git's own server program, `git http-backend`, which is a CGI.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Who;
use super::server::{Incoming, Outgoing};

/// `root`: the folder with `o/n.git`. What a person may see of a refusal stands in its text.
pub fn serve(root: &Path, who: &Who, renamed: Option<u16>, archived: bool, incoming: &Incoming) -> Outgoing {
    let pushes = incoming.path.contains("git-receive-pack");
    if let Some(status) = renamed {
        let there = incoming.path.replace("/o/n.git", "/o/new.git");
        return Outgoing { status, headers: vec![("Location".to_owned(), there)], ..Outgoing::default() };
    }
    if who.is_wrong || (pushes && who.login.is_empty()) {
        let ask = ("WWW-Authenticate".to_owned(), "Basic realm=\"forge\"".to_owned());
        return Outgoing { status: 401, headers: vec![ask], ..Outgoing::default() };
    }
    if !incoming.path.starts_with("/o/n.git/") {
        return says(404, "Not found.");
    }
    let has = |scopes: &[&str]| who.login.is_empty() || who.scopes.iter().any(|one| scopes.contains(&&**one));
    if !has(if pushes {
        &["write:repository", "all"]
    } else {
        &["read:repository", "write:repository", "all"]
    }) {
        return says(403, "Forbidden");
    }
    if pushes && archived {
        return says(
            403,
            "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.",
        );
    }
    let (path, query) = incoming.path.split_once('?').unwrap_or((&incoming.path, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &incoming.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", incoming.header("content-type"))
        .env("CONTENT_LENGTH", incoming.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", incoming.header("content-encoding"))
        .env("GIT_PROTOCOL", incoming.header("git-protocol"))
        .env("REMOTE_USER", "bot")
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, body) = (child.stdin.take().unwrap(), incoming.body.clone());
    // A thread of its own, since the server may answer before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    parse(&output.stdout)
}

fn says(status: u16, text: &str) -> Outgoing {
    let kind = ("Content-Type".to_owned(), "text/plain; charset=utf-8".to_owned());
    Outgoing { status, headers: vec![kind], body: format!("{text}\n").into_bytes(), ..Outgoing::default() }
}

/// What stands in a header for user and password.
pub fn password(header: &str) -> String {
    use base64::Engine as _;
    let basic = header.strip_prefix("Basic ").unwrap_or_default();
    let decoded = base64::engine::general_purpose::STANDARD.decode(basic).unwrap_or_default();
    String::from_utf8_lossy(&decoded)
        .split_once(':')
        .map_or(String::new(), |(_, password)| password.to_owned())
}

/// Parses a CGI's answer: header lines, an empty line, the body.
fn parse(output: &[u8]) -> Outgoing {
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").expect("git http-backend answers");
    let mut out = Outgoing { status: 200, body: output[end + 4..].to_vec(), ..Outgoing::default() };
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            out.status = value.split(' ').next().unwrap().parse().unwrap();
        } else {
            out.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    out
}
