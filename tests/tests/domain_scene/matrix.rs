//! One small service for each row of the table of causes, and the cause that the probe must name for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::stack::IMAGE;
use lib_common::swarm::label;
use serde_json::Value;

use super::{LimitedAuthority, Scene, Service, page, probed, stderr};

pub const OTHER: &str = "elsewhere.example";

/// The deployed services and the expected cause of each domain.
pub struct Matrix<'s> {
    pub scene: &'s Scene,
    /// Domain (or URL) to cause. An empty cause means that the domain works.
    pub expected: BTreeMap<String, &'static str>,
}

impl Matrix<'_> {
    pub fn expect(&mut self, domain: &str, cause: &'static str) {
        self.expected.insert(domain.to_owned(), cause);
    }

    pub fn domain(&self, name: &str) -> String {
        format!("{name}.{}", self.scene.base)
    }

    /// Deploys a page at `name.BASE` with a recipe's labels. `change` replaces labels; the value `-` removes one. In keys and
    /// values, `N` stands for the router's name.
    pub fn site(&mut self, name: &str, cause: &'static str, change: &[(&str, &str)], options: &[&str]) {
        let domain = self.domain(name);
        self.site_at(name, &domain, change, options);
        self.expect(&domain, cause);
    }

    pub fn site_at(&self, name: &str, domain: &str, change: &[(&str, &str)], options: &[&str]) {
        let stack = domain.replace('.', "_");
        let router = format!("a{name}{}", self.scene.id);
        let mut labels: BTreeMap<String, String> = [
            ("traefik.enable", "true"),
            ("traefik.http.routers.N.rule", &*format!("Host(`{domain}`)")),
            ("traefik.http.routers.N.entrypoints", "websecure"),
            ("traefik.http.routers.N.tls", "true"),
            ("traefik.http.services.N.loadbalancer.server.port", "80"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        for (key, value) in change {
            if *value == "-" {
                labels.remove(*key);
            } else {
                labels.insert((*key).to_owned(), (*value).to_owned());
            }
        }
        let named: Vec<(String, String)> = labels
            .into_iter()
            .map(|(key, value)| (key.replace(".N.", &format!(".{router}.")), value))
            .collect();
        let labels: Vec<(&str, &str)> =
            named.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.scene.page(&format!("{stack}_app"), &labels, options);
    }

    /// Deploys a service behind a router with TLS passthrough.
    fn passthrough(&self, name: &str, domain: &str, port: &str, options: &[&str], run: &[&str]) {
        let router = format!("t{}", name.replace('_', "-"));
        let labels = [
            ("traefik.enable".to_owned(), "true".to_owned()),
            (format!("traefik.tcp.routers.{router}.rule"), format!("HostSNI(`{domain}`)")),
            (format!("traefik.tcp.routers.{router}.entrypoints"), "websecure".to_owned()),
            (format!("traefik.tcp.routers.{router}.tls.passthrough"), "true".to_owned()),
            (format!("traefik.tcp.services.{router}.loadbalancer.server.port"), port.to_owned()),
            ("traefik.swarm.network".to_owned(), self.scene.network.clone()),
        ];
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let options = [&["--endpoint-mode", "dnsrr"], options].concat();
        self.scene.service(&Service { name, labels: &labels, options: &options, run });
    }

    /// Probes all domains at once, again and again, until the causes are the expected ones.
    pub fn check(&self, more: &[&str]) -> Vec<Value> {
        let authority = self.scene.authority();
        let address = Scene::address();
        let mut args =
            vec!["probe", "--resolve", &address, "--ca-file", authority.to_str().unwrap(), "--timeout", "4s"];
        args.extend(more);
        args.extend(self.expected.keys().map(String::as_str));
        let until = Instant::now() + Duration::from_mins(5);
        loop {
            let output = self.scene.run(&args);
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
            let records = probed(&output);
            assert_eq!(records.len(), self.expected.len());
            let wrong: Vec<String> = records
                .iter()
                .zip(self.expected.iter())
                .filter(|(record, (_, cause))| record["kind"].as_str().unwrap_or_default() != **cause)
                .map(|(record, (domain, cause))| format!("{domain}: not {cause:?} but {record:#}"))
                .collect();
            if wrong.is_empty() {
                return records;
            }
            assert!(Instant::now() < until, "{}", wrong.join("\n"));
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Starts a Traefik on 443 with a certificate for `*.BASE` and three resolvers that all fail, and another one on 444 that
/// reads the swarm only once and has only that certificate.
pub fn proxies(scene: &Scene, authority: &LimitedAuthority) {
    let (certificate, key) = scene.certificate("wildcard", &format!("*.{}", scene.base), 2);
    let (late, late_key) = scene.certificate("late", &format!("expired.{OTHER}"), 0);
    let files = |dynamic: String| {
        vec![
            (dynamic, "/etc/traefik/dynamic.yml"),
            (format!("{}-crt", scene.id), "/tls/a.pem"),
            (format!("{}-key", scene.id), "/tls/a.key"),
            (format!("{}-late-crt", scene.id), "/tls/b.pem"),
            (format!("{}-late-key", scene.id), "/tls/b.key"),
            (format!("{}-ca", scene.id), "/tls/ca.pem"),
            (format!("{}-acme", scene.id), "/acme/open.json"),
        ]
    };
    for (name, content) in
        [("crt", &certificate), ("key", &key), ("late-crt", &late), ("late-key", &late_key)]
    {
        scene.config(name, content);
    }
    scene.config("ca", &std::fs::read_to_string(scene.authority()).unwrap());
    scene.config("acme", "{}");
    let both = "tls:\n  certificates:\n    - {certFile: /tls/a.pem, keyFile: /tls/a.key}\n    - {certFile: /tls/b.pem, keyFile: /tls/b.key}\n";
    let one = scene.config("one", both);
    let two = scene.config(
        "two",
        "tls:\n  stores:\n    default:\n      defaultCertificate: {certFile: /tls/a.pem, keyFile: /tls/a.key}\n",
    );
    let resolver = |name: &str, storage: &str, url: &str| {
        let at = format!("--certificatesresolvers.{name}.acme");
        [
            format!("{at}.email=a@{OTHER}"),
            format!("{at}.storage={storage}"),
            format!("{at}.caserver={url}"),
            format!("{at}.cacertificates=/tls/ca.pem"),
            format!("{at}.httpchallenge.entrypoint=web"),
        ]
    };
    let dynamic = "--providers.file.filename=/etc/traefik/dynamic.yml".to_owned();
    let settings = [
        vec![
            dynamic.clone(),
            "--api.insecure=true".into(),
            "--providers.swarm.refreshseconds=1".into(),
            "--log.level=INFO".into(),
        ],
        resolver("limited", "/tmp/limited.json", &authority.url).to_vec(),
        resolver("open", "/acme/open.json", &authority.url).to_vec(),
        // No server listens on this port.
        resolver("dead", "/tmp/dead.json", "https://127.0.0.1:9/directory").to_vec(),
    ]
    .concat();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    scene.traefik("one", &[("web", 80), ("websecure", 443), ("traefik", 8080)], &files(one), &settings);
    scene.traefik(
        "two",
        &[("websecure", 444)],
        &files(two),
        &[&dynamic, "--providers.swarm.refreshseconds=3600"],
    );
}

#[allow(clippy::too_many_lines)] // one line for each row of the table
pub fn deploy(matrix: &mut Matrix) {
    const RULE: &str = "traefik.http.routers.N.rule";
    const ENTRY: &str = "traefik.http.routers.N.entrypoints";
    let scene = matrix.scene;
    let id = &scene.id;
    // Deploy first what needs time to fail. The network has six addresses: the gateway's, the node's, and four for tasks.
    let tiny = format!("m{id}-tiny");
    let subnet = "198.19.255.240/29";
    scene.network(&tiny, &["--subnet", subnet]);
    scene.service(&Service {
        name: &format!("a{id}-filler_x"),
        labels: &[],
        options: &["--network", &tiny, "--replicas", "8", "--endpoint-mode", "dnsrr"],
        run: &[IMAGE, "sleep", "9999"],
    });
    // Every task starts in the state `new`. Tasks that are still new when another one runs got no address.
    let is_full = || {
        let filler = format!("a{id}-filler_x");
        let states = e2e::docker(["service", "ps", "--format", "{{.CurrentState}}", &filler]);
        states.contains("Running") && states.contains("New")
    };
    e2e::wait_for("the small network to be full", 180, is_full);
    matrix.site("full", "addresses-exhausted", &[], &["--network", &tiny]);

    matrix.site("fine", "", &[], &[]);
    matrix.site(
        "typo",
        "label-unknown",
        &[(RULE, "-"), ("traefik.http.router.N.rule", &format!("Host(`typo.{}`)", scene.base))],
        &[],
    );
    matrix.site("plain", "not-enabled", &[("traefik.enable", "-")], &[]);
    matrix.site(
        "portless",
        "port-missing",
        &[("traefik.http.services.N.loadbalancer.server.port", "-")],
        &[],
    );
    matrix.site("zero", "scaled-to-zero", &[], &["--replicas", "0"]);
    matrix.site(
        "ill",
        "not-healthy-yet",
        &[],
        &["--health-cmd", "false", "--health-interval", "1s", "--health-retries", "999"],
    );
    matrix.site("homeless", "task-pending", &[], &["--constraint", "node.labels.nowhere==1"]);
    matrix.site("empty", "rule-invalid", &[(RULE, "Host(``)")], &[]);
    matrix.site("unclosed", "rule-invalid", &[(RULE, &format!("Host(`unclosed.{}`", scene.base))], &[]);
    matrix.site("entry", "entrypoint-unknown", &[(ENTRY, "web-secure")], &[]);
    matrix.site("entry2", "entrypoint-other", &[(ENTRY, "web")], &[]);
    matrix.site("middle", "middleware-missing", &[("traefik.http.routers.N.middlewares", "gone")], &[]);
    matrix.site("tlsless", "router-without-tls", &[("traefik.http.routers.N.tls", "-")], &[]);
    matrix.site("port", "wrong-port", &[("traefik.http.services.N.loadbalancer.server.port", "81")], &[]);
    matrix.site(
        "namesless",
        "no-router",
        &[(RULE, "-"), (ENTRY, "-"), ("traefik.http.routers.N.tls", "-")],
        &[],
    );
    matrix.site("hostile", "", &[("traefik.http.routers.ü\u{202e}.rule", "Host(`ü\u{202e}.example`)")], &[]);
    let private = format!("n{id}");
    scene.network(&private, &[]);
    matrix.site(
        "net",
        "network-label-wrong",
        &[("traefik.swarm.network", "nowhere")],
        &["--network", &private],
    );

    // Two services of different stacks define the same router.
    let name = format!("dup{id}");
    for one in ["twin1", "twin2"] {
        let own = [(RULE, "-"), (ENTRY, "-"), ("traefik.http.routers.N.tls", "-")];
        let domain = matrix.domain(one);
        let rule = (format!("traefik.http.routers.{name}.rule"), format!("Host(`{domain}`)"));
        let tls = (format!("traefik.http.routers.{name}.tls"), "true".to_owned());
        let change = [&own[..], &[(&*rule.0, &*rule.1), (&*tls.0, &*tls.1)]].concat();
        matrix.site(one, "router-duplicate", &change, &[]);
    }
    // Another stack's rule matches the domain with a higher priority.
    matrix.site("taken", "taken-by-another", &[], &[]);
    let grab = format!("HostRegexp(`^taken[.]{}$`)", scene.base);
    matrix.site(
        "grabber",
        "",
        &[
            (RULE, &format!("{grab} || Host(`grabber.{}`)", scene.base)),
            ("traefik.http.routers.N.priority", "10000"),
        ],
        &[],
    );
    // Labels on the containers, which Traefik's swarm provider does not read.
    let domain = matrix.domain("stray");
    let rule = format!("traefik.http.routers.stray{id}.rule=Host(`{domain}`)");
    scene.page(&format!("{}_app", domain.replace('.', "_")), &[], &["--container-label", &rule]);
    matrix.expect(&domain, "labels-on-container");
    // A domain without a service, and one whose name is longer than abra keeps.
    matrix.expect(&matrix.domain("nobody"), "nothing-deployed");
    matrix.expect(&matrix.domain("a-name-that-is-longer-than-abra-keeps"), "name-too-long");

    // Services that need other options than a page.
    let odd =
        |matrix: &mut Matrix, name: &str, cause: &'static str, on: &str, options: &[&str], script: &str| {
            let domain = matrix.domain(name);
            let router = format!("o{name}{id}");
            let labels = [
                ("traefik.enable".to_owned(), "true".to_owned()),
                (format!("traefik.http.routers.{router}.rule"), format!("Host(`{domain}`)")),
                (format!("traefik.http.routers.{router}.tls"), "true".to_owned()),
                (format!("traefik.http.services.{router}.loadbalancer.server.port"), "80".to_owned()),
            ];
            let lb = ("traefik.swarm.lbswarm", "true");
            let mut labels: Vec<(&str, &str)> =
                labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            labels.extend((name == "virtual").then_some(lb));
            let options = [&["--network", on], options].concat();
            scene.service(&Service {
                name: &format!("{}_app", domain.replace('.', "_")),
                labels: &labels,
                options: &options,
                run: &[IMAGE, "sh", "-c", script],
            });
            matrix.expect(&domain, cause);
        };
    let dnsrr = ["--endpoint-mode", "dnsrr"];
    let serve = page("odd");
    odd(matrix, "apart", "not-on-proxy-network", &private, &dnsrr, &serve);
    let failing = [&dnsrr[..], &["--restart-condition", "none"]].concat();
    odd(matrix, "crash", "task-failing", &scene.network, &failing, "exit 3");
    let error = "while :; do printf 'HTTP/1.1 500 x\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\noops' | nc -l -p 80; done";
    odd(matrix, "error", "app-error", &scene.network, &dnsrr, error);
    odd(matrix, "silent", "gateway-timeout", &scene.network, &dnsrr, "exec nc -ll -p 80 -e sleep 999");
    let has_ipvs = std::path::Path::new("/proc/net/ip_vs").exists();
    odd(matrix, "virtual", if has_ipvs { "" } else { "vip-not-balanced" }, &scene.network, &[], &serve);

    // Outside the wildcard's domain, Traefik has only the certificates that its resolvers get.
    let resolver = "traefik.http.routers.N.tls.certresolver";
    for (name, with, cause) in [
        ("bare", "-", "default-certificate"),
        ("gone", "gone", "resolver-unknown"),
        ("limited", "limited", "acme-rate-limited"),
        ("open", "open", "acme-storage"),
        ("dead", "dead", "acme-failed"),
        ("expired", "-", "certificate-expired"),
    ] {
        let domain = format!("{name}.{OTHER}");
        matrix.site_at(name, &domain, &[(resolver, with)], &[]);
        matrix.expect(&domain, cause);
    }
    // The router passes TLS to a server that does not speak TLS.
    let domain = matrix.domain("passed");
    let name = format!("{}_web", domain.replace('.', "_"));
    matrix.passthrough(&name, &domain, "80", &["--network", &scene.network], &[IMAGE, "sh", "-c", &serve]);
    matrix.expect(&domain, "passthrough-backend");
}

/// Deploys Caddy behind a passthrough router. As in bluesky-pds, Caddy asks its own `app` whether it may serve the name.
pub fn bluesky(matrix: &Matrix, stack: &str, domain: &str) {
    let scene = matrix.scene;
    let caddyfile = "{\n\ton_demand_tls {\n\t\task http://app:80/tls-check\n\t}\n\tauto_https disable_redirects\n}\n\
                     https:// {\n\ttls {\n\t\tissuer internal\n\t\ton_demand\n\t}\n\treverse_proxy http://app:80\n}\n";
    let config = scene.config(&format!("caddy-{stack}"), caddyfile);
    let own = format!("{stack}_default");
    scene.network(&own, &["--label", &label::of_stack(stack)]);
    let script = format!(
        "mkdir -p /tmp/w && echo own page of {stack} >/tmp/w/index.html && echo yes >/tmp/w/tls-check && exec httpd -f -p 80 -h /tmp/w"
    );
    let shared = format!("name={},alias=app", scene.network);
    let private = format!("name={own},alias=app");
    let options = ["--endpoint-mode", "dnsrr", "--network", &shared, "--network", &private];
    scene.service(&Service {
        name: &format!("{stack}_app"),
        labels: &[],
        options: &options,
        run: &[IMAGE, "sh", "-c", &script],
    });
    let mount = format!("source={config},target=/etc/Caddyfile");
    let options = ["--network", &scene.network, "--network", &own, "--config", &mount];
    e2e::require_images(&["caddy"]);
    let run = ["redfix/caddy:latest", "run", "--adapter", "caddyfile", "--config", "/etc/Caddyfile"];
    matrix.passthrough(&format!("{stack}_caddy"), domain, "443", &options, &run);
}
