//! Arguments that several tools share. What an operator sets once per machine has a twin in the environment, shown in
//! `--help`; `scripts/redfix.d/settings` lists all of them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::{Span, SpanRelativeTo};

/// When to colour standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Flags that every tool has: what it says on standard error.
#[derive(Args, Clone, Debug, Default)]
pub struct Voice {
    /// Only errors on standard error
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More on standard error; may be repeated
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colour on standard error
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
    /// Check every setting of this tool, try what it uses, and print a line about each; exit 1 when one is to be mended
    #[arg(long)]
    pub self_check: bool,
}

/// Flags of every tool that passes records on.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    #[command(flatten)]
    pub voice: Voice,
    /// Pass lines through that are not JSON objects, instead of stopping at them
    #[arg(long, global = true)]
    pub lenient: bool,
    /// Longest line that is accepted
    #[arg(long, global = true, value_name = "SIZE", value_parser = size, default_value = "16MiB")]
    pub max_line: u64,
    /// Investigation that new records belong to (default: that of the records on standard input, else a new one)
    #[arg(long, global = true, value_name = "ID", env = "REDFIX_INVESTIGATION", hide_env_values = true)]
    pub investigation: Option<String>,
}

/// For tools that change the world: where each record is made durable before it is printed.
#[derive(Args, Clone, Debug, Default)]
pub struct LedgerArg {
    /// Append and fsync each record to FILE before it goes to standard output
    #[arg(long, value_name = "FILE", env = "REDFIX_LEDGER", hide_env_values = true)]
    pub ledger: Option<PathBuf>,
}

/// How the engine is found: as the docker client does it.
#[derive(Args, Clone, Debug, Default)]
pub struct EngineArg {
    /// Engine to talk to, `unix:///PATH` or `tcp://HOST:PORT` (default: as the docker client finds it)
    #[arg(short = 'H', long, value_name = "URL", env = "DOCKER_HOST", hide_env_values = true)]
    pub host: Option<String>,
    /// Deadline of each engine call
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub engine_timeout: Duration,
}

/// Where records go when standard output is somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    /// The number of an open descriptor: a file's or a pipe's.
    Descriptor(u32),
}

impl Place {
    /// The path to open: a descriptor is opened anew, so that its number can be kept from children.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Descriptor(number) => format!("/proc/self/fd/{number}").into(),
        }
    }

    /// Opens it to append; a file that is not there is made.
    pub fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(matches!(self, Self::File(_))).open(self.path())
    }

    /// Opens it and closes the descriptor that was given: no child inherits it.
    #[allow(unsafe_code)]
    pub fn take(&self) -> io::Result<File> {
        let file = self.open()?;
        if let Self::Descriptor(number) = self {
            let number = i32::try_from(*number).map_err(io::Error::other)?;
            // SAFETY: whoever started this process opened it for this purpose and told its number; it was open a
            // moment ago, and nobody else here knows of it.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
        Ok(file)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<u32>() {
            Ok(0..=2) => Err("descriptors 0 to 2 are the command's own".into()),
            Ok(number) => Ok(Self::Descriptor(number)),
            Err(_) if text.is_empty() => Err("neither a file nor a descriptor's number".into()),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

/// Reads a time in jiff's "friendly" form, `500ms`, `30s`, `5m`, `1h30m`, `2d` or `1 hour 30 minutes`, or in that of
/// ISO 8601, `PT1H30M`. A day has 24 hours; months, years and what is negative are refused.
pub fn duration(text: &str) -> Result<Duration, String> {
    let length = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    length
        .ok()
        .and_then(|length| Duration::try_from(length).ok())
        .ok_or_else(|| format!("'{text}' is not a time such as 500ms, 30s, 5m, 1h30m or 2d"))
}

/// Reads `4096`, `64KiB`, `16MiB`, `2GiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let bad = || format!("'{text}' is not a size such as 4096, 64KiB, 16MiB or 2GiB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| bad())?;
    let shift = match &text[digits..] {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(bad()),
    };
    number.checked_mul(1 << shift).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ms = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        for text in ["1h30m", "1h 30m", "1.5h", "1 hour 30 minutes", "90 min", "PT1H30M"] {
            assert_eq!(ms(text), Ok(5_400_000), "{text}");
        }
        assert_eq!(ms("2d"), ms("48h"));
        assert_eq!(ms("0s"), Ok(0));
        for bad in [
            "",
            "5",
            "m",
            "5x",
            "-1s",
            "1s ago",
            "1month",
            "1y",
            "99999999999999999999s",
            "9999999999999999999d",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_is_a_descriptor() {
        assert_eq!("3".parse(), Ok(Place::Descriptor(3)));
        assert_eq!("./3".parse(), Ok(Place::File("./3".into())));
        assert!("2".parse::<Place>().is_err() && "".parse::<Place>().is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("7"), Ok(7));
        for bad in ["", "MiB", "1MB", "1.5MiB", "99999999999999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
