//! A signed request read back: what it says of time, nonce and signatures, by the file that says
//! where they stand. So a declared scheme can be verified and have a stand-in without code.

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::CONTENT_TYPE;
use sha2::{Digest as _, Sha256};

use super::eval::{Placed, Prepared, prepare};
use super::finish::signature;
use super::inputs::Ticks;
use super::jsons::Item;
use super::pattern::Shown;
use super::place::{Place, To};
use super::scheme::Declared;
use super::spliced::Spliced;
use super::text::Hole;
use super::value::Kind;
use crate::keys::Signature;
use crate::moment::{Moment, Nonce};
use crate::scheme::{Claim, Proof, SchemeError, Signable};

impl Declared {
    /// Reads a signed request back, and holds it to be what the file makes of it.
    pub(super) fn read_back(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let mut shown = Shown::new();
        for place in &self.compiled.places {
            let sent = self.sent(place, request)?;
            self.show(place, &sent, &mut shown)
                .ok_or_else(|| unlike(place, "is not in the form that the scheme gives it"))?;
        }
        let ticks = self.ticks(&shown)?;
        let moment = self.moment(&shown, &ticks);
        let mut prepared = prepare(self.inputs(), self.secrets(), request, ticks)?;
        let mut signatures = Vec::new();
        for (value, text) in &mut prepared.filled.texts {
            let found = shown.get(value);
            let read = found.and_then(|found| self.signature(*value, found, text));
            signatures.push(read.ok_or_else(|| {
                let name = &self.compiled.values[*value].name;
                SchemeError::Value { what: format!("shows no {name} that can be read") }
            })?);
        }
        let signed = self.preimages(&prepared)?;
        let proofs = signed.iter().zip(&signatures).map(|(preimage, signature)| {
            let slot = self.compiled.slots.iter().position(|slot| slot.name == preimage.slot);
            let public_key = self.keys[slot.unwrap_or_default()].clone();
            Proof { slot: preimage.slot.clone(), public_key, signature: signature.clone() }
        });
        let proofs = proofs.collect();
        self.hold(prepared, &signatures, request)?;
        Ok(Claim { moment, proofs, signed: Some(signed) })
    }

    /// What stands in a placement.
    fn sent(&self, place: &Place, request: Signable<'_>) -> Result<Vec<u8>, SchemeError> {
        let name = place.name.as_str();
        let body = request.body.map_or(&b""[..], |body| body);
        let once = |found: Option<Vec<u8>>| found.ok_or_else(|| unlike(place, "is not there once"));
        match &place.to {
            To::Header(header) => {
                let mut values = request.head.headers.get_all(header).iter();
                let found = values.next().filter(|_| values.next().is_none());
                once(found.map(|value| value.as_bytes().to_vec()))
            }
            To::Query | To::Form => {
                let query = Spliced::form(request.head.query().as_bytes());
                // Of another body nothing is a field, whatever it looks like.
                let form = Spliced::form(if self.has_form(request) { body } else { b"" });
                match (query.count(name), form.count(name)) {
                    (1, 0) => once(query.value(name)),
                    (0, 1) => once(form.value(name)),
                    _ => once(None),
                }
            }
            To::Json => {
                let spliced = Spliced::json(body).ok().filter(|own| own.count(name) == 1);
                once(spliced.and_then(|own| own.value(name)))
            }
            To::Body => Ok(body.to_vec()),
        }
    }

    fn has_form(&self, request: Signable<'_>) -> bool {
        super::eval::is_form(&self.compiled, request.head.headers.get(CONTENT_TYPE))
    }

    fn show(&self, place: &Place, sent: &[u8], shown: &mut Shown) -> Option<()> {
        let (inputs, secrets) = (self.inputs(), self.secrets());
        let bound = |hole: &Hole| inputs.filled(hole, &secrets);
        if place.to == To::Json {
            let read = serde_json::from_slice(sent).ok()?;
            return self.compiled.item(&place.item, &read, &bound, shown);
        }
        match &place.item {
            Item::Text(text) => self.compiled.shown(text, sent, &bound, shown),
            Item::Number(_) | Item::Fixed(_) | Item::List(_) | Item::Object(_) => Some(()),
        }
    }

