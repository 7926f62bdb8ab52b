//! Authorities to test with, and the verifiers: OpenSSL, and rustls with webpki.

use std::fs;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use countersign::moment::unix_ms;
use countersign::secret::Secret;
use countersign::tls::{Authority, CaCertificate, LeafCache, LeafSettings, NewAuthority, provider};
use prometheus_client::metrics::counter::Counter;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, HandshakeKind, RootCertStore,
    ServerConfig, ServerConnection,
};
use tempfile::TempDir;

/// What clients trust, and the key that is kept, with its certificate unless that is the same; in
/// PEM.
pub(super) struct Pair {
    pub(super) pem: String,
    pub(super) key: String,
}

impl Pair {
    /// As `countersign ca new` makes it.
    pub(super) fn for_hosts(hosts: &[&str]) -> Self {
        Self::for_days(hosts, 730)
    }

    pub(super) fn for_days(hosts: &[&str], days: u32) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let new = NewAuthority { hosts: &hosts, unix_ms: unix_ms(), days };
        let made = new.make().expect("it can be made");
        let key = String::from_utf8(made.issuing.expose().to_vec()).expect("PEM is text");
        Self { pem: made.root, key }
    }

    /// As `countersign ca new` made it before it made intermediates: a root that signs for a name.
    pub(super) fn kept_root(name: &str) -> Self {
        let mut params = authority_params("kept");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(name.to_owned())],
            excluded_subtrees: vec![
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
                GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
            ],
        });
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params.self_signed(&key).expect("it can sign").pem();
        Self { pem, key: key.serialize_pem() }
    }

    /// The certificate of the key that is kept.
    pub(super) fn issuing(&self) -> &str {
        let beside = self.key.find("-----BEGIN CERTIFICATE");
        beside.map_or(&self.pem, |at| &self.key[at..])
    }

    /// What a server shows beside a leaf.
    pub(super) fn sent(&self) -> Vec<CertificateDer<'static>> {
        let beside = if self.issuing() == self.pem { "" } else { self.issuing() };
        CertificateDer::pem_slice_iter(beside.as_bytes()).map(|one| one.expect("PEM")).collect()
    }

    /// A leaf that countersign would not make, with what is sent behind it, signed with the key
    /// that is kept.
    pub(super) fn forge(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "thief");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = time::OffsetDateTime::from_unix_timestamp(now_s()).expect("a time");
        params.not_after = params.not_before + time::Duration::days(1);
        change(&mut params);
        let stolen = KeyPair::from_pem(&self.key).expect("it is a key");
        let issuer = Issuer::from_ca_cert_pem(self.issuing(), stolen).expect("it is a CA");
        let key = KeyPair::generate().expect("a key can be made");
        let leaf = params.signed_by(&key, &issuer).expect("it can be signed").der().clone();
        ([vec![leaf], self.sent()].concat(), key)
    }

    /// An authority below the key that is kept, which has no right to one.
    pub(super) fn authority_below(&self) -> Self {
        let mut params = authority_params("below");
        params.use_authority_key_identifier_extension = true;
        let stolen = KeyPair::from_pem(&self.key).expect("it is a key");
        let issuer = Issuer::from_ca_cert_pem(self.issuing(), stolen).expect("it is a CA");
        let below = KeyPair::generate().expect("a key can be made");
        let between = params.signed_by(&below, &issuer).expect("it can be signed").pem();
        let chain = [&between, &*to_pem(&self.sent())].concat();
        Self { pem: self.pem.clone(), key: [below.serialize_pem(), chain].concat() }
    }

    pub(super) fn secret(&self) -> Secret {
        Secret::new(self.key.clone().into_bytes())
    }

    pub(super) fn authority(&self) -> Authority {
        let certificate = CaCertificate::read(self.pem.as_bytes()).expect("it is a CA");
        Authority::new(certificate, &self.secret()).expect("it is its key")
    }
}

pub(super) const SETTINGS: LeafSettings =
    LeafSettings { lifetime: Duration::from_secs(7 * 86_400), cache: 1024 };

pub(super) fn leaves_of(ca: &Pair) -> LeafCache {
    LeafCache::new(ca.authority(), SETTINGS, unix_ms, Counter::default())
        .expect("a key can be made")
}

