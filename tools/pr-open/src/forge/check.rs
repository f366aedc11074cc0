//! What `--self-check` tries: the forge answers with this token, the owner is there, who commits has a name.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lib_common::check::{Finding, SelfCheck, tries};
use lib_common::cli::Voice;
use lib_common::exit::ToolArgs;
use lib_common::vain::Vain;
use reqwest::Url;
use serde_json::Value;

use super::address::{Address, RepoName};
use super::connect::{is_private, read_token};
use super::http::{Http, Sent};
use super::route::Call;
use crate::cli::{Args, SiteArgs};
use crate::git::Author;

const FORGE: &str = "REDFIX_FORGE";
const OWNER: &str = "REDFIX_OWNER";
const TOKEN: &str = "REDFIX_TOKEN_FILE";
const AUTHOR: &str = "REDFIX_AUTHOR";

#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    site: SiteArgs,
    /// Author and committer
    #[arg(long, value_name = "NAME <MAIL>", env = "REDFIX_AUTHOR")]
    author: Option<Author>,
}

impl ToolArgs for Args {
    const VAIN: &'static [Vain] = &[
        Vain::Beside("comment", &["repo_dir", "author", "label", "reviewer", "base", "git_url", "strict"]),
        Vain::Beside("comment", &["with_tests", "tests_glob", "trigger", "reopen"]),
        Vain::Without("wait", &["deadline", "first_wait", "poll", "settle", "require_context"]),
        Vain::Beside("with_tests", &["tests_glob"]),
    ];

    const CHANGES_THE_WORLD: bool = true;
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        let owner = match &self.site.owner {
            Some(name) => Finding::ok(OWNER, name),
            None => {
                Finding::missing(OWNER, "not set: who owns the repositories", "such as recipe-maintainers")
            }
        };
        let mut found = match &self.site.forge {
            None => {
                let hint = "https://your.forge, or dir:PATH for the built-in queue";
                vec![Finding::missing(FORGE, "not set: where pull requests are opened", hint), owner]
            }
            Some(Address::Dir(path)) => vec![tries::writable(FORGE, path), owner],
            Some(Address::Http(url)) => http(url, &self.site, owner),
        };
        found.push(match &self.author {
            Some(author) => Finding::ok(AUTHOR, author),
            None => Finding::missing(AUTHOR, "not set: who commits the fixes", "'NAME <MAIL>'"),
        });
        found
    }
}

/// Asks the forge who we are, and whether the owner is there: two reading requests, each tried once.
fn http(url: &Url, site: &SiteArgs, owner: Finding) -> Vec<Finding> {
    let (token, said) = match token(site.token_file.as_deref()) {
        Ok((token, said)) => (Some(token), said),
        Err(said) => (None, said),
    };
    let name = site.owner.clone().unwrap_or_default();
    let connected = is_private(url, site).and_then(|()| {
        let repo = RepoName { owner: name.clone(), name: String::new() };
        Http::new(url, repo, token.as_deref(), &site.trust())
    });
    let http = match connected {
        Ok(http) => http,
        Err(error) => return vec![Finding::failed(FORGE, &error), said, owner],
    };
    let reply = match http.send(&Call::Ourselves, None) {
        Sent::Answered(reply) => reply,
        Sent::Refused(error) => return vec![Finding::failed(FORGE, &error), said, owner],
        Sent::Lost(error, _) => {
            let hint = "is it up, is its name known here?";
            return vec![Finding::wrong(FORGE, error, hint), said, owner];
        }
    };
    let login = serde_json::from_slice(&reply.body)
        .ok()
        .and_then(|user: Value| user["login"].as_str().map(String::from));
    let mut found = answered(url, reply.status, login.as_deref(), token.is_some(), said);
    let status = match http.send(&Call::Owner, None) {
        Sent::Answered(reply) => reply.status,
        Sent::Lost(..) | Sent::Refused(_) => 0,
    };
    found.push(if name.is_empty() { owner } else { owned(&name, status) });
    found
}

