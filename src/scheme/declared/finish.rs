//! The second half: signatures become texts, and texts find their places.

use bytes::Bytes;
use http::HeaderValue;

use super::eval::{Placed, Prepared};
use super::made::{Asked, Made, base64url, fault};
use super::order::Step;
use super::place::To;
use super::signing::Sign;
use super::text::{Part, Text};
use super::value::Kind;
use crate::keys::{Algorithm, Derivation, Digest, Hashing, Signature};
use crate::secret::Secret;

impl Prepared<'_> {
    /// The texts to sign, each with its value, as keys are given them.
    pub(super) fn preimages(&self) -> Made<Vec<(usize, Hashing, &[u8])>> {
        let preimage = |(index, text): &'_ (usize, Vec<u8>)| {
            let sign = self.compiled().values[*index].kind.sign();
            let hashing = sign.map(|sign| self.hashing(sign, text));
            Ok((*index, hashing.transpose()?.unwrap_or(Hashing::Message)))
        };
        let made = self.filled.texts.iter().map(|pair| Ok((preimage(pair)?, pair.1.as_slice())));
        made.map(|made: Made<_>| made.map(|((index, hashing), text)| (index, hashing, text)))
            .collect()
    }

    fn hashing(&self, sign: &Sign, text: &[u8]) -> Made<Hashing> {
        if let Some((hash, _)) = sign.hash {
            return Ok(Hashing::Hash(hash, self.fill(&sign.text)?.len()));
        }
        if sign.digest {
            let Ok(digest) = text.try_into() else {
                return fault(Asked::Rest, "has a digest that is not 32 bytes long");
            };
            return Ok(Hashing::Own(Digest(digest)));
        }
        if sign.derive.is_none() && sign.suffix.is_none() {
            return Ok(Hashing::Message);
        }
        let mut derivation = Derivation::default();
        if let Some(derive) = &sign.derive {
            derivation.prefix = self.fill(&derive.prefix)?;
            derivation.over =
                derive.over.iter().map(|text| self.fill(text)).collect::<Made<_>>()?;
            derivation.written = derive.written;
        }
        if let Some(suffix) = &sign.suffix {
            derivation.suffix = Some(Secret::new(self.fill(suffix)?).into());
        }
        Ok(Hashing::Mac(Box::new(derivation)))
    }

    /// Puts the signatures in, which are in the order of the texts.
    pub(super) fn place(mut self, signatures: &[Signature]) -> Made<Placed> {
        let mut made = std::mem::take(&mut self.filled.texts).into_iter().zip(signatures);
        let compiled = self.compiled();
        for step in &compiled.order.steps {
            match *step {
                Step::Value(index) if compiled.order.waits[index] => {
                    if compiled.values[index].kind.slot().is_none() {
                        self.make(index)?;
                        continue;
                    }
                    let signed = made.next().filter(|((own, _), _)| *own == index);
                    let Some(((_, text), signature)) = signed else {
                        return fault(Asked::Rest, "lacks a signature");
                    };
                    let value = self.written(&compiled.values[index].kind, &text, signature);
                    self.set(index, value);
                }
                Step::Header(index) if compiled.order.late[index] => self.place_header(index)?,
                Step::Value(_) | Step::Header(_) | Step::Sent => {}
            }
        }
        self.placed()
    }

    /// A signature as its value is written.
    fn written(&self, kind: &Kind, text: &[u8], signature: &Signature) -> Vec<u8> {
        let Some(sign) = kind.sign() else {
            return [text, b".", base64url(&octets(signature, true)).as_bytes()].concat();
        };
        let low = sign.low_s.then(|| signature.low_s(self.key(sign.slot).algorithm()));
        let octets = octets(low.as_ref().unwrap_or(signature), sign.raw);
        match sign.encoding {
            Some(row) => (row.write)(&octets).into_bytes(),
            None => octets,
        }
    }

    fn placed(mut self) -> Made<Placed> {
        let compiled = self.compiled();
        let headers = std::mem::take(&mut self.filled.headers).into_iter().enumerate();
        let headers = headers.filter_map(|(index, value)| Some((index, value?))).collect();
        let mut placed = Placed { headers, ..Placed::default() };
        let value = |index: usize| self.item(&compiled.places[index]);
        if let Some(index) = compiled.places.iter().position(|place| place.to == To::Body) {
            let made = self.filled.signed_body.clone();
            let made = made.map_or_else(|| value(index).map(Bytes::from), Ok)?;
            placed.body = Some(made).filter(|body| self.body != Some(body));
        }
        if let Some(query) = &self.filled.query {
            placed.query =
                Some(query.sent(value)?).filter(|query| query != self.head.query().as_bytes());
        }
        if let Some(fields) = &self.filled.fields {
            let body = fields.sent(value)?;
            if body != self.whole_body()? {
                placed.body = Some(Bytes::from(body));
            }
        }
        let empty = self.body.is_none_or(|body| body.is_empty());
        let typed = self.head.headers.contains_key(http::header::CONTENT_TYPE);
        if placed.body.is_some() && empty && !typed && self.filled.fields.is_some() {
            placed.content_type = Some(HeaderValue::from_static(self.body_type()));
        }
        Ok(placed)
    }

    /// Which hole or literal of texts, one behind the other, the byte at `at` came from.
    pub(super) fn origin(&self, texts: &[&Text], at: usize) -> String {
        let mut end = 0;
        for part in texts.iter().flat_map(|text| &text.parts) {
            match part {
                Part::Literal(bytes) => {
                    end += bytes.len();
                    if at < end {
                        return format!("the literal {:?}", String::from_utf8_lossy(bytes));
                    }
                }
                Part::Hole(hole) => {
                    end += self.hole(hole).map_or(0, |bytes| bytes.len());
                    if at < end {
                        return format!("{{{}}}", hole.written);
                    }
                }
            }
        }
        "its end".into()
    }
}

/// A signature as octets: of ECDSA r and s, or DER.
fn octets(signature: &Signature, raw: bool) -> Vec<u8> {
    match signature {
        Signature::Ecdsa { r, s } if raw => [&r[..], s].concat(),
        Signature::Ecdsa { .. } => signature.to_der().unwrap_or_default(),
        Signature::BabyJub { rx, ry, s } => [&rx[..], ry, s].concat(),
        Signature::Octets(octets) => octets.clone(),
    }
}

/// A signature of these octets, as a key of the algorithm makes them.
pub(super) fn signature(algorithm: Algorithm, octets: &[u8], raw: bool) -> Option<Signature> {
    let curve = [Algorithm::ECDSA_P256, Algorithm::ECDSA_SECP256K1].contains(&algorithm);
    if !curve {
        return Some(Signature::Octets(octets.to_vec()));
    }
    if !raw {
        return Signature::from_der(algorithm, octets);
    }
    let (r, s) = octets.split_at_checked(32)?;
    Some(Signature::Ecdsa { r: r.try_into().ok()?, s: s.try_into().ok()? })
}
