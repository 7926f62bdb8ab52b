//! Every request of the catalogue is signed, and read back from what would be sent: that is all that
//! `verify` and the stand-ins have.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::super::scheme::Declared;
use super::super::text::{Source, Text};
use super::super::trial::wait;
use super::super::vector::Vector;
use super::super::{CATALOGUE, Compiled};
use crate::keys::PrivateKey;
use crate::moment::{Moment, Nonce};
use crate::nonces::Counting;
use crate::scheme::{Binding, Claim, Difference, Scheme, SchemeError, Signable, Signatures};
use crate::secret::{Secret, SecretCell};

#[test]
fn what_is_signed_is_read_back_and_what_was_changed_is_not() {
    let (mut requests, mut bodies) = (0, 0);
    for (name, text) in CATALOGUE {
        let compiled = Arc::new(Compiled::read(text).expect("it is of the catalogue"));
        let vectors = compiled.vectors.iter().filter(|vector| vector.expect.refused.is_none());
        for vector in vectors {
            let claim = signed(&compiled, vector, &[]);
            let claim = claim.unwrap_or_else(|error| panic!("{name}: {error}"));
            let signed_texts = claim.signed.expect("the texts are read");
            assert!(!claim.proofs.is_empty() && claim.proofs.len() == signed_texts.len(), "{name}");
            for (proof, text) in claim.proofs.iter().zip(&signed_texts) {
                let holds = proof.public_key.verifies(text.content(), &proof.signature);
                assert!(holds, "{name}: {}", text.slot);
            }
            requests += 1;
            // White space around JSON whose members alone are signed would change nothing.
            let mut holes = compiled.texts().flat_map(Text::holes);
            let whole = holes.any(|hole| hole.source == Source::Body);
            if whole && !vector.request.body.is_empty() {
                let holds = signed(&compiled, vector, b" ").is_ok_and(|claim| {
                    let texts = claim.signed.expect("the texts are read");
                    let mut all = claim.proofs.iter().zip(&texts);
                    all.all(|(own, text)| own.public_key.verifies(text.content(), &own.signature))
                });
                assert!(!holds, "{name} takes another body for signed");
                bodies += 1;
            }
        }
    }
    assert!(requests > 100 && bodies > 30, "{requests} requests, {bodies} bodies");
}

/// What is read of the vector's request once it is signed, with bytes more at the body's end.
fn signed(compiled: &Arc<Compiled>, vector: &Vector, more: &[u8]) -> Result<Claim, SchemeError> {
    let mut signers = BTreeMap::new();
    for slot in &compiled.slots {
        let text = vector.keys[&slot.name].expose();
        let read = slot.algorithms.iter().find_map(|algorithm| {
            PrivateKey::parse_encoded(text, slot.secret, Some(*algorithm), None).ok()
        });
        let signer = read.expect("a key").signer().expect("it signs");
        signers.insert(slot.name.clone(), signer);
    }
    let keys = signers.iter().map(|(slot, key)| (slot.clone(), key.public_key().clone()));
    let secrets = vector.secrets.iter().map(|(name, text)| {
        (name.clone(), SecretCell::fixed(Secret::new(text.clone().into_bytes())))
    });
    let mut params: BTreeMap<String, String> = vector.params.clone();
    for own in &compiled.params {
        params.entry(own.name.clone()).or_insert_with(|| own.default.clone().unwrap_or_default());
    }
    let (keys, secrets) = (keys.collect(), secrets.collect());
    let binding = Binding { keys, secrets, params, ..Binding::default() };
    let scheme = Declared::bind(compiled, &binding).expect("it binds");

    let mut head = vector.request.head(&compiled.host).expect("a request");
    for name in scheme.owned_headers() {
        head.headers.remove(name);
    }
    let body = Bytes::from(vector.request.body.clone());
    let nonce = match scheme.counting() {
        Counting::Increasing(unit) => Nonce::Given(unit.at(vector.now)),
        Counting::Nothing | Counting::Once => Nonce::Placed(7),
    };
    let moment = Moment { unix_ms: vector.now, nonce };
    let request = Signable { head: &head, body: Some(&body) };
    let mut signatures = Signatures::default();
    let made = scheme.canonicalise(request, &moment)?;
    let preimages = made.preimages;
    for text in &preimages {
        let signature = wait(signers[text.slot.as_ref()].sign(text.content()));
        signatures.insert(text.slot.clone(), signature.expect("it signs"));
    }
    let edits = scheme.assemble(request, &moment, made.rest, &signatures)?;
    let body = edits.apply_to(&mut head).unwrap_or(body);
    let body = Bytes::from([&body[..], more].concat());
    let sent = Signable { head: &head, body: Some(&body) };
    let again = scheme.reread(sent, &moment, &signatures);
    let same = again.is_ok_and(|texts| Difference::between(&preimages, &texts).is_none());
    // White space may be no part of a text, as in JSON whose members alone are signed.
    assert!(same || !more.is_empty(), "the self-check would keep it back");
    let claim = scheme.claim(sent);
    if more.is_empty() {
        let evidence = scheme.evidence(sent);
        let said: Vec<_> = evidence.faults.iter().map(|fault| fault.cause.clone()).collect();
        assert!(said.is_empty(), "a diagnosis finds fault with what is right: {said:?}");
        for suspect in &evidence.suspects {
            let content = suspect.wanted.content();
            assert!(suspect.key.verifies(content, &suspect.signature), "{}", suspect.slot);
        }
    }
    if same && !more.is_empty() {
        let whole = compiled.texts().flat_map(Text::holes).any(|own| own.source == Source::Body);
        assert!(!whole, "the self-check would let another body go");
    }
    claim
}
