//! Measures how fast the redactor is on one core, over ordinary log text most of which has nothing to redact.
//! Prints one number: MiB per second.

#![allow(clippy::print_stdout)] // this program exists to print one number

use std::fmt::Write as _;

use lib_common::redact::Redactor;
use rustix::time::{ClockId, clock_gettime};

const SIZE: usize = 64 << 20;
const BLOCK: usize = 256 << 10;

/// Log text of access lines, application lines and JSON in turns. Of 50 lines two hold something to redact.
fn text() -> String {
    let mut text = String::with_capacity(SIZE + 512);
    let mut n = 0u64;
    while text.len() < SIZE {
        n += 1;
        // A hash of the line number (the multiplier is that of Knuth's MMIX): varied, and the same in every run.
        let r = n.wrapping_mul(6_364_136_223_846_793_005) >> 33;
        let written = match n % 50 {
            0 => writeln!(text, "db connect url=postgres://app:hunter{}@db:5432/app", r % 100),
            7 => writeln!(text, "retrying with password s3cr3t-number-{} for the user", n % 20),
            m if m % 3 == 0 => writeln!(
                text,
                "10.0.{}.{} - - [12/Mar/2026:10:00:{:02}] \"GET /api/v1/items/{r} HTTP/1.1\" 200 {} \"https://www.example.org/list?page={}\" \"Mozilla/5.0\"",
                r % 256,
                n % 256,
                n % 60,
                r % 50_000,
                n % 99
            ),
            m if m % 3 == 1 => writeln!(
                text,
                "2026-03-12T10:00:00.{:06}Z INFO  app::worker: job {r} of queue default done in {} ms, {} left",
                n % 1_000_000,
                r % 900,
                n % 77
            ),
            _ => writeln!(
                text,
                "{{\"level\":\"info\",\"msg\":\"request finished\",\"path\":\"/x/{r}\",\"status\":200,\"elapsed\":{}.{}}}",
                r % 9,
                n % 999
            ),
        };
        if written.is_err() {
            break;
        }
    }
    text
}

/// CPU seconds that this thread has used. Wall-clock time would include the time that other processes took.
fn core_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let seconds = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    seconds
}

fn main() {
    let secrets: Vec<String> = (0..20).map(|n| format!("s3cr3t-number-{n}")).collect();
    let redactor = Redactor::new(&secrets);
    let text = text();
    let mut best = 0.0f64;
    for _ in 0..3 {
        let (mut fork, mut out) = (redactor.fork(), Vec::with_capacity(2 * BLOCK));
        let began = core_seconds();
        for block in text.as_bytes().chunks(BLOCK) {
            out.clear();
            fork.push(block, &mut out);
        }
        #[allow(clippy::cast_precision_loss)] // the size in MiB is far below 2^52
        let rate = (text.len() >> 20) as f64 / (core_seconds() - began);
        best = best.max(rate);
        assert!(fork.counts().values().sum::<u64>() > 1000, "the secrets were found");
    }
    println!("{best:.0}");
}
