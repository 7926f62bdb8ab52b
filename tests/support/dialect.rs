//! The road of `src/request` with a key on it, without a proxy around: what is tested here is
//! dressed, prepared, signed and edited by the code that the proxy and `explain` run.

use std::sync::Arc;

use bytes::Bytes;
use countersign::keys::{PrivateKey, PublicKey, Signer};
use countersign::moment::Moment;
use countersign::request::{self, Body};
use countersign::route::Origin;
use countersign::scheme::{
    Binding, BodyNeed, Entry, Head, Preimage, Registry, Rest, Scheme, SchemeError, Signable,
    Signatures, ToSign,
};
use countersign::verification::{Flaw, Verified, verify};
use http::{HeaderName, HeaderValue};
use tokio::runtime::Runtime;

use super::verify::Arrived;

/// What most schemes call the slot of their only key.
pub(crate) const SLOT: &str = "signer";

/// A scheme that is bound to a key.
pub(crate) struct Dialect {
    pub(crate) scheme: Arc<dyn Scheme>,
    pub(crate) public: PublicKey,
    signer: Arc<dyn Signer>,
    runtime: Runtime,
}

/// A request as a scheme takes it.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

impl Dialect {
    /// The scheme of this name with its parameters as they are when left out.
    pub(crate) fn new(name: &str, key: &PrivateKey) -> Self {
        Self::with(name, key, &[])
    }

    /// The same with these parameters as they are given.
    pub(crate) fn with(name: &str, key: &PrivateKey, params: &[(&str, &str)]) -> Self {
        Self::of(&entry(name), key, params)
    }

    /// The same of a scheme that the registry need not have.
    pub(crate) fn of(entry: &Entry, key: &PrivateKey, params: &[(&str, &str)]) -> Self {
        let signer = key.signer().expect("every key on a curve signs");
        let public = signer.public_key().clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without drivers needs nothing");
        let binding = binding(entry, &public, params);
        let bound = entry.bind(&binding).expect("the parameters make a scheme");
        let scheme = Arc::clone(bound.signing().expect("the scheme signs requests"));
        Self { scheme, public, signer, runtime }
    }

    /// The texts to sign.
    pub(crate) fn canonicalise(
        &self,
        request: &Outgoing,
        moment: &Moment,
    ) -> Result<Vec<Preimage>, SchemeError> {
        Ok(self.prepare(request, moment)?.preimages)
    }

    /// The request as far as the texts to sign.
    pub(crate) fn prepare(
        &self,
        request: &Outgoing,
        moment: &Moment,
    ) -> Result<Prepared, SchemeError> {
        Prepared::of(&self.scheme, request, moment)
    }

    /// What the key makes of them.
    pub(crate) fn sign(&self, preimages: &[Preimage]) -> Signatures {
        let mut signatures = Signatures::default();
        for preimage in preimages {
            let signature = self.runtime.block_on(self.signer.sign(preimage.content()));
            signatures.insert(preimage.slot.clone(), signature.expect("a key in memory signs"));
        }
        signatures
    }

    /// The whole way at once.
    pub(crate) fn signed(&self, request: &Outgoing, moment: &Moment) -> Outgoing {
        let prepared = self.prepare(request, moment).expect("the request can be signed");
        let signatures = self.sign(&prepared.preimages);
        prepared.assemble(moment, &signatures).expect("what was signed can be assembled")
    }

    /// Whether a request is signed with this key, as `countersign verify` sees it.
    pub(crate) fn verify(&self, request: &Outgoing) -> Result<Verified, Flaw> {
        let scheme = self.scheme.as_ref();
        let verified = verify(scheme, |_| Some(&self.public), request.signable(scheme));
        if verified.is_ok() {
            let whole = Signable { head: &request.head, body: Some(&request.body) };
            let faults = scheme.evidence(whole).faults;
            let said: Vec<_> = faults.iter().map(|fault| fault.cause.clone()).collect();
            assert!(said.is_empty(), "a diagnosis finds fault with what is right: {said:?}");
        }
        verified
    }
}

/// A request with what is signed besides put in.
pub(crate) struct Prepared {
    /// The texts to sign.
    pub(crate) preimages: Vec<Preimage>,
    /// What else was made of the request.
    pub(crate) rest: Rest,
    /// As it will leave, but for the signature.
    pub(crate) dressed: request::Outgoing,
    scheme: Arc<dyn Scheme>,
    /// What is relayed as it comes, where the scheme does not read it.
    streamed: Bytes,
}

