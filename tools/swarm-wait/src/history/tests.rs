//! `History` tells wedges from slow boots, on a clock that the tests set.

use super::super::facts::{Condition, Mode, Restart};
use super::super::judge::judge;
use super::*;

const LIMITS: Limits = Limits {
    same_error: 3,
    stuck_after: Duration::from_mins(1),
    settle: Duration::from_secs(10),
    idle: Duration::from_mins(5),
    allow_empty: false,
};

fn task(id: &str, state: State, error: &str) -> Task {
    let desired = if state.is_live() { "running" } else { "shutdown" };
    Task {
        id: id.into(),
        slot: "1".into(),
        desired: desired.into(),
        state,
        error: error.into(),
        intended: true,
        lost: false,
        age: Duration::ZERO,
        container: String::new(),
        addresses: vec![],
    }
}

fn service(name: &str, tasks: Vec<Task>) -> Service {
    Service {
        id: name.into(),
        name: name.into(),
        mode: Mode::Replicated(1),
        update: None,
        restart: Restart { condition: Condition::Any, delay: Duration::ZERO },
        leans: None,
        checked: false,
        start_period: Duration::ZERO,
        timeout: Duration::ZERO,
        constraints: String::new(),
        spec: 0,
        ending: false,
        networks: vec!["net".into()],
        tasks,
    }
}

/// Looks at a stack, second by second.
struct Eyes {
    history: History,
    start: Instant,
}

impl Eyes {
    fn new() -> Self {
        let start = Instant::now();
        Self { history: History::new(LIMITS, start), start }
    }

    fn look(&mut self, second: u64, services: &[Service]) -> Option<Stuck> {
        self.look_with(second, services, &HashMap::new())
    }

    fn look_with(
        &mut self,
        second: u64,
        services: &[Service],
        full: &HashMap<String, String>,
    ) -> Option<Stuck> {
        let now = self.start + Duration::from_secs(second);
        let looks: Vec<_> = services.iter().map(|service| (service.clone(), judge(service))).collect();
        self.history.note(&looks, now);
        self.history.stuck(&looks, full, now)
    }

    fn wedge(&mut self, second: u64, services: &[Service]) -> Option<Wedge> {
        self.look(second, services).map(|stuck| stuck.wedge)
    }
}

/// `count` tasks that failed, and the next one, which is on its way.
fn failing(count: usize, error: &str) -> Vec<Task> {
    let mut tasks: Vec<Task> = (0..count).map(|n| task(&format!("t{n}"), State::Failed, error)).collect();
    tasks.push(task(&format!("t{count}"), State::Ready, ""));
    tasks
}

#[test]
fn the_same_error_again_and_again() {
    for (error, wedge) in [
        ("task: non-zero exit (3)", Wedge::CrashLoop),
        ("task: non-zero exit (137): dockerexec: unhealthy container", Wedge::CrashLoop),
        ("invalid mount config for type \"bind\"", Wedge::SameError),
    ] {
        let mut eyes = Eyes::new();
        assert_eq!(eyes.wedge(0, &[service("app", failing(1, error))]), None);
        assert_eq!(eyes.wedge(5, &[service("app", failing(2, error))]), None);
        assert_eq!(eyes.wedge(6, &[service("app", failing(2, error))]), None, "counted once each");
        let stuck = eyes.look(9, &[service("app", failing(3, error))]).unwrap();
        assert_eq!((stuck.wedge, stuck.service.as_deref()), (wedge, Some("app")));
        assert_eq!(stuck.message, format!("{error}, 3 times"));
    }
}

#[test]
fn what_failed_before_is_no_reason_alone() {
    let mut eyes = Eyes::new();
    let app = |count| service("app", failing(count, "task: non-zero exit (1)"));
    assert_eq!(eyes.wedge(0, &[app(4)]), None, "it may be coming up right now");
    assert_eq!(eyes.wedge(60, &[app(4)]), None);
    assert_eq!(eyes.wedge(61, &[app(5)]), Some(Wedge::CrashLoop));
}

#[test]
fn an_app_that_waits_for_its_database_is_no_wedge() {
    let mut eyes = Eyes::new();
    let app = |count| service("app", failing(count, "task: non-zero exit (1)"));
    let db = |state| service("db", vec![task("d", state, "")]);
    assert_eq!(eyes.wedge(0, &[app(0), db(State::Preparing)]), None);
    assert_eq!(eyes.wedge(10, &[app(2), db(State::Preparing)]), None);
    assert_eq!(eyes.wedge(20, &[app(4), db(State::Starting)]), None, "the database got further");
    assert_eq!(eyes.wedge(40, &[app(6), db(State::Running)]), None);
    assert_eq!(eyes.wedge(60, &[app(8), db(State::Running)]), None);
    assert_eq!(
        eyes.wedge(80, &[app(9), db(State::Running)]),
        Some(Wedge::CrashLoop),
        "now nothing else does"
    );
}

