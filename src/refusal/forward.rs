//! A request that got no answer from its upstream, as a refusal: which code, and what to do about
//! what was found.

use super::{Code, Refusal};
use crate::upstream::{CertificateFault, ForwardError, Handshake, Hop, Phase};

impl From<ForwardError> for Refusal {
    fn from(error: ForwardError) -> Self {
        let refusal = Self::new(code(error.phase), error.to_string());
        match remedy(error.phase) {
            Some(remedy) => refusal.remedy(remedy),
            None => refusal,
        }
    }
}

fn code(phase: Phase) -> Code {
    match phase {
        Phase::Resolve | Phase::ResolvePastProxy | Phase::Connect => Code::UpstreamUnreachable,
        Phase::Descriptors => Code::OutOfDescriptors,
        Phase::ParentProxy(_) => Code::UpstreamProxy,
        Phase::Tls(Handshake::Silent) => Code::UpstreamTimeout,
        Phase::Tls(_) | Phase::Certificate(_) | Phase::ClientCertificate => Code::UpstreamTls,
        Phase::Withheld => Code::SelfCheck,
        Phase::Unprocessed => Code::UpstreamUnprocessed,
        Phase::Exchange => Code::UpstreamClosed,
        Phase::Protocol => Code::UpstreamProtocol,
        Phase::ConnectTimeout | Phase::ResponseTimeout | Phase::Stalled => Code::UpstreamTimeout,
        Phase::RequestStalled => Code::BodyTooSlow,
        Phase::RequestBroken => Code::BodyIncomplete,
        Phase::Private => Code::PrivateAddress,
        Phase::Untrusted => Code::UpstreamUntrusted,
        Phase::Loop => Code::Loop,
    }
}

/// What fits better than the code's own advice.
fn remedy(phase: Phase) -> Option<&'static str> {
    match phase {
        // Nothing was sent, so the code's own warning would be wrong.
        Phase::ConnectTimeout => {
            Some("Nothing was sent. Check the network, or raise timeouts.connect.")
        }
        Phase::Certificate(fault) => Some(mend(fault)),
        Phase::Tls(handshake) => Some(agree(handshake)),
        Phase::ClientCertificate => Some(
            "Nothing was carried out. Set client_cert and client_key in [upstreams.NAME] to a certificate that the upstream accepts.",
        ),
        Phase::ParentProxy(hop) => lead(hop),
        Phase::ResolvePastProxy => Some(
            "Nothing was sent. The environment of this proxy names a proxy that was not asked: write via = \"environment\" in an [upstreams.NAME], and upstream = \"NAME\" in the route.",
        ),
        Phase::Resolve
        | Phase::Connect
        | Phase::Withheld
        | Phase::Descriptors
        | Phase::Unprocessed
        | Phase::Exchange
        | Phase::Protocol
        | Phase::ResponseTimeout
        | Phase::Stalled
        | Phase::RequestStalled
        | Phase::RequestBroken
        | Phase::Private
        | Phase::Untrusted
        | Phase::Loop => None,
    }
}

fn agree(handshake: Handshake) -> &'static str {
    match handshake {
        Handshake::Version => {
            "Nothing was sent. TLS 1.2 and 1.3 are spoken here: have those who run the upstream turn one of them on."
        }
        Handshake::Cipher => {
            "Nothing was sent. Have those who run the upstream allow a cipher suite with forward secrecy, such as ECDHE with AES-GCM, on X25519, P-256 or P-384."
        }
        Handshake::Name => {
            "Nothing was sent. The upstream serves nothing of this name: check the host, and url and server_name in [upstreams.NAME]."
        }
        Handshake::NotTls => {
            "Nothing was sent. Check the port in url of [upstreams.NAME]; if the upstream speaks plain HTTP there, write http://."
        }
        Handshake::Mute | Handshake::Silent => {
            "Nothing was sent. Check host and port. If other programs get through from here, something on the way does not take a ClientHello of two packets: post_quantum = false in [upstreams.NAME] makes it fit one."
        }
        Handshake::Broken => {
            "Nothing was sent. Ask those who run the upstream, whose log says why it broke off the handshake, or those who run what is on the way to it."
        }
    }
}

fn lead(hop: Hop) -> Option<&'static str> {
    match hop {
        Hop::Credentials => Some(
            "Nothing was sent. The proxy wants other credentials: set via_credentials in [upstreams.NAME], or correct the secret it names, or what the environment says.",
        ),
        Hop::Denied => Some(
            "Nothing was sent. The proxy does not let connections through to this host and port: ask those who run it.",
        ),
        Hop::Beyond => Some(
            "Nothing was sent. The proxy could not reach the upstream: check the host's name and port, or ask those who run the proxy.",
        ),
        Hop::Certificate => Some(
            "Nothing was sent. If this is the right proxy, name a file with its authority's certificate with via_ca in [upstreams.NAME].",
        ),
        Hop::Tls => Some(
            "Nothing was sent. Check that the proxy speaks TLS at this port: one that does not is http:// in via.",
        ),
        Hop::Failed => None,
    }
}

