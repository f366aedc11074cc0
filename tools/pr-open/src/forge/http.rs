//! Sends one HTTP request at a time, each with a deadline. Follows no redirects, and retries only requests that read.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lib_common::{Error, Result};
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Method, Url, redirect};
use serde_json::Value;

use super::address::RepoName;
use super::route::Call;
use super::{permission, wire};
use crate::git::UNTRUSTED_HINT;
use crate::retry;

/// Longest answer that is accepted, in bytes.
const MAX_BODY: u64 = 32 << 20;
/// How often a reading request is tried.
const TRIES: u32 = 4;

const AGENT: &str = concat!("redfix-pr-open/", env!("CARGO_PKG_VERSION"));

pub struct Http {
    client: Client,
    api: String,
    repo: RepoName,
    has_token: bool,
}

/// An answer, whatever its status.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// `X-Total-Count` of a list.
    pub total: Option<usize>,
    retry_after: Option<Duration>,
    location: Option<String>,
}

impl Reply {
    /// What a forge says of something that is not there.
    #[must_use]
    pub fn missing() -> Self {
        let body = br#"{"message":"not found"}"#.to_vec();
        Self { status: 404, body, total: None, retry_after: None, location: None }
    }
}

/// What became of a request that is not retried.
pub enum Sent {
    Answered(Reply),
    /// No answer, or one from half-way: it may have happened, or still be happening. With the pause that was asked for,
    /// if any.
    Lost(Error, Option<Duration>),
    /// It never left: asking again changes nothing.
    Refused(Error),
}

impl Http {
    /// `token` goes into one header and nowhere else.
    pub fn new(forge: &Url, repo: RepoName, token: Option<&str>, trust: &Trust) -> Result<Self> {
        let timeout = trust.timeout;
        let fail = |e: &dyn std::fmt::Display| Error::cannot("setting up HTTP", e);
        // Ignore the error: at a second call the provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("token {token}"))
                .map_err(|_| fail(&"the token is not text"))?;
            // A sensitive value is left out of debug output.
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .user_agent(AGENT)
            .default_headers(headers)
            // A redirect could send the token to another host.
            .redirect(redirect::Policy::none())
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
            .tls_certs_merge(authorities(trust.ca_file)?)
            .build()
            .map_err(|e| fail(&e))?;
        let api = format!("{}/api/v1", forge.as_str().trim_end_matches('/'));
        Ok(Self { client, api, repo, has_token: token.is_some() })
    }

    /// Sends a reading request, and tries again while the forge is away.
    pub fn get(&self, call: &Call) -> Result<Reply> {
        let mut tries = 1;
        loop {
            match self.send(call, None) {
                Sent::Answered(reply) => return Ok(reply),
                Sent::Refused(error) => return Err(error),
                Sent::Lost(error, _) if tries == TRIES => return Err(error),
                Sent::Lost(_, asked) => std::thread::sleep(retry::pause(tries, asked)),
            }
            tries += 1;
        }
    }

    /// Tries a request once. A redirect is returned, not followed: following it would send the token to another address.
    pub fn send(&self, call: &Call, body: Option<&Value>) -> Sent {
        let (method, _) = call.allowed();
        let url = format!("{}{}", self.api, call.path(&self.repo));
        let mut request = self.client.request(Method::clone(method), &url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let lost = |cause: String, asked| {
            Sent::Lost(Error::again("asking the forge", cause).on(self.object(call)), asked)
        };
        let answer =
            request.send().map_err(|e| why(&e)).and_then(|response| read(response).map_err(|e| why(&*e)));
        match answer {
            Err(cause) if is_untrusted(&cause) => {
                let error = Error::cannot("asking the forge", cause).on(self.object(call));
                Sent::Refused(error.hint(UNTRUSTED_HINT))
            }
            Err(cause) => lost(cause, None),
            Ok(reply) if [408, 425, 429].contains(&reply.status) || reply.status >= 500 => {
                let cause = format!("HTTP {} {}", reply.status, wire::message(&reply.body));
                lost(cause, reply.retry_after)
            }
            Ok(reply) => Sent::Answered(reply),
        }
    }

    /// The error for an answer with an unexpected status.
    pub fn refused(&self, call: &Call, reply: &Reply) -> Error {
        let message = wire::message(&reply.body);
        let mut cause = format!("HTTP {} {message}", reply.status);
        if let Some(location) = &reply.location {
            cause = format!("HTTP {}: it redirects to {location}", reply.status);
            if let Some(name) = permission::renamed(location) {
                return Error::cannot("asking the forge", cause).on(self.object(call)).hint(name);
            }
        }
        let passing = [409, 412].contains(&reply.status) && matches!(call, Call::EditPull(_));
        let error = if passing { Error::again } else { Error::cannot };
        let error = error("asking the forge", cause.trim_end().to_owned()).on(self.object(call));
        match permission::hint(call, reply.status, &message) {
            Some(text) => error.hint(text),
            None => error,
        }
    }

    /// Method and address of a request, for people.
    pub fn object(&self, call: &Call) -> String {
        format!("{} {}{}", call.allowed().0, self.api, call.path(&self.repo))
    }

    /// The lines of a writing request as it would be sent, without the token.
    pub fn literal(&self, call: &Call, body: &Value) -> Vec<String> {
        let mut lines = vec![self.object(call), format!("  user-agent: {AGENT}")];
        if self.has_token {
            lines.push("  authorization: token [REDACTED]".into());
        }
        lines.push("  content-type: application/json".into());
        lines.push(format!("  {body}"));
        lines
    }
}

fn read(response: Response) -> std::result::Result<Reply, Box<dyn std::error::Error>> {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned());
    let mut reply = Reply {
        status: response.status().as_u16(),
        body: Vec::new(),
        total: header("x-total-count").and_then(|text| text.parse().ok()),
        retry_after: header(RETRY_AFTER.as_str()).and_then(|text| retry::after(&text, SystemTime::now())),
        location: header(LOCATION.as_str()),
    };
    response.take(MAX_BODY + 1).read_to_end(&mut reply.body)?;
    if reply.body.len() as u64 > MAX_BODY {
        return Err(format!("an answer of more than {MAX_BODY} bytes").into());
    }
    Ok(reply)
}

/// What the connection is made with.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Certificates of authorities that are trusted besides the system's.
    pub ca_file: Option<&'a Path>,
    /// Deadline of each request.
    pub timeout: Duration,
}

fn authorities(file: Option<&Path>) -> Result<Vec<Certificate>> {
    let Some(path) = file else { return Ok(vec![]) };
    let fail =
        |cause: &dyn std::fmt::Display| Error::cannot("reading certificates", cause).on(path.display());
    let text = std::fs::read(path).map_err(|e| fail(&e))?;
    let found = Certificate::from_pem_bundle(&text).map_err(|e| fail(&why(&e)))?;
    if found.is_empty() { Err(fail(&"it holds no certificate in PEM form")) } else { Ok(found) }
}

/// Whether the two ends do not trust each other, which no later try changes.
fn is_untrusted(cause: &str) -> bool {
    ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|sign| cause.contains(sign))
}

/// The innermost cause, which is the one that tells a person something.
fn why(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
