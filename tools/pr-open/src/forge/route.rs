//! The allow-list: every request that can be made, and nothing else.
//!
//! [`Call`] is the only way to name a path, and each of its variants takes its method and path from
//! [`ALLOWED`]. There is no variant that merges, updates a branch, reviews, or writes contents or refs, and
//! `EditPull` is only ever sent with title and body, `EditComment` for a comment with our own mark.

use lib_common::text::percent_encode;
use reqwest::Method;

use super::address::RepoName;

/// Items per page: what every forge grants unless it is set lower.
pub const PAGE: usize = 50;

/// Method and path template of every request, below `/api/v1`.
pub const ALLOWED: [(Method, &str); 16] = [
    (Method::GET, "/repos/{owner}/{repo}"),
    (Method::GET, "/repos/{owner}/{repo}/branches/{branch}"),
    (Method::GET, "/repos/{owner}/{repo}/pulls"),
    (Method::GET, "/repos/{owner}/{repo}/pulls/{base}/{head}"),
    (Method::GET, "/repos/{owner}/{repo}/pulls/{index}"),
    (Method::POST, "/repos/{owner}/{repo}/pulls"),
    (Method::PATCH, "/repos/{owner}/{repo}/pulls/{index}"),
    (Method::GET, "/repos/{owner}/{repo}/issues/{index}/comments"),
    (Method::POST, "/repos/{owner}/{repo}/issues/{index}/comments"),
    (Method::GET, "/repos/{owner}/{repo}/commits/{ref}/statuses"),
    (Method::PATCH, "/repos/{owner}/{repo}/issues/comments/{id}"),
    (Method::GET, "/repos/{owner}/{repo}/labels"),
    (Method::GET, "/orgs/{org}/labels"),
    (Method::POST, "/repos/{owner}/{repo}/pulls/{index}/requested_reviewers"),
    (Method::GET, "/user"),
    (Method::GET, "/users/{username}"),
];

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call<'a> {
    Repo,
    Branch(&'a str),
    OpenPulls {
        page: usize,
    },
    PullOf {
        base: &'a str,
        branch: &'a str,
    },
    Pull(u64),
    OpenPull,
    EditPull(u64),
    Comments(u64),
    Comment(u64),
    Statuses {
        commit: &'a str,
        page: usize,
    },
    EditComment(u64),
    Labels {
        page: usize,
    },
    OwnersLabels {
        page: usize,
    },
    RequestReviewers(u64),
    /// Who we are, by our token.
    Ourselves,
    Owner,
}

impl Call<'_> {
    /// Method and template; the index is the row of [`ALLOWED`].
    #[must_use]
    pub fn allowed(&self) -> &'static (Method, &'static str) {
        static ROWS: [(Method, &str); 16] = ALLOWED;
        &ROWS[match self {
            Call::Repo => 0,
            Call::Branch(_) => 1,
            Call::OpenPulls { .. } => 2,
            Call::PullOf { .. } => 3,
            Call::Pull(_) => 4,
            Call::OpenPull => 5,
            Call::EditPull(_) => 6,
            Call::Comments(_) => 7,
            Call::Comment(_) => 8,
            Call::Statuses { .. } => 9,
            Call::EditComment(_) => 10,
            Call::Labels { .. } => 11,
            Call::OwnersLabels { .. } => 12,
            Call::RequestReviewers(_) => 13,
            Call::Ourselves => 14,
            Call::Owner => 15,
        }]
    }

    /// Path and query below `/api/v1`. A number of 0 is one that nobody knows yet, and stays `{index}`.
    #[must_use]
    pub fn path(&self, repo: &RepoName) -> String {
        let (_, template) = self.allowed();
        let path = template.replace("{owner}", &repo.owner).replace("{repo}", &repo.name);
        match self {
            Call::Repo | Call::OpenPull | Call::Ourselves => path,
            Call::Owner => path.replace("{username}", &repo.owner),
            Call::Branch(branch) => path.replace("{branch}", &segments(branch)),
            Call::OpenPulls { page } => format!("{path}?state=open&limit={PAGE}&page={page}"),
            // A slash in the base must be escaped; the head is the rest of the path.
            Call::PullOf { base, branch } => {
                path.replace("{base}", &percent_encode(base)).replace("{head}", &segments(branch))
            }
            Call::Pull(index)
            | Call::EditPull(index)
            | Call::Comments(index)
            | Call::Comment(index)
            | Call::RequestReviewers(index) => numbered(path, "{index}", *index),
            Call::EditComment(id) => numbered(path, "{id}", *id),
            Call::Statuses { commit, page } => {
                format!("{}?limit={PAGE}&page={page}", path.replace("{ref}", &percent_encode(commit)))
            }
            Call::Labels { page } => format!("{path}?limit={PAGE}&page={page}"),
            Call::OwnersLabels { page } => {
                format!("{}?limit={PAGE}&page={page}", path.replace("{org}", &repo.owner))
            }
        }
    }
}

fn numbered(path: String, place: &str, number: u64) -> String {
    if number == 0 { path } else { path.replace(place, &number.to_string()) }
}

/// Several parts of a path: the slashes between them stay.
fn segments(text: &str) -> String {
    text.split('/').map(percent_encode).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Call<'static>; 16] {
        [
            Call::Repo,
            Call::Branch("fix/a/b"),
            Call::OpenPulls { page: 2 },
            Call::PullOf { base: "release/1", branch: "fix/a/b c" },
            Call::Pull(7),
            Call::OpenPull,
            Call::EditPull(7),
            Call::Comments(7),
            Call::Comment(7),
            Call::Statuses { commit: "abc", page: 1 },
            Call::EditComment(9),
            Call::Labels { page: 1 },
            Call::OwnersLabels { page: 1 },
            Call::RequestReviewers(7),
            Call::Ourselves,
            Call::Owner,
        ]
    }

    #[test]
    fn these_and_no_other_requests_can_be_built() {
        let repo: RepoName = "o/r".parse().unwrap();
        let built: Vec<String> =
            all().iter().map(|call| format!("{} {}", call.allowed().0, call.path(&repo))).collect();
        assert_eq!(
            built,
            [
                "GET /repos/o/r",
                "GET /repos/o/r/branches/fix/a/b",
                "GET /repos/o/r/pulls?state=open&limit=50&page=2",
                "GET /repos/o/r/pulls/release%2F1/fix/a/b%20c",
                "GET /repos/o/r/pulls/7",
                "POST /repos/o/r/pulls",
                "PATCH /repos/o/r/pulls/7",
                "GET /repos/o/r/issues/7/comments",
                "POST /repos/o/r/issues/7/comments",
                "GET /repos/o/r/commits/abc/statuses?limit=50&page=1",
                "PATCH /repos/o/r/issues/comments/9",
                "GET /repos/o/r/labels?limit=50&page=1",
                "GET /orgs/o/labels?limit=50&page=1",
                "POST /repos/o/r/pulls/7/requested_reviewers",
                "GET /user",
                "GET /users/o",
            ]
        );
    }

    #[test]
    fn a_number_that_is_not_known_yet() {
        let repo: RepoName = "o/r".parse().unwrap();
        assert_eq!(Call::Comment(0).path(&repo), "/repos/o/r/issues/{index}/comments");
    }

    #[test]
    fn every_row_has_one_call() {
        for (call, row) in all().iter().zip(&ALLOWED) {
            assert_eq!(call.allowed(), row);
        }
    }
}
