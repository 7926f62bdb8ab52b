//! A token's key at work: each signature is a call on one of the module's threads, in turn; while the
//! token is gone it is looked for until the caller gives up.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::object::ObjectHandle;

use super::fault::Fault;
use super::mechanism::Asked;
use super::object;
use super::token::{Opened, Token};
use super::uri::Wanted;
use crate::keys::key::{BoxFuture, PublicKey, Signer};
use crate::keys::{Content, Derivation, SignError, Signature};
use crate::workers::Queue;

/// A key in a token. Everything here blocks.
#[derive(Debug)]
pub(super) struct Held {
    token: Arc<Token>,
    wanted: Wanted,
    pub(super) asked: Asked,
    /// The public half, by which the key is known again; none of a MAC's.
    public: Option<PublicKey>,
    /// The module's name for it, and the initialisation that the name is of.
    handle: Mutex<Option<(u64, ObjectHandle)>>,
}

impl Held {
    pub(super) fn new(
        token: Arc<Token>,
        wanted: Wanted,
        asked: Asked,
        public: Option<PublicKey>,
    ) -> Self {
        Self { token, wanted, asked, public, handle: Mutex::default() }
    }

    /// Has the token sign what is the input of its mechanism.
    pub(super) fn ask(&self, input: &[u8]) -> Result<Vec<u8>, Fault> {
        self.token.with(|opened| {
            let handle = self.handle(opened)?;
            let signed = opened.session.sign(&(self.asked.mechanism)(), handle, input);
            signed.map_err(|error| {
                // A name may have gone with the token that was taken out.
                *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = None;
                error.into()
            })
        })
    }

    fn handle(&self, opened: &Opened<'_>) -> Result<ObjectHandle, Fault> {
        let known = *self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, handle)) = known
            && epoch == opened.epoch
        {
            return Ok(handle);
        }
        let objects = object::named(&opened.session, &self.wanted)?;
        let [object] = objects.as_slice() else {
            return Err(Fault::Refused("the token has not this one key any more"));
        };
        if self.public.is_some() && object.public_key(self.asked.algorithm) != self.public {
            return Err(Fault::Refused("the token has another key under this name now"));
        }
        let handle = object.handle;
        let known = Some((opened.epoch, handle));
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(handle)
    }

    /// Has the token sign.
    fn sign(&self, input: &Input) -> Result<Signature, Fault> {
        match input {
            Input::Whole(input) => {
                self.asked.signature(self.ask(input)?).ok_or(Fault::Refused(NO_SENSE))
            }
            Input::Derived(derivation, message) => {
                let first = derivation.over.first().ok_or(Fault::Refused(NO_SENSE))?;
                let mac = self.ask(first)?;
                let mac = self.asked.algorithm.mac_on(&mac, derivation, message);
                mac.map(Signature::Octets).ok_or(Fault::Refused(NO_SENSE))
            }
        }
    }

    /// What is known of a MAC's key that does not leave its token: a MAC that it makes.
    pub(super) fn known_by_mac(&self) -> Result<PublicKey, Fault> {
        let algorithm = self.asked.algorithm;
        let Content::Message(probe) = algorithm.probe() else {
            return Err(Fault::Refused(NO_SENSE));
        };
        let known = PublicKey::of_mac(algorithm, &self.ask(probe)?);
        known.ok_or(Fault::Refused(NO_SENSE))
    }
}

/// What is signed, on its way to another thread.
enum Input {
    Whole(Vec<u8>),
    /// A MAC whose key is derived. The first step is the token's; what comes of it is a key of this
    /// process's, as everything that is derived from it.
    Derived(Derivation, Vec<u8>),
}

impl Input {
    fn of(asked: &Asked, content: Content<'_>) -> Result<Self, SignError> {
        let Content::Mac { derivation, message } = content else {
            return asked.input(content).map(Self::Whole);
        };
        if !asked.algorithm.is_shared() {
            return Err(SignError::NO_MAC);
        }
        if !derivation.prefix.is_empty() || derivation.suffix.is_some() {
            return Err(SignError::Failed(
                "the scheme puts text beside the secret, which a token keeps to itself",
            ));
        }
        if derivation.over.is_empty() {
            return asked.input(Content::Message(message)).map(Self::Whole);
        }
        Ok(Self::Derived(derivation.clone(), message.to_vec()))
    }
}

/// The key as everybody sees it.
pub(super) struct TokenKey {
    held: Arc<Held>,
    public: PublicKey,
    queue: Queue,
    /// The token is looked for.
    away: AtomicBool,
}

impl TokenKey {
    pub(super) fn new(held: Arc<Held>, public: PublicKey) -> Self {
        let queue = held.token.module.queue();
        Self { held, public, queue, away: AtomicBool::new(false) }
    }

    async fn ask(&self, input: Input) -> Result<Signature, SignError> {
        let input = Arc::new(input);
        loop {
            let (held, given) = (Arc::clone(&self.held), Arc::clone(&input));
            match self.queue.run(move || held.sign(&given)).await? {
                Err(Fault::Gone(_)) => {}
                done => {
                    self.away.store(false, Ordering::Relaxed);
                    return done.map_err(SignError::from);
                }
            }
            self.away.store(true, Ordering::Relaxed);
            tokio::time::sleep(RETRY).await;
        }
    }
}

impl Signer for TokenKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        match Input::of(&self.held.asked, content) {
            Ok(input) => Box::pin(self.ask(input)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn away(&self) -> Option<SignError> {
        let gone = SignError::Failed("the token is out of reach");
        self.away.load(Ordering::Relaxed).then_some(gone)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({:?} in {:?})", self.public, self.held.token.module)
    }
}

const NO_SENSE: &str = "the token's answer makes no sense";

/// How often a token that is gone is looked for.
const RETRY: Duration = Duration::from_millis(50);