fn mend(fault: CertificateFault) -> &'static str {
    match fault {
        CertificateFault::Expired => {
            "Nothing was sent. Have those who run the upstream renew its certificate, and see that this machine's clock is right."
        }
        CertificateFault::NotYetValid => {
            "Nothing was sent. See that this machine's clock is right: the upstream's certificate lies ahead of it."
        }
        CertificateFault::WrongName => {
            "Nothing was sent. Check the host; if this is the right server, write one of the names it has as server_name in [upstreams.NAME]."
        }
        CertificateFault::Nameless => {
            "Nothing was sent. Have the certificate made again with its name as a subjectAltName (openssl req -x509 -addext subjectAltName=DNS:NAME): a common name is not looked at."
        }
        CertificateFault::SelfSigned => {
            "Nothing was sent. If this is the right server, get its certificate from those who run it and name the file with ca in [upstreams.NAME]."
        }
        CertificateFault::Untrusted => {
            "Nothing was sent. If this is the right server, name a file with its authority's certificate with ca in [upstreams.NAME]; a company's proxy that opens TLS has an authority of its own."
        }
        CertificateFault::Revoked => {
            "Nothing was sent. Ask those who run the upstream: its certificate must be replaced."
        }
        CertificateFault::Unfit => {
            "Nothing was sent. Have those who run the upstream replace its certificate: it is not one for a server."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_fits_what_was_found() {
        let table = [
            (
                Phase::Certificate(CertificateFault::Untrusted),
                "upstream_tls",
                "ca in [upstreams.NAME]",
            ),
            (
                Phase::Certificate(CertificateFault::SelfSigned),
                "upstream_tls",
                "ca in [upstreams.NAME]",
            ),
            (Phase::Certificate(CertificateFault::WrongName), "upstream_tls", "server_name"),
            (Phase::Certificate(CertificateFault::Nameless), "upstream_tls", "subjectAltName"),
            (Phase::Certificate(CertificateFault::Expired), "upstream_tls", "renew"),
            (Phase::Certificate(CertificateFault::NotYetValid), "upstream_tls", "clock"),
            (Phase::Certificate(CertificateFault::Revoked), "upstream_tls", "replaced"),
            (Phase::Certificate(CertificateFault::Unfit), "upstream_tls", "replace"),
            (Phase::Tls(Handshake::Version), "upstream_tls", "TLS 1.2"),
            (Phase::Tls(Handshake::Cipher), "upstream_tls", "cipher suite"),
            (Phase::Tls(Handshake::Name), "upstream_tls", "name"),
            (Phase::Tls(Handshake::NotTls), "upstream_tls", "plain HTTP"),
            (Phase::Tls(Handshake::Mute), "upstream_tls", "post_quantum = false"),
            (Phase::Tls(Handshake::Silent), "upstream_timeout", "post_quantum = false"),
            (Phase::Tls(Handshake::Broken), "upstream_tls", "log"),
            (Phase::ClientCertificate, "upstream_tls", "client_cert"),
            (Phase::ParentProxy(Hop::Credentials), "upstream_proxy", "via_credentials"),
            (Phase::ParentProxy(Hop::Denied), "upstream_proxy", "does not let"),
            (Phase::ParentProxy(Hop::Beyond), "upstream_proxy", "could not reach"),
            (Phase::ParentProxy(Hop::Certificate), "upstream_proxy", "via_ca"),
            (Phase::ParentProxy(Hop::Tls), "upstream_proxy", "speaks TLS"),
            (Phase::ResolvePastProxy, "upstream_unreachable", "via = \"environment\""),
            (Phase::ParentProxy(Hop::Failed), "upstream_proxy", "via in [upstreams.NAME]"),
            (Phase::Private, "private_address", "access.pass_private"),
            (Phase::ConnectTimeout, "upstream_timeout", "Nothing was sent"),
            (Phase::Unprocessed, "upstream_unprocessed", "Nothing was carried out"),
            (Phase::Untrusted, "upstream_untrusted", "socket_uid"),
            (Phase::Exchange, "upstream_closed", "may have been carried out"),
        ];
        for (phase, code, words) in table {
            let (upstream, reason) = ("https://x".into(), "why".into());
            let refusal = Refusal::from(ForwardError { upstream, phase, reason });
            assert_eq!(refusal.code.name(), code, "{phase:?}");
            assert!(refusal.advice().contains(words), "{phase:?}: {}", refusal.advice());
            assert!(refusal.detail.contains("https://x"), "{}", refusal.detail);
        }
    }
}
