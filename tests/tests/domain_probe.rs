//! `warm-domain-alloc probe` and `audit` against real Traefik 3, real Caddy and a real swarm: every cause that can be made
//! here is made and named, from the engine alone and with Traefik's API.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

mod domain_scene;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain_scene::{LimitedAuthority, Scene, Service, page, probed, stderr};
use e2e::stack::IMAGE;
use e2e::wait_for;
use serde_json::Value;

const OTHER: &str = "elsewhere.example";

/// What is deployed, and what must be said about each domain.
struct Matrix<'s> {
    scene: &'s Scene,
    /// Domain (or URL) to cause; empty: it routes and nothing is wrong.
    expected: BTreeMap<String, &'static str>,
}

impl Matrix<'_> {
    fn expect(&mut self, domain: &str, cause: &'static str) {
        self.expected.insert(domain.to_owned(), cause);
    }

    fn domain(&self, name: &str) -> String {
        format!("{name}.{}", self.scene.base)
    }

    /// A page at `name.BASE` whose labels are a recipe's, but for `change`: a value of `-` takes a label away. In
    /// keys and values `N` stands for the router's name.
    fn site(&mut self, name: &str, cause: &'static str, change: &[(&str, &str)], options: &[&str]) {
        let domain = self.domain(name);
        self.site_at(name, &domain, change, options);
        self.expect(&domain, cause);
    }

    fn site_at(&self, name: &str, domain: &str, change: &[(&str, &str)], options: &[&str]) {
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

    /// A service behind a router that passes TLS on.
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

    /// Probes all of them at once until what is said is what is expected.
    fn check(&self, more: &[&str]) -> Vec<Value> {
        let authority = self.scene.authority();
        let address = Scene::address();
        let mut args =
            vec!["probe", "--resolve", &address, "--ca-file", authority.to_str().unwrap(), "--timeout", "4s"];
        args.extend(more);
        args.extend(self.expected.keys().map(String::as_str));
        let until = Instant::now() + Duration::from_secs(60);
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

/// Traefik on 443 with a certificate for `*.BASE` and three resolvers that all fail; another on 444 that looks at the
/// swarm once, with that certificate as its only one.
fn proxies(scene: &Scene, authority: &LimitedAuthority) {
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
        // Nobody listens there.
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
fn deploy(matrix: &mut Matrix) {
    const RULE: &str = "traefik.http.routers.N.rule";
    const ENTRY: &str = "traefik.http.routers.N.entrypoints";
    let scene = matrix.scene;
    let id = &scene.id;
    // First what needs time to fail. Six addresses: the gateway's, the node's, and four tasks'.
    let tiny = format!("m{id}-tiny");
    let subnet = "198.19.255.240/29";
    scene.network(&tiny, &["--subnet", subnet]);
    scene.service(&Service {
        name: &format!("a{id}-filler_x"),
        labels: &[],
        options: &["--network", &tiny, "--replicas", "8", "--endpoint-mode", "dnsrr"],
        run: &[IMAGE, "sleep", "9999"],
    });
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

    // Two services of different stacks with one router.
    let name = format!("dup{id}");
    for one in ["twin1", "twin2"] {
        let own = [(RULE, "-"), (ENTRY, "-"), ("traefik.http.routers.N.tls", "-")];
        let domain = matrix.domain(one);
        let rule = (format!("traefik.http.routers.{name}.rule"), format!("Host(`{domain}`)"));
        let tls = (format!("traefik.http.routers.{name}.tls"), "true".to_owned());
        let change = [&own[..], &[(&*rule.0, &*rule.1), (&*tls.0, &*tls.1)]].concat();
        matrix.site(one, "router-duplicate", &change, &[]);
    }
    // A stranger's pattern with a higher priority.
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
    // Labels where a swarm's Traefik does not look.
    let domain = matrix.domain("stray");
    let rule = format!("traefik.http.routers.stray{id}.rule=Host(`{domain}`)");
    scene.page(&format!("{}_app", domain.replace('.', "_")), &[], &["--container-label", &rule]);
    matrix.expect(&domain, "labels-on-container");
    // Nothing there, and what could never be there.
    matrix.expect(&matrix.domain("nobody"), "nothing-deployed");
    matrix.expect(&matrix.domain("a-name-that-is-longer-than-abra-keeps"), "name-too-long");

    // Services of their own kind.
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

    // Certificates: outside the wildcard, Traefik has only what its resolvers get.
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
    // TLS is passed on to what speaks none.
    let domain = matrix.domain("passed");
    let name = format!("{}_web", domain.replace('.', "_"));
    matrix.passthrough(&name, &domain, "80", &["--network", &scene.network], &[IMAGE, "sh", "-c", &serve]);
    matrix.expect(&domain, "passthrough-backend");
}

/// Caddy behind a passthrough router, asking its own `app` whether it may serve the name, as in bluesky-pds.
fn bluesky(matrix: &Matrix, stack: &str, domain: &str) {
    let scene = matrix.scene;
    let caddyfile = "{\n\ton_demand_tls {\n\t\task http://app:80/tls-check\n\t}\n\tauto_https disable_redirects\n}\n\
                     https:// {\n\ttls {\n\t\tissuer internal\n\t\ton_demand\n\t}\n\treverse_proxy http://app:80\n}\n";
    let config = scene.config(&format!("caddy-{stack}"), caddyfile);
    let own = format!("{stack}_default");
    scene.network(&own, &["--label", &format!("com.docker.stack.namespace={stack}")]);
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
    let run = ["redfix/caddy:latest", "run", "--adapter", "caddyfile", "--config", "/etc/Caddyfile"];
    matrix.passthrough(&format!("{stack}_caddy"), domain, "443", &options, &run);
}

#[test]
fn every_cause_is_named() {
    let scene = Scene::new();
    let mut matrix = Matrix { scene: &scene, expected: BTreeMap::new() };
    let authority = LimitedAuthority::start(&scene);
    proxies(&scene, &authority);
    deploy(&mut matrix);
    // The same two stacks as in the bluesky-pds failure: one sorts before the shared network, one behind.
    let (before, behind) = (format!("aa{}-blue", scene.id), format!("warm{}-blue", scene.id));
    let (good, bad) = (matrix.domain("bluesky"), matrix.domain("warm-bluesky"));
    bluesky(&matrix, &before, &good);
    bluesky(&matrix, &behind, &bad);
    matrix.expect(&bad, "alias-collision");

    // From the engine alone, then with Traefik's API: the same causes.
    let one = format!("{}-one", scene.id);
    matrix.check(&["--proxy", &one]);
    let api = format!("http://{}:8080", Scene::address());
    let records = matrix.check(&["--proxy", &one, "--traefik", &api]);
    for record in &records {
        let routes = record["routes"].as_bool().unwrap();
        let kind = record["kind"].as_str().unwrap_or_default();
        assert!(routes == kind.is_empty() || kind == "network-label-wrong", "{record:#}");
        assert_eq!(record["remedy"].is_string(), !kind.is_empty());
        assert!(kind.is_empty() || !record["evidence"].as_array().unwrap().is_empty(), "{record:#}");
        assert!(
            record["layers"].as_array().unwrap().iter().any(|layer| layer["layer"] == "tcp"),
            "{record:#}"
        );
    }
    let of = |domain: &str| records.iter().find(|record| record["domain"] == domain).unwrap().to_string();
    assert!(of(&matrix.domain("entry")).contains("api: router"), "{}", of(&matrix.domain("entry")));
    assert!(of(&bad).contains(&format!("page")) || of(&bad).contains("app"), "{}", of(&bad));

    the_alias_experiment(&scene, &good, &bad);
    other_layers(&scene, &matrix);
    whole_list(&scene, &matrix, &one);
    audited(&scene, &behind);
}

/// The stack that sorts before the shared network gets its own page every time; the other one gets strangers.
fn the_alias_experiment(scene: &Scene, good: &str, bad: &str) {
    let address = Scene::address();
    let expect = "own page of aa";
    for _ in 0..5 {
        let output = scene.run(&[
            "probe",
            good,
            "--resolve",
            &address,
            "--insecure",
            "--expect",
            expect,
            "--wait",
            "--deadline",
            "30s",
        ]);
        let record = &probed(&output)[0];
        assert!(output.status.success() && record["routes"] == true, "{record:#} {}", stderr(&output));
    }
    // Asked directly, its name is answered by strangers: several addresses, not only its own.
    let output = scene.run(&["probe", bad, "--resolve", &address, "--insecure"]);
    let record = &probed(&output)[0];
    assert_eq!(
        (record["kind"].as_str(), record["routes"].as_bool()),
        (Some("alias-collision"), Some(false)),
        "{record:#}"
    );
    let evidence = record["evidence"].to_string();
    assert!(evidence.contains("Caddyfile uses app") || evidence.contains("does its own TLS"), "{evidence}");
    // The name that is leased for it sorts before the network, so the collision cannot come back.
    let leased = scene.run(&[
        "--base",
        &scene.base,
        "--class",
        "warm",
        "--recipe",
        "blue",
        "--shared-network",
        &scene.network,
    ]);
    let domain = probed(&leased)[0]["domain"].as_str().unwrap().to_owned();
    assert!(domain < scene.network && domain.contains("-warm-blue-"), "{domain}");
}

/// Layers that need another call: DNS, TCP, a Traefik that is down or has not looked yet, certificates of the other one.
fn other_layers(scene: &Scene, matrix: &Matrix) {
    let (address, authority) = (Scene::address(), scene.authority());
    let (one, two) = (format!("{}-one", scene.id), format!("{}-two", scene.id));
    let fine = matrix.domain("fine");
    let kind = |args: &[&str]| {
        let all = [&["probe", "--ca-file", authority.to_str().unwrap(), "--timeout", "2s"], args].concat();
        let output = scene.run(&all);
        let record = probed(&output).pop().unwrap_or_else(|| panic!("{}", stderr(&output)));
        (record["kind"].as_str().unwrap_or_default().to_owned(), record.to_string())
    };
    let (missing, told) = kind(&[&fine, "--proxy", &one]);
    assert_eq!(missing, "dns-missing", "{told}");
    assert!(told.contains("answers for it with status 200"), "{told}");
    let with = |more: &[&str]| kind(&[&["--resolve", &address], more].concat()).0;
    assert_eq!(with(&[&format!("{fine}:4444"), "--proxy", &one]), "tcp-refused");
    assert_eq!(with(&[&fine, "--proxy", &one, "--expect", "no such page"]), "unexpected-page");
    let nobody = format!("{}.250", address.rsplit_once('.').unwrap().0);
    assert_eq!(kind(&[&fine, "--proxy", &one, "--resolve", &nobody]).0, "tcp-timeout");
    let untrusted = scene.run(&["probe", &fine, "--resolve", &address, "--proxy", &one]);
    assert_eq!(probed(&untrusted)[0]["kind"], "certificate-untrusted");

    // The second Traefik looked once, at its start.
    let deep = format!("a.b.{}", scene.base);
    assert_eq!(with(&[&format!("{deep}:444"), "--proxy", &two]), "nothing-deployed");
    matrix.site_at("young", &matrix.domain("young"), &[], &[]);
    wait_for("the new service", 30, || with(&[&matrix.domain("young"), "--proxy", &one]).is_empty());
    assert_eq!(with(&[&format!("{}:444", matrix.domain("young")), "--proxy", &two]), "just-deployed");

    // It starts again, and knows what there is by then.
    matrix.site_at("deep", &deep, &[], &[]);
    wait_for("the deep service", 30, || with(&[&deep, "--proxy", &one, "--insecure"]).is_empty());
    e2e::docker(["service", "scale", "--detach", &format!("{two}=0")]);
    let down = [&*format!("{fine}:444"), "--proxy", &two];
    wait_for("the second Traefik to stop", 30, || with(&down) == "proxy-down");
    e2e::docker(["service", "scale", "--detach", &format!("{two}=1")]);
    wait_for("wildcard-depth", 30, || with(&[&format!("{deep}:444"), "--proxy", &two]) == "wildcard-depth");
    assert_eq!(with(&[&format!("bare.{OTHER}:444"), "--proxy", &two]), "certificate-name");

    // A name that leads to another machine: only in a mount namespace of its own.
    let hosts = scene.folder.path().join("hosts");
    std::fs::write(&hosts, format!("127.0.0.7 {fine}\n")).unwrap();
    let tool = e2e::tool("warm-domain-alloc");
    let script = format!(
        "mount --bind {} /etc/hosts && exec {} probe {fine} --proxy {one}",
        hosts.display(),
        tool.display()
    );
    let output =
        std::process::Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    assert_eq!(probed(&output)[0]["kind"], "dns-wrong-address", "{}", stderr(&output));
}

/// Sixteen domains from a list, one of which differs.
fn whole_list(scene: &Scene, matrix: &Matrix, proxy: &str) {
    let list = scene.folder.path().join("warm.txt");
    let fine = matrix.domain("fine");
    let lines: Vec<String> = (1..16).map(|n| format!("https://{fine}/?{n}")).collect();
    let port = matrix.domain("port");
    std::fs::write(&list, format!("# warm\n{}\n{port} # the odd one\n", lines.join("\n"))).unwrap();
    let (address, authority) = (Scene::address(), scene.authority());
    let output = scene.run(&[
        "probe",
        "--from",
        list.to_str().unwrap(),
        "--resolve",
        &address,
        "--ca-file",
        authority.to_str().unwrap(),
        "--proxy",
        proxy,
    ]);
    assert_eq!(output.status.code(), Some(1));
    let records = probed(&output);
    assert_eq!((records.len(), records[15]["odd"].as_str()), (16, Some("15 of 16 route")));
    assert!(records[..15].iter().all(|record| record.get("odd").is_none()));
    assert!(
        stderr(&output).contains(&format!("odd one out: {port}: wrong-port; 15 of 16 route")),
        "{}",
        stderr(&output)
    );
}

fn audited(scene: &Scene, behind: &str) {
    let output = scene.run(&["audit", "--base", &scene.base]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let records = probed(&output);
    let of = |kind: &str| -> Vec<String> {
        let found =
            records.iter().filter(|record| record["kind"] == kind && record.to_string().contains(&scene.id));
        found.map(ToString::to_string).collect()
    };
    for kind in [
        "router-duplicate",
        "rule-overlap",
        "rule-invalid",
        "alias-shared",
        "network-full",
        "lease-without-stack",
        "stack-without-lease",
    ] {
        assert!(!of(kind).is_empty(), "{kind}");
    }
    let shadowed = of("alias-answered-by-strangers");
    assert!(shadowed.iter().any(|record| record.contains(&format!("{behind}_caddy"))), "{shadowed:?}");
    assert!(!shadowed.iter().any(|record| record.contains("\"what\":\"aa")), "{shadowed:?}");
    let breaks: Vec<bool> = records.iter().map(|record| record["breaks"].as_bool().unwrap()).collect();
    assert!(breaks.is_sorted_by(|a, b| a >= b), "what breaks comes first");
}
