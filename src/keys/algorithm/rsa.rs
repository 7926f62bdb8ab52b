//! RSA signatures (RFC 8017), in the TLS library, with keys of 2048 to 8192 bits.
//!
//! They take hundreds of microseconds to tens of milliseconds, so that keys are put to work on the
//! threads of `workers` and not on the workers that serve requests.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{self, Digest as LibraryDigest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, PublicEncryptingKey, PublicKey as LibraryKey};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaParameters,
};
use pkcs8::der::asn1::{AnyRef, UintRef};
use pkcs8::der::{self, Reader as _, SliceReader};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{ObjectIdentifier, SecretDocument};

use crate::cost::Cost;
use crate::keys::content::Content;
use crate::keys::error::SignError;
use crate::keys::formats::{self, Form as Read, FormatError, Found};
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::key::{BoxFuture, Signer};
use crate::keys::signature::Signature;
use crate::workers::{Pool, Queue};

impl Algorithm {
    /// RSA with PKCS#1 v1.5 padding over SHA-256 (`rsa_pkcs1_sha256`).
    pub const RSA_PKCS1_SHA256: Self = Self(&PKCS1_SHA256);
    /// RSA with PKCS#1 v1.5 padding over SHA-512 (`rsa_pkcs1_sha512`).
    pub const RSA_PKCS1_SHA512: Self = Self(&PKCS1_SHA512);
    /// RSA with PSS padding over SHA-256 (`rsa_pss_sha256`).
    pub const RSA_PSS_SHA256: Self = Self(&PSS_SHA256);
    /// RSA with PSS padding over SHA-512 (`rsa_pss_sha512`).
    pub const RSA_PSS_SHA512: Self = Self(&PSS_SHA512);
}

/// One way to sign with RSA.
#[derive(Clone, Copy)]
struct Rsa {
    name: &'static str,
    summary: &'static str,
    /// Whether keys that say they are for PSS alone are keys of this.
    pss: bool,
    hash: &'static digest::Algorithm,
    signs: &'static dyn RsaEncoding,
    verifies: &'static RsaParameters,
}

const PKCS1_SHA256: Rsa = Rsa {
    name: "rsa_pkcs1_sha256",
    summary: "RSA with PKCS#1 v1.5 padding and SHA-256 (RFC 8017, section 8.2); deterministic",
    pss: false,
    hash: &digest::SHA256,
    signs: &RSA_PKCS1_SHA256,
    verifies: &RSA_PKCS1_2048_8192_SHA256,
};
const PKCS1_SHA512: Rsa = Rsa {
    name: "rsa_pkcs1_sha512",
    summary: "RSA with PKCS#1 v1.5 padding and SHA-512 (RFC 8017, section 8.2); deterministic",
    pss: false,
    hash: &digest::SHA512,
    signs: &RSA_PKCS1_SHA512,
    verifies: &RSA_PKCS1_2048_8192_SHA512,
};
const PSS_SHA256: Rsa = Rsa {
    name: "rsa_pss_sha256",
    summary: "RSA with PSS padding, SHA-256 and a salt of 32 bytes (RFC 8017, section 8.1)",
    pss: true,
    hash: &digest::SHA256,
    signs: &RSA_PSS_SHA256,
    verifies: &RSA_PSS_2048_8192_SHA256,
};
const PSS_SHA512: Rsa = Rsa {
    name: "rsa_pss_sha512",
    summary: "RSA with PSS padding, SHA-512 and a salt of 64 bytes (RFC 8017, section 8.1)",
    pss: true,
    hash: &digest::SHA512,
    signs: &RSA_PSS_SHA512,
    verifies: &RSA_PSS_2048_8192_SHA512,
};

/// The library wipes it when the last copy is dropped.
struct RsaPrivate {
    kind: Rsa,
    pair: RsaKeyPair,
    public: PublicKey,
}

struct RsaPublic {
    kind: Rsa,
    spki: Vec<u8>,
    bits: usize,
    verifier: ParsedPublicKey,
}

struct RsaSigner {
    kind: Rsa,
    pair: Arc<RsaKeyPair>,
    public: PublicKey,
    queue: Queue,
}

