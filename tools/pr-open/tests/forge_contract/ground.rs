//! A forge with one repository, its owner Ann, and a bot that may write to it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fake::{Fake, TOKEN, Who, bot};
use crate::fixture::World;
use crate::wire::{Answer, As, ask};

const SCOPES: [&str; 3] = ["write:repository", "write:issue", "read:user"];
const PASSWORD: &str = "Fig-1-leaf-2-stone";

pub struct Ground {
    pub url: String,
    pub owner: String,
    pub repo: String,
    pub bot_login: String,
    /// The bot's token.
    pub bot: String,
    /// Ann's.
    pub ann: String,
    pub world: World,
    place: Place,
}

enum Place {
    Test(Fake),
    /// The administrator's token.
    Real(String),
}

impl Ground {
    pub fn of_the_test_forge() -> Self {
        let world = World::new();
        let fake = Fake::new(world.bare());
        let ann = Who { login: "ann".into(), ..bot(&SCOPES.join(" ")) };
        fake.state().users.insert("anns-token".into(), ann);
        Self {
            url: fake.url.clone(),
            owner: "o".into(),
            repo: "n".into(),
            bot_login: "bot".into(),
            bot: TOKEN.into(),
            ann: "anns-token".into(),
            world,
            place: Place::Test(fake),
        }
    }

    /// Makes users and a repository of names that nobody has.
    pub fn of_a_real_forge(url: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let file =
            std::env::var("REDFIX_TEST_FORGE_TOKEN").expect("REDFIX_TEST_FORGE_TOKEN names the token's file");
        let admin = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        let id = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (owner, bot_login) = (format!("ann-{id}"), format!("bot-{id}"));
        let mut ground = Self {
            url: url.trim_end_matches('/').into(),
            owner,
            repo: "n".into(),
            bot_login,
            bot: String::new(),
            ann: String::new(),
            world: World::new(),
            place: Place::Real(admin),
        };
        for login in [&ground.owner, &ground.bot_login] {
            let user = json!({"username": login, "email": format!("{login}@example.org"), "password": PASSWORD,
                "must_change_password": false});
            ground.admin("POST", "/admin/users", &user, 201);
        }
        ground.ann = ground.token_of(&ground.owner, &SCOPES);
        ground.bot = ground.token_of(&ground.bot_login, &SCOPES);
        let made = ground.token_of(&ground.owner, &["write:user", "write:repository"]);
        let repo = json!({"name": ground.repo, "default_branch": "main"});
        let answer = ask("POST", &ground.api("/user/repos"), As::Token(&made), Some(&repo));
        assert_eq!(answer.status, 201, "{}", answer.text);
        let path = ground.path(&format!("/collaborators/{}", ground.bot_login));
        let answer = ask("PUT", &path, As::Token(&ground.ann), Some(&json!({"permission": "write"})));
        assert_eq!(answer.status, 204, "{}", answer.text);
        ground.git(&ground.ann, &["push", "-q", &ground.remote(&ground.ann), "main"]);
        // Right after the first push a forge may answer with its own trouble for a moment.
        ground.until("the base is there", || ground.get("/branches/main").status == 200);
        ground
    }

    fn admin(&self, method: &str, path: &str, body: &Value, status: u16) {
        let Place::Real(admin) = &self.place else { return };
        let answer = ask(method, &self.api(path), As::Token(admin), Some(body));
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }

