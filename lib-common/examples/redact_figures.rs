//! How well the redactor does on the two corpora: prints a JSON object with the number of lines of each, the share of
//! secrets that were hidden and the share of harmless lines that were changed, in percent.

#![allow(clippy::print_stdout)] // the numbers are what it is for

#[path = "../tests/support/corpus.rs"]
mod corpus;

use corpus::{Figure, HALVES, harmless, recall};

fn main() {
    let all = |run: fn(&str) -> Figure| {
        HALVES.into_iter().fold(Figure::default(), |mut all, half| {
            let figure = run(half);
            all.lines += figure.lines;
            all.wrong.extend(figure.wrong);
            all
        })
    };
    let (secret, harmless) = (all(recall), all(harmless));
    println!(
        "{{\"secret_lines\":{},\"hidden\":{:.3},\"harmless_lines\":{},\"changed\":{:.3}}}",
        secret.lines,
        secret.right(),
        harmless.lines,
        100.0 - harmless.right()
    );
}
