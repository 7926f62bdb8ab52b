//! A declared scheme at work: a file, bound to a route's keys, secrets and params.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use sha2::{Digest as _, Sha256};

use super::compiled::Compiled;
use super::eval::{Prepared, needs_body, prepare};
use super::evidence::{Bound, evidence};
use super::inputs::{Inputs, Ticks};
use super::made::{Asked, Fault, Made, with_query};
use super::nonce::Nonce;
use super::place::To;
use super::value::Kind;
use crate::cost::Cost;
use crate::keys::{Hashing, PublicKey, Signature};
use crate::moment::{Moment, Nonce as Placed};
use crate::nonces::Counting;
use crate::scheme::{
    BindError, Binding, BodyNeed, Bounds, Claim, Edits, Evidence, Head, InUse, Names, Origin,
    Preimage, Reread, Rest, Scheme, SchemeError, Signable, Signatures, ToSign,
};
use crate::secret::{Secret, SecretCell};

/// A file and what a route binds to it.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) compiled: Arc<Compiled>,
    pub(super) keys: Vec<PublicKey>,
    publics: Vec<String>,
    secrets: Vec<SecretCell>,
    params: Vec<String>,
    owned: Vec<HeaderName>,
    /// Of the headers that are placed, the names as the file writes them.
    documented: Names,
    /// The first key's name, from which numbers and nonces are made.
    fingerprint: String,
    counter: Option<Nonce>,
    bounds: Vec<Bounds>,
    /// Whether nonces are made, and from a seed.
    seeded: bool,
}

impl Declared {
    pub(super) fn bind(compiled: &Arc<Compiled>, binding: &Binding) -> Result<Self, BindError> {
        let keys = compiled.slots.iter().map(|slot| binding.key(&slot.name).cloned());
        let keys: Vec<PublicKey> = keys.collect::<Result<_, _>>()?;
        let secret = |name: &String| {
            binding.secrets.get(name).cloned().ok_or_else(|| BindError {
                field: format!("secrets.{name}"),
                what: "is missing".into(),
                fix: format!("write secrets = {{ {name} = \"…\" }}"),
            })
        };
        let secrets = compiled.secrets.iter().map(|own| secret(&own.name));
        let secrets = secrets.collect::<Result<_, _>>()?;
        let params = compiled.params.iter().map(|own| binding.param(&own.name).to_owned());
        let params = params.collect();
        let fingerprint = keys.first().map(PublicKey::fingerprint).unwrap_or_default();
        let counter = compiled.values.iter().find_map(|value| value.kind.counter());
        let seeded = compiled.values.iter().any(|value| matches!(value.kind, Kind::Nonce(_)));
        let bounds = compiled.bounds();
        let owned = compiled.owned().cloned().collect();
        let placed = compiled.places.iter().filter(|place| !place.is_field());
        let documented = placed.map(|place| place.name.clone().into()).collect();
        let (compiled, publics) = (Arc::clone(compiled), compiled.publics(&keys));
        Ok(Self {
            compiled,
            keys,
            publics,
            secrets,
            params,
            owned,
            documented,
            fingerprint,
            counter,
            bounds,
            seeded,
        })
    }

    pub(super) fn inputs(&self) -> Inputs<'_> {
        let Self { compiled, keys, publics, params, .. } = self;
        Inputs { compiled, keys, publics, params }
    }

    /// The secrets as they are now.
    pub(super) fn secrets(&self) -> Vec<Arc<Secret>> {
        self.secrets.iter().map(SecretCell::current).collect()
    }

    fn prepared<'r>(&'r self, request: Signable<'r>, moment: &Moment) -> Made<Prepared<'r>> {
        let mut given = BTreeMap::new();
        if let (Some(_), Placed::Given(number)) = (self.counter, moment.nonce) {
            let values = self.compiled.values.iter().enumerate();
            let counted = values.filter(|(_, value)| value.kind.counter().is_some());
            given.extend(counted.map(|(index, _)| (index, number.to_string())));
        }
        let seed = if self.seeded { self.seed(moment) } else { Vec::new() };
        let ticks = Ticks { unix_ms: moment.unix_ms, seed, given };
        prepare(self.inputs(), self.secrets(), request, ticks)
    }

    /// What no other moment of the key has.
    fn seed(&self, moment: &Moment) -> Vec<u8> {
        let (kind, number) = match moment.nonce {
            Placed::Given(number) => (0_u8, number),
            Placed::Placed(place) => (1, place),
        };
        Sha256::new()
            .chain_update(self.fingerprint.as_bytes())
            .chain_update(moment.unix_ms.to_be_bytes())
            .chain_update([kind])
            .chain_update(number.to_be_bytes())
            .finalize()
            .to_vec()
    }

    /// The texts as keys are given them.
    pub(super) fn preimages(&self, prepared: &Prepared<'_>) -> Made<Vec<Preimage>> {
        let made = prepared.preimages()?.into_iter();
        Ok(made
            .map(|(value, hashing, text)| self.preimage(value, hashing, text.to_vec()))
            .collect())
    }

    /// The same without a copy: a text may be as long as a body, and what is placed later has it in it only
    /// where it is a token.
    fn hand_out(&self, prepared: &mut Prepared<'_>) -> Made<Vec<Preimage>> {
        let hashings: Vec<_> = prepared.preimages()?.into_iter().map(|made| made.1).collect();
        let texts = prepared.filled.texts.iter_mut().zip(hashings);
        let made = texts.map(|((value, text), hashing)| {
            let sent = self.compiled.values[*value].kind.sign().is_none();
            let text = if sent { text.clone() } else { std::mem::take(text) };
            self.preimage(*value, hashing, text)
        });
        Ok(made.collect())
    }

    fn preimage(&self, value: usize, hashing: Hashing, text: Vec<u8>) -> Preimage {
        let slot = self.compiled.values[value].kind.slot().unwrap_or_default();
        let slot = self.compiled.slots[slot].name.clone().into();
        Preimage { slot, text, hashing, secret: self.compiled.order.secrets[value] }
    }

    /// The signatures in the order of the texts.
    fn in_order(
        &self,
        prepared: &Prepared<'_>,
        signatures: &Signatures,
    ) -> Result<Vec<Signature>, SchemeError> {
        let mut taken = vec![0; self.compiled.slots.len()];
        let one = |(value, _): &(usize, Vec<u8>)| {
            let slot = self.compiled.values[*value].kind.slot().unwrap_or_default();
            let found = signatures.all(&self.compiled.slots[slot].name).nth(taken[slot]);
            taken[slot] += 1;
            found.cloned().ok_or(SchemeError::Broken("a signature is missing"))
        };
        prepared.filled.texts.iter().map(one).collect()
    }
}

