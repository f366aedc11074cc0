//! Exit codes.

/// How a tool ends. The codes are the same in every tool and stand in every man page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: ran, and the answer is no (a gate fails, CI is red, undecided with `--require`).
    No,
    /// 2: cannot (usage, input, configuration, I/O).
    Cannot,
    /// 75: try again (engine or forge away, no slot, deadline, budget spent).
    Again,
    /// A wrapped command's own code (125, 126 and 127 as `env` and `docker run` use them).
    Child(u8),
    /// Ended by this signal; the shell sees 128 + its number.
    Signal(i32),
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Cannot => 2,
            Self::Again => 75,
            Self::Child(code) => code,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes = [Exit::Done, Exit::No, Exit::Cannot, Exit::Again, Exit::Child(7), Exit::Signal(15)];
        assert_eq!(codes.map(Exit::code), [0, 1, 2, 75, 7, 143]);
    }
}
