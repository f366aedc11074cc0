//! What every request to a Gitea or Forgejo has in common: pages, lost answers, errors.

use lib_common::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Gitea;
use crate::forge::http::{Reply, Sent};
use crate::forge::retry;
use crate::forge::route::Call;

/// Pages of a list that are read before something must be wrong.
const MAX_PAGES: usize = 200;
/// How often a writing request is tried; before each new try the forge is asked whether the last one came through.
const TRIES: u32 = 3;

/// A writing request, before it is sent.
pub struct Request<'a> {
    pub call: Call<'a>,
    pub body: Value,
}

impl Gitea {
    pub fn get<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let reply = self.http.get(call)?;
        if reply.status == 200 { self.parse(call, &reply) } else { Err(self.http.refused(call, &reply)) }
    }

    pub fn get_if_there<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>> {
        let reply = self.http.get(call)?;
        match reply.status {
            200 => self.parse(call, &reply).map(Some),
            404 => Ok(None),
            _ => Err(self.http.refused(call, &reply)),
        }
    }

    pub fn parse<T: DeserializeOwned>(&self, call: &Call, reply: &Reply) -> Result<T> {
        serde_json::from_slice(&reply.body).map_err(|e| {
            Error::cannot("reading the forge's answer", e)
                .on(self.http.object(call))
                .hint("is this the address of a Gitea or Forgejo?")
        })
    }

    /// All pages. The page size may be less than asked for, so only the count, or an empty page, ends it.
    pub fn pages<'c, T: DeserializeOwned>(&self, call: impl Fn(usize) -> Call<'c>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = call(page);
            let reply = self.http.get(&call)?;
            if reply.status != 200 {
                return Err(self.http.refused(&call, &reply));
            }
            let items: Vec<T> = self.parse(&call, &reply)?;
            let last = items.is_empty();
            all.extend(items);
            if last || reply.total.is_some_and(|total| all.len() >= total) {
                return Ok(all);
            }
        }
        Err(Error::cannot("reading a list of the forge", format!("more than {MAX_PAGES} pages"))
            .on(self.http.object(&call(1))))
    }

    /// Sends a writing request. After a lost answer `came_through` looks whether it happened, before it is sent
    /// again.
    pub fn write<T>(
        &self,
        request: &Request,
        accept: impl Fn(&Reply) -> Option<Result<T>>,
        came_through: impl Fn() -> Result<Option<T>>,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match self.http.send(&request.call, Some(&request.body)) {
                Sent::Answered(reply) => {
                    return accept(&reply).unwrap_or_else(|| Err(self.http.refused(&request.call, &reply)));
                }
                Sent::Lost(error, asked) => {
                    std::thread::sleep(retry::pause(tries, asked));
                    if let Some(there) = came_through()? {
                        return Ok(there);
                    }
                    if tries == TRIES {
                        return Err(error);
                    }
                }
            }
            tries += 1;
        }
    }

    pub fn literal(&self, request: &Request) -> Vec<String> {
        self.http.literal(&request.call, &request.body)
    }
}
