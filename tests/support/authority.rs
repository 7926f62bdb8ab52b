//! A certificate authority that lives as long as a test.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Signs certificates nobody trusts who was not given [`Self::pem`].
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        // With the name every certificate of rcgen has, a leaf would seem to have signed itself.
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters can be signed"))
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its private key, which only who intercepts needs.
    pub(crate) fn key_pem(&self) -> String {
        self.0.key().serialize_pem()
    }

    /// A server that shows a fresh certificate for these names or addresses.
    pub(crate) fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        serve(self.issue(names, |_| ()), &[], None)
    }

    /// A fresh certificate for these names or addresses, changed before it is signed.
    pub(crate) fn issue(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let (mut params, key) = blank(names);
        change(&mut params);
        let leaf = params.signed_by(&key, &self.0).expect("the parameters can be signed");
        Issued { leaf, key }
    }

    /// A server that wants certificates of this authority from its clients.
    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("it is a certificate");
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        verifier.build().expect("there is a root")
    }
}

/// A certificate and its key.
pub(crate) struct Issued {
    leaf: Certificate,
    key: KeyPair,
}

impl Issued {
    /// One that nobody else has signed.
    pub(crate) fn by_itself(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = blank(names);
        change(&mut params);
        let leaf = params.self_signed(&key).expect("the parameters can be signed");
        Self { leaf, key }
    }

    /// The certificate in PEM.
    pub(crate) fn pem(&self) -> String {
        self.leaf.pem()
    }

    /// The private key in PEM, PKCS#8.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

fn blank(names: &[&str]) -> (CertificateParams, KeyPair) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().expect("a key can be made");
    (CertificateParams::new(names).expect("the names are valid"), key)
}

/// A server that shows this certificate, chooses among these protocols, and wants a certificate
/// of its clients where it is given an authority for them.
pub(crate) fn serve(
    issued: Issued,
    protocols: &[&str],
    clients: Option<&Authority>,
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(authority.verifier()),
    };
    let mut config = builder
        .with_single_cert(vec![issued.leaf.der().clone()], key)
        .expect("the key belongs to the certificate");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}