#[test]
fn a_missing_image_stays_missing_whatever_else_happens() {
    let mut eyes = Eyes::new();
    let app = |count| service("app", failing(count, "No such image: x:1"));
    let db = |state| service("db", vec![task("d", state, "")]);
    assert_eq!(eyes.wedge(0, &[app(0), db(State::Preparing)]), None);
    assert_eq!(eyes.wedge(10, &[app(1), db(State::Starting)]), None, "it may have been pushed since");
    assert_eq!(eyes.wedge(20, &[app(2), db(State::Running)]), Some(Wedge::ImageMissing));
}

#[test]
fn ever_other_errors_are_a_crash_loop_too() {
    let mut eyes = Eyes::new();
    // The errors differ in words, because errors that differ only in numbers are of one kind.
    let words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
    let tasks = |count: usize| {
        (0..count)
            .map(|n| task(words[n], State::Failed, words[n]))
            .chain([task("now", State::Ready, "")])
            .collect()
    };
    assert_eq!(eyes.wedge(0, &[service("app", tasks(5))]), None);
    assert_eq!(eyes.wedge(1, &[service("app", tasks(6))]), Some(Wedge::CrashLoop));
}

#[test]
fn no_node_and_no_address() {
    let no_node = "no suitable node (insufficient resources on 1 node)";
    let full = HashMap::from([("net".to_owned(), "proxy 10.0.0.0/28: 13 of 13 in use".to_owned())]);
    let nothing = HashMap::new();
    for (state, error, full, wedge) in [
        (State::Pending, no_node, &nothing, Some(Wedge::NoSuitableNode)),
        (State::New, "", &nothing, Some(Wedge::NoFreeAddress)),
        (State::Preparing, "", &full, Some(Wedge::NoFreeAddress)),
        (State::Preparing, "", &nothing, None),
        (State::Starting, "", &full, None),
    ] {
        let mut eyes = Eyes::new();
        let app = [service("app", vec![task("t", state, error)])];
        assert_eq!(eyes.look_with(0, &app, full), None);
        assert_eq!(eyes.look_with(59, &app, full), None, "{state:?}: it may pass");
        let stuck = eyes.look_with(61, &app, full);
        assert_eq!(stuck.as_ref().map(|stuck| stuck.wedge), wedge, "{state:?}");
        if state == State::Preparing && wedge.is_some() {
            assert!(stuck.unwrap().message.contains("13 of 13"));
        }
    }
}

#[test]
fn a_service_that_may_not_restart_has_given_up() {
    let mut eyes = Eyes::new();
    let app = [service("app", vec![task("t", State::Failed, "task: non-zero exit (1)")])];
    assert_eq!(eyes.wedge(0, &app), None);
    let stuck = eyes.look(11, &app).unwrap();
    assert_eq!(stuck.wedge, Wedge::GaveUp);
    assert!(
        stuck.message.starts_with("task: non-zero exit (1), and its restart policy"),
        "{}",
        stuck.message
    );
    let mut eyes = Eyes::new();
    let restarting = [service("app", failing(1, "task: non-zero exit (1)"))];
    assert!((0..200).all(|second| eyes.wedge(second, &restarting).is_none()), "its next task is there");
    let mut eyes = Eyes::new();
    assert!(
        (0..200).all(|second| eyes.wedge(second, &[service("app", vec![])]).is_none()),
        "nothing has ended"
    );
}

