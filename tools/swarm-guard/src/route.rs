//! The allow-list: for each request that may pass, its query keys, its kind of body and the rule that decides on it.
//! Every other request is refused. No I/O.

use crate::ask::Ask;
use crate::decision::Decision;
use crate::refusal::Refusal;
use crate::request::Head;
use crate::rule::{container, exec, image, network, read, service, store, volume};

/// The body that the client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    Nothing,
    Json,
    /// An archive, which is passed on unparsed.
    Archive,
}

pub struct Route {
    method: &'static str,
    /// `{}` stands for one segment, `{*}` for one or more.
    path: &'static str,
    /// Query keys that are allowed; `*` allows any.
    query: &'static [&'static str],
    pub incoming: Incoming,
    pub decide: fn(&Ask) -> Decision,
}

const fn get(path: &'static str, decide: fn(&Ask) -> Decision) -> Route {
    Route { method: "GET", path, query: &["*"], incoming: Incoming::Nothing, decide }
}

const fn post(path: &'static str, query: &'static [&'static str], decide: fn(&Ask) -> Decision) -> Route {
    Route { method: "POST", path, query, incoming: Incoming::Nothing, decide }
}

const fn json(path: &'static str, query: &'static [&'static str], decide: fn(&Ask) -> Decision) -> Route {
    Route { method: "POST", path, query, incoming: Incoming::Json, decide }
}

const fn archive(
    method: &'static str,
    path: &'static str,
    query: &'static [&'static str],
    decide: fn(&Ask) -> Decision,
) -> Route {
    Route { method, path, query, incoming: Incoming::Archive, decide }
}

const fn delete(path: &'static str, query: &'static [&'static str], decide: fn(&Ask) -> Decision) -> Route {
    Route { method: "DELETE", path, query, incoming: Incoming::Nothing, decide }
}

const ROUTES: &[Route] = &[
    get("/_ping", read::free),
    Route { method: "HEAD", path: "/_ping", query: &["*"], incoming: Incoming::Nothing, decide: read::free },
    get("/version", read::free),
    get("/info", read::free),
    get("/events", read::list),
    get("/system/df", read::together),
    get("/swarm", read::swarm),
    get("/nodes", read::free),
    get("/nodes/{}", read::free),
    get("/plugins", read::free),
    get("/plugins/{*}/json", read::free),
    get("/distribution/{*}/json", read::free),
    // containers
    get("/containers/json", read::list),
    get("/containers/{}/json", read::container),
    get("/containers/{}/top", read::container),
    get("/containers/{}/stats", read::container),
    get("/containers/{}/changes", read::container),
    get("/containers/{}/logs", read::own_container),
    get("/containers/{}/export", read::own_container),
    get("/containers/{}/archive", read::own_container),
    Route {
        method: "HEAD",
        path: "/containers/{}/archive",
        query: &["path"],
        incoming: Incoming::Nothing,
        decide: read::own_container,
    },
    archive("PUT", "/containers/{}/archive", &["path", "noOverwriteDirNonDir", "copyUIDGID"], container::put),
    json("/containers/create", &["name", "platform"], container::create),
    post("/containers/{}/start", &["detachKeys"], container::start),
    post("/containers/{}/stop", &["t", "signal"], container::act),
    post("/containers/{}/restart", &["t", "signal"], container::start),
    post("/containers/{}/kill", &["signal"], container::act),
    post("/containers/{}/pause", &[], container::act),
    post("/containers/{}/unpause", &[], container::act),
    post("/containers/{}/wait", &["condition"], container::act),
    post("/containers/{}/resize", &["h", "w"], container::act),
    post("/containers/{}/rename", &["name"], container::rename),
    post(
        "/containers/{}/attach",
        &["detachKeys", "logs", "stream", "stdin", "stdout", "stderr"],
        container::attach,
    ),
    json("/containers/{}/update", &[], container::update),
    delete("/containers/{}", &["v", "force", "link"], container::delete),
    json("/containers/{}/exec", &[], exec::create),
    get("/exec/{}/json", read::free),
    json("/exec/{}/start", &[], exec::start),
    post("/exec/{}/resize", &["h", "w"], exec::resize),
    // services, tasks
    get("/services", read::list),
    get("/services/{}", read::service),
    get("/services/{}/logs", read::own_service),
    get("/tasks", read::list),
    get("/tasks/{}", read::task),
    get("/tasks/{}/logs", read::own_task),
    json("/services/create", &[], service::create),
    json("/services/{}/update", &["version", "registryAuthFrom", "rollback"], service::update),
    delete("/services/{}", &[], service::delete),
    // networks, volumes, configs, secrets
    get("/networks", read::list),
    get("/networks/{}", read::network),
    json("/networks/create", &[], network::create),
    json("/networks/{}/connect", &[], network::connect),
    json("/networks/{}/disconnect", &[], network::disconnect),
    delete("/networks/{}", &[], network::delete),
    get("/volumes", read::list),
    get("/volumes/{}", read::volume),
    json("/volumes/create", &[], volume::create),
    delete("/volumes/{}", &["force"], volume::delete),
    get("/configs", read::list),
    get("/configs/{}", read::config),
    json("/configs/create", &[], store::create_config),
    json("/configs/{}/update", &["version"], store::update_config),
    delete("/configs/{}", &[], store::delete_config),
    get("/secrets", read::list),
    get("/secrets/{}", read::secret),
    json("/secrets/create", &[], store::create_secret),
    json("/secrets/{}/update", &["version"], store::update_secret),
    delete("/secrets/{}", &[], store::delete_secret),
    // images
    get("/images/json", read::list),
    get("/images/search", read::free),
    get("/images/get", image::save),
    get("/images/{*}/json", read::free),
    get("/images/{*}/history", read::free),
    get("/images/{*}/get", image::save),
    archive(
        "POST",
        "/images/create",
        &["fromImage", "fromSrc", "repo", "tag", "message", "changes", "platform"],
        image::create,
    ),
    archive("POST", "/images/load", &["quiet", "platform"], image::load),
    post("/images/{*}/tag", &["repo", "tag"], image::tag),
    delete("/images/{*}", &["force", "noprune", "platforms"], image::delete),
    archive("POST", "/build", BUILD, image::build),
    post("/session", &[], image::session),
    json("/commit", &["container", "repo", "tag", "comment", "author", "pause", "changes"], image::commit),
];

const BUILD: &[&str] = &[
    "dockerfile",
    "t",
    "extrahosts",
    "remote",
    "q",
    "nocache",
    "cachefrom",
    "pull",
    "rm",
    "forcerm",
    "memory",
    "memswap",
    "cpushares",
    "cpusetcpus",
    "cpusetmems",
    "cpuperiod",
    "cpuquota",
    "cgroupparent",
    "securityopt",
    "buildargs",
    "shmsize",
    "squash",
    "labels",
    "networkmode",
    "platform",
    "target",
    "outputs",
    "ulimits",
    "isolation",
    "version",
    "session",
    "buildid",
];

/// Keys that may stand in a query more than once.
const REPEATED: [&str; 4] = ["t", "names", "changes", "type"];

/// The route of a request, and the segments that its placeholders matched.
pub fn find(head: &Head) -> Result<(&'static Route, Vec<String>), Refusal> {
    let mut matching = ROUTES.iter().filter(|route| route.method == head.method);
    let found = matching.find_map(|route| Some((route, params(route.path, &head.segments)?)));
    let (route, params) = found.ok_or_else(|| unknown(head))?;
    check_query(route, head)?;
    Ok((route, params))
}

fn check_query(route: &Route, head: &Head) -> Result<(), Refusal> {
    for (at, (key, _)) in head.query.iter().enumerate() {
        if !route.query.contains(&"*") && !route.query.contains(&key.as_str()) {
            return Err(Refusal::new("query", format!("{key}, which the guard does not know for this call"))
                .remedy("leave it out"));
        }
        let again = head.query[..at].iter().any(|(earlier, _)| earlier == key);
        if again && !REPEATED.contains(&key.as_str()) {
            return Err(Refusal::new("query", format!("{key} twice")).remedy("give it once"));
        }
    }
    Ok(())
}

fn params(path: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let mut rest = segments;
    for (at, part) in parts.iter().enumerate() {
        let taken = match *part {
            // Take as many segments as leave one for each part that follows.
            "{*}" => rest.len().checked_sub(parts.len() - at - 1).filter(|taken| *taken > 0)?,
            "{}" => 1,
            word if rest.first()? == word => {
                rest = &rest[1..];
                continue;
            }
            _ => return None,
        };
        params.push(rest.get(..taken)?.join("/"));
        rest = &rest[taken..];
    }
    rest.is_empty().then_some(params)
}

/// The refusal of a request that is not in the allow-list; known groups get a hint of their own.
fn unknown(head: &Head) -> Refusal {
    let first = head.segments.first().map(String::as_str).unwrap_or_default();
    let (rule, remedy) = match first {
        _ if head.segments.last().is_some_and(|last| last == "prune") => {
            ("prune", "remove your own objects by name")
        }
        "swarm" | "nodes" => ("swarm", "the guard leaves the swarm and its nodes as they are"),
        "plugins" => ("plugin", "install plugins by hand, past the guard"),
        "grpc" => {
            ("grpc", "build with DOCKER_BUILDKIT=0, or with a client that builds over /build and /session")
        }
        _ => ("not allowed", "this call is not in the guard's allow-list"),
    };
    Refusal::new(rule, head.to_string()).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_it(method: &str, target: &str) -> Result<(&'static str, Vec<String>), &'static str> {
        let head = Head::parse(method, target).map_err(|refusal| refusal.rule)?;
        find(&head).map(|(route, params)| (route.path, params)).map_err(|refusal| refusal.rule)
    }

    #[test]
    fn routes() {
        for (method, target, path, given) in [
            ("GET", "/v1.41/containers/json?all=1", "/containers/json", &[][..]),
            ("GET", "/containers/a/json", "/containers/{}/json", &["a"]),
            ("GET", "/images/a/b:c/json", "/images/{*}/json", &["a/b:c"]),
            ("GET", "/images/json", "/images/json", &[]),
            ("DELETE", "/images/a/b/c:d", "/images/{*}", &["a/b/c:d"]),
            ("POST", "/images/json/tag?repo=x", "/images/{*}/tag", &["json"]),
            ("POST", "/build?t=a&t=b", "/build", &[]),
        ] {
            let given: Vec<String> = given.iter().map(ToString::to_string).collect();
            assert_eq!(find_it(method, target), Ok((path, given)), "{method} {target}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (method, target, rule) in [
            ("POST", "/swarm/leave?force=1", "swarm"),
            ("POST", "/swarm/init", "swarm"),
            ("POST", "/swarm/update", "swarm"),
            ("GET", "/swarm/unlockkey", "swarm"),
            ("POST", "/nodes/a/update", "swarm"),
            ("DELETE", "/nodes/a", "swarm"),
            ("POST", "/plugins/pull", "plugin"),
            ("POST", "/v1.41/containers/prune", "prune"),
            ("POST", "/images/prune", "prune"),
            ("POST", "/build/prune", "prune"),
            ("POST", "/system/prune", "prune"),
            ("POST", "/grpc", "grpc"),
            ("POST", "/auth", "not allowed"),
            ("GET", "/containers/a/attach/ws", "not allowed"),
            ("POST", "/containers/a/checkpoints", "not allowed"),
            ("POST", "/containers/a/copy", "not allowed"),
            ("POST", "/images/a/push", "not allowed"),
            ("POST", "/v1.41/v1.41/containers/create", "not allowed"),
            ("PUT", "/volumes/a", "not allowed"),
            ("PATCH", "/containers/json", "not allowed"),
            ("get", "/containers/json", "not allowed"),
            ("GET", "/Containers/json", "not allowed"),
            ("CONNECT", "/containers/json", "not allowed"),
            ("POST", "/containers/create?name=a&name=b", "query"),
            ("POST", "/containers/create?Name=a", "query"),
            ("POST", "/containers/a/start?checkpoint=x", "query"),
            ("DELETE", "/containers/a?links=1", "query"),
            ("POST", "/build?entitlements=x", "query"),
            ("GET", "/containers//json", "path"),
        ] {
            assert_eq!(find_it(method, target), Err(rule), "{method} {target}");
        }
    }
}
