//! Sends one HTTP request at a time, each with a deadline. Follows no redirects, and retries only requests that read.

use std::io::Read;
use std::time::{Duration, SystemTime};

use lib_common::{Error, Result};
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url, redirect};
use serde_json::Value;

use super::address::RepoName;
use super::route::Call;
use super::{permission, retry, wire};

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

/// The result of one try of a request.
pub enum Sent {
    Answered(Reply),
    /// There was no answer, or an error of a proxy, so the request may have been carried out. With the pause that the
    /// answer asked for, if it did.
    Lost(Error, Option<Duration>),
}

impl Http {
    /// `token` is put into one header and kept nowhere else.
    pub fn new(forge: &Url, repo: RepoName, token: Option<&str>, timeout: Duration) -> Result<Self> {
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
            Err(cause) => lost(cause, None),
            // The forge may have carried the request out all the same, so the caller looks before it sends it again.
            Ok(reply) if reply.status == 429 || reply.status >= 500 => {
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
            cause = format!("HTTP {}: the forge redirects to {location}", reply.status);
        }
        let error = Error::cannot("asking the forge", cause.trim_end()).on(self.object(call));
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

/// The innermost cause of an error; the outer ones say nothing specific.
fn why(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
