//! What all requests to a Gitea or Forgejo have in common: pages of lists, lost answers, errors.

use lib_common::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Gitea;
use crate::forge::http::{Reply, Sent};
use crate::forge::retry;
use crate::forge::route::Call;

/// Most pages of a list that are read; a list with more means that the forge never ends it.
const MAX_PAGES: usize = 200;
/// How often a writing request is tried. Before each new try the forge is asked whether the last one was carried out.
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

    /// Reads all pages. A forge may return shorter pages than were asked for, so only the total count or an empty page
    /// marks the end.
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

    /// Sends a writing request. If the answer is lost, `came_through` finds out whether the request was carried out,
    /// before it is sent again.
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
