//! Keys that a service signs with over the network: what they have in common, whatever the service.
//!
//! A service is given a digest where the algorithm has one, so that a question is short however long
//! the message is; Ed25519 and MACs take the message itself. While nobody answers, a request waits
//! for the service until its own time is over.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256, Sha512};
use tokio::sync::Semaphore;

use super::content::{Content, Derivation};
use super::error::SignError;
use super::key::{Algorithm, BoxFuture, PublicKey, Signer};
use super::signature::Signature;

/// A key of a service.
pub(crate) trait Service: fmt::Debug + Send + Sync {
    /// Messages up to this length are given as they are, also where a digest would do.
    fn whole(&self) -> usize;

    /// The longest message.
    fn longest(&self) -> usize;

    /// What the service makes: ECDSA in DER, everything else as octets.
    fn sign<'a>(&'a self, input: Input<'a>) -> BoxFuture<'a, Result<Vec<u8>, Fault>>;
}

/// What a service signs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// A message, which the service hashes if the algorithm does.
    Message(&'a [u8]),
    /// A digest by the algorithm's hash.
    Digest(&'a [u8]),
}

/// Why a service has signed nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It may, if it is asked again: it is out of reach, or has too much to do.
    Away(&'static str),
    /// It will not.
    Refused(&'static str),
}

impl From<Fault> for SignError {
    fn from(fault: Fault) -> Self {
        let (Fault::Away(why) | Fault::Refused(why)) = fault;
        Self::Failed(why)
    }
}

/// A key of a service at work.
pub(crate) struct Hosted<S> {
    service: S,
    public: PublicKey,
    /// Why nobody answers.
    away: Mutex<Option<SignError>>,
    /// Taken from while a signature waits or is made.
    places: Semaphore,
}

impl<S: Service + 'static> Hosted<S> {
    /// A key whose public half is known.
    pub(crate) fn signer(service: S, public: PublicKey) -> Arc<dyn Signer> {
        let (away, places) = (Mutex::default(), Semaphore::new(PLACES));
        Arc::new(Self { service, public, away, places })
    }

    /// A MAC's key, which is asked for the MAC by which it is known.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) async fn mac(
        service: S,
        algorithm: Algorithm,
    ) -> Result<Arc<dyn Signer>, SignError> {
        let Content::Message(probe) = algorithm.probe() else { return Err(FOREIGN) };
        let tag = service.sign(Input::Message(probe)).await?;
        let public = PublicKey::of_mac(algorithm, &tag).ok_or(FOREIGN)?;
        Ok(Self::signer(service, public))
    }

    /// Has it signed, and waits where nobody answers.
    async fn ask(&self, input: Input<'_>) -> Result<Vec<u8>, SignError> {
        if let Input::Message(message) = input
            && message.len() > self.service.longest()
        {
            return Err(SignError::Failed("the message is longer than the key's service takes"));
        }
        let _place = self.places.try_acquire().map_err(|_| SignError::Busy)?;
        let mut pause = SHORTEST_PAUSE;
        loop {
            let asked = self.service.sign(input).await;
            let away = match asked {
                Err(Fault::Away(why)) => Some(SignError::Failed(why)),
                Ok(_) | Err(Fault::Refused(_)) => None,
            };
            let gone = away.is_some();
            *self.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
            if !gone {
                return Ok(asked?);
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    async fn sign_now(&self, content: Content<'_>) -> Result<Signature, SignError> {
        let algorithm = self.public.algorithm();
        if algorithm.is_shared() {
            return self.mac_now(content).await.map(Signature::Octets);
        }
        let hashed = match content {
            Content::Mac { .. } | Content::Hash { .. } => return Err(SignError::NO_MAC),
            Content::Message(message) | Content::Digest { sha256_of: Some(message), .. }
                if algorithm == Algorithm::ED25519 || message.len() <= self.service.whole() =>
            {
                return self.signature(&self.ask(Input::Message(message)).await?);
            }
            Content::Message(message) => digest(algorithm, message),
            Content::Digest { digest, .. } if !is_long(algorithm) => digest.0.to_vec(),
            Content::Digest { .. } => {
                return Err(SignError::Failed("the digest is not of this key's hash"));
            }
        };
        if algorithm == Algorithm::ED25519 {
            return Err(SignError::Failed("the key signs messages, and no digests"));
        }
        self.signature(&self.ask(Input::Digest(&hashed)).await?)
    }

    fn signature(&self, made: &[u8]) -> Result<Signature, SignError> {
        let algorithm = self.public.algorithm();
        if let Some(signature) = Signature::from_der(algorithm, made) {
            return Ok(if algorithm == Algorithm::ECDSA_SECP256K1 {
                signature.low_s(algorithm)
            } else {
                signature
            });
        }
        let length = match self.public.bits() {
            Some(bits) => bits.div_ceil(8),
            None if algorithm == Algorithm::ED25519 => 64,
            None => return Err(FOREIGN),
        };
        (made.len() == length).then(|| Signature::Octets(made.to_vec())).ok_or(FOREIGN)
    }

    async fn mac_now(&self, content: Content<'_>) -> Result<Vec<u8>, SignError> {
        let (derivation, message) = match content {
            Content::Message(message) => return self.ask(Input::Message(message)).await,
            Content::Mac { derivation, message } => (derivation, message),
            Content::Digest { .. } | Content::Hash { .. } => {
                return Err(SignError::Failed("a MAC's key takes messages, and no digests"));
            }
        };
        let Derivation { prefix, suffix, over, .. } = derivation;
        if !prefix.is_empty() || suffix.is_some() {
            return Err(SignError::Failed(
                "the scheme puts a text beside the secret, which a key that stays in its store \
                 cannot have",
            ));
        }
        let Some(first) = over.first() else { return self.ask(Input::Message(message)).await };
        let first = self.ask(Input::Message(first)).await?;
        self.public.algorithm().mac_on(&first, derivation, message).ok_or(FOREIGN)
    }
}

impl<S: Service + 'static> Signer for Hosted<S> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        Box::pin(self.sign_now(content))
    }

    fn away(&self) -> Option<SignError> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Service> fmt::Debug for Hosted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hosted({:?} in {:?})", self.public, self.service)
    }
}

