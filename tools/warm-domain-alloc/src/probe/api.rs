//! Reads what Traefik's own API says about a domain's routers. The API does not show services that Traefik left out.

use std::time::Duration;

use serde_json::Value;

use super::cause::{Cause, Finding};
use lib_common::swarm::traefik::rule::{self, Hit};

/// A router as Traefik has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiRouter {
    /// Its name with its provider, such as `name@swarm`.
    pub name: String,
    pub rule: String,
    pub status: String,
    pub errors: Vec<String>,
    pub is_tcp: bool,
    pub tls: bool,
    pub servers: Vec<String>,
}

/// Fetches all routers from the API below `url`.
pub async fn fetch(url: &str, timeout: Duration) -> Result<Vec<ApiRouter>, String> {
    // Ignore the error: at a second call the provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(timeout).build().map_err(|e| e.to_string())?;
    let url = format!("{}/api/rawdata", url.trim_end_matches('/').trim_end_matches("/api"));
    let response = client.get(&url).send().await.map_err(|e| why(&e))?;
    if !response.status().is_success() {
        return Err(format!("{url}: {}", response.status()));
    }
    let bytes = response.bytes().await.map_err(|e| why(&e))?;
    let raw: Value = serde_json::from_slice(&bytes).map_err(|e| format!("{url}: not JSON: {e}"))?;
    Ok(read(&raw))
}

/// The innermost cause of an error; the outer ones only repeat the address.
fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Reads `/api/rawdata`.
pub fn read(raw: &Value) -> Vec<ApiRouter> {
    let mut all = Vec::new();
    for (routers, services, is_tcp) in
        [(&raw["routers"], &raw["services"], false), (&raw["tcpRouters"], &raw["tcpServices"], true)]
    {
        for (name, router) in routers.as_object().into_iter().flatten() {
            let provider = name.rsplit('@').next().unwrap_or_default();
            let service = router["service"].as_str().unwrap_or_default();
            let full =
                if service.contains('@') { service.to_owned() } else { format!("{service}@{provider}") };
            let balancer = &services[full]["loadBalancer"]["servers"];
            let server =
                |server: &Value| server["url"].as_str().or(server["address"].as_str()).map(ToOwned::to_owned);
            all.push(ApiRouter {
                name: name.clone(),
                rule: router["rule"].as_str().unwrap_or_default().to_owned(),
                status: router["status"].as_str().unwrap_or_default().to_owned(),
                errors: array(&router["error"]).filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
                is_tcp,
                tls: router["tls"].is_object(),
                servers: array(balancer).filter_map(server).collect(),
            });
        }
    }
    all
}

/// The routers of a domain: those whose rule names it, and those that labels declare for it.
pub fn of_domain<'r>(all: &'r [ApiRouter], domain: &str, declared: &[String]) -> Vec<&'r ApiRouter> {
    let is_its = |router: &&ApiRouter| {
        let name = router.name.split('@').next().unwrap_or_default();
        rule::hit(&router.rule, domain) == Hit::Exact
            || declared.iter().any(|one| one.eq_ignore_ascii_case(name))
    };
    all.iter().filter(is_its).collect()
}

/// Why one of the routers does not work, as Traefik itself reports it.
pub fn finding(routers: &[&ApiRouter], https: bool) -> Option<Finding> {
    let evidence = |router: &ApiRouter| vec![say(router)];
    for router in routers {
        for error in &router.errors {
            let error = error.to_lowercase();
            let cause = if error.contains("entrypoint") {
                Cause::EntryPointUnknown
            } else if error.contains("middleware") {
                Cause::MiddlewareMissing
            } else if error.contains("rule") || error.contains("matcher") || error.contains("args") {
                Cause::RuleInvalid
            } else {
                continue;
            };
            return Some(Finding { cause, evidence: evidence(router) });
        }
    }
    let plain =
        routers.iter().find(|router| https && !router.is_tcp && !router.tls && router.status == "enabled");
    let only = plain.filter(|_| !routers.iter().any(|router| router.tls));
    only.map(|router| Finding { cause: Cause::RouterWithoutTls, evidence: evidence(router) })
}

/// One router as a line of evidence.
pub fn say(router: &ApiRouter) -> String {
    let ApiRouter { name, status, errors, servers, tls, .. } = router;
    let mut text = format!("api: router {name} is {status}");
    if !errors.is_empty() {
        text.extend([": ", &errors.join("; ")]);
    } else if !tls {
        text += ", without TLS";
    }
    if !servers.is_empty() {
        text.extend([", servers ", &servers.join(" ")]);
    }
    text
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn routers_are_read_with_their_errors_and_servers() {
        let all = read(&json!({
            "routers": {
                "a@swarm": {"rule": "Host(`a.b`)", "service": "a", "status": "enabled", "tls": {}},
                "bad@swarm": {"rule": "Host(`c.d`)", "status": "disabled", "error": ["entryPoint \"x\" doesn't exist"]},
                "plain@swarm": {"rule": "Host(`e.f`)", "status": "enabled"},
            },
            "services": {"a@swarm": {"loadBalancer": {"servers": [{"url": "http://10.0.0.1:80"}]}}},
            "tcpRouters": {"t@swarm": {"rule": "HostSNI(`a.b`)", "service": "t", "status": "enabled"}},
            "tcpServices": {"t@swarm": {"loadBalancer": {"servers": [{"address": "10.0.0.2:443"}]}}},
        }));
        let a = of_domain(&all, "a.b", &[]);
        assert_eq!(
            a.iter().map(|r| r.servers[0].as_str()).collect::<Vec<_>>(),
            ["http://10.0.0.1:80", "10.0.0.2:443"]
        );
        assert_eq!(finding(&a, true), None);
        let cause = |domain: &str| finding(&of_domain(&all, domain, &[]), true).map(|finding| finding.cause);
        assert_eq!(cause("c.d"), Some(Cause::EntryPointUnknown));
        assert_eq!(cause("e.f"), Some(Cause::RouterWithoutTls));
        assert_eq!(of_domain(&all, "x", &["BAD".into()]).len(), 1);
        assert!(read(&json!([1])).is_empty());
    }
}
