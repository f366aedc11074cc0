//! What all requests to a Gitea or Forgejo have in common: pages of lists, lost answers, errors.

use std::time::Duration;

use lib_common::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Gitea;
use crate::forge::http::{Reply, Sent};
use crate::forge::route::Call;
use crate::retry;

/// Most pages of a list that are read; a list with more means that the forge never ends it.
const MAX_PAGES: usize = 200;
/// How often a writing request is tried. Before each new try the forge is asked whether the last one was carried out.
const TRIES: u32 = 3;

/// How long a request whose answer was lost is looked for, in milliseconds after each try: it may still be on its way.
const LOOKS: [u64; 5] = [0, 500, 1000, 2000, 4000];

/// A writing request, before it is sent.
pub struct Sending<'a> {
    pub call: Call<'a>,
    pub body: Value,
}

/// What an answer to a writing request means.
pub enum Outcome<T> {
    Done(Result<T>),
    /// Somebody else was at it in that moment: look whether it is as wanted, else send it again.
    Again,
    Refused,
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
        let missing = || self.http.refused(&call(1), &Reply::missing());
        self.pages_if_there(&call)?.ok_or_else(missing)
    }

    /// The same; nothing where the forge knows no such list.
    pub fn pages_if_there<'c, T: DeserializeOwned>(
        &self,
        call: impl Fn(usize) -> Call<'c>,
    ) -> Result<Option<Vec<T>>> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = call(page);
            let reply = self.http.get(&call)?;
            if reply.status == 404 {
                return Ok(None);
            }
            if reply.status != 200 {
                return Err(self.http.refused(&call, &reply));
            }
            let items: Vec<T> = self.parse(&call, &reply)?;
            let last = items.is_empty();
            all.extend(items);
            if last || reply.total.is_some_and(|total| all.len() >= total) {
                return Ok(Some(all));
            }
        }
        Err(Error::cannot("reading a list of the forge", format!("more than {MAX_PAGES} pages"))
            .on(self.http.object(&call(1))))
    }

    /// The first thing that `find` finds on a page; no page behind it is read.
    pub fn find_in_pages<'c, T: DeserializeOwned, F>(
        &self,
        call: impl Fn(usize) -> Call<'c>,
        find: impl Fn(Vec<T>) -> Option<F>,
    ) -> Result<Option<F>> {
        let mut seen = 0;
        for page in 1..=MAX_PAGES {
            let call = call(page);
            let reply = self.http.get(&call)?;
            if reply.status != 200 {
                return Err(self.http.refused(&call, &reply));
            }
            let items: Vec<T> = self.parse(&call, &reply)?;
            seen += items.len();
            let last = items.is_empty() || reply.total.is_some_and(|total| seen >= total);
            let found = find(items);
            if found.is_some() || last {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Sends a writing request. After a lost answer `came_through` looks whether it happened, for some seconds, before
    /// it is sent again.
    pub fn write<T>(
        &self,
        sending: &Sending,
        accept: impl Fn(&Reply) -> Outcome<T>,
        came_through: impl Fn() -> Result<Option<T>>,
    ) -> Result<T> {
        // To send an edit twice is harmless; anything else would be there twice.
        let looks = if sending.call.is_harmless_twice() { &LOOKS[..1] } else { &LOOKS };
        let mut tries = 1;
        loop {
            let error = match self.http.send(&sending.call, Some(&sending.body)) {
                Sent::Refused(error) => return Err(error),
                Sent::Answered(reply) => match accept(&reply) {
                    Outcome::Done(outcome) => return outcome,
                    Outcome::Refused => return Err(self.http.refused(&sending.call, &reply)),
                    Outcome::Again => {
                        std::thread::sleep(retry::pause(tries, None));
                        self.http.refused(&sending.call, &reply)
                    }
                },
                Sent::Lost(error, asked) => {
                    std::thread::sleep(retry::pause(tries, asked));
                    error
                }
            };
            for pause in looks {
                std::thread::sleep(Duration::from_millis(*pause));
                if let Some(there) = came_through()? {
                    return Ok(there);
                }
            }
            if tries == TRIES {
                return Err(error);
            }
            tries += 1;
        }
    }

    pub fn literal(&self, sending: &Sending) -> Vec<String> {
        self.http.literal(&sending.call, &sending.body)
    }
}