impl Prepared {
    /// Dresses the request for this scheme and puts in what is signed besides.
    pub(crate) fn of(
        scheme: &Arc<dyn Scheme>,
        request: &Outgoing,
        moment: &Moment,
    ) -> Result<Self, SchemeError> {
        let Outgoing { head, body } = request.clone();
        let held = match (scheme.body_need(&head), body.len()) {
            (BodyNeed::Whole, _) => Body::Held(body.clone()),
            (_, 0) => Body::Absent,
            (_, length) => Body::Streamed(Some(length as u64)),
        };
        let origin = Origin::of(&head.host, true).expect("the host is an authority");
        let dressed = request::Outgoing::dress(head, held, origin, Some(scheme.as_ref()));
        let dressed = dressed.expect("the parts make a request");
        let ToSign { preimages, rest } = dressed.canonicalise(scheme.as_ref(), moment)?;
        Ok(Self { preimages, rest, dressed, scheme: Arc::clone(scheme), streamed: body })
    }

    /// The request as it leaves, with these signatures.
    pub(crate) fn assemble(
        self,
        moment: &Moment,
        signatures: &Signatures,
    ) -> Result<Outgoing, SchemeError> {
        let Self { rest, dressed, scheme, streamed, .. } = self;
        let edits = dressed.edits(scheme.as_ref(), moment, rest, signatures)?;
        let host = dressed.host().to_owned();
        let (request, _) = dressed.into_request(edits).expect("the parts make a request");
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().expect("a request has a path").clone();
        let head = Head { method: parts.method, host, target, headers: parts.headers };
        let body = if let Body::Held(body) = body { body } else { streamed };
        Ok(Outgoing { head, body })
    }
}

impl Outgoing {
    /// The request that a provider would see arrive like this.
    pub(crate) fn new(arrived: &Arrived) -> Self {
        let mut headers = http::HeaderMap::new();
        for (name, value) in &arrived.headers {
            let name: HeaderName = name.parse().expect("the name of a header");
            headers.append(name, HeaderValue::from_str(value).expect("the value of a header"));
        }
        let head = Head {
            method: arrived.method.parse().expect("a method"),
            host: "provider.example.com".to_owned(),
            target: arrived.target.parse().expect("a path with or without a query"),
            headers,
        };
        Self { head, body: Bytes::copy_from_slice(&arrived.body) }
    }

    /// What a provider sees arrive.
    pub(crate) fn arrive(&self) -> Arrived {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.to_str().expect("a header is text").to_owned())
        };
        Arrived {
            method: self.head.method.to_string(),
            target: self.head.target.to_string(),
            headers: self.head.headers.iter().map(header).collect(),
            body: self.body.to_vec(),
        }
    }

    /// What the pipeline would show to this scheme.
    pub(crate) fn signable(&self, scheme: &dyn Scheme) -> Signable<'_> {
        Signable::of(scheme, &self.head, &self.body)
    }
}

/// What the registry has under this name.
pub(crate) fn entry(name: &str) -> Arc<Entry> {
    let found = Registry::built_in().find(name).map(Arc::clone);
    found.unwrap_or_else(|| panic!("there is no scheme {name}"))
}

/// The scheme for whoever has this public key, with its parameters as they are when left out.
pub(crate) fn build(entry: &Entry, public: &PublicKey) -> Arc<dyn Scheme> {
    let bound = entry.bind(&binding(entry, public, &[]));
    let bound = bound.expect("the key is of a kind that the slot takes");
    Arc::clone(bound.signing().expect("the scheme signs requests"))
}

/// This key in the scheme's only slot, and each parameter as it is given or else left out.
pub(crate) fn binding(entry: &Entry, public: &PublicKey, params: &[(&str, &str)]) -> Binding {
    let mut binding = Binding::default();
    let [slot] = &entry.keys[..] else { panic!("{} has not one slot", entry.name) };
    binding.keys.insert(slot.name.to_string(), public.clone());
    binding.params = entry.defaults();
    for (name, value) in params {
        binding.params.insert((*name).to_owned(), (*value).to_owned());
    }
    binding
}
