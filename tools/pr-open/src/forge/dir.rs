//! `dir:PATH`: a forge made of bare repositories `PATH/<owner>/<name>.git` and a review queue beside them (`queue.rs`
//! describes its format). Everything that reads the queue before it writes does both under the queue's lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lib_common::clock::{Clock, SystemClock, rfc3339};
use lib_common::record::pr::PrAction;
use lib_common::{Error, Result};

use super::address::RepoName;
use super::marker::Marker;
use super::queue::{Comment, Entry, Event, Queue};
use super::{Asking, Draft, Forge, Found, Note, Noted, Opened, Pull, Request, Site, Status, Step, Writes};
use crate::git::Git;

pub struct Dir {
    root: PathBuf,
    repo: RepoName,
    git: Git,
    trigger: String,
    timeout: Duration,
}

impl Dir {
    /// Opens the forge. `trigger` is the comment by which an earlier request for a run is recognised; `timeout` bounds
    /// the wait for the queue's lock.
    pub fn new(root: PathBuf, repo: RepoName, git: Git, trigger: &str, timeout: Duration) -> Result<Self> {
        let dir = Self { root, repo, git, trigger: trigger.to_owned(), timeout };
        let bare = dir.bare();
        if !bare.join("HEAD").is_file() {
            return Err(Error::cannot("opening the repository", "there is no bare repository")
                .on(bare.display())
                .hint(format!("git clone --bare HARNESS {}", bare.display())));
        }
        Ok(dir)
    }

    /// The repository's folder.
    #[must_use]
    pub fn bare(&self) -> PathBuf {
        self.root.join(&self.repo.owner).join(format!("{}.git", self.repo.name))
    }

    fn git(&self, args: &[&str]) -> Result<Option<String>> {
        let mut dir = std::ffi::OsString::from("--git-dir=");
        dir.push(self.bare());
        let all = std::iter::once(dir).chain(args.iter().map(std::ffi::OsString::from));
        let output = self.git.remote(all, &[])?;
        Ok(output.ok.then(|| output.text()))
    }

    /// The commit that a branch is at now, whoever pushed it.
    fn branch(&self, name: &str) -> Result<Option<String>> {
        self.git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}^{{commit}}")])
    }

    /// Opens and locks the queue, folds its events, and passes both to `act`.
    fn locked<T>(&self, act: impl FnOnce(&mut File, Queue) -> Result<T>) -> Result<T> {
        let path = self.root.join("queue.jsonl");
        let fail = |e: std::io::Error| Error::cannot("using the review queue", e).on(path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(fail)?;
        let start = Instant::now();
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::Error(e) => return Err(fail(e)),
                TryLockError::WouldBlock if start.elapsed() > self.timeout => {
                    let cause = "another process holds its lock";
                    return Err(Error::again("using the review queue", cause).on(path.display()));
                }
                TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        if bytes.last().is_some_and(|byte| *byte != b'\n') {
            // A writer died in the middle of a line. End the line; it is skipped later, since it is no event.
            file.write_all(b"\n").map_err(fail)?;
            bytes.push(b'\n');
        }
        let queue = Queue::parse(&bytes, &self.repo.to_string());
        act(&mut file, queue)
    }

    fn append(&self, file: &mut File, queue: &Queue, event: Event) -> Result<u64> {
        let fail =
            |e: std::io::Error| Error::cannot("appending to the review queue", e).on(self.root.display());
        let id = queue.lines + 1;
        let event = Event { id, repo: self.repo.to_string(), ts: rfc3339(SystemClock.now()), ..event };
        let mut line = serde_json::to_vec(&event).map_err(|e| fail(e.into()))?;
        line.push(b'\n');
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(fail)?;
        Ok(id)
    }

    fn pull_of(&self, queue: &Queue, entry: Entry) -> Result<Pull> {
        let live = if entry.open { self.branch(&entry.head)? } else { None };
        let head = live.unwrap_or(entry.sha);
        let asked = queue.asked(entry.number, &head, &self.trigger);
        Ok(Pull {
            number: entry.number,
            url: format!("dir:{}/{}#{}", self.root.display(), self.repo, entry.number),
            title: entry.title,
            body: entry.body.trim_end().to_owned(),
            fetch: format!("refs/heads/{}", entry.head),
            branch: entry.head,
            same_repo: true,
            asked: asked.map(|id| Marker { head: head.clone(), after: id, comments: id }),
            head,
            base: entry.base,
            open: entry.open,
            merged: entry.merged,
        })
    }
}

