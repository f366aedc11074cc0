//! The causes why a domain does not answer as it should, each with a stable word, its layer and its remedy. No I/O.

/// Declares each cause once: variant, word for records, layer, text for people, remedy.
macro_rules! causes {
    ($($name:ident $word:literal $layer:literal $what:literal $remedy:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause { $($name),* }

        impl Cause {
            /// Every cause, for the test that the manual explains them.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable word that records contain.
            pub fn word(self) -> &'static str { match self { $(Self::$name => $word),* } }

            /// The first layer that is broken.
            pub fn layer(self) -> &'static str { match self { $(Self::$name => $layer),* } }

            /// A description for people.
            pub fn what(self) -> &'static str { match self { $(Self::$name => $what),* } }

            pub fn remedy(self) -> &'static str { match self { $(Self::$name => $remedy),* } }
        }
    };
}

/// A cause, with the evidence for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub cause: Cause,
    pub evidence: Vec<String>,
}

causes! {
    DnsMissing "dns-missing" "dns" "the name has no address"
        "make the DNS record, or the wildcard record of its base domain";
    DnsWrong "dns-wrong-address" "dns" "the name leads to an address where no Traefik of this swarm listens"
        "point the DNS record at the node that runs Traefik";
    ProxyDown "proxy-down" "tcp" "Traefik has no running task"
        "see docker service ps of Traefik's service";
    Refused "tcp-refused" "tcp" "nothing listens on the port"
        "publish the entry point's port in Traefik's service, and check the firewall";
    ConnectTimeout "tcp-timeout" "tcp" "no answer to a connection"
        "check the address, the firewall and, for ingress ports, IPVS on the node";
    AliasCollision "alias-collision" "app" "a name inside its stack is answered by strangers on a shared network"
        "give the service a name of its own (an alias, or the full STACK_service), or lease a name that sorts before the shared network";
    PassthroughBackend "passthrough-backend" "tls" "Traefik passes TLS on, and the service behind refuses the handshake"
        "see the service's log: it has no certificate for the name, or may not fetch one";
    TlsRefused "tls-refused" "tls" "the handshake is refused, and no TCP router passes it on"
        "check the entry point's TLS options (minimum version, SNI strictness)";
    WildcardDepth "wildcard-depth" "tls" "the wildcard certificate is one label short of the name"
        "take a name one label below the wildcard, or a certificate of its own";
    CertificateExpired "certificate-expired" "tls" "the certificate is not valid now"
        "renew it; see the resolver's errors in Traefik's log";
    CertificateName "certificate-name" "tls" "the certificate is for other names"
        "ask for a certificate of this name (tls.domains or a certresolver)";
    CertificateUntrusted "certificate-untrusted" "tls" "the certificate's issuer is not trusted"
        "give the issuer with --ca-file, or take a resolver of a public authority";
    DefaultCertificate "default-certificate" "tls" "Traefik has no certificate for the name and serves its own"
        "name a certresolver on the router, or load a certificate with the file provider";
    ResolverUnknown "resolver-unknown" "tls" "the router names a certificate resolver that Traefik does not have"
        "name one of Traefik's resolvers in tls.certresolver";
    AcmeRateLimited "acme-rate-limited" "tls" "the certificate authority's rate limit is reached"
        "wait, and share one wildcard certificate instead of one per name";
    AcmeStorage "acme-storage" "tls" "Traefik cannot use the resolver's storage, so the whole resolver is skipped"
        "make the storage file writable by Traefik, with mode 0600";
    AcmeFailed "acme-failed" "tls" "the certificate authority refused the certificate"
        "read the error in Traefik's log; check that the challenge reaches Traefik";
    NameTooLong "name-too-long" "http" "names that the stack needs are over the engine's limits, so they were never made"
        "take a shorter domain; warm-domain-alloc --compose leases one that fits";
    NothingDeployed "nothing-deployed" "http" "no service on the swarm has this domain or its stack"
        "deploy the stack; if it was, see the deploy's error";
    NoRouter "no-router" "http" "the stack runs, but no router label names the domain"
        "check DOMAIN and the deploy labels of the routed service";
    LabelsOnContainer "labels-on-container" "http" "the labels are on the containers, where a swarm's Traefik does not look"
        "move them below deploy: labels:";
    LabelUnknown "label-unknown" "http" "Traefik drops the service because of a label that it does not know"
        "correct the label (traefik.http.routers.NAME.rule, ...services.NAME.loadbalancer.server.port)";
    NotEnabled "not-enabled" "http" "Traefik leaves the service out, because traefik.enable is not true"
        "label it traefik.enable=true";
    PortMissing "port-missing" "http" "no label says which port to send requests to"
        "label it traefik.http.services.NAME.loadbalancer.server.port=PORT";
    ScaledToZero "scaled-to-zero" "http" "the service is scaled to 0"
        "docker service scale it up, or deploy it";
    NotHealthyYet "not-healthy-yet" "http" "no task is healthy yet, and Traefik routes only to those that are"
        "wait (--wait); if it stays so, see the health check's log";
    TaskFailing "task-failing" "http" "its tasks end with an error"
        "see the task's error and log";
    TaskPending "task-pending" "http" "no node takes its task"
        "see the engine's reason: constraints, resources, a host-mode port in use";
    AddressesExhausted "addresses-exhausted" "http" "its task waits for an address on a full network"
        "make the shared network larger than /24; addresses leaked by stack removals come back when the managers restart";
    JustDeployed "just-deployed" "http" "it started after Traefik's last look at the swarm"
        "wait for providers.swarm.refreshSeconds (--wait)";
    RouterDuplicate "router-duplicate" "http" "two services declare the same router differently, and Traefik drops both"
        "name routers after their stack (${STACK_NAME})";
    TakenByOther "taken-by-another" "http" "a router of another stack takes the domain"
        "change that router's rule or priority, or take another domain";
    RuleInvalid "rule-invalid" "http" "Traefik refuses the router's rule"
        "correct the rule; an empty Host(``) is an unset DOMAIN";
    EntryPointUnknown "entrypoint-unknown" "http" "the router names entry points that Traefik does not have"
        "name one of Traefik's entry points";
    EntryPointOther "entrypoint-other" "http" "the router is on other entry points than the port that was asked"
        "add this port's entry point to the router";
    MiddlewareMissing "middleware-missing" "http" "the router names a middleware that nobody declares"
        "declare it, or take it off the router";
    RouterWithoutTls "router-without-tls" "http" "the router is not a TLS router, so HTTPS requests pass it by"
        "label it traefik.http.routers.NAME.tls=true, or give it a certresolver";
    NetworkLabel "network-label-wrong" "http" "traefik.swarm.network names a network that the service is not on; Traefik takes any"
        "name the network that it shares with Traefik";
    NotOnProxyNetwork "not-on-proxy-network" "http" "the service shares no network with Traefik"
        "attach it to Traefik's network";
    VipNotBalanced "vip-not-balanced" "http" "requests go to the service's virtual address, which does not answer"
        "take traefik.swarm.lbswarm off, use endpoint_mode: dnsrr, or load IPVS on the node";
    WrongPort "wrong-port" "http" "Traefik reaches no server on the labelled port"
        "label the port on which the service listens";
    GatewayTimeout "gateway-timeout" "http" "the service does not answer in time"
        "see the service's log and load";
    AppError "app-error" "app" "the service itself answers with an error"
        "see the service's log";
    OtherPage "unexpected-page" "app" "the answer is not the expected page"
        "see whose page it is: another stack may answer for it";
    Unexplained "unexplained" "http" "it does not route, and neither labels, tasks nor networks say why"
        "look at Traefik's log and API (--traefik)";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_cause_has_a_word_of_its_own_which_the_manual_explains() {
        let page = include_str!("../../../../man/warm-domain-alloc.1");
        let words: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.word()).collect();
        assert_eq!(words.len(), Cause::ALL.len());
        for word in words {
            assert!(
                page.lines().any(|line| line == format!(".It {word}")),
                "warm-domain-alloc(1) lacks {word}"
            );
        }
        for cause in Cause::ALL {
            assert!(!cause.what().is_empty() && !cause.remedy().is_empty());
            assert!(["dns", "tcp", "tls", "http", "app"].contains(&cause.layer()), "{cause:?}");
        }
    }
}