/// Parameters of an authority that rcgen makes, without constraints.
pub(super) fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A directory, removed when dropped.
pub(super) struct Dir(TempDir);

impl Dir {
    pub(super) fn new() -> Self {
        Self(TempDir::new().expect("a directory can be made"))
    }

    /// Writes a file; gives its path.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("a file can be written");
        path
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// Runs a shell script in it, which must succeed.
    pub(super) fn run(&self, script: &str) {
        let output = Command::new("sh").args(["-ec", script]).current_dir(self.0.path()).output();
        let output = output.expect("there is a shell");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What `openssl` says, on either output.
pub(super) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is there");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// Whether OpenSSL, at its strictest, takes a chain for a server of this name.
pub(super) fn accepted_by_openssl(
    dir: &Dir,
    root: &str,
    chain: &[CertificateDer<'_>],
    name: &str,
) -> Result<(), String> {
    let root = dir.write("root.pem", root);
    let leaf = dir.write("leaf.pem", &to_pem(&chain[..1]));
    let rest = dir.write("rest.pem", &to_pem(&chain[1..]));
    let by =
        if name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    let mut arguments = vec!["verify", "-x509_strict", "-purpose", "sslserver", by, name];
    if chain.len() > 1 {
        arguments.extend(["-untrusted", &rest]);
    }
    arguments.extend(["-CAfile", &root, &leaf]);
    let said = openssl(&arguments);
    if said.ends_with(": OK\n") { Ok(()) } else { Err(said) }
}

/// Whether webpki takes a chain for a server of this name.
pub(super) fn accepted_by_webpki(
    root: &str,
    chain: &[CertificateDer<'_>],
    name: &str,
) -> Result<(), rustls::Error> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(root)), provider());
    let verifier = verifier.build().expect("there is a root");
    let name = ServerName::try_from(name).expect("it is a name");
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).map(|_| ())
}

fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.expect("it is PEM")).expect("it is a certificate");
    }
    roots
}

/// A client that trusts this root and remembers sessions.
pub(super) fn client(root: &str) -> Arc<ClientConfig> {
    client_of(root, rustls::ALL_VERSIONS)
}

pub(super) fn client_of(
    root: &str,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(versions).expect("the provider speaks them");
    let mut config = builder.with_root_certificates(roots(root)).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// What a client saw of a server.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) kind: Option<HandshakeKind>,
    pub(super) suite: Option<CipherSuite>,
}

/// A handshake in memory, and a few bytes from the server, so that its tickets arrive.
pub(super) fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<Seen, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).expect("it is a name");
    let mut client: Connection = ClientConnection::new(Arc::clone(client), name)?.into();
    let mut server: Connection = ServerConnection::new(Arc::clone(server))?.into();
    loop {
        // Where the client has given up, its error says more than the server's, of the alert.
        let heard = transfer(&mut client, &mut server);
        let answered = transfer(&mut server, &mut client)?;
        if !heard? && !answered {
            break;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking(), "it is over");
    Ok(Seen {
        chain: client.peer_certificates().unwrap_or_default().to_vec(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        kind: client.handshake_kind(),
        suite: client.negotiated_cipher_suite().map(|suite| suite.suite()),
    })
}

/// Takes what one has to say to the other; whether there was anything.
fn transfer(from: &mut Connection, to: &mut Connection) -> Result<bool, rustls::Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).expect("memory takes all");
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).expect("memory gives all");
        to.process_new_packets()?;
    }
    Ok(!wire.is_empty())
}

pub(super) fn to_pem(chain: &[CertificateDer<'_>]) -> String {
    let block = |der: &CertificateDer<'_>| {
        let document = pkcs8::Document::try_from(der.as_ref()).expect("a certificate is DER");
        document.to_pem("CERTIFICATE", pkcs8::LineEnding::LF).expect("DER has a form in PEM")
    };
    chain.iter().map(block).collect()
}

/// Waits for a future on a runtime of its own.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

pub(super) fn now_s() -> i64 {
    i64::try_from(unix_ms() / 1_000).expect("a time")
}
