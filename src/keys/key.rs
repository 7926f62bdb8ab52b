//! Keys of any algorithm: what they are to everybody who is not the algorithm itself.
//!
//! An algorithm is one file below `algorithm/` with everything about it: a [`Kind`], and the
//! [`Private`] and [`Public`] halves of its keys. The rest of the program sees [`Algorithm`],
//! [`PrivateKey`] and [`PublicKey`], and never asks which one it has; a key at work is a [`Signer`],
//! wherever it is.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::content::{Content, Digest};
use super::error::SignError;
use super::formats::{FormatError, Found};
use super::kinship::Kinship;
use super::signature::Signature;
use crate::cost::Cost;
use crate::secret::Secret;

/// What a key does, by the name that the configuration has for it.
#[derive(Clone, Copy)]
pub struct Algorithm(pub(super) &'static dyn Kind);

/// A row of [`Algorithm::ALL`].
pub(super) trait Kind: Send + Sync {
    /// The name in configuration files.
    fn name(&self) -> &'static str;

    /// Half a sentence for the documentation: what it is, by which standard.
    fn summary(&self) -> &'static str;

    /// Half a sentence for the documentation: the forms that keys are read in.
    fn forms(&self) -> &'static str;

    /// How names of files with such a key end: those of [`PrivateKey::to_text`].
    fn file_extension(&self) -> &'static str {
        "pem"
    }

    /// Whether the other side has the same key: a MAC's, which whoever verifies has issued.
    fn is_shared(&self) -> bool {
        false
    }

    /// Reads a key; `None` if what was found is none of this algorithm's. `asked` says whether
    /// somebody has named the algorithm: a bare number is a key of whatever is asked for, and of
    /// nothing otherwise.
    ///
    /// # Errors
    ///
    /// It is one of this algorithm's, and damaged or of no use: what is wrong, and how to mend it.
    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>>;

    /// Reads a public key.
    fn read_public(&self, encoded: Encoded<'_>) -> Option<PublicKey>;

    /// Reads a signature in ASN.1 DER, where the algorithm has one.
    fn read_der(&self, _der: &[u8]) -> Option<Signature> {
        None
    }

    /// The keys that a signature of a digest can be of.
    fn recover(&self, _digest: &Digest, _signature: &Signature) -> Vec<PublicKey> {
        Vec::new()
    }

    /// As [`Signature::low_s`].
    fn low(&self, signature: &Signature) -> Signature {
        signature.clone()
    }

    /// The sizes in bits that new keys are made in, the default one first; empty where there is
    /// one alone.
    fn sizes(&self) -> &'static [usize] {
        &[]
    }

    /// Makes a new key of one of [`Self::sizes`], from the random numbers of the TLS library.
    fn generate(&self, bits: usize) -> PrivateKey;

    /// Something that a key can be tried with.
    fn probe(&self) -> Content<'static> {
        Content::Message(b"countersign self-test")
    }
}

/// A public key as bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoded<'a> {
    /// An X.509 SubjectPublicKeyInfo in DER.
    Spki(&'a [u8]),
    /// An `RSAPublicKey` (RFC 8017, appendix A.1.1).
    Pkcs1(&'a [u8]),
    /// A point without anything that says of which curve: SEC 1, compressed or not; for Baby
    /// Jubjub x and y, 32 bytes each, big-endian.
    Point(&'a [u8]),
}

/// A private key of some algorithm.
pub(super) trait Private: Send + Sync {
    fn public_key(&self) -> PublicKey;

    /// PKCS#8.
    ///
    /// # Errors
    ///
    /// Where PKCS#8 has no name for the algorithm.
    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError>;

    /// The secret of a MAC's key.
    #[cfg(feature = "pkcs11")]
    fn mac_secret(&self) -> Option<&[u8]> {
        None
    }

    /// The form that files are written in.
    fn to_text(&self) -> Zeroizing<String> {
        let document = self.to_pkcs8().expect("a key without PKCS#8 has a text of its own");
        document.to_pem("PRIVATE KEY", LineEnding::LF).expect("DER of a key has a form in PEM")
    }

    /// The key at work.
    ///
    /// # Errors
    ///
    /// When the library does not take the key, or the system has no threads left.
    fn signer(&self) -> Result<Arc<dyn Signer>, SignError>;
}

/// The public half of a key of some algorithm.
pub(super) trait Public: Send + Sync {
    /// As [`PublicKey::spki`].
    fn spki(&self) -> Vec<u8>;

    /// As [`PublicKey::compressed`].
    fn compressed(&self) -> Vec<u8> {
        self.spki()
    }

    /// As [`PublicKey::fingerprint`].
    fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(self.spki())))
    }

    /// As [`PublicKey::forms`].
    fn forms(&self) -> Vec<Form>;

    /// The size in bits, where keys have several.
    fn bits(&self) -> Option<usize> {
        None
    }

    /// What it costs to verify a signature of a message that is hashed already.
    fn verifying(&self) -> Cost;

    /// As [`PublicKey::verifies`].
    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool;

    /// As [`PublicKey::verifies_with_rounds`].
    fn verifies_with_rounds(&self, _: usize, _: Content<'_>, _: &Signature) -> bool {
        false
    }
}