/// What the answer to "who are we" says of the forge and of the token. `said` is known of the token already.
fn answered(url: &Url, status: u16, login: Option<&str>, with_token: bool, said: Finding) -> Vec<Finding> {
    let forge = Finding::ok(FORGE, url.as_str().trim_end_matches('/'));
    match (status, login) {
        (200, Some(login)) => vec![forge, Finding { value: format!("{}: of {login}", said.value), ..said }],
        // A token that may not ask that is known to the forge all the same.
        (403, _) if with_token => vec![forge, said],
        (401, _) if with_token => {
            let hint = "make a new one, with the scopes write:repository and write:issue";
            vec![forge, Finding::wrong(TOKEN, format!("{}: the forge refuses it", said.value), hint)]
        }
        (401 | 403, _) => vec![forge, said],
        _ => {
            let what = format!("{url}: it answers with HTTP {status} who we are");
            vec![Finding::wrong(FORGE, what, "is this the address of a Gitea or Forgejo?"), said]
        }
    }
}

/// `status`: the forge's answer to who the owner is; 0 where there was none.
fn owned(name: &str, status: u16) -> Finding {
    match status {
        200 => Finding::ok(OWNER, name),
        404 => Finding::wrong(
            OWNER,
            format!("{name}: the forge knows no such user or organization"),
            "is it misspelt?",
        ),
        _ => Finding::unknown(OWNER, format!("{name}; the forge does not say whether it is there")),
    }
}

/// The token, and its file; or what is wrong with it.
fn token(file: Option<&Path>) -> Result<(String, Finding), Finding> {
    let Some(path) = file else {
        let hint = "a file with mode 600; the scopes are write:repository and write:issue";
        return Err(Finding::missing(TOKEN, "not set: the forge's access token", hint));
    };
    let token = read_token(path).map_err(|error| Finding::failed(TOKEN, &error))?;
    let mode =
        File::open(path).and_then(|file| file.metadata()).map_or(0, |about| about.permissions().mode());
    let of_others = mode & 0o077;
    let said = if of_others == 0 {
        Finding::ok(TOKEN, path.display())
    } else {
        let mode = mode & 0o777;
        let what = format!("{}: others may read it (mode {mode:o})", path.display());
        Finding::wrong(TOKEN, what, format!("chmod 600 {}", path.display()))
    };
    Ok((token, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::check::State;

    #[test]
    fn what_the_forge_says_of_the_token() {
        let url = Url::parse("https://git.example").unwrap();
        let states = |status, login, with_token| -> Vec<State> {
            let said = Finding::ok(TOKEN, "/t");
            answered(&url, status, login, with_token, said).iter().map(|finding| finding.state).collect()
        };
        assert_eq!(states(200, Some("bot"), true), [State::Ok, State::Ok]);
        assert_eq!(states(403, None, true), [State::Ok, State::Ok]);
        assert_eq!(states(401, None, true), [State::Ok, State::Wrong]);
        assert_eq!(states(401, None, false), [State::Ok, State::Ok]);
        assert_eq!(states(404, None, true), [State::Wrong, State::Ok]);
        assert_eq!(states(200, None, true), [State::Wrong, State::Ok], "no forge of ours");
    }

    #[test]
    fn whether_the_owner_is_there() {
        assert_eq!(
            [200, 404, 403, 0].map(|status| owned("o", status).state),
            [State::Ok, State::Wrong, State::Unknown, State::Unknown]
        );
    }

    #[test]
    fn a_token_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "hunter2").unwrap();
        for (mode, state) in
            [(0o600, State::Ok), (0o400, State::Ok), (0o640, State::Wrong), (0o604, State::Wrong)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let (_, said) = token(Some(&path)).unwrap();
            assert_eq!(said.state, state, "{mode:o}");
            assert!(!said.to_string().contains("hunter2"));
        }
        std::fs::write(&path, "").unwrap();
        assert!(token(Some(&path)).unwrap_err().is_bad());
        assert_eq!(token(None).unwrap_err().state, State::Missing);
    }
}
