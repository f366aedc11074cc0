//! The source of a text: the default template, the user's template, or the user's own text.

use std::io::Read;
use std::path::Path;

use lib_common::{Error, Io, Result};

use crate::body::{Facts, TextKind, render, verbatim};
use crate::cli::TextArgs;

/// Longest text that is read, in bytes; forges do not take longer ones.
const MAX: u64 = 1_000_000;

/// The source of the text.
#[derive(Debug)]
pub enum Words {
    Default,
    Template(String),
    Verbatim(String),
}

impl Words {
    /// Reads the file of `--template` or `--body-file`. For `-` it consumes standard input, so that no records are read from
    /// it.
    pub fn read(text: &TextArgs, io: &mut Io) -> Result<Self> {
        match (&text.template, &text.body_file) {
            (Some(path), _) => file(path, "reading the template").map(Self::Template),
            (None, Some(path)) if path.as_os_str() == "-" => {
                if io.stdin_is_terminal {
                    let error = Error::cannot("reading the text", "standard input is a terminal");
                    return Err(error.hint("pipe it in, or name a file"));
                }
                // The text takes the whole standard input, so no records can come from there.
                let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
                bounded(input, "reading the text", "standard input").map(Self::Verbatim)
            }
            (None, Some(path)) => file(path, "reading the text").map(Self::Verbatim),
            (None, None) => Ok(Self::Default),
        }
    }

    /// The text as the user wrote it.
    #[must_use]
    pub fn own(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Template(text) | Self::Verbatim(text) => Some(text),
        }
    }

    /// Filled in, redacted, with its hidden mark.
    #[must_use]
    pub fn body(&self, kind: TextKind, facts: &Facts, secrets: &[&str]) -> String {
        match self {
            Self::Default => render(kind, kind.template, facts, secrets),
            Self::Template(template) => render(kind, template, facts, secrets),
            Self::Verbatim(text) => verbatim(kind, text, facts, secrets),
        }
    }
}

fn file(path: &Path, doing: &str) -> Result<String> {
    let file = std::fs::File::open(path).map_err(|e| Error::cannot(doing, e).on(path.display()))?;
    bounded(file, doing, &path.display().to_string())
}

fn bounded(from: impl Read, doing: &str, name: &str) -> Result<String> {
    let fail = |cause: &dyn std::fmt::Display| Error::cannot(doing, cause).on(name);
    let mut text = String::new();
    from.take(MAX + 1).read_to_string(&mut text).map_err(|e| fail(&e))?;
    if text.len() as u64 > MAX {
        return Err(fail(&format!("more than {MAX} bytes")));
    }
    if text.trim().is_empty() { Err(fail(&"it is empty")) } else { Ok(text) }
}
