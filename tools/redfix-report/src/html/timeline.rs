//! Draws all runs over time as inline SVG, each with its teardown. Runs at the same time are in different lanes. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;

use super::draw::escaped;
use crate::duration::duration;
use crate::row::{Row, RunRow};

const WIDTH: f64 = 1000.0;
const LANE: usize = 18;
/// How many runs are drawn, the newest ones.
const MOST: usize = 500;

struct Bar<'a> {
    start: i64,
    /// Milliseconds of the run, and of the run with its teardown.
    run: i64,
    whole: i64,
    recipe: &'a str,
    row: &'a RunRow,
}

/// The drawing; `None` if no run has a time.
pub fn draw(rows: &[Row]) -> Option<String> {
    let mut bars: BTreeMap<(i64, &str), Bar> = BTreeMap::new();
    for row in rows {
        for run in &row.runs {
            let Ok(start) = run.started.parse::<Timestamp>() else { continue };
            let length = i64::try_from(run.duration_ms).unwrap_or(i64::MAX / 4);
            let whole = length.saturating_add(i64::try_from(run.teardown_ms).unwrap_or(i64::MAX / 4));
            let start = start.as_millisecond();
            bars.insert(
                (start, &run.attempt),
                Bar { start, run: length, whole, recipe: &row.recipe, row: run },
            );
        }
    }
    let bars: Vec<Bar> = bars.into_values().collect();
    let bars = &bars[bars.len().saturating_sub(MOST)..];
    let first = bars.first()?.start;
    let end = bars.iter().map(|bar| bar.start.saturating_add(bar.whole)).max()?.max(first + 1);
    #[allow(clippy::cast_precision_loss)] // milliseconds of days
    let x = |at: i64| WIDTH * (at - first) as f64 / (end - first) as f64;
    // Each run takes the first lane that is free when it starts.
    let mut lanes: Vec<i64> = Vec::new();
    let mut body = String::new();
    for bar in bars {
        let lane = lanes.iter().position(|free| *free <= bar.start).unwrap_or_else(|| {
            lanes.push(0);
            lanes.len() - 1
        });
        lanes[lane] = bar.start.saturating_add(bar.whole);
        let kind = match bar.row.outcome.as_str() {
            "pass" => "good",
            "fail" | "timeout" => "bad",
            _ => "none",
        };
        let (from, run) = (x(bar.start), x(bar.start.saturating_add(bar.run)));
        let over = x(bar.start.saturating_add(bar.whole));
        let title = [bar.recipe, &bar.row.condition, &bar.row.fix, &bar.row.outcome, &bar.row.took]
            .map(escaped)
            .join(" ");
        let y = lane * LANE + 2;
        let _ = write!(
            body,
            "<g class=\"{kind}\"><title>{title}, torn down in {}</title><rect x=\"{from:.2}\" y=\"{y}\" width=\"{:.2}\" height=\"12\"/><rect class=\"teardown\" x=\"{run:.2}\" y=\"{}\" width=\"{:.2}\" height=\"6\"/></g>",
            duration(bar.row.teardown_ms),
            (run - from).max(1.5),
            y + 3,
            (over - run).max(0.0)
        );
    }
    let height = lanes.len() * LANE + 20;
    let length = duration(u64::try_from(end - first).unwrap_or_default());
    let label = format!("{} runs in {length}, at most {} at once", bars.len(), lanes.len());
    Some(format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH:.0} {height}\" role=\"img\" aria-label=\"{label}\">{body}<text x=\"0\" y=\"{0}\">{1}</text><text x=\"{WIDTH:.0}\" y=\"{0}\" text-anchor=\"end\">+ {length}</text></svg>",
        height - 4,
        escaped(&bars.first()?.row.started)
    ))
}
