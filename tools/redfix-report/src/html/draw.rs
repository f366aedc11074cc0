//! Draws one case as inline SVG: its runs as a strip of cells, and its evidence as lines over the runs. Pure.

use std::fmt::Write;

use crate::row::{RunRow, Trace};

const CELL: usize = 14;
/// The plot's inner size.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 140.0;
/// Largest ratio on the scale; larger ones are drawn at the edge.
const MOST: f64 = 1000.0;

/// One cell per run. Its outcome is shown by shape and colour, and loaded runs stand lower.
pub fn strip(runs: &[RunRow]) -> String {
    let width = runs.len().max(1) * CELL;
    let count = |outcome: &str| runs.iter().filter(|run| run.outcome == outcome).count();
    let label = format!("{} runs: {} pass, {} fail", runs.len(), count("pass"), count("fail"));
    let mut out = format!(
        "<svg class=\"strip\" width=\"{width}\" height=\"26\" viewBox=\"0 0 {width} 26\" role=\"img\" aria-label=\"{label}\">"
    );
    for (n, run) in runs.iter().enumerate() {
        let (x, y) = (n * CELL + 1, if run.load == "loaded" { 13 } else { 1 });
        let shape = match run.outcome.as_str() {
            "pass" => format!("<circle cx=\"{}\" cy=\"{}\" r=\"5\"/>", x + 6, y + 6),
            "fail" => format!("<path d=\"M{} {}l8 8m0 -8l-8 8\"/>", x + 2, y + 2),
            "timeout" => format!("<path d=\"M{} {}l8 8m0 -8l-8 8m0 0h8\"/>", x + 2, y + 2),
            _ => format!("<path d=\"M{} {}h8\"/>", x + 2, y + 6),
        };
        let kind = match run.outcome.as_str() {
            "pass" => "good",
            "fail" | "timeout" => "bad",
            _ => "none",
        };
        let doubt = if run.proved { "" } else { " doubt" };
        let title = [run.condition.as_str(), &run.fix, &run.outcome, &run.took].map(escaped).join(" ");
        let _ = write!(out, "<g class=\"{kind}{doubt}\"><title>{title}</title>{shape}</g>");
    }
    out + "</svg>"
}

/// The four ratios after each run on a logarithmic scale, against their thresholds.
pub fn evidence(trace: &Trace) -> String {
    let last = trace.points.len().max(1);
    #[allow(clippy::cast_precision_loss)] // a handful of runs
    let x = |n: usize| 30.0 + WIDTH * n as f64 / last as f64;
    let y = |ratio: f64| 10.0 + HEIGHT * (1.0 - ratio.clamp(1.0, MOST).ln() / MOST.ln());
    let mut out = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"Likelihood ratios over {} runs\">",
        WIDTH + 130.0,
        HEIGHT + 34.0,
        trace.points.len()
    );
    for tick in [1.0, 10.0, 100.0, 1000.0] {
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M30 {0:.1}H{1:.1}\"/><text x=\"26\" y=\"{2:.1}\" text-anchor=\"end\">{tick}</text>",
            y(tick),
            30.0 + WIDTH,
            y(tick) + 4.0
        );
    }
    for (class, name, value) in [
        ("limit", "threshold", trace.thresholds.t),
        ("limit load", "threshold (load)", trace.thresholds.t_load),
    ] {
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M30 {0:.1}H{1:.1}\"><title>{name} {value}</title></path>",
            y(value),
            30.0 + WIDTH
        );
    }
    let series: [(&str, &str, Vec<f64>); 4] = [
        ("half", "more than half", trace.points.iter().map(|p| p.ratios.half).collect()),
        ("det", "not always", trace.points.iter().map(|p| p.ratios.det).collect()),
        ("clean", "not noise", trace.points.iter().map(|p| p.ratios.clean).collect()),
        ("load", "worse under load", trace.points.iter().map(|p| p.ratios.load).collect()),
    ];
    let mut labels: Vec<(f64, &str, &str)> = Vec::new();
    for (class, name, values) in series {
        let mut path = format!("M{:.1} {:.1}", x(0), y(1.0));
        for (n, value) in values.iter().enumerate() {
            let _ = write!(path, "L{:.1} {:.1}", x(n + 1), y(*value));
        }
        let end = values.last().copied().unwrap_or(1.0);
        let _ =
            write!(out, "<path class=\"line {class}\" d=\"{path}\"><title>{name}: {end:.1}</title></path>");
        labels.push((y(end), class, name));
    }
    // Labels that would overlap are moved down.
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::MIN;
    for (at, class, name) in labels {
        free = at.max(free + 12.0);
        let _ = write!(
            out,
            "<text class=\"name {class}\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            WIDTH + 35.0,
            free + 4.0
        );
    }
    for (n, point) in trace.points.iter().enumerate() {
        let (class, word) = if point.red { ("bad", "red") } else { ("good", "green") };
        let load = if point.load == "loaded" { "L" } else { "" };
        let _ = write!(
            out,
            "<g class=\"{class}\"><title>run {}: {word}, {}</title><circle cx=\"{2:.1}\" cy=\"{3:.1}\" r=\"3\"/></g><text x=\"{2:.1}\" y=\"{4:.1}\" text-anchor=\"middle\">{load}</text>",
            n + 1,
            escaped(&point.load),
            x(n + 1),
            HEIGHT + 16.0,
            HEIGHT + 30.0
        );
    }
    out + "</svg>"
}

/// Escapes a text for an attribute or an element.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}
