//! Keys of Traefik's labels: `traefik.http.routers.NAME.rule`, `traefik.enable`.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Http,
    Tcp,
    Udp,
}

/// The key of one label of Traefik.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label<'k> {
    key: &'k str,
    /// The part behind `traefik.`, in lower case, because Traefik ignores the case of keys.
    path: String,
}

/// A label of the form `traefik.PROTOCOL.SECTION.NAME.FIELD...`, all of it in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element<'l> {
    pub protocol: Protocol,
    /// `routers`, `services`, `middlewares`, ...
    pub section: &'l str,
    pub name: &'l str,
    /// The name as it is written, because Traefik shows names with their case.
    pub written: &'l str,
    /// At least one part: `["rule"]`, `["tls", "certresolver"]`.
    pub field: Vec<&'l str>,
}

impl<'k> Label<'k> {
    /// `None`: the label is not Traefik's.
    #[must_use]
    pub fn parse(key: &'k str) -> Option<Self> {
        let path = key.to_ascii_lowercase().strip_prefix("traefik.")?.to_owned();
        Some(Self { key, path })
    }

    /// The parts behind `traefik.`, in lower case.
    #[must_use]
    pub fn parts(&self) -> Vec<&str> {
        self.path.split('.').collect()
    }

    /// The label as an [`Element`]; `None` if it has another form, whether Traefik knows that form or not.
    #[must_use]
    pub fn element(&self) -> Option<Element<'_>> {
        let parts = self.parts();
        let [protocol, section, name, field @ ..] = &parts[..] else { return None };
        let protocol = match *protocol {
            "http" => Protocol::Http,
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        let written = self.key.split('.').nth(3).unwrap_or(name);
        (!field.is_empty()).then(|| Element { protocol, section, name, written, field: field.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_of_a_router() {
        let label = Label::parse("Traefik.TCP.Routers.Mumble-X.TLS.CertResolver").unwrap();
        let element = label.element().unwrap();
        assert_eq!((element.protocol, element.section, element.name), (Protocol::Tcp, "routers", "mumble-x"));
        assert_eq!((element.written, &element.field[..]), ("Mumble-X", &["tls", "certresolver"][..]));
    }

    #[test]
    fn other_labels() {
        assert_eq!(Label::parse("traefik.swarm.network").unwrap().parts(), ["swarm", "network"]);
        for odd in [
            "traefik.enable",
            "traefik.http.routers.x",
            "traefik.http",
            "traefik.quic.routers.x.rule",
            "traefik.",
        ] {
            assert_eq!(Label::parse(odd).unwrap().element(), None, "{odd}");
        }
        for strange in ["traefik", "traefikee.enable", "com.example.traefik.enable", ""] {
            assert_eq!(Label::parse(strange), None, "{strange}");
        }
    }

    proptest! {
        #[test]
        fn hostile_keys_are_only_data(key in "(traefik[.])?(http|tcp|[.]|routers|services|[A-Zü\\[\\]*\u{0}]){0,9}") {
            if let Some(label) = Label::parse(&key) {
                let lower = format!("traefik.{}", label.parts().join("."));
                prop_assert_eq!(lower, key.to_ascii_lowercase());
                prop_assert!(label.element().is_none_or(|element| element.written.eq_ignore_ascii_case(element.name)));
            }
        }
    }
}