/// Whether an algorithm hashes by SHA-512.
fn is_long(algorithm: Algorithm) -> bool {
    [Algorithm::RSA_PKCS1_SHA512, Algorithm::RSA_PSS_SHA512].contains(&algorithm)
}

fn digest(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    if is_long(algorithm) {
        return Sha512::digest(message).to_vec();
    }
    Sha256::digest(message).to_vec()
}

const FOREIGN: SignError = SignError::Failed("the key's service answered with no such signature");

/// How soon a service that is away is asked again, at first and in the end.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many signatures of one key may wait or be made.
const PLACES: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::keys::content::{Digest, Hashing};
    use crate::keys::{PrivateKey, Written};

    /// Signs with a key in memory, and says what it was given.
    #[derive(Debug)]
    struct Echo {
        signer: Arc<dyn Signer>,
        away: AtomicBool,
        given: Mutex<Vec<String>>,
        /// Whether ECDSA signatures have the higher s.
        high: bool,
    }

    impl Echo {
        async fn sign_now(&self, input: Input<'_>) -> Result<Vec<u8>, Fault> {
            self.given.lock().unwrap().push(format!("{input:?}"));
            if self.away.swap(false, Ordering::Relaxed) {
                return Err(Fault::Away("gone"));
            }
            let signed = match input {
                Input::Message(message) => self.signer.sign(Content::Message(message)).await,
                Input::Digest(digest) => {
                    let digest = Digest(digest.try_into().expect("32 bytes"));
                    self.signer.sign(Content::digest(&digest)).await
                }
            };
            Ok(match signed.expect("it signs") {
                Signature::Octets(octets) => octets,
                Signature::Ecdsa { r, s } if self.high => {
                    let numbers = k256::ecdsa::Signature::from_scalars(r, s).unwrap();
                    let (r, s) = numbers.split_scalars();
                    let high = k256::ecdsa::Signature::from_scalars(r, -s).unwrap();
                    high.to_der().as_bytes().to_vec()
                }
                other @ (Signature::Ecdsa { .. } | Signature::BabyJub { .. }) => {
                    other.to_der().expect("it is ECDSA")
                }
            })
        }
    }

    impl Service for Arc<Echo> {
        fn whole(&self) -> usize {
            4
        }

        fn longest(&self) -> usize {
            40
        }

        fn sign<'a>(&'a self, input: Input<'a>) -> BoxFuture<'a, Result<Vec<u8>, Fault>> {
            Box::pin(self.sign_now(input))
        }
    }

    fn echo(algorithm: Algorithm, high: bool) -> (Arc<Echo>, Arc<dyn Signer>) {
        let signer = PrivateKey::generate(algorithm).signer().unwrap();
        let public = signer.public_key().clone();
        let (away, given) = (AtomicBool::new(false), Mutex::default());
        let echo = Arc::new(Echo { signer, away, given, high });
        (Arc::clone(&echo), Hosted::signer(echo, public))
    }

    #[tokio::test]
    async fn long_messages_are_hashed_here_where_the_algorithm_hashes() {
        let (echo, key) = echo(Algorithm::ECDSA_SECP256K1, true);
        for text in [&b"text"[..], b"longer"] {
            let hashing = Hashing::sha256(text);
            let signature = key.sign(hashing.content(text)).await.unwrap();
            assert!(key.public_key().verifies(hashing.content(text), &signature));
            let Signature::Ecdsa { r, s } = signature else { panic!("{signature:?}") };
            let numbers = k256::ecdsa::Signature::from_scalars(r, s).unwrap();
            assert_eq!(numbers, numbers.normalize_s(), "a high s was made low");
        }
        let given = echo.given.lock().unwrap().clone();
        assert!(given[0].starts_with("Message") && given[1].starts_with("Digest"), "{given:?}");
        let own = Hashing::Own(Digest([7; 32]));
        assert!(key.sign(own.content(b"text")).await.is_ok());
    }

    #[tokio::test]
    async fn what_must_be_whole_and_is_too_long_is_refused_and_not_asked_for() {
        let (echo, key) = echo(Algorithm::ED25519, false);
        assert!(key.sign(Content::Message(&[0; 40])).await.is_ok());
        let error = key.sign(Content::Message(&[0; 41])).await.unwrap_err();
        assert!(error.to_string().contains("longer than the key's service takes"), "{error}");
        assert_eq!(echo.given.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_away_is_asked_again() {
        let (echo, key) = echo(Algorithm::ECDSA_P256, false);
        echo.away.store(true, Ordering::Relaxed);
        assert!(key.sign(Content::Message(b"a")).await.is_ok());
        assert_eq!((echo.given.lock().unwrap().len(), key.away()), (2, None));
    }

    #[tokio::test]
    async fn a_derived_mac_begins_in_the_service_unless_text_stands_beside_the_secret() {
        let (echo, _) = echo(Algorithm::HMAC_SHA256, false);
        let memory = Arc::clone(&echo.signer);
        let key = Hosted::mac(echo, Algorithm::HMAC_SHA256).await.unwrap();
        assert_eq!(key.public_key().fingerprint(), memory.public_key().fingerprint());
        let over = vec![b"day".to_vec(), b"place".to_vec()];
        let derivation = Derivation { over, written: Written::Base64, ..Derivation::default() };
        let content = Content::Mac { derivation: &derivation, message: b"text" };
        assert_eq!(key.sign(content).await, memory.sign(content).await);
        let derivation = Derivation { prefix: b"AWS4".to_vec(), ..derivation };
        let content = Content::Mac { derivation: &derivation, message: b"text" };
        assert!(key.sign(content).await.unwrap_err().to_string().contains("beside the secret"));
    }
}