/// A public key as a provider's console or a program asks for it.
#[derive(Clone, Debug)]
pub struct Form {
    /// What it is and who wants it, for people; empty where only programs do.
    pub heading: &'static str,
    /// Names for programs, and the texts.
    pub members: Vec<(&'static str, String)>,
}

impl Form {
    pub(super) fn new(heading: &'static str, member: &'static str, text: String) -> Self {
        Self { heading, members: vec![(member, text)] }
    }
}

impl Algorithm {
    /// The name in configuration files.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What it is, in half a sentence.
    pub fn summary(self) -> &'static str {
        self.0.summary()
    }

    /// The forms that its keys are read in, in half a sentence.
    pub fn forms(self) -> &'static str {
        self.0.forms()
    }

    /// How names of files with such a key end: those of [`PrivateKey::to_text`].
    pub fn file_extension(self) -> &'static str {
        self.0.file_extension()
    }

    /// The sizes in bits that new keys can have, the default one first; empty where there is one
    /// alone.
    pub fn sizes(self) -> &'static [usize] {
        self.0.sizes()
    }

    /// Whether the other side has the same key: a MAC's, which whoever verifies has issued. There is
    /// no public half to register.
    pub fn is_shared(self) -> bool {
        self.0.is_shared()
    }

    /// Something that every key of this algorithm can sign, and no provider asks for.
    pub fn probe(self) -> Content<'static> {
        self.0.probe()
    }
}

impl PartialEq for Algorithm {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Algorithm {}

impl Hash for Algorithm {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A private key in memory, on its way into a signer or a file.
pub struct PrivateKey {
    algorithm: Algorithm,
    key: Box<dyn Private>,
}

impl PrivateKey {
    pub(super) fn new(algorithm: Algorithm, key: impl Private + 'static) -> Self {
        Self { algorithm, key: Box::new(key) }
    }

    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The key at work. It may be dropped then.
    ///
    /// # Errors
    ///
    /// When the TLS library does not take the key, which it does for every key that was read; when
    /// the system has no threads left.
    pub fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        self.key.signer()
    }

    /// The form that files are written in, readable by whoever has it: PKCS#8 in PEM, or where
    /// PKCS#8 has no name for the algorithm its own text.
    pub fn to_text(&self) -> Zeroizing<String> {
        self.key.to_text()
    }

    /// PKCS#8.
    ///
    /// # Errors
    ///
    /// Where PKCS#8 has no name for the algorithm.
    #[cfg(feature = "pkcs11")]
    pub(super) fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        self.key.to_pkcs8()
    }

    /// The secret of a MAC's key.
    #[cfg(feature = "pkcs11")]
    pub(super) fn mac_secret(&self) -> Option<&[u8]> {
        self.key.mac_secret()
    }

    /// Whether there is a form for this key under a passphrase.
    ///
    /// # Errors
    ///
    /// Where PKCS#8 has no name for the algorithm.
    pub fn check_encryptable(&self) -> Result<(), FormatError> {
        self.key.to_pkcs8().map(|_| ())
    }

