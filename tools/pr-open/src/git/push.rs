//! Pushes one commit to one branch, if the branch is still where it was read.

use std::time::Duration;

use lib_common::{Error, Result};

use super::Work;

/// Pauses between tries in milliseconds, when the server had the branch locked.
const PAUSES: [u64; 4] = [50, 200, 800, 2000];

impl Work {
    /// Pushes `commit` to `branch`, which must still be at `expected` on the remote (`None` if it must not exist). It is
    /// also a success if somebody else has pushed the same commit meanwhile.
    pub fn push(&self, commit: &str, branch: &str, expected: Option<&str>) -> Result<()> {
        if commit.is_empty() {
            // `:refs/heads/...` would delete the branch.
            return Err(Error::cannot("pushing the branch", "there is no commit to push").on(branch));
        }
        // With the lease the push fails if the branch moved since we read it. An empty lease demands that it does not exist.
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", expected.unwrap_or(""));
        let refspec = format!("{commit}:refs/heads/{branch}");
        let args = ["push", "--quiet", "--no-verify", &lease, &self.remote.url, &refspec].map(String::from);
        let mut outcome = self.over_the_net(args.to_vec(), "pushing the branch").map(drop);
        for pause in PAUSES {
            let Err(error) = outcome else { break };
            match self.remote_heads(&[branch])?.remove(0) {
                Some(now) if now == commit => return Ok(()),
                now if now.as_deref() != expected => {
                    return Err(Error::again("pushing the branch", "somebody else moved it meanwhile")
                        .on(branch)
                        .hint("run it again"));
                }
                // If the server only had the branch locked, try again; any other refusal is final.
                _ if !error.to_string().contains("lock") => return Err(error),
                _ => std::thread::sleep(Duration::from_millis(pause)),
            }
            outcome = self.over_the_net(args.to_vec(), "pushing the branch").map(drop);
        }
        outcome
    }
}