impl Forge for Dir {
    fn may(&self, _writes: Writes) -> Result<()> {
        Ok(())
    }

    fn may_push(&self, _branch: &str) -> Result<bool> {
        Ok(true)
    }

    fn opens_in_one_step(&self) -> bool {
        true
    }

    fn look_up(&self, _draft: &Draft, _there: bool) -> Result<Found> {
        Ok(Found::default())
    }

    fn newest_request(&self, number: u64, text: &str, _asked: Option<&Marker>) -> Result<Option<Request>> {
        self.locked(|_, queue| {
            let newest = queue.comments(number).filter(|comment| comment.body.trim() == text).last();
            Ok(newest.map(|comment| Request {
                id: comment.id,
                at: comment.ts.to_owned(),
                ours: false,
                after: Some(comment.id),
            }))
        })
    }

    fn site(&self, base: &str) -> Result<Site> {
        if self.branch(base)?.is_none() {
            return Err(Error::cannot("checking the repository", "there is no such branch")
                .on(format!("{} {base}", self.repo))
                .hint("set --base"));
        }
        let default_branch = self.git(&["symbolic-ref", "--short", "HEAD"])?.unwrap_or_default();
        Ok(Site { default_branch, ..Site::default() })
    }

    fn open_pulls(&self) -> Result<Vec<Pull>> {
        self.locked(|_, queue| {
            let open = queue.pulls().into_iter().filter(|entry| entry.open);
            open.map(|entry| self.pull_of(&queue, entry)).collect()
        })
    }

    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>> {
        self.locked(|_, queue| {
            let ours = |entry: &Entry| entry.base == base && entry.head == branch && !entry.open;
            let entry = queue.pulls().into_iter().rfind(ours);
            entry.map(|entry| self.pull_of(&queue, entry)).transpose()
        })
    }

    fn open(&self, draft: &Draft, _ask: bool) -> Result<Opened> {
        self.locked(|file, queue| {
            let same = |entry: &Entry| entry.open && entry.base == draft.base && entry.head == draft.branch;
            if let Some(there) = queue.pulls().into_iter().find(same) {
                let pull = self.pull_of(&queue, there)?;
                return Ok(Opened { pull, created: false, lacking: vec![] });
            }
            let number = queue.next_number();
            self.append(file, &queue, opening(number, draft))?;
            let entry = Entry {
                number,
                head: draft.branch.clone(),
                base: draft.base.clone(),
                sha: draft.head.clone(),
                title: draft.title.clone(),
                body: draft.body.clone(),
                open: true,
                merged: false,
            };
            Ok(Opened { pull: self.pull_of(&queue, entry)?, created: true, lacking: vec![] })
        })
    }

    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull> {
        self.locked(|file, queue| {
            let Some(mut entry) = queue.pulls().into_iter().find(|entry| entry.number == pull.number) else {
                return Err(
                    Error::cannot("updating the pull request", "it is not in the queue").on(&pull.url)
                );
            };
            if let Some(event) = updating(&mut entry, draft) {
                self.append(file, &queue, event)?;
            }
            self.pull_of(&queue, entry)
        })
    }

    fn pull(&self, number: u64) -> Result<Pull> {
        self.locked(|_, queue| {
            let entry = queue.pulls().into_iter().find(|entry| entry.number == number);
            let entry = entry.ok_or_else(|| {
                Error::cannot("reading a pull request", "it is not in the queue").on(format!("#{number}"))
            })?;
            self.pull_of(&queue, entry)
        })
    }