    /// Clocks and nonces as they are shown, and the finest instant of the clocks.
    fn ticks(&self, shown: &Shown) -> Result<Ticks, SchemeError> {
        let mut given = BTreeMap::new();
        let mut finest: Option<(u64, u64)> = None;
        for (value, bytes) in shown {
            let own = &self.compiled.values[*value];
            let wrong = || SchemeError::Value { what: format!("has a {} that is none", own.name) };
            let text = String::from_utf8(bytes.clone()).map_err(|_| wrong())?;
            match &own.kind {
                Kind::Clock(clock) => {
                    let read = clock.clock.read(&text).ok_or_else(wrong)?;
                    let unix_ms = read.checked_add_signed(-clock.add_ms).ok_or_else(wrong)?;
                    if finest.is_none_or(|(grain, _)| clock.clock.grain < grain) {
                        finest = Some((clock.clock.grain, unix_ms));
                    }
                    given.insert(*value, text);
                }
                Kind::Nonce(nonce) if nonce.fits(&text) => {
                    given.insert(*value, text);
                }
                Kind::Nonce(_) => return Err(wrong()),
                Kind::Text(_)
                | Kind::Pairs(_)
                | Kind::Headers(_)
                | Kind::Json(_)
                | Kind::Jwt(_)
                | Kind::Sign(_)
                | Kind::OneOf(_)
                | Kind::Unreadable => {}
            }
        }
        let unix_ms = finest.map_or(0, |(_, unix_ms)| unix_ms);
        Ok(Ticks { unix_ms, seed: Vec::new(), given })
    }

    /// When it says it was signed, and a number for its nonces.
    fn moment(&self, shown: &Shown, ticks: &Ticks) -> Option<Moment> {
        let kind = |value: &usize| &self.compiled.values[*value].kind;
        let nonces = shown.iter().filter(|(value, _)| matches!(kind(value), Kind::Nonce(_)));
        let mut hash = Sha256::new();
        let mut count = 0;
        for (_, text) in nonces {
            hash.update(text);
            count += 1;
        }
        let first = hash.finalize().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let nonce = Nonce::Given(if count > 0 { first | 1 } else { 0 });
        let clock = shown.keys().any(|value| matches!(kind(value), Kind::Clock(_)));
        clock.then_some(Moment { unix_ms: ticks.unix_ms, nonce })
    }

    /// A signature as it is shown. Of a token, the text becomes the one that is shown, where it
    /// says the same.
    fn signature(&self, value: usize, found: &[u8], text: &mut Vec<u8>) -> Option<Signature> {
        let kind = &self.compiled.values[value].kind;
        let algorithm = self.keys[kind.slot()?].algorithm();
        if let Some(sign) = kind.sign() {
            let octets = match sign.encoding {
                Some(row) => (row.read)(str::from_utf8(found).ok()?)?,
                None => found.to_vec(),
            };
            return signature(algorithm, &octets, sign.raw);
        }
        let dot = found.iter().rposition(|byte| *byte == b'.')?;
        let (signed, last) = (&found[..dot], &found[dot + 1..]);
        (parts(signed)? == parts(text)?).then_some(())?;
        *text = signed.to_vec();
        signature(algorithm, &base64url(last)?, true)
    }

    /// Holds the request to be what the file makes with these signatures.
    pub(super) fn hold(
        &self,
        prepared: Prepared<'_>,
        signatures: &[Signature],
        request: Signable<'_>,
    ) -> Result<(), SchemeError> {
        let Placed { headers, query, body, .. } = prepared.place(signatures)?;
        let places = &self.compiled.places;
        let other = |place: &Place| unlike(place, "is not what the scheme makes of this request");
        for (index, value) in headers {
            let sent = self.sent(&places[index], request)?;
            verify_slices_are_equal(&sent, value.as_bytes()).map_err(|_| other(&places[index]))?;
        }
        let field = places.iter().find(|place| place.is_field());
        match field {
            Some(place) if query.is_some() || body.is_some() => Err(other(place)),
            _ => Ok(()),
        }
    }
}

fn unlike(place: &Place, what: &str) -> SchemeError {
    SchemeError::Value { what: format!("has a {} that {what}", place.name) }
}

fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let row = super::encode::ENCODINGS.iter().find(|row| row.word.name == "base64url")?;
    (row.read)(str::from_utf8(text).ok()?)
}

/// Header and claims of a token, decoded.
fn parts(signed: &[u8]) -> Option<Vec<serde_json::Value>> {
    let parts = signed.split(|byte| *byte == b'.');
    parts.map(|part| serde_json::from_slice(&base64url(part)?).ok()).collect()
}
