//! The error type of all tools. It prints as `tool: doing what: to which object: cause`, then a hint on its own line.

use std::fmt;
use std::io;

use crate::code::Exit;

pub type Result<T> = std::result::Result<T, Error>;

/// An error that a person will read. It knows the exit code that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    exit: Exit,
    doing: String,
    object: Option<String>,
    cause: String,
    hint: Option<String>,
    closed_pipe: bool,
}

impl Error {
    /// Exit 2: usage, input, configuration or I/O. `doing` reads like "reading the record stream".
    pub fn cannot(doing: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self::with(Exit::Cannot, doing, cause)
    }

    /// Exit 75: the same call may succeed later.
    pub fn again(doing: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self::with(Exit::Again, doing, cause)
    }

    /// Exit 1: the answer is no, and the message says why.
    pub fn no(doing: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self::with(Exit::No, doing, cause)
    }

    /// Exit 125, 126 or 127: the wrapped command could not be run.
    pub fn child(code: u8, doing: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self::with(Exit::Child(code), doing, cause)
    }

    fn with(exit: Exit, doing: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            exit,
            doing: doing.into(),
            object: None,
            cause: cause.to_string(),
            hint: None,
            closed_pipe: false,
        }
    }

    /// A failed write. A closed pipe is remembered as such, because a pure filter ends on it in silence.
    #[must_use]
    pub fn write(object: &str, cause: &io::Error) -> Self {
        let closed = cause.kind() == io::ErrorKind::BrokenPipe;
        Self { closed_pipe: closed, ..Self::cannot("writing a record", cause).on(object) }
    }

    /// Names the object that could not be dealt with: a file, a stack, a line.
    #[must_use]
    pub fn on(mut self, object: impl fmt::Display) -> Self {
        self.object = Some(object.to_string());
        self
    }

    /// Says what the reader can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }

    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The part that says why, for records that keep the reason of a failure.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.doing)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_doing_object_cause() {
        let error = Error::cannot("reading the record stream", "not a JSON object")
            .on("line 3")
            .hint("try --lenient");
        assert_eq!(error.to_string(), "reading the record stream: line 3: not a JSON object");
        assert_eq!(error.hint_text(), Some("try --lenient"));
        assert_eq!(error.exit().code(), 2);
    }

    #[test]
    fn a_closed_pipe_is_known_as_such() {
        assert!(Error::write("stdout", &io::Error::from(io::ErrorKind::BrokenPipe)).is_closed_pipe());
        assert!(!Error::write("stdout", &io::Error::from(io::ErrorKind::StorageFull)).is_closed_pipe());
    }
}
