//! Finds out which permission or setting is missing when a forge refuses a request. Pure.

use super::route::Call;

/// What a person can do when the answer to `call` is `status` with `message`, if that is known.
#[must_use]
pub fn hint(call: &Call, status: u16, message: &str) -> Option<String> {
    let lower = message.to_lowercase();
    if let Some(scopes) = lower.split_once("required scope").and_then(|_| bracketed(message)) {
        return Some(format!("make a token that has the scope {scopes}"));
    }
    let issue = matches!(call, Call::Comments(_) | Call::Comment(_) | Call::EditComment(_));
    let text = match status {
        300..=399 => "give the final address of the forge and the repository; redirects are not followed",
        401 => "the token is missing, expired or not valid: --token-file",
        403 if lower.contains("blocked") => "its owner has blocked the bot's user",
        403 if lower.contains("locked") => {
            "the conversation is locked: unlock it, or give the bot write access"
        }
        403 if lower.contains("quota") => QUOTA,
        403 if lower.contains("archived") => ARCHIVED,
        403 if issue => "the token needs the scope write:issue, its user read access to the repository",
        403 if *call == Call::OpenPull || matches!(call, Call::RequestReviewers(_)) => {
            "make the bot a collaborator with write access; its token needs the scope write:repository"
        }
        403 => "the token needs the scope write:repository, its user write access to the repository",
        404 if matches!(call, Call::Pulls { .. } | Call::OpenPull) => {
            "are pull requests switched on in the repository's settings, and may the token read its code?"
        }
        404 => "is the name right, and may the token read it? A private repository looks like this, too",
        409 if *call == Call::OpenPull => {
            "a pull request is open that the token may not see, or the base moved: run it again"
        }
        409 | 412 => "somebody else changed it meanwhile: run it again",
        413 => QUOTA,
        422 if *call == Call::OpenPull => "base and head must be two different branches that are there",
        423 => ARCHIVED,
        _ => return None,
    };
    Some(text.to_owned())
}

const QUOTA: &str = "the owner's quota is used up: free space, or have it raised";
const ARCHIVED: &str = "the repository is archived: unarchive it, or choose another one";

/// The name that a repository has now, where a redirect says so: the path behind the API's own.
#[must_use]
pub fn renamed(location: &str) -> Option<String> {
    let (_, rest) = location.split_once("/api/v1/repos/")?;
    let mut parts = rest.split(['/', '?']).filter(|part| !part.is_empty());
    Some(format!("it is now called {}/{}: give that with --repo", parts.next()?, parts.next()?))
}

/// The list in `[...]`, as forges name scopes.
fn bracketed(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('[')?;
    rest.split_once(']').map(|(list, _)| list.trim()).filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::route::PullState;

    #[test]
    fn each_says_what_is_missing() {
        let scope = "token does not have at least one of required scope(s): [write:issue]";
        for (call, status, message, word) in [
            (Call::Comment(1), 403, scope, "the scope write:issue"),
            (Call::OpenPull, 403, "required scope(s), required=[write:repository]", "scope write:repository"),
            (Call::OpenPull, 403, "required scope", "collaborator"),
            (Call::OpenPull, 403, "user should be a collaborator", "collaborator with write access"),
            (Call::OpenPull, 403, "user is blocked", "blocked"),
            (Call::Comment(1), 403, "", "write:issue"),
            (Call::Comment(1), 403, "You cannot comment on a locked issue.", "unlock it"),
            (Call::EditPull(1), 403, "", "write:repository"),
            (Call::EditPull(1), 403, "quota exceeded", "quota"),
            (Call::Comment(1), 423, "", "archived"),
            (Call::Comment(1), 403, "repo is archived", "archived"),
            (Call::Pulls { state: PullState::Open, page: 1 }, 404, "", "pull requests switched on"),
            (Call::Repo, 404, "", "private"),
            (Call::Repo, 401, "", "--token-file"),
            (Call::OpenPull, 413, "", "quota"),
            (Call::OpenPull, 422, "", "two different branches"),
            (Call::OpenPull, 409, "", "may not see"),
            (Call::EditPull(1), 412, "", "meanwhile"),
            (Call::Repo, 307, "", "redirects"),
        ] {
            let text = hint(&call, status, message).unwrap();
            assert!(text.contains(word), "{status} {message}: {text}");
        }
        assert_eq!(hint(&Call::Repo, 418, ""), None);
        assert!(renamed("/git/api/v1/repos/o/new?x=1").unwrap().contains("o/new"));
        assert_eq!(renamed("https://elsewhere/"), None);
    }
}