    fn trigger(&self, pull: &Pull, asking: &Asking) -> Result<Marker> {
        self.locked(|file, queue| {
            let id = match queue.asked(pull.number, &pull.head, asking.text) {
                Some(id) if !asking.again => id,
                _ => self.append(file, &queue, comment(pull.number, &pull.head, asking.text))?,
            };
            Ok(Marker { head: pull.head.clone(), after: id, comments: id })
        })
    }

    fn explain(&self, pull: u64, note: &Note) -> Result<Noted> {
        let head = self.pull(pull)?.head;
        self.locked(|file, queue| {
            let marked = |comment: &Comment| comment.body.lines().next_back() == Some(&*note.mark);
            let last = queue.comments(pull).filter(marked).last();
            let (id, action) = match last {
                Some(there) if there.body.trim_end() == note.body.trim_end() => {
                    (there.id, PrAction::Unchanged)
                }
                // Nothing in the queue is ever changed: the newest comment with the mark is the one that counts.
                last => {
                    let id = self.append(file, &queue, comment(pull, &head, &note.body))?;
                    (id, if last.is_some() { PrAction::Updated } else { PrAction::Created })
                }
            };
            let url = format!("dir:{}/{}#{pull} line {id}", self.root.display(), self.repo);
            Ok(Noted { url, action, twins: vec![] })
        })
    }

    fn statuses(&self, commit: &str) -> Result<Vec<Status>> {
        self.locked(|_, queue| Ok(queue.statuses(commit)))
    }

    fn preview(&self, step: &Step) -> Result<Vec<String>> {
        let event = match step {
            Step::Open { draft, .. } => Some(opening(0, draft)),
            Step::Edit { pull, draft } => {
                let found =
                    self.locked(|_, queue| Ok(queue.pulls().into_iter().find(|e| e.number == pull.number)))?;
                found.and_then(|mut entry| updating(&mut entry, draft))
            }
            Step::Ask { pull: None, asking } => Some(comment(0, "", asking.text)),
            Step::Ask { pull: Some(pull), asking } => {
                let asked = self.locked(|_, queue| Ok(queue.asked(pull.number, &pull.head, asking.text)))?;
                (asked.is_none() || asking.again).then(|| comment(pull.number, &pull.head, asking.text))
            }
            Step::Explain { pull, note } => Some(comment(*pull, &self.pull(*pull)?.head, &note.body)),
        };
        let line = |event: Event| serde_json::to_string(&Event { repo: self.repo.to_string(), ..event });
        let lines = event.map(line).transpose().map_err(|e| Error::cannot("previewing the event", e))?;
        Ok(lines
            .into_iter()
            .map(|line| format!("append to {}/queue.jsonl: {line}", self.root.display()))
            .collect())
    }
}

fn opening(number: u64, draft: &Draft) -> Event {
    Event {
        kind: "pull.opened".into(),
        number,
        head: Some(draft.branch.clone()),
        base: Some(draft.base.clone()),
        sha: Some(draft.head.clone()),
        title: Some(draft.title.clone()),
        body: Some(draft.body.clone()),
        labels: draft.labels.clone(),
        reviewers: draft.reviewers.clone(),
        ..Event::default()
    }
}

/// Updates the entry; returns the event that says what changed, if anything did.
fn updating(entry: &mut Entry, draft: &Draft) -> Option<Event> {
    let mut event = Event { kind: "pull.updated".into(), number: entry.number, ..Event::default() };
    for (field, new, out) in [
        (&mut entry.sha, &draft.head, &mut event.sha),
        (&mut entry.title, &draft.title, &mut event.title),
        (&mut entry.body, &draft.body, &mut event.body),
    ] {
        if field.trim_end() != new.trim_end() {
            field.clone_from(new);
            *out = Some(new.clone());
        }
    }
    (event.sha.is_some() || event.title.is_some() || event.body.is_some()).then_some(event)
}

fn comment(number: u64, head: &str, text: &str) -> Event {
    let (body, sha) = (Some(text.to_owned()), Some(head.to_owned()));
    Event { kind: "comment".into(), number, body, sha, ..Event::default() }
}
