//! What the token may do and whose it is, as far as the forge says so: newer ones do, and only to whom it belongs.

use lib_common::{Error, Result};

use super::Gitea;
use crate::forge::route::Call;
use crate::forge::{Writes, wire};

impl Gitea {
    /// What the forge says of the token; nothing where there is none, or where the forge does not know the question.
    fn introspected(&self) -> Result<Option<&wire::Token>> {
        if self.token.get().is_none() {
            let said = if self.has_token { self.ask_about_token()? } else { None };
            // Nobody else has set it meanwhile: it is not shared.
            let _ = self.token.set(said);
        }
        Ok(self.token.get().and_then(Option::as_ref))
    }

    /// A forge that does not know the question, or does not answer it for this kind of token, is no trouble; one that does
    /// not know the token is.
    fn ask_about_token(&self) -> Result<Option<wire::Token>> {
        let reply = self.http.get(&Call::Token)?;
        match reply.status {
            200 => self.parse(&Call::Token, &reply).map(Some),
            300..=401 => Err(self.http.refused(&Call::Token, &reply)),
            _ => Ok(None),
        }
    }

    /// Whose the token is. A comment of somebody else is never edited, so this is asked wherever one may be.
    pub fn own_login(&self) -> Option<String> {
        let of_token = self.introspected().ok().flatten().map(|token| token.user.login.clone());
        let asked = || {
            let user: Option<wire::User> = self.has_token.then(|| self.get(&Call::Ourselves).ok()).flatten();
            user.map(|user| user.login)
        };
        of_token.filter(|login| !login.is_empty()).or_else(asked).filter(|login| !login.is_empty())
    }

    /// Refuses, before anything is changed, what the token's scopes do not cover.
    pub fn token_may(&self, writes: Writes) -> Result<()> {
        let Some(token) = self.introspected()? else { return Ok(()) };
        let wanted = [(writes.code, "write:repository"), (writes.comments, "write:issue")];
        let lacking = |scope: &str| !token.scopes.iter().any(|one| one == scope || one == "all");
        let lacking: Vec<&str> = wanted
            .iter()
            .filter(|(wanted, scope)| *wanted && lacking(scope))
            .map(|(_, scope)| *scope)
            .collect();
        if token.scopes.is_empty() || lacking.is_empty() {
            return Ok(());
        }
        Err(Error::cannot("checking the token", format!("it lacks the scope {}", lacking.join(", ")))
            .hint("make one with the scopes write:repository and write:issue"))
    }
}
