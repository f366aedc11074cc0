//! Decides on one cause from what each layer answered and what the engine, the API and the log say. No I/O.

use jiff::Timestamp;
use lib_common::record::domain::{DomainProbed, Layer};
use lib_common::redact::Redactor;
use lib_common::text::Text;
use regex::Regex;

use super::api::{self, ApiRouter};
use super::cause::{Cause, Finding};
use super::judge::Judgement;
use super::log;
use super::net::{Answer, LayerAnswers, NoAnswer, NoConnection};
use super::target::Target;
use super::tls::{CertificateFault, Served};
use crate::route::proxy::Proxy;

/// Everything that is known about one target.
pub struct Facts<'a> {
    pub target: &'a Target,
    pub seen: &'a LayerAnswers,
    /// `None` if the engine could not be asked.
    pub judgement: Option<&'a Judgement>,
    pub proxy: Option<&'a Proxy>,
    pub api: Vec<&'a ApiRouter>,
    /// Lines of Traefik's log.
    pub log: &'a [String],
    /// Whether a certificate that does not verify is accepted (`--insecure`).
    pub insecure: bool,
    /// The expression that the page must match (`--expect`).
    pub expect: Option<&'a Regex>,
    pub now: Timestamp,
}

/// Whether the domain routes, and what is wrong. A domain that routes may have a finding, too: a fault that shows only
/// now and then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub routes: bool,
    pub finding: Option<Finding>,
}

impl Verdict {
    fn broken(cause: Cause, evidence: Vec<String>) -> Self {
        Self { routes: false, finding: Some(Finding { cause, evidence }) }
    }
}

/// Who gave an HTTP answer, as its status and body show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// Traefik, which has no router for it; or an app that uses the same words.
    NoRouter,
    /// Traefik, which could not reach the server.
    BadGateway,
    GatewayTimeout,
    NoServer,
    App,
}

pub fn verdict(facts: &Facts) -> Verdict {
    let seen = facts.seen;
    if let Some(Err(cause)) = &seen.dns {
        return Verdict::broken(
            Cause::DnsMissing,
            vec![format!("{}: {cause}", facts.target.domain), behind(facts)],
        );
    }
    match &seen.tcp {
        None => return Verdict::broken(Cause::DnsMissing, Vec::new()),
        Some(Err(cause)) => return no_connection(facts, cause),
        Some(Ok(_)) => {}
    }
    match (&seen.tls, &seen.http) {
        (Some(Err(cause)), _) => no_handshake(facts, cause),
        (_, Some(Ok(answer))) => answered(facts, answer),
        (_, Some(Err(NoAnswer::Timeout))) => silent(facts, "no answer in time"),
        (_, Some(Err(NoAnswer::Closed(cause)))) => silent(facts, cause),
        (_, None) => Verdict::broken(Cause::Unexplained, Vec::new()),
    }
}

/// What would answer if the name had an address.
fn behind(facts: &Facts) -> String {
    match (&facts.seen.tcp, &facts.seen.http) {
        (Some(Ok(address)), Some(Ok(answer))) => {
            format!("{address} answers for it with status {}", answer.status)
        }
        (Some(Ok(address)), _) => format!("{address} takes connections, and does not answer for it"),
        _ => "no Traefik was found to ask in place of DNS".into(),
    }
}

fn no_connection(facts: &Facts, cause: &NoConnection) -> Verdict {
    let resolved = facts.seen.dns.as_ref().and_then(|dns| dns.as_ref().ok());
    let told = format!("{cause:?}");
    if let Some(proxy) = facts.proxy {
        if !proxy.is_running {
            return Verdict::broken(Cause::ProxyDown, vec![format!("{} has no running task", proxy.service)]);
        }
        let elsewhere =
            resolved.filter(|found| !found.iter().any(|ip| proxy.addresses.contains(&ip.to_string())));
        if let Some(found) = elsewhere.filter(|_| !proxy.addresses.is_empty()) {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            let text = format!(
                "DNS says {}; {} runs at {}",
                found.join(", "),
                proxy.service,
                proxy.addresses.join(", ")
            );
            return Verdict::broken(Cause::DnsWrong, vec![text, told]);
        }
    }
    let cause = if *cause == NoConnection::Timeout { Cause::ConnectTimeout } else { Cause::Refused };
    Verdict::broken(cause, vec![told])
}

fn no_handshake(facts: &Facts, cause: &str) -> Verdict {
    let told = format!("handshake: {cause}");
    let Some(judgement) = facts.judgement else { return Verdict::broken(Cause::TlsRefused, vec![told]) };
    if let Some(finding) = of_engine(facts) {
        return Verdict { routes: false, finding: Some(with(finding, told)) };
    }
    let passes = judgement.backend.as_ref().filter(|backend| backend.passthrough);
    if let (Some(backend), false) = (passes, judgement.shadowed.is_empty()) {
        let mut evidence = strangers(judgement);
        evidence.push(format!("{} does its own TLS; {told}", backend.service));
        return Verdict::broken(Cause::AliasCollision, evidence);
    }
    match passes {
        Some(backend) => Verdict::broken(
            Cause::PassthroughBackend,
            vec![format!("{} does its own TLS", backend.service), told],
        ),
        None => Verdict::broken(Cause::TlsRefused, vec![told]),
    }
}