impl Kind for Rsa {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn forms(&self) -> &'static str {
        if self.pss {
            return "those of `rsa_pkcs1_sha256`, and keys for PSS alone (id-RSASSA-PSS)";
        }
        "PKCS#8 or PKCS#1 in PEM, DER, base64 or hex, of 2048 to 8192 bits"
    }

    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>> {
        match found.form().ok()? {
            Read::Pkcs1(key) => Some(self.read_pkcs1(key)),
            Read::Pkcs8 { oid, key, public }
                if *oid == RSA_ENCRYPTION || *oid == RSA_PSS && self.pss =>
            {
                let key = self.read_pkcs1(key);
                let stated = public.as_ref().map(|public| self.public(public));
                Some(key.and_then(|key| match stated {
                    Some(stated) if stated != Some(key.public_key()) => {
                        Err(FormatError::unbelonging())
                    }
                    _ => Ok(key),
                }))
            }
            Read::Pkcs8 { oid: RSA_PSS, .. } if asked => Some(Err(pss_only())),
            Read::Number(_) if asked => Some(Err(one_number())),
            Read::Pkcs8 { .. }
            | Read::Ec { .. }
            | Read::Number(_)
            | Read::Wif(_)
            | Read::Json(_) => None,
        }
    }

    fn read_public(&self, encoded: Encoded<'_>) -> Option<PublicKey> {
        match encoded {
            Encoded::Spki(der) => {
                let info = SubjectPublicKeyInfoRef::try_from(der).ok()?;
                // Keys for PSS alone say so, and sign nothing else.
                let rsa = info.algorithm.oid == RSA_ENCRYPTION;
                rsa.then(|| self.public(info.subject_public_key.as_bytes()?)).flatten()
            }
            Encoded::Pkcs1(der) => self.public(der),
            Encoded::Point(_) => None,
        }
    }

    fn sizes(&self) -> &'static [usize] {
        // 3072 bits are as hard to break as the 256-bit curves, and sign in half the time of 4096.
        &[3072, 2048, 4096]
    }

    fn generate(&self, bits: usize) -> PrivateKey {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            _ => KeySize::Rsa4096,
        };
        let pair = RsaKeyPair::generate(size).expect("the library makes keys of its own sizes");
        self.private(pair).expect("the library's own key has an encoding")
    }
}

impl Rsa {
    fn algorithm(self) -> Algorithm {
        self.name.parse().expect("it is a row of the table")
    }

    /// Reads an `RSAPrivateKey` (RFC 8017, appendix A.1.2) and nothing after it. The library
    /// checks that its numbers belong together.
    fn read_pkcs1(self, der: &[u8]) -> Result<PrivateKey, FormatError> {
        let damaged = || FormatError::damaged("an RSA key");
        let (version, bits) = modulus(der).map_err(|_| damaged())?;
        if version != 0 {
            return Err(unusable("is an RSA key of more than two primes"));
        }
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            let limits = format!("and {MIN_BITS} to {MAX_BITS} are accepted");
            return Err(unusable(format!("is an RSA key of {bits} bits, {limits}")));
        }
        let pair = RsaKeyPair::from_der(der).map_err(|_| damaged())?;
        self.private(pair).ok_or_else(damaged)
    }

    fn private(self, pair: RsaKeyPair) -> Option<PrivateKey> {
        let public = self.public(pair.public_key().as_ref())?;
        Some(PrivateKey::new(public.algorithm(), RsaPrivate { kind: self, pair, public }))
    }

    /// Reads an `RSAPublicKey` (RFC 8017, appendix A.1.1), under the same limits.
    fn public(self, der: &[u8]) -> Option<PublicKey> {
        let key = LibraryKey::from_der(der).ok()?;
        let spki: PublicKeyX509Der<'_> = key.as_der().ok()?;
        // This one looks at the size as well.
        let bits = PublicEncryptingKey::from_der(spki.as_ref()).ok()?.key_size_bits();
        let verifier = ParsedPublicKey::new(self.verifies, spki.as_ref()).ok()?;
        let spki = spki.as_ref().to_vec();
        Some(PublicKey::new(self.algorithm(), RsaPublic { kind: self, spki, bits, verifier }))
    }

    fn digest(self, content: Content<'_>) -> Result<LibraryDigest, SignError> {
        match content {
            Content::Message(message) => Ok(digest::digest(self.hash, message)),
            // "Less safe" because it takes a hash's word for it; hashing is the scheme's part.
            Content::Digest { digest, .. } => LibraryDigest::import_less_safe(&digest.0, self.hash)
                .map_err(|_| SignError::Failed("the digest is not of this key's hash")),
            Content::Mac { .. } | Content::Hash { .. } => Err(SignError::NO_MAC),
        }
    }
}

