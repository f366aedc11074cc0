//! Reads the apps in abra's servers folder: their names are taken, whether they are deployed or not.

use std::fs;
use std::path::Path;

use lib_common::swarm::stack::stack_of;
use lib_common::{Error, Result};

/// The stack names of all apps in `dir/servers/SERVER/DOMAIN.env`.
pub fn stacks(dir: &Path) -> Result<Vec<String>> {
    let servers = dir.join("servers");
    let fail = |path: &Path, e: std::io::Error| Error::cannot("reading abra's servers", e).on(path.display());
    let mut found = Vec::new();
    for server in fs::read_dir(&servers).map_err(|e| fail(&servers, e))? {
        let server = server.map_err(|e| fail(&servers, e))?.path();
        if !server.is_dir() {
            continue;
        }
        for file in fs::read_dir(&server).map_err(|e| fail(&server, e))? {
            let path = file.map_err(|e| fail(&server, e))?.path();
            let domain =
                path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".env"));
            if let Some(domain) = domain {
                let text = fs::read(&path).map_err(|e| fail(&path, e))?;
                found.extend(of_app(domain, &String::from_utf8_lossy(&text)));
            }
        }
    }
    Ok(found)
}

/// The stack names that one app may have: from its file's name, from its `DOMAIN`, and its `STACK_NAME`.
#[must_use]
pub fn of_app(domain: &str, env: &str) -> Vec<String> {
    let values = env.lines().filter_map(|line| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        matches!(key.trim(), "DOMAIN" | "STACK_NAME").then(|| value.to_owned())
    });
    let mut stacks: Vec<String> = values.chain([domain.to_owned()]).map(|name| stack_of(&name)).collect();
    stacks.retain(|stack| !stack.is_empty());
    stacks.sort();
    stacks.dedup();
    stacks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_an_app_counts() {
        let env = "TYPE=gitea:3.5.3\n#DOMAIN=no\nDOMAIN=Gitea.ci.example # why\nexport STACK_NAME=\"own\"\nEXTRA_DOMAINS=x\n";
        assert_eq!(of_app("old.ci.example", env), ["gitea_ci_example", "old_ci_example", "own"]);
    }

    #[test]
    fn all_servers_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let server = dir.path().join("servers/ci.example");
        fs::create_dir_all(&server).unwrap();
        fs::write(server.join("a.ci.example.env"), b"DOMAIN=\xff\n").unwrap();
        fs::write(server.join("notes.txt"), "DOMAIN=no").unwrap();
        fs::write(dir.path().join("servers/file"), "").unwrap();
        assert!(stacks(dir.path()).unwrap().contains(&"a_ci_example".to_owned()));
        assert!(stacks(&dir.path().join("gone")).is_err());
    }
}
