//! Tests how the layers' answers become one cause: the different things that curl's code 000 can mean.

use super::*;
use crate::probe::cert::Certificate;
use crate::probe::judge::Backend;
use crate::probe::tls::Refused;
use crate::route::alias::Shadowed;

fn target() -> Target {
    Target::parse("warm.ci.example").unwrap()
}

#[allow(clippy::unnecessary_wraps)] // as a layer has it
fn answer(status: u16, body: &str) -> Option<Result<Answer, NoAnswer>> {
    Some(Ok(Answer { status, body: body.into(), ..Answer::default() }))
}

/// The layers' answers for a certificate with these names, refused in this way.
fn seen(names: &[&str], refused: Option<CertificateFault>) -> LayerAnswers {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let certificate = Certificate { names, ..Certificate::default() };
    let refused = refused.map(|kind| Refused { kind, text: "no".into() });
    LayerAnswers {
        dns: None,
        tcp: Some(Ok("192.0.2.1:443".parse().unwrap())),
        tls: Some(Ok(Served { certificate, refused })),
        http: answer(200, "hello"),
    }
}

fn fine() -> LayerAnswers {
    seen(&["*.ci.example"], None)
}

fn backend() -> Judgement {
    Judgement {
        backend: Some(Backend { service: "s_app".into(), port: "80".into(), ..Backend::default() }),
        ..Judgement::default()
    }
}

fn decide(
    seen: &LayerAnswers,
    judgement: Option<&Judgement>,
    log: &[String],
    proxy: Option<&Proxy>,
) -> Verdict {
    let target = target();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let facts = Facts {
        target: &target,
        seen,
        judgement,
        proxy,
        api: Vec::new(),
        log,
        insecure: false,
        expect: None,
        now,
    };
    let verdict = verdict(&facts);
    let record = record(&facts, &verdict, 1);
    assert_eq!(record.kind.is_some(), record.remedy.is_some());
    verdict
}

#[track_caller]
fn check(seen: &LayerAnswers, judgement: &Judgement, expected: Option<Cause>) {
    let verdict = decide(seen, Some(judgement), &[], None);
    assert_eq!(verdict.finding.as_ref().map(|finding| finding.cause), expected, "{verdict:?}");
    assert_eq!(verdict.routes, expected.is_none(), "{verdict:?}");
}

#[test]
fn what_answers_routes() {
    check(&fine(), &backend(), None);
    let redirect = LayerAnswers { http: answer(302, ""), ..fine() };
    check(&redirect, &backend(), None);
    // The app itself says 404, in the words of Go's server, and nothing on the swarm is wrong.
    check(&LayerAnswers { http: answer(404, "404 page not found\n"), ..fine() }, &backend(), None);
}

#[test]
fn layers_below_http() {
    let dns = LayerAnswers { dns: Some(Err("unknown".into())), tcp: None, tls: None, http: None };
    check(&dns, &backend(), Some(Cause::DnsMissing));
    let tcp = |cause: NoConnection| LayerAnswers {
        dns: Some(Ok(vec!["192.0.2.9".parse().unwrap()])),
        tcp: Some(Err(cause)),
        tls: None,
        http: None,
    };
    check(&tcp(NoConnection::Refused), &backend(), Some(Cause::Refused));
    check(&tcp(NoConnection::Timeout), &backend(), Some(Cause::ConnectTimeout));
    let proxy = Proxy { is_running: true, addresses: vec!["192.0.2.1".into()], ..Proxy::default() };
    let cause = |proxy: &Proxy| {
        decide(&tcp(NoConnection::Refused), Some(&backend()), &[], Some(proxy)).finding.unwrap().cause
    };
    assert_eq!(cause(&proxy), Cause::DnsWrong);
    assert_eq!(cause(&Proxy { is_running: false, ..proxy.clone() }), Cause::ProxyDown);
    assert_eq!(cause(&Proxy { addresses: vec!["192.0.2.9".into()], ..proxy }), Cause::Refused);
}

