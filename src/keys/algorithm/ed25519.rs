//! Ed25519 (RFC 8032), in the TLS library. It signs messages, and nothing that is hashed before.
//!
//! A key is a seed of 32 bytes: in PKCS#8 (RFC 8410), or bare, in hex or base64; NaCl's libraries and
//! Coinbase's console put the public half behind it.

use std::sync::Arc;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{ObjectIdentifier, SecretDocument};
use zeroize::Zeroizing;

use crate::cost::Cost;
use crate::keys::content::Content;
use crate::keys::error::SignError;
use crate::keys::formats::{self, FormatError, Found};
use crate::keys::key::Signer;
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::local::{LocalKey, LocalSigner};
use crate::keys::signature::Signature;

impl Algorithm {
    /// Ed25519 (`ed25519`).
    pub const ED25519: Self = Self(&Ed25519);
}

struct Ed25519;

struct Ed25519Private {
    seed: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

struct Ed25519Public {
    point: [u8; 32],
    verifier: ParsedPublicKey,
}

impl Kind for Ed25519 {
    fn name(&self) -> &'static str {
        "ed25519"
    }

    fn summary(&self) -> &'static str {
        "Ed25519 over the message itself (RFC 8032); deterministic"
    }

    fn forms(&self) -> &'static str {
        "PKCS#8 in PEM, DER, base64 or hex; the seed of 32 bytes in hex or base64, alone or with the \
         public key behind it; `ed25519:` and that in base58"
    }

    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>> {
        match (found.form(), found.word()) {
            (Ok(formats::Form::Pkcs8 { oid: ID_ED25519, key, public }), _) => {
                // RFC 8410, section 7: an OCTET STRING in the OCTET STRING.
                let seed = key.strip_prefix(&[0x04, 0x20]);
                let seed = seed.ok_or_else(|| FormatError::damaged("an Ed25519 key"));
                Some(seed.and_then(|seed| private(seed, public.as_deref().unwrap_or_default())))
            }
            (Ok(formats::Form::Number(bytes)), _) if asked => Some(bare(bytes)),
            (_, Some(word)) if asked || word.starts_with(NEAR) => {
                bytes_of(word).map(|bytes| bare(&bytes))
            }
            _ => None,
        }
    }

    fn read_public(&self, encoded: Encoded<'_>) -> Option<PublicKey> {
        match encoded {
            Encoded::Spki(der) => {
                let info = SubjectPublicKeyInfoRef::try_from(der).ok()?;
                let own = info.algorithm.oid == ID_ED25519;
                own.then(|| public(info.subject_public_key.as_bytes()?)).flatten()
            }
            Encoded::Point(point) => public(point),
            Encoded::Pkcs1(_) => None,
        }
    }

    fn generate(&self, _bits: usize) -> PrivateKey {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(&mut seed[..]).expect("the system has random numbers");
        private(&seed[..], &[]).expect("every seed is a key")
    }
}

impl Private for Ed25519Private {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        let der = Zeroizing::new([PKCS8_HEAD, &self.seed[..]].concat());
        Ok(SecretDocument::try_from(&der[..]).expect("the head is that of DER"))
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.seed[..])
            .map_err(|_| SignError::Failed("the library refuses the key"))?;
        Ok(LocalSigner::shared(self.public.clone(), pair))
    }
}

impl LocalKey for Ed25519KeyPair {
    const SIGNING: Cost = Cost::micros(30);

    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError> {
        let Content::Message(message) = content else {
            return Err(SignError::Failed("an Ed25519 key signs messages, and no digests"));
        };
        let signature = self.try_sign(message);
        let signature =
            signature.map_err(|_| SignError::Failed("the library made no signature"))?;
        Ok(Signature::Octets(signature.as_ref().to_vec()))
    }
}

impl Public for Ed25519Public {
    fn spki(&self) -> Vec<u8> {
        [SPKI_HEAD, &self.point].concat()
    }

    fn compressed(&self) -> Vec<u8> {
        self.point.to_vec()
    }

    fn forms(&self) -> Vec<Form> {
        vec![
            Form::new("public key in hex, which Cobo wants", "public_hex", hex(&self.point)),
            Form::new("and in base64", "public_base64", STANDARD.encode(self.point)),
            Form::new("SPKI in PEM", "spki_pem", formats::public_pem(&self.spki())),
        ]
    }

    fn verifying(&self) -> Cost {
        Cost::micros(80)
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Content::Message(message), Signature::Octets(octets)) = (content, signature) else {
            return false;
        };
        self.verifier.verify_sig(message, octets).is_ok()
    }
}

fn public(point: &[u8]) -> Option<PublicKey> {
    let point = point.try_into().ok()?;
    let verifier = ParsedPublicKey::new(&ED25519, point).ok()?;
    Some(PublicKey::new(Algorithm::ED25519, Ed25519Public { point, verifier }))
}

/// A seed, or a seed with its public key behind it.
fn bare(bytes: &[u8]) -> Result<PrivateKey, FormatError> {
    match bytes.split_first_chunk::<32>() {
        Some((seed, beside)) if matches!(beside.len(), 0 | 32) => private(seed, beside),
        _ => Err(FormatError::new(
            format!(
                "is {} bytes, and an ed25519 key is 32, or 64 with its public key",
                bytes.len()
            ),
            "give the seed, or PKCS#8 in PEM",
        )),
    }
}

