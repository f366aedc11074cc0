//! A swarm with Traefik, certificates and small services for the tests of `probe` and `audit`. All objects carry the test's
//! id and are removed when the test ends.

pub mod matrix;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use e2e::stack::{IMAGE, try_docker};
use e2e::wait_for;
use lib_common::swarm::label;
use serde_json::Value;

pub struct Scene {
    pub id: String,
    /// The domain for whose wildcard Traefik has a certificate.
    pub base: String,
    /// The shared network. Stack names that begin with `a` sort before its name, those with `z` after it.
    pub network: String,
    pub folder: e2e::folder::Folder,
}

/// A service to create; the fields are in the order of `docker service create`.
pub struct Service<'a> {
    /// The full name. The part before the last `_` is the stack.
    pub name: &'a str,
    pub labels: &'a [(&'a str, &'a str)],
    /// Further options of `docker service create`.
    pub options: &'a [&'a str],
    /// The image and its command.
    pub run: &'a [&'a str],
}

impl Scene {
    pub fn new() -> Self {
        e2e::require_engine();
        let ulid = lib_common::new_id();
        let id = ulid[ulid.len() - 8..].to_lowercase();
        let scene = Self {
            base: format!("{id}.test"),
            network: format!("m{id}"),
            folder: e2e::folder::Folder::new(),
            id,
        };
        scene.network(&scene.network, &[]);
        scene
    }

    pub fn address() -> String {
        std::env::var("REDFIX_NODE_ADDR").expect("REDFIX_NODE_ADDR of scripts/engine env")
    }

    fn label(&self) -> String {
        format!("redfix.test={}", self.id)
    }

    pub fn network(&self, name: &str, more: &[&str]) {
        let label = self.label();
        e2e::docker([&["network", "create", "-d", "overlay", "--label", &label], more, &[name]].concat());
    }

    pub fn config(&self, name: &str, content: &str) -> String {
        let full = format!("{}-{name}", self.id);
        let mut create = Command::new("docker");
        create.args(["config", "create", "--label", &self.label(), &full, "-"]);
        let output = e2e::pipe(&mut create, content.as_bytes());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        full
    }

    pub fn service(&self, service: &Service) {
        let stack = service.name.rsplit_once('_').map_or(service.name, |(stack, _)| stack);
        let mut args: Vec<String> =
            ["service", "create", "--quiet", "--detach", "--no-resolve-image", "--stop-signal", "SIGKILL"]
                .map(ToOwned::to_owned)
                .to_vec();
        let mut push = |flag: &str, value: String| args.extend([flag.to_owned(), value]);
        push("--label", self.label());
        push("--label", label::of_stack(stack));
        for (key, value) in service.labels {
            push("--label", format!("{key}={value}"));
        }
        args.extend(service.options.iter().map(ToString::to_string));
        args.extend(["--name".into(), service.name.to_owned()]);
        args.extend(service.run.iter().map(ToString::to_string));
        e2e::docker(args);
    }

    /// Creates a service on the shared network that serves its own name, with labels as a recipe writes them.
    pub fn page(&self, name: &str, labels: &[(&str, &str)], more: &[&str]) {
        let script = page(name);
        let short = name.rsplit('_').next().unwrap();
        let network = format!("name={},alias={short}", self.network);
        let options = [&["--endpoint-mode", "dnsrr", "--network", &network], more].concat();
        self.service(&Service { name, labels, options: &options, run: &[IMAGE, "sh", "-c", &script] });
    }

    /// Paths of a certificate, signed by the test's authority, and of its key.
    pub fn certificate(&self, name: &str, names: &str, days: u32) -> (String, String) {
        self.signed(name, &format!("DNS:{names}"), days);
        let read =
            |end: &str| std::fs::read_to_string(self.folder.path().join(format!("{name}.{end}"))).unwrap();
        (read("pem"), read("key"))
    }