fn answered(facts: &Facts, answer: &Answer) -> Verdict {
    let told = format!("status {}: {}", answer.status, first_line(&answer.body));
    let engine = of_engine(facts);
    let broken = |finding: Finding| Verdict { routes: false, finding: Some(with(finding, told.clone())) };
    match from(answer) {
        From::NoRouter => match engine.clone().or_else(|| api::finding(&facts.api, facts.target.https)) {
            Some(finding) => return broken(finding),
            // Nothing else is wrong, so it is the app itself that says 404.
            None if facts.judgement.is_some_and(|judgement| judgement.backend.is_some()) => {}
            None => return broken(Finding { cause: Cause::Unexplained, evidence: Vec::new() }),
        },
        kind @ (From::BadGateway | From::GatewayTimeout | From::NoServer) => {
            return broken(engine.unwrap_or_else(|| gateway(facts, kind)));
        }
        From::App => {}
    }
    if let Some(finding) = engine.filter(|finding| finding.cause == Cause::TakenByOther) {
        return broken(finding);
    }
    let judgement = facts.judgement.cloned().unwrap_or_default();
    let is_other =
        facts.expect.is_some_and(|expect| !expect.is_match(&String::from_utf8_lossy(&answer.body)));
    // Who answered matters, too: if the names inside the stack lead to strangers, it serves their pages. Report that
    // before a bad certificate, which may be a consequence: a service that does its own TLS can have asked a stranger
    // whether it may get one.
    if !judgement.shadowed.is_empty() && (is_other || !judgement.uses.is_empty() || answer.status >= 500) {
        let evidence = [strangers(&judgement), judgement.uses.clone()].concat();
        return broken(Finding { cause: Cause::AliasCollision, evidence });
    }
    if let Some(finding) = certificate(facts) {
        return broken(finding);
    }
    if is_other {
        let text =
            format!("the page does not match '{}'", facts.expect.map(Regex::as_str).unwrap_or_default());
        return broken(Finding { cause: Cause::OtherPage, evidence: vec![text] });
    }
    if answer.status >= 500 {
        return broken(Finding { cause: Cause::AppError, evidence: Vec::new() });
    }
    // It answered this time. But with a wrong network label Traefik takes any network, which may change at its next
    // look, so that is named all the same.
    let flips = of_engine(facts).filter(|finding| finding.cause == Cause::NetworkLabel);
    Verdict { routes: true, finding: flips }
}

/// The connection was accepted, but no HTTP answer came.
fn silent(facts: &Facts, told: &str) -> Verdict {
    let told = format!("HTTP: {told}");
    if let Some(finding) = of_engine(facts) {
        return Verdict { routes: false, finding: Some(with(finding, told)) };
    }
    let finding = gateway(facts, From::GatewayTimeout);
    Verdict { routes: false, finding: Some(with(finding, told)) }
}

/// Why Traefik gets no answer from the server that it has.
fn gateway(facts: &Facts, kind: From) -> Finding {
    let backend = facts.judgement.and_then(|judgement| judgement.backend.clone()).unwrap_or_default();
    let servers = facts.api.iter().map(|router| api::say(router)).collect();
    let port = format!("port label of {}: {}", backend.service, backend.port);
    let (cause, evidence) = match (kind, backend.vip) {
        (From::BadGateway, None) => (Cause::WrongPort, port),
        (_, Some(vip)) => {
            (Cause::VipNotBalanced, format!("{} at its virtual address {vip}", backend.service))
        }
        _ => (Cause::GatewayTimeout, port),
    };
    Finding { cause, evidence: [vec![evidence], servers].concat() }
}

/// Why a client that verifies certificates would refuse this one, although a request is answered.
fn certificate(facts: &Facts) -> Option<Finding> {
    let served = facts.seen.tls.as_ref()?.as_ref().ok()?;
    let refused = served.refused.as_ref().filter(|_| !facts.insecure)?;
    let domain = &facts.target.domain;
    let mut evidence = vec![format!("SNI {domain}; served {}", served.certificate), refused.text.clone()];
    if let Some((resolver, false)) = facts.judgement.and_then(|judgement| judgement.resolver.as_ref()) {
        evidence.push(format!("the router names resolver {resolver}"));
        return Some(Finding { cause: Cause::ResolverUnknown, evidence });
    }
    if served.certificate.is_traefik_default() {
        let resolver = facts.judgement.and_then(|judgement| judgement.resolver.as_ref());
        let told = resolver.and_then(|(resolver, _)| log::acme(facts.log, domain, resolver));
        return Some(match told {
            Some((cause, lines)) => Finding { cause, evidence: [evidence, lines].concat() },
            None => Finding { cause: Cause::DefaultCertificate, evidence },
        });
    }
    Some(Finding { cause: refusal(served, refused.kind, domain, facts.now), evidence })
}

