//! Writes durations for people. Pure.

/// `850ms`, `12.3s`, `4m07s`, `1h02m`.
#[must_use]
pub fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{}m{:02}s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{}h{:02}m", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_in_two_units() {
        let texts = [850, 12_345, 247_000, 3_725_000].map(duration);
        assert_eq!(texts, ["850ms", "12.3s", "4m07s", "1h02m"]);
    }
}