impl Private for RsaPrivate {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        let der: Pkcs8V1Der<'_> =
            self.pair.as_der().expect("a key that was checked has an encoding");
        Ok(SecretDocument::try_from(der.as_ref()).expect("PKCS#8 is DER"))
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        let pool =
            Pool::shared().map_err(|_| SignError::Failed("the system starts no thread for it"))?;
        let (pair, public) = (Arc::new(self.pair.clone()), self.public.clone());
        let queue = Queue::new(pool, costs(8 * pair.public_modulus_len()).signing);
        Ok(Arc::new(RsaSigner { kind: self.kind, pair, public, queue }))
    }
}

impl Signer for RsaSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        let digest = self.kind.digest(content);
        let (pair, signs) = (Arc::clone(&self.pair), self.kind.signs);
        Box::pin(async move {
            let digest = digest?;
            self.queue.run(move || sign(&pair, signs, &digest)).await?.map(Signature::Octets)
        })
    }

    /// The hash alone is made here.
    fn cost(&self, length: usize) -> Cost {
        Cost::hashing(length)
    }
}

impl fmt::Debug for RsaSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaSigner({:?})", self.public)
    }
}

fn sign(
    pair: &RsaKeyPair,
    signs: &'static dyn RsaEncoding,
    digest: &LibraryDigest,
) -> Result<Vec<u8>, SignError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(signs, digest, &mut signature)
        .map_err(|_| SignError::Failed("the library made no signature"))?;
    Ok(signature)
}

impl Public for RsaPublic {
    fn spki(&self) -> Vec<u8> {
        self.spki.clone()
    }

    fn forms(&self) -> Vec<Form> {
        vec![Form::new("SPKI in PEM", "spki_pem", formats::public_pem(&self.spki))]
    }

    fn bits(&self) -> Option<usize> {
        Some(self.bits)
    }

    fn verifying(&self) -> Cost {
        costs(self.bits).verifying
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Ok(digest), Signature::Octets(octets)) = (self.kind.digest(content), signature) else {
            return false;
        };
        self.verifier.verify_digest_sig(&digest, octets).is_ok()
    }
}

/// The version of an `RSAPrivateKey`, and how many bits its modulus has.
fn modulus(der: &[u8]) -> der::Result<(u8, usize)> {
    let mut reader = SliceReader::new(der)?;
    let found = reader.sequence(|fields| {
        let version: u8 = fields.decode()?;
        let modulus: UintRef<'_> = fields.decode()?;
        while !fields.is_finished() {
            fields.decode::<AnyRef<'_>>()?;
        }
        let bytes = modulus.as_bytes();
        let zeros = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Ok::<_, der::Error>((version, 8 * bytes.len() - zeros))
    })?;
    reader.finish()?;
    Ok(found)
}

/// A row of [`COSTS`].
struct Costs {
    bits: usize,
    signing: Cost,
    verifying: Cost,
}

/// What keys cost up to a size, where the processor has nothing for it that the library knows.
const COSTS: &[Costs] = &[
    row(2048, 1_500, 40),
    row(3072, 5_000, 70),
    row(4096, 10_000, 120),
    row(6144, 30_000, 250),
    row(8192, 70_000, 450),
];

const fn row(bits: usize, signing: u64, verifying: u64) -> Costs {
    Costs { bits, signing: Cost::micros(signing), verifying: Cost::micros(verifying) }
}

fn costs(bits: usize) -> &'static Costs {
    COSTS.iter().find(|row| bits <= row.bits).unwrap_or(&COSTS[COSTS.len() - 1])
}

fn pss_only() -> FormatError {
    unusable(
        "is an RSA key for PSS signatures alone (id-RSASSA-PSS), and PKCS#1 v1.5 is signed here",
    )
}

/// The sentence for a number where an RSA key is asked for.
fn one_number() -> FormatError {
    FormatError::new(
        "is a single number, and an RSA key is several",
        "give PKCS#1 or PKCS#8 in PEM, DER or hex",
    )
}

fn unusable(what: impl Into<String>) -> FormatError {
    FormatError::new(
        what,
        "make a new key: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out \
         NEW.pem; or countersign keys new --algorithm rsa_pkcs1_sha256 --out NEW.pem",
    )
}

/// Keys below this are refused, as providers do.
const MIN_BITS: usize = 2048;

/// Keys above this are refused: they sign for tens of milliseconds, and the library has no use
/// for them.
const MAX_BITS: usize = 8192;

/// `rsaEncryption` (RFC 8017, appendix A.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// `id-RSASSA-PSS` (RFC 8017, appendix C).
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