#[test]
fn silence_is_a_wedge_and_a_slow_boot_is_not() {
    let booting =
        |period| [Service { start_period: period, ..service("app", vec![task("t", State::Starting, "")]) }];
    let mut eyes = Eyes::new();
    assert_eq!(eyes.wedge(0, &booting(Duration::ZERO)), None);
    assert_eq!(eyes.wedge(299, &booting(Duration::ZERO)), None);
    let stuck = eyes.look(300, &booting(Duration::ZERO)).unwrap();
    assert_eq!((stuck.wedge, stuck.service.as_deref()), (Wedge::Idle, Some("app")));
    assert!(stuck.message.contains("1 starting"), "{}", stuck.message);

    let mut eyes = Eyes::new();
    let slow = booting(Duration::from_mins(20));
    assert_eq!(eyes.wedge(0, &slow), None);
    assert_eq!(eyes.wedge(1499, &slow), None, "its health check promised 20 minutes");
    assert_eq!(eyes.wedge(1500, &slow), Some(Wedge::Idle));

    let mut eyes = Eyes::new();
    let app = booting(Duration::ZERO);
    assert_eq!(eyes.wedge(0, &app), None);
    for (at, second) in (10..3000).step_by(10).enumerate() {
        let words = ["migrating", "compiling", "seeding", "linking", "booting"];
        let line = format!("{} table {}", words[at % 5], "x".repeat(at));
        let now = eyes.start + Duration::from_secs(second);
        eyes.history.note_line("app", line.as_bytes(), now);
        assert_eq!(eyes.wedge(second, &app), None, "it says new things");
    }

    let mut eyes = Eyes::new();
    assert_eq!(eyes.wedge(0, &app), None);
    let mut wedged = None;
    for second in (10..3000).step_by(10) {
        let at = eyes.start + Duration::from_secs(second);
        let line =
            format!("2026-06-17T23:{:02}:{:02}Z waiting for db, try {second}", second / 60 % 60, second % 60);
        eyes.history.note_line("app", line.as_bytes(), at);
        wedged = wedged.or(eyes.wedge(second, &app).map(|_| second));
    }
    assert_eq!(wedged, Some(310), "the same line with other numbers is nothing new");
}

#[test]
fn after_a_failure_up_must_last() {
    let mut eyes = Eyes::new();
    let now = |second| Duration::from_secs(second);
    let app = service("app", vec![task("a", State::Failed, "x"), task("b", State::Running, "")]);
    eyes.look(0, std::slice::from_ref(&app));
    assert!(!eyes.history.is_settled(&app, eyes.start + now(9)));
    assert!(eyes.history.is_settled(&app, eyes.start + now(10)));
    let app = service(
        "app",
        vec![task("a", State::Failed, "x"), task("b", State::Failed, "x"), task("c", State::Running, "")],
    );
    eyes.look(12, std::slice::from_ref(&app));
    assert!(!eyes.history.is_settled(&app, eyes.start + now(13)), "another one: from the beginning");
}

#[test]
fn a_first_task_counts_once_it_stands_or_is_healthy() {
    let mut eyes = Eyes::new();
    let now = |second| Duration::from_secs(second);
    let never = service("db", vec![task("d", State::Running, "")]);
    let checked = Service { checked: true, ..service("app", vec![task("a", State::Running, "")]) };
    eyes.look(0, &[never.clone(), checked.clone()]);
    assert!(!eyes.history.is_settled(&never, eyes.start + now(4)), "a crash loop looks the same so far");
    assert!(eyes.history.is_settled(&never, eyes.start + now(5)));
    assert!(eyes.history.is_settled(&checked, eyes.start));
}

#[test]
fn what_waiting_cannot_cure_is_told_at_once() {
    for (state, error, wedge) in [
        (
            State::Pending,
            "no suitable node (scheduling constraints not satisfied on 1 node)",
            Wedge::NoSuitableNode,
        ),
        (State::Pending, "no suitable node (host-mode port already in use on 1 node)", Wedge::NoSuitableNode),
        (
            State::Preparing,
            "failed to resolve reference \"r.example/x:1\": failed to do request: dial tcp: lookup r.example: no such host",
            Wedge::ImageMissing,
        ),
    ] {
        let mut eyes = Eyes::new();
        let app = [service("app", vec![task("t", state, error)])];
        assert_eq!(eyes.wedge(0, &app), None);
        assert_eq!(eyes.wedge(4, &app), None);
        assert_eq!(eyes.wedge(6, &app), Some(wedge), "{error}");
    }
    let mut eyes = Eyes::new();
    let port = "no suitable node (host-mode port already in use on 1 node)";
    let app = [Service { ending: true, ..service("app", vec![task("t", State::Pending, port)]) }];
    assert!((0..60).all(|second| eyes.wedge(second, &app).is_none()), "its predecessor still holds the port");
    let mut eyes = Eyes::new();
    let update = Some(("updating".to_owned(), String::new()));
    let app = [Service { update, ..service("app", vec![task("t", State::Pending, port)]) }];
    assert!((0..60).all(|second| eyes.wedge(second, &app).is_none()), "so does the task that it replaces");
}

