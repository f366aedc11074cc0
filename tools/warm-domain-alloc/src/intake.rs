//! Reads standard input: passes it on byte for byte, and remembers what matters to leases.

use std::collections::BTreeMap;

use lib_common::cli::Common;
use lib_common::emit::Emitter;
use lib_common::record::Known;
use lib_common::stream::{Reader, Torn};
use lib_common::{Io, Result};

/// What the records on standard input say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// The investigation that the user named, else that of the records.
    pub investigation: Option<String>,
    /// Each recipe that failed, with its first case.
    pub cases: Vec<(String, String)>,
    /// Leases that were granted and not released since: their cases, by lease id.
    pub leases: BTreeMap<String, Option<String>>,
    /// Lease ids and domains, in the order in which they were leased.
    domains: Vec<(String, String)>,
}

impl Intake {
    /// The domains of the leases.
    pub fn domains(&self) -> Vec<String> {
        let held = self.domains.iter().filter(|(lease, _)| self.leases.contains_key(lease));
        held.map(|(_, domain)| domain.clone()).collect()
    }

    /// The first case of a recipe.
    pub fn case_of(&self, recipe: &str) -> Option<String> {
        self.cases.iter().find(|(of, _)| of == recipe).map(|(_, case)| case.clone())
    }
}

/// Reads standard input to its end, unless it is a terminal.
pub fn read(common: &Common, io: &mut Io, emitter: &mut Emitter) -> Result<Intake> {
    let mut seen = Intake { investigation: common.investigation.clone(), ..Intake::default() };
    if io.stdin_is_terminal {
        return Ok(seen);
    }
    let input = std::mem::replace(&mut io.stdin, Box::new(std::io::empty()));
    let mut reader = Reader::new(input, "standard input", common, Torn::Error);
    while let Some(line) = reader.next_line(&io.diag)? {
        emitter.pass(io, &line)?;
        if seen.investigation.is_none() {
            seen.investigation = line.keys().investigation.map(Into::into);
        }
        match reader.known(&line, &io.diag)? {
            Some(Known::CaseFailed(case)) if seen.case_of(&case.recipe).is_none() => {
                seen.cases.push((case.recipe, case.case));
            }
            Some(Known::DomainLeased(lease)) => {
                seen.domains.retain(|(id, _)| *id != lease.lease_id);
                seen.domains.push((lease.lease_id.clone(), lease.domain));
                seen.leases.insert(lease.lease_id, lease.case);
            }
            Some(Known::DomainReleased(lease)) => {
                seen.leases.remove(&lease.lease_id);
            }
            _ => {}
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::clock::SystemClock;
    use lib_common::diag::Diag;

    #[test]
    fn cases_and_leases_are_remembered_and_every_byte_is_passed() {
        let case = |recipe: &str, test: &str| {
            format!(
                r#"{{"type":"case.failed","v":1,"investigation":"I","case":"{recipe}@1/{test}","recipe":"{recipe}","version":"1","test":"{test}","stage":"custom","source":"x"}}"#
            )
        };
        let lease = |kind: &str, id: &str| {
            format!(
                r#"{{"type":"domain.{kind}","v":1,"case":"c","recipe":"r","purpose":"p","domain":"d","stack":"s","lease_id":"{id}","class":"run","ttl_ms":1,"holder":"h","reason":"x"}}"#
            )
        };
        let lines = [
            "{\"type\":\"x.y\",\"n\":1.10}\r".into(),
            case("mumble", "a"),
            case("gitea", "b"),
            case("mumble", "c"),
            lease("leased", "one"),
            lease("leased", "two"),
            lease("released", "one"),
        ];
        let input = lines.join("\n") + "\n";
        let mut out = Vec::new();
        let mut io = Io {
            stdin: Box::new(input.as_bytes()),
            stdin_is_terminal: false,
            stdout: Box::new(&mut out),
            diag: Diag::to_writer("t", Box::new(std::io::sink())),
            clock: &SystemClock,
        };
        let mut common = Common { max_line: 1 << 20, ..Common::default() };
        common.lenient = false;
        let seen = read(&common, &mut io, &mut Emitter::new(None, None)).unwrap();
        drop(io);
        assert_eq!(out, input.as_bytes());
        assert_eq!(seen.investigation.as_deref(), Some("I"));
        assert_eq!(
            seen.cases,
            [("mumble".into(), "mumble@1/a".into()), ("gitea".into(), "gitea@1/b".into())]
        );
        assert_eq!(seen.leases.keys().collect::<Vec<_>>(), ["two"]);
        assert_eq!(seen.domains(), ["d"]);
    }
}