impl Scheme for Declared {
    fn owned_headers(&self) -> &[HeaderName] {
        &self.owned
    }

    fn documented_names(&self) -> Option<&Names> {
        Some(&self.documented)
    }

    fn body_need(&self, head: &Head) -> BodyNeed {
        if needs_body(&self.compiled, &head.headers) { BodyNeed::Whole } else { BodyNeed::Nothing }
    }

    fn counting(&self) -> Counting {
        let nonce = || self.compiled.values.iter().find_map(|value| value.kind.nonce());
        let nonce = self.counter.or_else(nonce);
        nonce.map_or(Counting::Nothing, Nonce::counting)
    }

    fn cost(&self, request: Signable<'_>) -> Cost {
        let growth = usize::try_from(self.compiled.growth).unwrap_or(usize::MAX);
        Cost::hashing(request.length()).times(growth)
    }

    fn canonicalise(&self, request: Signable<'_>, moment: &Moment) -> Result<ToSign, SchemeError> {
        let mut prepared = self.prepared(request, moment)?;
        Ok(ToSign::with(self.hand_out(&mut prepared)?, prepared.filled))
    }

    fn reread(
        &self,
        request: Signable<'_>,
        moment: &Moment,
        signatures: &Signatures,
    ) -> Result<Vec<Reread>, SchemeError> {
        let mut prepared = self.prepared(request, moment)?;
        let texts = Reread::all(self.hand_out(&mut prepared)?);
        let signatures = self.in_order(&prepared, signatures)?;
        self.hold(prepared, &signatures, request)?;
        Ok(texts)
    }

    fn in_use(&self) -> InUse {
        InUse::of(self.secrets())
    }

    fn bounds(&self) -> &[Bounds] {
        &self.bounds
    }

    fn origins(
        &self,
        request: Signable<'_>,
        moment: &Moment,
    ) -> Result<Vec<Vec<Origin>>, SchemeError> {
        Ok(self.prepared(request, moment)?.origins()?)
    }

    fn assemble(
        &self,
        request: Signable<'_>,
        _: &Moment,
        rest: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let prepared = Prepared::resume(self.inputs(), request, rest.take()?);
        let signatures = self.in_order(&prepared, signatures)?;
        let placed = prepared.place(&signatures)?;
        let mut edits = Edits::default();
        let mut fields = self.compiled.places.iter().zip(&self.compiled.order.secret);
        if fields.any(|(place, secret)| *secret && place.is_field()) {
            edits = edits.hide();
        }
        for (index, value) in placed.headers {
            let place = &self.compiled.places[index];
            let To::Header(name) = &place.to else { continue };
            edits = edits.put(name.clone(), value, self.compiled.order.secret[index]);
        }
        if let Some(kind) = placed.content_type {
            edits = edits.put(CONTENT_TYPE, kind, false);
        }
        if let Some(query) = placed.query {
            let target = PathAndQuery::try_from(with_query(request.head.path(), &query));
            edits =
                edits.target(target.map_err(|_| SchemeError::Broken("a query is no target's"))?);
        }
        Ok(match placed.body {
            Some(body) => edits.body(body),
            None => edits,
        })
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let body = request.body.cloned().unwrap_or_else(Bytes::new);
        self.read_back(Signable { head: request.head, body: Some(&body) })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        evidence(request, &Bound { inputs: self.inputs(), secrets: &self.secrets() })
    }
}

impl From<Fault> for SchemeError {
    fn from(fault: Fault) -> Self {
        let Fault { part, what } = fault;
        match part {
            Asked::Query => {
                Self::Query { what, remedy: "Send the query that the provider documents." }
            }
            Asked::Body => {
                Self::Body { what, remedy: "Send the body that the provider documents." }
            }
            Asked::Rest => Self::Value { what },
        }
    }
}
