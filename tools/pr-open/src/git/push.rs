//! Pushes one commit to one branch, if the branch is still where it was read.

use std::time::{Duration, Instant};

use lib_common::{Error, Exit, Result};

use super::Work;

/// Pauses between tries in milliseconds, when the server had the branch locked.
const PAUSES: [u64; 4] = [50, 200, 800, 2000];

/// What a push did to the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was not there, and this very push made it: of all who try, one sees this.
    Made,
    /// It was there, and this very push moved it.
    Moved,
    /// Somebody else pushed the very same commit, which is as good; or nothing tells who did.
    BySomebody,
}

impl Work {
    /// Pushes `commit` to `branch`, which the remote must still have at `expected` (`None`: not at all).
    pub fn push(&self, commit: &str, branch: &str, expected: Option<&str>) -> Result<Pushed> {
        if commit.is_empty() {
            // `:refs/heads/...` would delete the branch.
            return Err(Error::cannot("pushing the branch", "there is no commit to push").on(branch));
        }
        // With the lease the push fails if the branch moved since we read it. An empty lease demands that it does not exist.
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", expected.unwrap_or(""));
        let refspec = format!("{commit}:refs/heads/{branch}");
        let args =
            ["push", "--porcelain", "--no-progress", "--no-verify", &lease, &self.remote.url, &refspec];
        let args = args.map(String::from).to_vec();
        let once = || self.over_the_net(&args, "pushing the branch").map(|output| told(&output.text()));
        let start = Instant::now();
        let mut outcome = once();
        for pause in PAUSES {
            let Err(error) = outcome else { break };
            match self.remote_heads(&[branch])?.remove(0) {
                Some(now) if now == commit => return Ok(Pushed::BySomebody),
                now if now.as_deref() != expected => {
                    return Err(Error::again("pushing the branch", "somebody else moved it meanwhile")
                        .on(branch)
                        .hint("run it again"));
                }
                // The server only had its hands full, or refuses for good.
                _ if error.exit() != Exit::Again || start.elapsed() >= self.deadline() => return Err(error),
                _ => std::thread::sleep(Duration::from_millis(pause)),
            }
            outcome = once();
        }
        outcome
    }
}

/// The flag that git prints before the ref, as `--porcelain` has it.
fn told(listed: &str) -> Pushed {
    let flag = listed.lines().find(|line| line.contains(":refs/heads/")).and_then(|line| line.chars().next());
    match flag {
        Some('*') => Pushed::Made,
        Some(' ' | '+') => Pushed::Moved,
        _ => Pushed::BySomebody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_made_it() {
        let line =
            |flag: &str| told(&format!("To http://x\n{flag}\tabc:refs/heads/fix/a/b\t[new branch]\nDone"));
        assert_eq!([line("*"), line(" "), line("+")], [Pushed::Made, Pushed::Moved, Pushed::Moved]);
        assert_eq!([line("="), told("Done")], [Pushed::BySomebody, Pushed::BySomebody]);
    }
}