/// The key of a seed; `beside` is empty, or must be its public half.
fn private(seed: &[u8], beside: &[u8]) -> Result<PrivateKey, FormatError> {
    let damaged = || FormatError::damaged("an Ed25519 key");
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| damaged())?;
    let point = pair.public_key().as_ref();
    if !beside.is_empty() && beside != point {
        return Err(FormatError::unbelonging());
    }
    let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| damaged())?);
    let public = public(point).ok_or_else(damaged)?;
    Ok(PrivateKey::new(Algorithm::ED25519, Ed25519Private { seed, public }))
}

/// The 32 or 64 bytes that a word is, in hex, base64 or, where it says so, base58: no two of these
/// have words of the same length.
fn bytes_of(word: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; 96]);
    if let Some(base58) = word.strip_prefix(NEAR) {
        let length = bs58::decode(base58).onto(&mut bytes[..]).ok()?;
        bytes.truncate(length);
        return Some(bytes);
    }
    let digits = word.strip_prefix(b"0x").unwrap_or(word);
    let length = match digits.len() {
        64 | 128 => base16ct::mixed::decode(digits, &mut bytes).ok()?.len(),
        43 | 44 | 86 | 88 => [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
            .iter()
            .find_map(|engine| engine.decode_slice(word, &mut bytes).ok())?,
        _ => return None,
    };
    bytes.truncate(length);
    Some(bytes)
}

/// How NEAR's tools and Orderly's write keys.
const NEAR: &[u8] = b"ed25519:";

/// `id-Ed25519` (RFC 8410, section 3).
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// What stands before the seed in PKCS#8 (RFC 8410, section 7).
const PKCS8_HEAD: &[u8] = &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What stands before the point in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_HEAD: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

#[cfg(test)]
mod tests {
    use super::*;

    /// Seed, public key, message and signature: RFC 8032, section 7.1 (tests 1 to 3, SHA(abc)), and
    /// what Cobo's SDK for Python signs (cobo_waas2 1.46.0).
    const KNOWN: &[[&str; 4]] = &[
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ],
        [
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ],
        [
            "8b2a944c1143a3f50202a626619dbb1578e390315a46d09026c19ca8e1c6f1ed",
            "363f1dab2d6319ea85bc344ecd6afb9c0b8afa19c755111b66d11aa755a18d5e",
            "ca2fee33ee77f0fa53a54eeabd7609e39398a717200ac38da0df8f8a054566c7",
            "af0b46436dcb41758ba49533c024d4f60a272144f986a80081779502e726ae96636fcc09a94bdc16d57e60df5f832262376e4737b149bc188e2d57c834d8f303",
        ],
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        base16ct::lower::decode_vec(hex).unwrap()
    }

    fn parse(text: &str) -> Result<PrivateKey, FormatError> {
        PrivateKey::parse(text.as_bytes(), Some(Algorithm::ED25519), None)
    }

    #[tokio::test]
    async fn signatures_are_those_of_the_standard() {
        for [seed, public, message, expected] in KNOWN {
            let signer = parse(seed).unwrap().signer().unwrap();
            assert_eq!(hex(&signer.public_key().compressed()), *public);
            let message = bytes(message);
            let signature = signer.sign(Content::Message(&message)).await.unwrap();
            assert_eq!(signature, Signature::Octets(bytes(expected)));
            assert!(signer.public_key().verifies(Content::Message(&message), &signature));
            let longer = [&message[..], &[0]].concat();
            assert!(!signer.public_key().verifies(Content::Message(&longer), &signature));
        }
    }

    #[test]
    fn seeds_are_read_in_every_form() {
        let [seed, public, ..] = KNOWN[1];
        let expected = parse(seed).unwrap().public_key();
        let (seed, both) = (bytes(seed), bytes(&format!("{seed}{public}")));
        let version_two =
            [&[0x30, 0x51, 2, 1, 1][..], &PKCS8_HEAD[5..], &seed, &[0x81, 0x21, 0], &both[32..]];
        for text in [
            format!("0x{}", hex(&seed)),
            hex(&both),
            STANDARD.encode(&seed),
            STANDARD.encode(&both),
            URL_SAFE_NO_PAD.encode(&seed),
            URL_SAFE_NO_PAD.encode(&both),
            format!("ed25519:{}", bs58::encode(&both).into_string()),
            hex(&version_two.concat()),
            parse(&hex(&seed)).unwrap().to_text().to_string(),
        ] {
            assert_eq!(parse(&text).unwrap().public_key(), expected, "{text}");
        }
        let mut other = both.clone();
        other[40] ^= 1;
        for (text, what) in [
            (hex(&other), "does not belong"),
            (STANDARD.encode(&other), "does not belong"),
            (format!("ed25519:{}", bs58::encode(&seed[1..]).into_string()), "is 31 bytes"),
            ("correct horse".into(), "is not a private key"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.what.contains(what), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_digest_is_not_signed_as_if_it_were_the_message() {
        let signer = parse(KNOWN[0][0]).unwrap().signer().unwrap();
        let hashing = crate::keys::Hashing::sha256(b"text");
        let error = signer.sign(hashing.content(b"text")).await.unwrap_err();
        assert!(error.to_string().ends_with("signs messages, and no digests"), "{error}");
    }
}