    /// PKCS#8 in PEM under a passphrase: PBES2 with scrypt and AES-256-CBC, which OpenSSL reads.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers for the salt, and as [`Self::check_encryptable`].
    pub fn to_encrypted_pem(&self, passphrase: &Secret) -> Result<Zeroizing<String>, FormatError> {
        let plain = self.key.to_pkcs8()?;
        PrivateKeyInfoRef::try_from(plain.as_bytes())
            .and_then(|info| info.encrypt(passphrase.expose()))
            .and_then(|document| Ok(document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?))
            .map_err(|_| FormatError::new("could not be encrypted", "try again"))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm)
    }
}

/// What is known of a key outside its store: its algorithm, its public half, its fingerprint, and
/// whether a signature is its own.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    key: Arc<dyn Public>,
}

impl PublicKey {
    pub(super) fn new(algorithm: Algorithm, key: impl Public + 'static) -> Self {
        Self { algorithm, key: Arc::new(key) }
    }

    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The X.509 SubjectPublicKeyInfo in DER, with the uncompressed point. Nobody has defined one
    /// for Baby Jubjub: there it is x and y, 32 bytes each, big-endian.
    pub fn spki(&self) -> Vec<u8> {
        self.key.spki()
    }

    /// The compressed SEC 1 point, 33 bytes. Where nobody compresses, the bytes of [`Self::spki`].
    pub fn compressed(&self) -> Vec<u8> {
        self.key.compressed()
    }

    /// A name for the key that people can compare: `SHA256:` and the base64 of the SPKI's hash,
    /// as OpenSSH writes fingerprints.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint()
    }

    /// The forms that consoles and programs ask for.
    pub fn forms(&self) -> Vec<Form> {
        self.key.forms()
    }

    /// The size in bits, where keys of the algorithm have several.
    pub fn bits(&self) -> Option<usize> {
        self.key.bits()
    }

    /// What [`Self::verifies`] costs of a text of so many bytes.
    pub fn verifying(&self, length: usize) -> Cost {
        self.key.verifying() + Cost::hashing(length)
    }

    /// Whether `signature` is this key's over `content`. High-S is accepted: providers' own
    /// libraries do not normalise.
    pub fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        self.key.verifies(content, signature)
    }

    /// The same of Baby Jubjub, where the challenge was hashed with another number of partial rounds
    /// than the provider's; for a diagnosis alone.
    pub fn verifies_with_rounds(
        &self,
        partial: usize,
        content: Content<'_>,
        signature: &Signature,
    ) -> bool {
        self.key.verifies_with_rounds(partial, content, signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.fingerprint() == other.fingerprint()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm, self.fingerprint())
    }
}

/// A boxed future, for the object-safe traits of this module.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A key that signs and is never seen.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half, known since the key was opened.
    fn public_key(&self) -> &PublicKey;

    /// Signs. secp256k1 signatures are low-S. A key in memory makes them deterministic (RFC 6979), and
    /// of the others those of P-256 and RSA-PSS alone differ from one time to the next.
    ///
    /// # Errors
    ///
    /// [`SignError::Failed`] when the key's arithmetic or device fails, and when the content is of a
    /// kind that it does not sign; [`SignError::Busy`] when too many wait for it already.
    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>>;

    /// What signing a text of so many bytes costs on the thread that asks; nothing where another
    /// thread, process or device signs.
    fn cost(&self, _length: usize) -> Cost {
        Cost::NOTHING
    }

    /// Why it waits for its store, where it does: what holds when there was no signature in time.
    fn away(&self) -> Option<SignError> {
        None
    }

    /// The same key for the requests of one route alone, where its store wants to know which: one
    /// that has a list of its own of what it signs.
    fn for_route(&self, _route: &str) -> Option<Arc<dyn Signer>> {
        None
    }

    /// Whether it signs digests that are of no message it could hash itself.
    fn signs_digests(&self) -> bool {
        true
    }

    /// The public halves of keys that a program has in its place by mistake, where the key is in
    /// this process's memory; for a diagnosis alone.
    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        Vec::new()
    }
}