    fn token_of(&self, login: &str, scopes: &[&str]) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let body = json!({"name": format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed)), "scopes": scopes});
        let path = self.api(&format!("/users/{login}/tokens"));
        let answer = ask("POST", &path, As::Password(login, PASSWORD), Some(&body));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.body["sha1"].as_str().unwrap().to_owned()
    }

    /// Another token of the bot, with these scopes and no others.
    pub fn token(&self, scopes: &[&str]) -> String {
        match &self.place {
            Place::Real(_) => self.token_of(&self.bot_login, scopes),
            Place::Test(fake) => {
                let token = format!("of-{}", scopes.join("-").replace(':', "-"));
                fake.state().users.insert(token.clone(), bot(&scopes.join(" ")));
                token
            }
        }
    }

    pub fn api(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.url)
    }

    /// Of something below the repository.
    pub fn path(&self, below: &str) -> String {
        self.api(&format!("/repos/{}/{}{below}", self.owner, self.repo))
    }

    pub fn get(&self, below: &str) -> Answer {
        ask("GET", &self.path(below), As::Token(&self.bot), None)
    }

    pub fn send(&self, method: &str, below: &str, body: &Value) -> Answer {
        ask(method, &self.path(below), As::Token(&self.bot), Some(body))
    }

    /// Opens one from this branch; returns its number.
    pub fn open(&self, branch: &str) -> u64 {
        let body = json!({"base": "main", "head": branch, "title": "t", "body": "b"});
        let answer = self.send("POST", "/pulls", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.body["number"].as_u64().unwrap()
    }

    pub fn remote(&self, token: &str) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        format!("{scheme}://redfix:{token}@{rest}/{}/{}.git", self.owner, self.repo)
    }

    fn seed(&self) -> PathBuf {
        self.world.path("seed")
    }

    fn git(&self, _token: &str, args: &[&str]) {
        self.world.git_in(&self.seed(), args);
    }

    /// What git says of this repository of the owner's when it fails, the token being sent with the first request, as the
    /// tool sends it.
    pub fn git_says(&self, token: &str, repo: &str, args: &[&str]) -> Output {
        let basic = STANDARD.encode(format!("redfix:{token}"));
        Command::new("git")
            .current_dir(self.seed())
            .args(["-c", "http.followRedirects=false", "-c"])
            .arg(format!("http.extraHeader=Authorization: Basic {basic}"))
            .args(args)
            .arg(format!("{}/{}/{repo}.git", self.url, self.owner))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }

    /// A commit on a branch of its own, pushed by the bot.
    pub fn push(&self, branch: &str, text: &str) -> String {
        let seed = self.seed();
        self.world.git_in(&seed, &["checkout", "-q", "-B", "work", "main"]);
        std::fs::write(seed.join("mumble/lifecycle"), format!("{text}\n")).unwrap();
        self.world.git_in(&seed, &["commit", "-q", "-am", text]);
        let commit = self.world.git_in(&seed, &["rev-parse", "HEAD"]);
        let to = format!("HEAD:refs/heads/{branch}");
        self.git(&self.bot, &["push", "-q", "-f", &self.remote(&self.bot), &to]);
        self.world.git_in(&seed, &["checkout", "-q", "main"]);
        self.until("the branch is there", || self.get(&format!("/branches/{branch}")).status == 200);
        commit
    }

    pub fn delete(&self, branch: &str) {
        let remote = self.remote(&self.bot);
        self.git(&self.bot, &["push", "-q", &remote, &format!(":refs/heads/{branch}")]);
    }

    pub fn status(&self, commit: &str, context: &str, state: &str) {
        match &self.place {
            Place::Test(fake) => fake.state().put_status(commit, context, state),
            Place::Real(_) => {
                let body = json!({"context": context, "state": state, "target_url": "https://ci.example/1"});
                let answer = self.send("POST", &format!("/statuses/{commit}"), &body);
                assert_eq!(answer.status, 201, "{}", answer.text);
            }
        }
    }

    /// Protects a branch, with the bot on the list of those who may push, or with nobody.
    pub fn protect(&self, branch: &str, on_list: bool) {
        match &self.place {
            Place::Test(fake) => {
                let name: &'static str = Box::leak(branch.to_owned().into_boxed_str());
                let mut state = fake.state();
                (state.traps.protected, state.traps.on_push_list) = (Some(name), on_list);
            }
            Place::Real(_) => {
                let names: Vec<&str> = on_list.then_some(&*self.bot_login).into_iter().collect();
                let body = json!({"rule_name": branch, "enable_push": on_list, "enable_push_whitelist": on_list,
                    "push_whitelist_usernames": names});
                let answer =
                    ask("POST", &self.path("/branch_protections"), As::Token(&self.ann), Some(&body));
                assert_eq!(answer.status, 201, "{}", answer.text);
            }
        }
    }

    /// The repository gets another name; it is asked for by the old one from then on.
    pub fn rename(&self) {
        match &self.place {
            Place::Test(fake) => fake.state().traps.renamed = Some(301),
            Place::Real(_) => {
                let answer =
                    ask("PATCH", &self.path(""), As::Token(&self.ann), Some(&json!({"name": "new"})));
                assert_eq!(answer.status, 200, "{}", answer.text);
            }
        }
    }

    /// Waits until a forge that works on its own has done what it does.
    pub fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = std::time::Instant::now();
        while !is_so() {
            assert!(start.elapsed().as_secs() < 60, "{}: {what}: not after 60 s", self.url);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let Place::Real(admin) = &self.place else { return };
        for login in [&self.owner, &self.bot_login] {
            let url = self.api(&format!("/admin/users/{login}?purge=true"));
            let answer = ask("DELETE", &url, As::Token(admin), None);
            // A second failure while a test falls over would hide the first.
            assert!(std::thread::panicking() || answer.status == 204, "{login}: {}", answer.text);
        }
    }
}