#[test]
fn certificates() {
    check(
        &seen(&["x.traefik.default"], Some(CertificateFault::Name)),
        &backend(),
        Some(Cause::DefaultCertificate),
    );
    check(&seen(&["*.example"], Some(CertificateFault::Name)), &backend(), Some(Cause::WildcardDepth));
    check(&seen(&["other.example"], Some(CertificateFault::Name)), &backend(), Some(Cause::CertificateName));
    check(
        &seen(&["*.ci.example"], Some(CertificateFault::Expired)),
        &backend(),
        Some(Cause::CertificateExpired),
    );
    check(
        &seen(&["*.ci.example"], Some(CertificateFault::Untrusted)),
        &backend(),
        Some(Cause::CertificateUntrusted),
    );
    let with =
        |resolver: &str, known: bool| Judgement { resolver: Some((resolver.into(), known)), ..backend() };
    let default = seen(&["x.traefik.default"], Some(CertificateFault::Name));
    check(&default, &with("gone", false), Some(Cause::ResolverUnknown));
    let log = ["Unable to obtain ACME certificate for domains warm.ci.example: rateLimited".to_owned()];
    let cause = |log: &[String]| decide(&default, Some(&with("le", true)), log, None).finding.unwrap().cause;
    assert_eq!([cause(&log), cause(&[])], [Cause::AcmeRateLimited, Cause::DefaultCertificate]);
}

#[test]
fn a_missing_route_goes_before_its_certificate() {
    let finding = Finding { cause: Cause::NotEnabled, evidence: Vec::new() };
    let judgement = Judgement { findings: vec![finding], ..Judgement::default() };
    let default = seen(&["x.traefik.default"], Some(CertificateFault::Name));
    let missing = LayerAnswers { http: answer(404, "404 page not found\n"), ..default };
    check(&missing, &judgement, Some(Cause::NotEnabled));
    check(&missing, &Judgement::default(), Some(Cause::Unexplained));
}

#[test]
fn gateways() {
    check(&LayerAnswers { http: answer(502, "Bad Gateway"), ..fine() }, &backend(), Some(Cause::WrongPort));
    check(
        &LayerAnswers { http: answer(504, "Gateway Timeout"), ..fine() },
        &backend(),
        Some(Cause::GatewayTimeout),
    );
    check(
        &LayerAnswers { http: Some(Err(NoAnswer::Timeout)), ..fine() },
        &backend(),
        Some(Cause::GatewayTimeout),
    );
    check(&LayerAnswers { http: answer(500, "oops"), ..fine() }, &backend(), Some(Cause::AppError));
    let mut vip = backend();
    vip.backend.as_mut().unwrap().vip = Some("10.0.1.2".into());
    check(&LayerAnswers { http: Some(Err(NoAnswer::Timeout)), ..fine() }, &vip, Some(Cause::VipNotBalanced));
}

#[test]
fn tls_that_is_passed_on() {
    let refused = LayerAnswers { tls: Some(Err("alert: internal error".into())), http: None, ..fine() };
    check(&refused, &backend(), Some(Cause::TlsRefused));
    let mut passing = backend();
    passing.backend.as_mut().unwrap().passthrough = true;
    check(&refused, &passing, Some(Cause::PassthroughBackend));
    passing.shadowed = vec![Shadowed {
        service: "warm_web".into(),
        stack: "warm".into(),
        name: "app".into(),
        network: "proxy".into(),
        owners: vec!["a_app".into(), "warm_app".into()],
    }];
    check(&refused, &passing, Some(Cause::AliasCollision));
    // This request was answered by luck; a check of the status alone would be green.
    check(&fine(), &passing, None);
    passing.uses = vec!["/etc/caddy/Caddyfile uses app".into()];
    check(&fine(), &passing, Some(Cause::AliasCollision));
    check(&seen(&["*.ci.example"], Some(CertificateFault::Untrusted)), &passing, Some(Cause::AliasCollision));
}

#[test]
fn evidence_keeps_no_secret() {
    let target = target();
    let seen = LayerAnswers { http: answer(500, "password=hunter2hunter2 token"), ..fine() };
    let judgement = backend();
    let facts = Facts {
        target: &target,
        seen: &seen,
        judgement: Some(&judgement),
        proxy: None,
        api: Vec::new(),
        log: &[],
        insecure: false,
        expect: None,
        now: Timestamp::UNIX_EPOCH,
    };
    let line = serde_json::to_string(&record(&facts, &verdict(&facts), 1)).unwrap();
    assert!(!line.contains("hunter2"), "{line}");
}
