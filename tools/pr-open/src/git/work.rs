//! A fix's temporary repository, in which the base is fetched, the commit made and compared, and from which it is pushed.
//!
//! It has no work tree: the patch is applied to an index. So no filter or hook of the repository runs, no link in it is
//! followed, and nobody's checkout is disturbed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lib_common::{Error, Exit, Result};
use tempfile::TempDir;

use super::author::Author;
use super::refusal::{check, stale};
use super::run::{Git, Output};
use crate::retry;

/// How often a reading call is tried.
const TRIES: u32 = 4;

/// Where git fetches from and pushes to.
#[derive(Debug, Clone)]
pub struct Remote {
    pub url: String,
    /// Git settings with credentials. Git gets them as `GIT_CONFIG_KEY_n` and `GIT_CONFIG_VALUE_n`, since others could
    /// read its arguments.
    pub config: Vec<(String, String)>,
    /// Certificates of the authorities that it is trusted by.
    pub ca_file: Option<PathBuf>,
}

pub struct Work {
    git: Git,
    dir: TempDir,
    pub(super) remote: Remote,
}

impl Work {
    /// Makes an empty repository in the temporary folder; it is removed when this value is dropped.
    pub fn new(git: Git, remote: Remote) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("pr-open.")
            .tempdir()
            .map_err(|e| Error::cannot("making a temporary folder", e).hint("set TMPDIR"))?;
        let work = Self { git, dir, remote };
        // An empty template keeps the machine's hooks out of the repository.
        let init = ["init", "--quiet", "--bare", "--template="].map(OsString::from);
        let made = work.git.local(init.into_iter().chain([work.dir.path().into()]), b"", &[])?;
        check(&made, "making a temporary repository", "")?;
        Ok(work)
    }

    /// The commits of `branches` on the remote, in their order; `None` for one that does not exist.
    pub fn remote_heads(&self, branches: &[&str]) -> Result<Vec<Option<String>>> {
        let refs: Vec<String> = branches.iter().map(|branch| format!("refs/heads/{branch}")).collect();
        let mut args = vec!["ls-remote".to_owned(), self.remote.url.clone()];
        args.extend(refs.iter().cloned());
        let listed = self.over_the_net(&args, "reading the remote's branches")?.text();
        let commit = |name: &String| {
            let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
            lines.find(|(_, found)| found == name).map(|(commit, _)| commit.to_owned())
        };
        Ok(refs.iter().map(commit).collect())
    }

    /// Fetches a branch and tells the commit that came: what the remote said a moment before may be gone by now.
    pub fn fetch_branch(&self, branch: &str) -> Result<String> {
        let name = format!("refs/heads/{branch}");
        self.fetch(std::slice::from_ref(&name))?;
        self.read(&["rev-parse", "--verify", &format!("refs/redfix/{name}")], &[])
    }

    /// A branch of the remote that keeps `branch` from being made: one that is a folder of its name, or in the folder
    /// that its name would be.
    pub fn in_the_way(&self, branch: &str) -> Result<Option<String>> {
        let above = branch.match_indices('/').map(|(at, _)| format!("refs/heads/{}", &branch[..at]));
        let patterns: Vec<String> = above.chain([format!("refs/heads/{branch}/*")]).collect();
        let mut args = vec!["ls-remote".to_owned(), self.remote.url.clone()];
        args.extend(patterns.iter().cloned());
        let listed = self.over_the_net(&args, "reading the remote's branches")?.text();
        let below = format!("refs/heads/{branch}/");
        let names = listed.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name);
        let mut names = names.filter(|name| patterns.iter().any(|p| p == name) || name.starts_with(&below));
        Ok(names.next().and_then(|name| name.strip_prefix("refs/heads/")).map(ToOwned::to_owned))
    }

    /// Fetches whole histories of `refs`, so that merge bases can be told.
    pub fn fetch(&self, refs: &[String]) -> Result<()> {
        let mut args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"]
            .map(String::from)
            .to_vec();
        args.push(self.remote.url.clone());
        args.extend(refs.iter().map(|name| format!("+{name}:refs/redfix/{name}")));
        self.over_the_net(&args, "fetching from the remote").map(drop)
    }

    /// Makes the patch one commit on `base`; `Ok(None)` if the base has the change already. The same patch, base, message
    /// and author give the same commit, because its dates are those of the base.
    pub fn commit(&self, base: &str, patch: &[u8], message: &str, author: &Author) -> Result<Option<String>> {
        let index = [("GIT_INDEX_FILE", OsString::from(self.dir.path().join("redfix-index")))];
        check(&self.here(&["read-tree", base], b"", &index)?, "reading the base", base)?;
        let applied = self.here(&["apply", "--cached", "--whitespace=nowarn"], patch, &index)?;
        if !applied.ok {
            // If the patch can be taken back, the base has the change already.
            let undone = self.here(&["apply", "--cached", "--check", "--reverse"], patch, &index)?;
            return if undone.ok { Ok(None) } else { Err(stale(&applied, base)) };
        }
        let tree = self.read(&["write-tree"], &index)?;
        if tree == self.read(&["rev-parse", &format!("{base}^{{tree}}")], &[])? {
            return Ok(None);
        }
        // The base's date instead of the present: the same patch on the same base then has the same commit id.
        let date = format!("@{} +0000", self.read(&["show", "-s", "--format=%ct", base], &[])?);
        let identity = [
            ("GIT_AUTHOR_NAME", author.name.clone().into()),
            ("GIT_AUTHOR_EMAIL", author.mail.clone().into()),
            ("GIT_AUTHOR_DATE", date.clone().into()),
            ("GIT_COMMITTER_NAME", author.name.clone().into()),
            ("GIT_COMMITTER_EMAIL", author.mail.clone().into()),
            ("GIT_COMMITTER_DATE", OsString::from(date)),
        ];
        let made = self.here(&["commit-tree", "-p", base, &tree], message.as_bytes(), &identity)?;
        check(&made, "making the commit", "")?;
        Ok(Some(made.text()))
    }

    /// Borrows the objects of the user's clone, which is only read. A shallow clone has too few objects, and is not used.
    pub fn borrow_from(&self, clone: &Path) -> Result<()> {
        let doing = "borrowing from the clone";
        let asked =
            ["rev-parse", "--is-shallow-repository", "--path-format=absolute", "--git-path", "objects"];
        let output = self.in_clone(clone, &asked)?;
        check(&output, doing, &clone.display().to_string())?;
        let text = output.text();
        if let Some(("false", objects)) = text.split_once('\n') {
            let list = self.dir.path().join("objects/info/alternates");
            std::fs::write(&list, format!("{objects}\n"))
                .map_err(|e| Error::cannot(doing, e).on(list.display()))?;
        }
        Ok(())
    }

    /// The commit that a branch of the user's clone is at.
    pub fn head_in(&self, clone: &Path, branch: &str) -> Result<Option<String>> {
        let name = format!("refs/heads/{branch}^{{commit}}");
        let found = self.in_clone(clone, &["rev-parse", "--verify", "--quiet", &name])?;
        if !found.ok {
            return Ok(None);
        }
        let commit = found.text();
        if !self.here(&["cat-file", "-e", &commit], b"", &[])?.ok {
            let clone = clone.display();
            return Err(Error::cannot("reading the branch", "the clone is shallow")
                .on(&clone)
                .hint(format!("git -C {clone} fetch --unshallow")));
        }
        Ok(Some(commit))
    }

    fn in_clone(&self, clone: &Path, args: &[&str]) -> Result<Output> {
        // With the caller's configuration, since its `safe.directory` says which clones may be read.
        let at = [OsString::from("-C"), clone.into()];
        self.git.remote(at.into_iter().chain(args.iter().map(OsString::from)), &[])
    }

    /// Whether `commit` is in the history of `head`.
    pub fn contains(&self, head: &str, commit: &str) -> Result<bool> {
        Ok(self.here(&["merge-base", "--is-ancestor", commit, head], b"", &[])?.ok)
    }

    /// The paths that `head` changes since it left `base`; a rename counts as both of its paths.
    pub fn paths(&self, base: &str, head: &str) -> Result<Vec<String>> {
        let from = self.left_at(base, head)?;
        // Without rename detection, both the old and the new path of a moved file are listed.
        let listed = self.here(&["diff", "--name-only", "-z", "--no-renames", &from, head], b"", &[])?;
        check(&listed, "listing what changes", head)?;
        let names = listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    /// `git patch-id --stable` of what `head` changes since it left `base`; `None` if it changes nothing.
    pub fn patch_id(&self, base: &str, head: &str) -> Result<Option<String>> {
        self.patch_id_of(&self.diff(base, head)?)
    }

    /// What `head` changes since it left `base`.
    pub fn diff(&self, base: &str, head: &str) -> Result<Vec<u8>> {
        let from = self.left_at(base, head)?;
        let diff =
            self.here(&["diff", "--no-ext-diff", "--no-textconv", "--binary", &from, head], b"", &[])?;
        check(&diff, "reading what changes", head)?;
        Ok(diff.stdout)
    }

    /// The paths that a patch changes, from its text alone.
    pub fn paths_of(&self, patch: &[u8]) -> Result<Vec<String>> {
        let listed = self.here(&["apply", "--numstat", "-z"], patch, &[])?;
        check(&listed, "listing what changes", "the patch")?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let third = |line: &str| line.splitn(3, '\t').nth(2).map(ToOwned::to_owned);
        Ok(text.split('\0').filter_map(third).filter(|name| !name.is_empty()).collect())
    }

    /// `git patch-id --stable` of a patch file.
    pub fn patch_id_of(&self, patch: &[u8]) -> Result<Option<String>> {
        let named = self.here(&["patch-id", "--stable"], patch, &[])?;
        check(&named, "hashing the patch", "")?;
        Ok(named.text().split_whitespace().next().map(ToOwned::to_owned))
    }

    /// Mail addresses of those who committed between `base` and `head`. Who only merged the base into it ("Update
    /// branch" on the forge's page) has added nothing.
    pub fn committers(&self, base: &str, head: &str) -> Result<Vec<String>> {
        let range = format!("{base}..{head}");
        let listed = self.read(&["log", "--format=%H %ce", &range, "--"], &[])?;
        let commits = listed.lines().filter_map(|line| line.split_once(' '));
        let added = commits.filter(|(commit, _)| !self.only_updates(base, commit));
        Ok(added.map(|(_, mail)| mail.to_owned()).collect())
    }

    /// Whether all that came between `ours` and `head` is the base.
    pub fn only_updated(&self, base: &str, ours: &str, head: &str) -> Result<bool> {
        let range = [head, &format!("^{base}"), &format!("^{ours}")].map(ToOwned::to_owned);
        let listed = self.read(&["rev-list", &range[0], &range[1], &range[2], "--"], &[])?;
        Ok(self.contains(head, ours)? && listed.lines().all(|commit| self.only_updates(base, commit)))
    }

    /// Whether a commit merges the base and is what git makes of that by itself.
    fn only_updates(&self, base: &str, commit: &str) -> bool {
        let text = |args: &[&str]| {
            self.here(args, b"", &[]).ok().filter(|output| output.ok).map(|output| output.text())
        };
        let parents = text(&["show", "-s", "--format=%P", commit]).unwrap_or_default();
        let [first, second] = parents.split(' ').collect::<Vec<_>>()[..] else { return false };
        let tree = text(&["rev-parse", &format!("{commit}^{{tree}}")]);
        let merged = || text(&["merge-tree", "--write-tree", first, second]);
        self.contains(base, second).unwrap_or(false) && tree.is_some() && merged() == tree
    }

    /// Everything that a push of `head` would publish: who made each commit, its message, and the lines that it adds,
    /// those of binary files included. The messages stand between the bytes 1 and 2.
    pub fn published(&self, base: &str, head: &str) -> Result<Vec<u8>> {
        let range = format!("{base}..{head}");
        let format = "--format=%x01%an <%ae>%n%cn <%ce>%n%B%x02";
        let args = [
            "log",
            "-p",
            "-m",
            "--text",
            "-U0",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            format,
            &range,
            "--",
        ];
        let listed = self.here(&args, b"", &[])?;
        check(&listed, "reading what would be pushed", head)?;
        Ok(listed.stdout)
    }

    /// Where `head` left `base`: the merge base or, for a head that was merged into the base, its first parent.
    fn left_at(&self, base: &str, head: &str) -> Result<String> {
        let found = self.here(&["merge-base", base, head], b"", &[])?;
        let from = if found.ok { found.text() } else { base.to_owned() };
        if from != self.read(&["rev-parse", head], &[])? {
            return Ok(from);
        }
        let parent = self.here(&["rev-parse", "--verify", "--quiet", &format!("{head}^")], b"", &[])?;
        Ok(if parent.ok { parent.text() } else { from })
    }

    fn read(&self, args: &[&str], env: &[(&str, OsString)]) -> Result<String> {
        let output = self.here(args, b"", env)?;
        check(&output, "reading the temporary repository", args.last().copied().unwrap_or(""))?;
        Ok(output.text())
    }

    fn here(&self, args: &[&str], stdin: &[u8], env: &[(&str, OsString)]) -> Result<Output> {
        self.git.local(self.git_dir().chain(args.iter().map(OsString::from)), stdin, env)
    }

    /// A reading call is tried again while the remote is away, as long as one call may take.
    pub(super) fn over_the_net(&self, args: &[String], doing: &str) -> Result<Output> {
        let reads = args.first().is_none_or(|command| command != "push");
        let start = Instant::now();
        let mut tries = 1;
        loop {
            match self.once_over_the_net(args, doing) {
                Err(error) if error.exit() == Exit::Again && reads && tries < TRIES => {
                    let pause = retry::pause(tries, None);
                    if start.elapsed() + pause >= self.deadline() {
                        return Err(error);
                    }
                    std::thread::sleep(pause);
                }
                outcome => return outcome,
            }
            tries += 1;
        }
    }

    pub(super) fn deadline(&self) -> Duration {
        self.git.timeout()
    }

    fn once_over_the_net(&self, args: &[String], doing: &str) -> Result<Output> {
        let mut env = vec![
            ("GIT_ALLOW_PROTOCOL".to_owned(), OsString::from("file:http:https:ssh")),
            ("GIT_CONFIG_COUNT".to_owned(), self.remote.config.len().to_string().into()),
        ];
        env.extend(self.remote.ca_file.iter().map(|path| ("GIT_SSL_CAINFO".to_owned(), path.into())));
        for (n, (key, value)) in self.remote.config.iter().enumerate() {
            env.push((format!("GIT_CONFIG_KEY_{n}"), key.into()));
            env.push((format!("GIT_CONFIG_VALUE_{n}"), value.into()));
        }
        let env: Vec<(&str, OsString)> = env.iter().map(|(name, value)| (&**name, value.clone())).collect();
        let fixed =
            ["-c", "core.hooksPath=/dev/null", "-c", "http.followRedirects=false"].map(OsString::from);
        let args = self.git_dir().chain(fixed).chain(args.iter().map(OsString::from));
        let output = self.git.remote(args, &env)?;
        check(&output, doing, &self.remote.url)?;
        Ok(output)
    }

    fn git_dir(&self) -> impl Iterator<Item = OsString> {
        let mut arg = OsString::from("--git-dir=");
        arg.push(self.dir.path());
        std::iter::once(arg)
    }
}
