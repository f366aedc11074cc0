//! One request, and its answer as it came: nothing is followed, retried or understood.

use std::time::Duration;

use serde_json::Value;

pub struct Answer {
    pub status: u16,
    /// Null where it is no JSON.
    pub body: Value,
    pub text: String,
    headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// How somebody shows who they are.
#[derive(Clone, Copy)]
pub enum As<'a> {
    Nobody,
    Token(&'a str),
    Password(&'a str, &'a str),
}

/// Asks `url`; with a body where there is one.
pub fn ask(method: &str, url: &str, who: As, body: Option<&Value>) -> Answer {
    // A second call finds the provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_mins(2))
        .build()
        .unwrap();
    let mut request = client.request(method.parse().unwrap(), url);
    request = match who {
        As::Nobody => request,
        As::Token(token) => request.header("Authorization", format!("token {token}")),
        As::Password(user, password) => request.basic_auth(user, Some(password)),
    };
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().unwrap();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text, headers }
}