    fn signed(&self, name: &str, names: &str, days: u32) {
        let at = |file: &str| self.folder.path().join(file);
        if !at("ca.pem").exists() {
            openssl(&[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=test authority",
                "-keyout",
                &text(&at("ca.key")),
                "-out",
                &text(&at("ca.pem")),
            ]);
        }
        let (key, request, signed) =
            (at(&format!("{name}.key")), at(&format!("{name}.csr")), at(&format!("{name}.pem")));
        openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &text(&key),
            "-out",
            &text(&request),
        ]);
        let extension = at(&format!("{name}.ext"));
        std::fs::write(&extension, format!("subjectAltName={names}\nextendedKeyUsage=serverAuth\n")).unwrap();
        openssl(&[
            "x509",
            "-req",
            "-in",
            &text(&request),
            "-CA",
            &text(&at("ca.pem")),
            "-CAkey",
            &text(&at("ca.key")),
            "-CAcreateserial",
            "-days",
            &days.to_string(),
            "-extfile",
            &text(&extension),
            "-out",
            &text(&signed),
        ]);
    }

    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Creates a Traefik with host-mode ports. `ports` are entry points and their numbers; `files` are mounted.
    pub fn traefik(&self, name: &str, ports: &[(&str, u16)], files: &[(String, &str)], more: &[&str]) {
        e2e::require_images(&["traefik"]);
        let host = std::env::var("DOCKER_HOST").unwrap();
        let socket = host.strip_prefix("unix://").expect("a local engine");
        let mut options: Vec<String> = vec!["--network".into(), self.network.clone()];
        options.extend(["--mount".into(), format!("type=bind,source={socket},target=/var/run/docker.sock")]);
        let mut run: Vec<String> = vec!["redfix/traefik:latest".into()];
        for (entry, port) in ports {
            options.extend(["--publish".into(), format!("mode=host,target={port},published={port}")]);
            run.push(format!("--entrypoints.{entry}.address=:{port}"));
        }
        for (config, path) in files {
            options.extend(["--config".into(), format!("source={config},target={path},mode=0444")]);
        }
        run.push("--providers.swarm.exposedbydefault=false".into());
        run.push(format!("--providers.swarm.network={}", self.network));
        run.push("--serverstransport.forwardingtimeouts.dialtimeout=2s".into());
        run.extend(more.iter().map(ToString::to_string));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        let full = format!("{}-{name}", self.id);
        self.service(&Service {
            name: &full,
            labels: &[],
            options: &[&options[..], &["--endpoint-mode", "dnsrr"]].concat(),
            run: &run,
        });
    }

    pub fn tool(&self, args: &[&str]) -> Command {
        let mut command = e2e::unset("warm-domain-alloc");
        command.args(args).args(["--investigation", &self.id]);
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.tool(args).output().unwrap()
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let (test, lease) =
            (format!("label={}", self.label()), format!("label=redfix.investigation={}", self.id));
        let list = |args: &[&str], label: &str| {
            let output = try_docker(&[args, &["-q", "--filter", label]].concat());
            String::from_utf8_lossy(&output.stdout)
                .split_whitespace()
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>()
        };
        let remove = |kind: &str, label: &str| {
            let ids = list(&[kind, "ls"], label);
            if !ids.is_empty() {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                try_docker(&[&[kind, "rm"], &ids[..]].concat());
            }
        };
        let names: Vec<String> = {
            let output = try_docker(&["service", "ls", "--format", "{{.Name}}", "--filter", &test]);
            String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect()
        };
        remove("service", &test);
        let gone = || {
            let output = try_docker(&["ps", "-a", "--format", "{{.Names}}"]);
            let left = String::from_utf8_lossy(&output.stdout).into_owned();
            !left.lines().any(|container| names.iter().any(|name| container.starts_with(&format!("{name}."))))
        };
        if std::thread::panicking() {
            (0..200).any(|_| {
                gone() || {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                    false
                }
            });
        } else {
            wait_for("the test's containers to go", 180, gone);
        }
        remove("network", &test);
        remove("config", &test);
        remove("config", &lease);
    }
}

/// A shell command that serves the service's name as a page on port 80.
pub fn page(name: &str) -> String {
    format!("mkdir -p /tmp/w && echo page of {name} >/tmp/w/index.html && exec httpd -f -p 80 -h /tmp/w")
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn openssl(args: &[&str]) {
    let output = Command::new("openssl").args(args).output().expect("openssl");
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An ACME authority on the bridge network that answers every request with "rate limited".
pub struct LimitedAuthority {
    process: Child,
    pub url: String,
}

impl LimitedAuthority {
    pub fn start(scene: &Scene) -> Self {
        let address = Scene::address();
        let bridge = format!("{}.1", address.rsplit_once('.').unwrap().0);
        scene.signed("authority", &format!("IP:{bridge}"), 2);
        let at = |file: &str| scene.folder.path().join(file);
        let script = e2e::root().join("tests/helpers/limited_authority.py");
        let mut process = Command::new("python3")
            .arg(script)
            .args([bridge.as_ref(), at("authority.pem").as_os_str(), at("authority.key").as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { url: format!("https://{bridge}:{}/directory", port.trim()), process }
    }
}

impl Drop for LimitedAuthority {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The records that a tool printed.
pub fn probed(output: &Output) -> Vec<Value> {
    e2e::records(&output.stdout)
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
