//! Sockets between a tool and the engine that stall, break off or send nonsense: the tool exits in time with a documented
//! code, and what it made on the real swarm can be found and removed.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use e2e::bench::Dice;

use crate::ground::{Outcome, ensure, ledger, plain, run};
use crate::lease::Holder;

#[derive(Clone, Copy)]
enum Break {
    Silence,
    HangUp,
    Nonsense,
}

/// A socket in front of the engine. Each of its connections breaks after so many bytes of the answer.
fn broken(dir: &Path, how: Break, after: u64) -> String {
    let engine = std::env::var("DOCKER_HOST").expect("an engine");
    let engine = engine.strip_prefix("unix://").expect("a socket").to_owned();
    let path = dir.join("broken.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(engine) = UnixStream::connect(&engine) else { continue };
            std::thread::spawn(move || serve(client, engine, how, after));
        }
    });
    format!("unix://{}", path.display())
}

fn serve(mut client: UnixStream, engine: UnixStream, how: Break, after: u64) {
    let (Ok(mut up), Ok(mut to)) = (client.try_clone(), engine.try_clone()) else { return };
    std::thread::spawn(move || std::io::copy(&mut up, &mut to));
    let copied = std::io::copy(&mut engine.take(after), &mut client).unwrap_or(0);
    if copied < after {
        return;
    }
    match how {
        Break::Silence => {
            // Keep the connection open until the tool closes it.
            let _ = client.set_read_timeout(Some(Duration::from_mins(5)));
            let _ = client.read(&mut [0; 1]);
        }
        Break::HangUp => {}
        Break::Nonsense => {
            let _ = client.write_all(b"\0\xff}}]] HTTP/9.9 700 ??\r\n\r\n");
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
}

pub fn play(dice: &mut Dice) -> Outcome {
    let dir = e2e::folder::Folder::new();
    let how = [Break::Silence, Break::HangUp, Break::Nonsense][usize::try_from(dice.roll(3)).expect("small")];
    let after = if dice.roll(4) == 0 { 0 } else { dice.roll(20_000) };
    let host = broken(dir.path(), how, after);
    let out = dir.path().join("snap").display().to_string();
    let file = dir.path().join("ledger.jsonl");
    let holder = Holder::new(dice);
    let quick = ["--engine-timeout", "400ms"];
    let mut command = match dice.roll(6) {
        0 => plain("log-snap", &["--stack", "nobody", "--idle", "300ms", "--deadline", "1s", "--out", &out]),
        1 => plain("swarm-isolate", &["reap"]),
        2 => plain("swarm-isolate", &["slots"]),
        3 => plain("warm-domain-alloc", &["audit"]),
        4 => plain("warm-domain-alloc", &["gc"]),
        _ => {
            let mut alloc = holder.alloc(2);
            alloc.arg("--ledger").arg(&file);
            alloc
        }
    };
    let ended = run(command.args(quick).env("DOCKER_HOST", host), b"", None)?;
    ended.sane()?;
    ensure(ended.code == Some(0) || !ended.said.is_empty() || ended.code == Some(1), || {
        "it fails in silence".into()
    })?;
    let there = holder.leases()?;
    for record in ledger(&file)?.iter().filter(|record| record["type"] == "domain.leased") {
        ensure(there.contains(&record["domain"].to_string()), || {
            format!("on record, not on the swarm: {record}")
        })?;
    }
    holder.all_given_back()
}
