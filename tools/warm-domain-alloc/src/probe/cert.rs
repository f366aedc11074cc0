//! Parses a certificate: its subject, its issuer, its names, its dates. No I/O.

use jiff::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

use crate::name::certificate_covers as covers;

/// The certificate that a server sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    /// The DNS names that it is for, in lower case.
    pub names: Vec<String>,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

/// Parses DER; `None` if it is no certificate.
pub fn parse(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names =
        alternative.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    Some(Certificate {
        subject: name_of(parsed.subject()),
        issuer: name_of(parsed.issuer()),
        names: names.collect(),
        not_before: at(parsed.validity().not_before),
        not_after: at(parsed.validity().not_after),
    })
}

/// The common name or, if there is none, the whole name.
fn name_of(name: &X509Name) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    common.map_or_else(|| name.to_string(), ToOwned::to_owned)
}

impl Certificate {
    /// Whether it is the certificate that Traefik makes for itself when it has none for a name.
    pub fn is_traefik_default(&self) -> bool {
        self.subject == "TRAEFIK DEFAULT CERT"
            || self.names.iter().any(|name| name.ends_with(".traefik.default"))
    }

    pub fn covers(&self, domain: &str) -> bool {
        self.names.iter().any(|name| covers(name, domain))
    }

    /// A wildcard of the certificate that has the domain's ending but covers only names with fewer labels.
    pub fn short_wildcard(&self, domain: &str) -> Option<&str> {
        let too_short = |name: &&String| {
            name.strip_prefix("*.").is_some_and(|rest| domain.ends_with(&format!(".{rest}")))
                && !covers(name, domain)
        };
        self.names.iter().find(too_short).map(String::as_str)
    }

    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|until| now <= until)
    }
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} by {} for {}", self.subject, self.issuer, self.names.join(", "))?;
        self.not_after.map_or(Ok(()), |until| write!(f, " until {until}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wildcard_that_is_a_label_short_is_named() {
        let names = vec!["*.ci.example".to_owned()];
        let certificate = Certificate { names, ..Certificate::default() };
        assert_eq!(certificate.short_wildcard("a.b.ci.example"), Some("*.ci.example"));
        assert_eq!(certificate.short_wildcard("a.ci.example"), None);
        assert_eq!(certificate.short_wildcard("ci.example"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(der in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&der);
        }
    }
}
