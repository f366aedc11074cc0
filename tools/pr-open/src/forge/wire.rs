//! The answers of Gitea and Forgejo. They are read leniently: absent and null are the same, unknown fields are skipped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{Pull, Status, marker};

fn or_default<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Repository {
    #[serde(deserialize_with = "or_default")]
    pub id: u64,
    #[serde(deserialize_with = "or_default")]
    pub default_branch: String,
    #[serde(deserialize_with = "or_default")]
    pub archived: bool,
    #[serde(deserialize_with = "or_default")]
    pub mirror: bool,
    #[serde(deserialize_with = "or_default")]
    pub empty: bool,
    pub has_pull_requests: Option<bool>,
    pub permissions: Option<Permissions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Permissions {
    #[serde(deserialize_with = "or_default")]
    pub push: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Branch {
    #[serde(deserialize_with = "or_default")]
    pub protected: bool,
    /// Absent where a forge does not say it.
    pub user_can_push: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    pub user_can_merge: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PullRequest {
    #[serde(deserialize_with = "or_default")]
    pub number: u64,
    #[serde(deserialize_with = "or_default")]
    pub html_url: String,
    #[serde(deserialize_with = "or_default")]
    pub title: String,
    #[serde(deserialize_with = "or_default")]
    pub body: String,
    #[serde(deserialize_with = "or_default")]
    pub state: String,
    #[serde(deserialize_with = "or_default")]
    pub merged: bool,
    #[serde(deserialize_with = "or_default")]
    pub draft: bool,
    #[serde(deserialize_with = "or_default")]
    pub labels: Vec<Label>,
    #[serde(deserialize_with = "or_default")]
    pub base: End,
    #[serde(deserialize_with = "or_default")]
    pub head: End,
}

/// The base or head of a pull request. `label` is the branch's name even when the branch is gone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct End {
    #[serde(deserialize_with = "or_default")]
    pub label: String,
    #[serde(deserialize_with = "or_default", rename = "ref")]
    pub reference: String,
    #[serde(deserialize_with = "or_default")]
    pub sha: String,
    #[serde(deserialize_with = "or_default")]
    pub repo_id: i64,
}

impl PullRequest {
    /// Converts it to the form that all forges share.
    #[must_use]
    pub fn into_pull(self) -> Pull {
        let (body, marker) = marker::split(&self.body);
        Pull {
            asked: marker.filter(|marker| marker.head == self.head.sha),
            number: self.number,
            url: self.html_url,
            title: self.title,
            body,
            branch: self.head.label,
            same_repo: self.head.repo_id == self.base.repo_id,
            head: self.head.sha,
            base: self.base.reference,
            open: self.state == "open",
            merged: self.merged,
            fetch: format!("refs/pull/{}/head", self.number),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Label {
    #[serde(deserialize_with = "or_default")]
    pub id: i64,
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    #[serde(deserialize_with = "or_default")]
    pub id: u64,
    #[serde(deserialize_with = "or_default")]
    pub html_url: String,
    #[serde(deserialize_with = "or_default")]
    pub body: String,
    #[serde(deserialize_with = "or_default")]
    pub created_at: String,
    #[serde(deserialize_with = "or_default")]
    pub user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    #[serde(deserialize_with = "or_default")]
    pub login: String,
}

/// What a forge says of a token, where it says anything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Token {
    #[serde(deserialize_with = "or_default")]
    pub scopes: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub user: User,
}

/// A commit status. In lists its field is called `status`, elsewhere `state`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CommitStatus {
    #[serde(deserialize_with = "or_default")]
    pub id: u64,
    #[serde(deserialize_with = "or_default", alias = "state")]
    pub status: String,
    #[serde(deserialize_with = "or_default")]
    pub context: String,
    pub description: Option<String>,
    pub target_url: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub created_at: String,
}

impl From<CommitStatus> for Status {
    fn from(status: CommitStatus) -> Self {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            id: status.id,
            context: status.context,
            state: status.status,
            description: filled(status.description),
            url: filled(status.target_url),
            created: status.created_at,
        }
    }
}

/// Longest message of a forge that is quoted, in characters.
const MESSAGE: usize = 300;

/// The message in an error answer, shortened: from the forge's JSON, or else the text, which may be a proxy's.
#[must_use]
pub fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct ApiError {
        message: String,
    }
    let text = match serde_json::from_slice::<ApiError>(body) {
        Ok(error) => error.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MESSAGE).collect()
}

/// Reads `answer` as every kind of answer and checks invariants; an entry point for property tests and fuzzing.
#[doc(hidden)]
pub fn read_anything(answer: &[u8]) {
    let statuses = serde_json::from_slice::<Vec<CommitStatus>>(answer).unwrap_or_default();
    let statuses: Vec<Status> = statuses.into_iter().map(Status::from).collect();
    let judged = crate::checks::judge(&statuses, 0, &[]);
    assert!(judged.contexts.len() <= statuses.len(), "no more than were read");
    let _ = serde_json::from_slice::<Token>(answer);
    let short = message(answer);
    assert!(short.chars().count() <= MESSAGE && !short.contains(char::is_control), "one short line");
    let pulls = serde_json::from_slice::<Vec<PullRequest>>(answer).unwrap_or_default();
    for pull in pulls.into_iter().chain(serde_json::from_slice::<PullRequest>(answer)) {
        let pull = pull.into_pull();
        if let Some(asked) = &pull.asked {
            let (body, again) = marker::split(&asked.on(&pull.body));
            assert!(body == pull.body && again.as_ref() == Some(asked), "a marker is read as it was written");
        }
    }
    let _ = serde_json::from_slice::<Repository>(answer);
    let _ = serde_json::from_slice::<Branch>(answer);
    let _ = serde_json::from_slice::<Vec<Label>>(answer);
    let _ = serde_json::from_slice::<Vec<Comment>>(answer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nulls_and_strangers_are_no_trouble() {
        let text = r#"{"number":3,"title":null,"state":"open","new":{"x":[1]},
            "head":{"label":"fix/a/b","sha":"abc","repo_id":5,"repo":null},"base":{"ref":"main","repo_id":5}}"#;
        let pull = serde_json::from_str::<PullRequest>(text).unwrap().into_pull();
        assert_eq!(
            (pull.number, pull.branch.as_str(), pull.open, pull.same_repo),
            (3, "fix/a/b", true, true)
        );
    }

    #[test]
    fn messages_are_one_short_line() {
        assert_eq!(message(br#"{"message":"no\nway","url":"x"}"#), "no way");
        assert_eq!(message(b"<html>\n  502 </html>"), "<html> 502 </html>");
        assert!(message(&[b'x'; 10_000]).len() <= 300);
    }

    /// Mostly valid JSON with the fields that are read, and arbitrary values in them.
    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let text = "(<!-- redfix-run )?[a-z=0-9 ]{0,20}( -->)?|.{0,9}";
        let value = prop_oneof![
            Just("null".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<bool>().prop_map(|b| b.to_string()),
            text.prop_map(|text| serde_json::Value::from(text).to_string()),
        ];
        let names: &'static [&str] =
            &["id", "number", "state", "status", "body", "title", "context", "message", "labels", "sha"];
        let fields = proptest::collection::vec((proptest::sample::select(names), value), 0..6);
        let object = fields.prop_map(|fields| {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            format!("{{{},\"head\":{{{}}}}}", fields.join(","), fields.join(",")).replace("{,", "{")
        });
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            object.clone().prop_map(String::into_bytes),
            proptest::collection::vec(object, 0..4)
                .prop_map(|all| format!("[{}]", all.join(",")).into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn no_answer_makes_us_fall_over(answer in answers()) {
            read_anything(&answer);
        }
    }
}