fn refusal(served: &Served, kind: CertificateFault, domain: &str, now: Timestamp) -> Cause {
    if !served.certificate.covers(domain) {
        let short = served.certificate.short_wildcard(domain).is_some();
        return if short { Cause::WildcardDepth } else { Cause::CertificateName };
    }
    match kind {
        _ if !served.certificate.is_valid_at(now) => Cause::CertificateExpired,
        CertificateFault::Expired => Cause::CertificateExpired,
        CertificateFault::Name => Cause::CertificateName,
        CertificateFault::Untrusted => Cause::CertificateUntrusted,
    }
}

/// The first reason that the engine shows, with what the API says about it.
fn of_engine(facts: &Facts) -> Option<Finding> {
    let mut finding = facts.judgement?.findings.first()?.clone();
    finding.evidence.extend(facts.api.iter().map(|router| api::say(router)));
    Some(finding)
}

fn strangers(judgement: &Judgement) -> Vec<String> {
    let say = |one: &crate::route::alias::Shadowed| {
        format!(
            "{} asks for {} and gets, on network {}: {}",
            one.service,
            one.name,
            one.network,
            one.owners.join(", ")
        )
    };
    judgement.shadowed.iter().map(say).collect()
}

fn with(mut finding: Finding, told: String) -> Finding {
    finding.evidence.push(told);
    finding
}

fn from(answer: &Answer) -> From {
    let body = String::from_utf8_lossy(&answer.body);
    match (answer.status, body.trim()) {
        (404, "404 page not found") => From::NoRouter,
        (502, "Bad Gateway") => From::BadGateway,
        (504, "Gateway Timeout") => From::GatewayTimeout,
        (503, "no available server" | "Service Unavailable") => From::NoServer,
        _ => From::App,
    }
}

fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().next().unwrap_or_default().chars().take(80).collect()
}

/// The record of a verdict, with every layer that was tried.
pub fn record(facts: &Facts, verdict: &Verdict, took_ms: u64) -> DomainProbed {
    let finding = verdict.finding.as_ref();
    let answer = facts.seen.http.as_ref().and_then(|http| http.as_ref().ok());
    let mut redactor = Redactor::new::<&str>(&[]);
    let mut clean = |text: &str| Text(redactor.line(text.as_bytes()).into_owned());
    DomainProbed {
        domain: facts.target.domain.clone(),
        routes: verdict.routes,
        broken: finding.map(|finding| finding.cause.layer().to_owned()),
        cause: finding.map(|finding| finding.cause.what().to_owned()),
        remedy: finding.map(|finding| finding.cause.remedy().to_owned()),
        evidence: finding.iter().flat_map(|finding| &finding.evidence).map(|text| clean(text)).collect(),
        kind: finding.map(|finding| finding.cause.word().to_owned()),
        layers: layers(facts, &mut clean),
        status: answer.map(|answer| answer.status),
        odd: None,
        took_ms: Some(took_ms),
    }
}

fn layers(facts: &Facts, clean: &mut dyn FnMut(&str) -> Text) -> Vec<Layer> {
    let seen = facts.seen;
    let mut all = Vec::new();
    let mut add =
        |layer: &str, ok: bool, text: String| all.push(Layer { layer: layer.into(), ok, seen: clean(&text) });
    match &seen.dns {
        Some(Ok(found)) => {
            add("dns", true, found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        }
        Some(Err(cause)) => add("dns", false, cause.clone()),
        None => {}
    }
    match &seen.tcp {
        Some(Ok(address)) => add("tcp", true, address.to_string()),
        Some(Err(cause)) => add("tcp", false, format!("{cause:?}")),
        None => {}
    }
    match &seen.tls {
        Some(Ok(served)) => {
            add("tls", true, format!("SNI {}", facts.target.domain));
            let refused =
                served.refused.as_ref().map(|refused| format!("; {}", refused.text)).unwrap_or_default();
            add("certificate", refused.is_empty(), format!("{}{refused}", served.certificate));
        }
        Some(Err(cause)) => add("tls", false, cause.clone()),
        None => {}
    }
    match &seen.http {
        Some(Ok(answer)) => {
            let ok = from(answer) == From::App && answer.status < 500;
            let to =
                if answer.location.is_empty() { String::new() } else { format!(" to {}", answer.location) };
            add("http", ok, format!("status {}{to}: {}", answer.status, first_line(&answer.body)));
        }
        Some(Err(cause)) => add("http", false, format!("{cause:?}")),
        None => {}
    }
    all
}

#[cfg(test)]
mod tests;