#[test]
fn a_global_service_that_no_node_fits() {
    let mut eyes = Eyes::new();
    let constraints = "node.labels.disk==fast".to_owned();
    let app = [Service { mode: Mode::Global, constraints, ..service("app", vec![]) }];
    assert_eq!(eyes.wedge(0, &app), None);
    let stuck = eyes.look(6, &app).unwrap();
    assert_eq!(stuck.wedge, Wedge::NoSuitableNode);
    assert!(stuck.message.contains("node.labels.disk==fast"), "{}", stuck.message);
}

#[test]
fn a_command_that_ends_with_0_again_and_again_is_a_crash_loop() {
    let turns = |count: usize, state| {
        let mut tasks: Vec<Task> = (0..count).map(|n| task(&format!("t{n}"), State::Complete, "")).collect();
        tasks.push(task(&format!("t{count}"), state, ""));
        [service("app", tasks)]
    };
    let mut eyes = Eyes::new();
    assert_eq!(eyes.wedge(0, &turns(0, State::Running)), None);
    assert_eq!(eyes.wedge(8, &turns(2, State::Running)), None);
    assert!(!eyes.history.is_settled(&turns(2, State::Running)[0], eyes.start + Duration::from_secs(9)));
    assert_eq!(eyes.wedge(12, &turns(3, State::Ready)), Some(Wedge::CrashLoop));
}

#[test]
fn a_process_that_ends_stays_ended_with_on_failure() {
    for (condition, leans) in [(Condition::OnFailure, None), (Condition::None, Some("it publishes a port"))] {
        let mut eyes = Eyes::new();
        let restart = Restart { condition, delay: Duration::ZERO };
        let ended = task("t", State::Complete, "");
        let app = [Service { restart, leans: leans.map(Into::into), ..service("app", vec![ended]) }];
        assert_eq!(eyes.wedge(0, &app), None);
        let stuck = eyes.look(6, &app).unwrap();
        assert_eq!(stuck.wedge, Wedge::GaveUp);
        assert!(
            stuck.message.starts_with("its command ended with 0, and its restart policy ("),
            "{}",
            stuck.message
        );
        assert_eq!(stuck.message.contains("publishes"), leans.is_some(), "{}", stuck.message);
    }
}

#[test]
fn nothing_asked_is_not_up() {
    let mut eyes = Eyes::new();
    let off = Service { mode: Mode::Replicated(0), ..service("app", vec![]) };
    assert_eq!(eyes.wedge(0, std::slice::from_ref(&off)), None, "the next service may be on its way");
    assert_eq!(eyes.wedge(3, std::slice::from_ref(&off)), Some(Wedge::NothingAsked));
    let on = service("db", vec![task("d", State::Running, "")]);
    assert_eq!(Eyes::new().wedge(30, &[off, on]), None, "one of several may be switched off");
}

#[test]
fn a_loop_must_stand_for_longer_than_its_tasks_lived() {
    let lived = |id: &str| Task { age: Duration::from_secs(12), ..task(id, State::Failed, "x") };
    let app = service("app", vec![lived("a"), task("b", State::Running, "")]);
    let mut eyes = Eyes::new();
    eyes.look(0, std::slice::from_ref(&app));
    assert!(!eyes.history.is_settled(&app, eyes.start + Duration::from_secs(17)));
    assert!(eyes.history.is_settled(&app, eyes.start + Duration::from_secs(18)));
    assert_eq!(eyes.history.restarts("app"), 1);
    let patient =
        Service { restart: Restart { condition: Condition::Any, delay: Duration::from_secs(40) }, ..app };
    assert!(!eyes.history.is_settled(&patient, eyes.start + Duration::from_secs(39)));
}

#[test]
fn the_recipes_own_timeout_bounds_silence() {
    let pulling = |timeout| [Service { timeout, ..service("app", vec![task("t", State::Preparing, "")]) }];
    let mut eyes = Eyes::new();
    let slow = pulling(Duration::from_mins(20));
    assert_eq!(eyes.wedge(0, &slow), None);
    assert_eq!(eyes.wedge(1199, &slow), None, "the recipe asks for 20 minutes");
    assert_eq!(eyes.wedge(1200, &slow), Some(Wedge::Idle));
}

#[test]
fn an_update_by_somebody_else_is_told() {
    let mut eyes = Eyes::new();
    let app = |spec| [Service { spec, ..service("app", vec![task("t", State::Running, "")]) }];
    eyes.look(0, &app(1));
    assert!(eyes.history.told().is_empty());
    eyes.look(1, &app(2));
    assert_eq!(eyes.history.told(), ["app was updated meanwhile: its new tasks are waited for"]);
}
