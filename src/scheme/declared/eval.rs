//! What a file's texts are for one request: pure, and in two halves. [`prepare`] puts in what does
//! not wait for a signature and makes the texts to sign; [`Prepared::place`] puts the signatures in.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::compiled::Compiled;
use super::inputs::{Inputs, Ticks};
use super::jsons::Item;
use super::made::{Asked, Fault, Made, alg, base64url, fault, twice, visible};
use super::order::Step;
use super::pairs::{From, Nested, Pair, Pairs, plain};
use super::place::{Place, To};
use super::spliced::Spliced;
use super::text::{Hole, Part, Text};
use super::value::Kind;
use crate::keys::PublicKey;
use crate::scheme::json::{Object, document};
use crate::scheme::{Head, Signable};
use crate::secret::Secret;

/// A request with everything in it that does not wait for a signature.
#[derive(Debug)]
pub(super) struct Prepared<'r> {
    pub(super) inputs: Inputs<'r>,
    pub(super) head: &'r Head,
    pub(super) body: Option<&'r Bytes>,
    pub(super) filled: Filled,
}

/// What was made of a request: all of it that lasts while keys sign.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) secrets: Vec<Arc<Secret>>,
    ticks: Ticks,
    /// Placed headers, by placement.
    pub(super) headers: Vec<Option<HeaderValue>>,
    /// What a body is that was none before.
    pub(super) content_type: Option<HeaderValue>,
    /// Query and body with fields, where the file has any.
    pub(super) query: Option<Spliced>,
    pub(super) fields: Option<Spliced>,
    /// The same as they are signed.
    pub(super) signed_query: Option<Vec<u8>>,
    pub(super) signed_body: Option<Bytes>,
    values: Vec<Option<Vec<u8>>>,
    /// Of values that have lines and names, the names.
    pub(super) names: Vec<(usize, Vec<u8>)>,
    /// The texts to sign, by value, in the order they are made.
    pub(super) texts: Vec<(usize, Vec<u8>)>,
}

/// What changes in a request.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Placement and value, in the order of the file.
    pub(super) headers: Vec<(usize, HeaderValue)>,
    /// Further headers: what a body is that was none before.
    pub(super) content_type: Option<HeaderValue>,
    pub(super) query: Option<Vec<u8>>,
    pub(super) body: Option<Bytes>,
}

/// What most texts of more than a hole have room in.
const ROOM: usize = 128;

const FORM: &str = "application/x-www-form-urlencoded";

/// Puts in what does not wait, and makes the texts to sign.
pub(super) fn prepare<'r>(
    inputs: Inputs<'r>,
    secrets: Vec<Arc<Secret>>,
    request: Signable<'r>,
    ticks: Ticks,
) -> Made<Prepared<'r>> {
    let compiled = inputs.compiled;
    let filled = Filled {
        secrets,
        ticks,
        headers: vec![None; compiled.places.len()],
        values: vec![None; compiled.values.len()],
        ..Filled::default()
    };
    let mut prepared = Prepared::resume(inputs, request, filled);
    for step in &compiled.order.steps {
        match *step {
            Step::Value(index) if compiled.order.waits[index] => prepared.sign(index)?,
            Step::Value(index) => prepared.make(index)?,
            Step::Header(index) if compiled.order.late[index] => {}
            Step::Header(index) => prepared.place_header(index)?,
            Step::Sent => prepared.put_in()?,
        }
    }
    Ok(prepared)
}

impl Compiled {
    /// The headers that are the file's: a program's own go.
    pub(super) fn owned(&self) -> impl Iterator<Item = &HeaderName> {
        let placed = self.places.iter().filter_map(|place| match &place.to {
            To::Header(name) => Some(name),
            To::Query | To::Form | To::Json | To::Body => None,
        });
        placed.chain(&self.strip)
    }

    pub(super) fn places_in(&self, to: &[To]) -> bool {
        self.places.iter().any(|place| to.contains(&place.to))
    }

    pub(super) fn is_owned(&self, name: &HeaderName) -> bool {
        self.owned().any(|own| own == name)
    }
}

/// Whether a body is a form: by its type, or because the file puts a form in and nobody says
/// otherwise.
pub(super) fn is_form(compiled: &Compiled, kind: Option<&HeaderValue>) -> bool {
    let Some(kind) = kind else {
        return compiled.places_in(&[To::Form]);
    };
    let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes())
}

/// Whether the body must be in hand: it is read, or something is put in, or may have to be.
pub(super) fn needs_body(compiled: &Compiled, headers: &HeaderMap) -> bool {
    let placed = compiled.places_in(&[To::Form, To::Json, To::Body]);
    let maybe = || compiled.places_in(&[To::Query]) && is_form(compiled, headers.get(CONTENT_TYPE));
    placed || compiled.reads.body || maybe()
}

impl<'r> Prepared<'r> {
    /// The same request again, with what was made of it.
    pub(super) fn resume(inputs: Inputs<'r>, request: Signable<'r>, filled: Filled) -> Self {
        Self { inputs, head: request.head, body: request.body, filled }
    }

    pub(super) fn compiled(&self) -> &'r Compiled {
        self.inputs.compiled
    }

    /// The bytes of a hole that a route fills.
    pub(super) fn bound(&self, hole: &Hole) -> Option<Secret> {
        self.inputs.filled(hole, &self.filled.secrets)
    }

    pub(super) fn key(&self, slot: usize) -> &'r PublicKey {
        &self.inputs.keys[slot]
    }

    pub(super) fn whole_body(&self) -> Made<&'r [u8]> {
        match self.body {
            Some(body) => Ok(body),
            None => fault(Asked::Body, "was not collected"),
        }
    }

    /// Puts the fields in that do not wait, keeps the places of those that do.
    fn put_in(&mut self) -> Made<()> {
        let compiled = self.compiled();
        if compiled.places_in(&[To::Query, To::Form]) {
            self.filled.query = Some(Spliced::form(self.head.query().as_bytes()));
            if self.has_form() {
                self.filled.fields = Some(Spliced::form(self.whole_body()?));
            }
        }
        if compiled.places_in(&[To::Json]) {
            let spliced = Spliced::json(self.whole_body()?);
            self.filled.fields = Some(spliced.map_err(|what| Fault { part: Asked::Body, what })?);
        }
        for late in [false, true] {
            for (index, place) in compiled.places.iter().enumerate() {
                if compiled.order.late[index] != late || matches!(place.to, To::Header(_)) {
                    continue;
                }
                let value = if late { None } else { Some(self.item(place)?) };
                self.put(index, place, value)?;
            }
        }
        let filled = &mut self.filled;
        filled.signed_query = filled.query.as_ref().map(Spliced::signed);
        if let Some(fields) = &filled.fields {
            filled.signed_body = Some(fields.signed().into());
        }
        let added = filled.signed_body.as_ref().is_some_and(|body| !body.is_empty());
        if added && self.header(&CONTENT_TYPE).next().is_none() && self.whole_body()?.is_empty() {
            self.filled.content_type = Some(HeaderValue::from_static(self.body_type()));
        }
        Ok(())
    }

    pub(super) fn body_type(&self) -> &'static str {
        if self.compiled().places_in(&[To::Json]) { "application/json" } else { FORM }
    }

    fn put(&mut self, index: usize, place: &Place, value: Option<Vec<u8>>) -> Made<()> {
        let name = place.name.as_str();
        let Filled { query, fields, signed_body, .. } = &mut self.filled;
        let in_query = query.as_ref().map_or(0, |query| query.count(name));
        let in_body = fields.as_ref().map_or(0, |fields| fields.count(name));
        let wanted = match place.to {
            To::Body => {
                *signed_body = value.map(Bytes::from);
                return Ok(());
            }
            // A JSON member is no field of a query.
            To::Json if in_body > 1 => return fault(Asked::Body, twice(name)),
            To::Json => fields,
            To::Query | To::Form if in_query + in_body > 1 => {
                return fault(Asked::Query, twice(name));
            }
            To::Query | To::Form if in_query == 1 => query,
            To::Query | To::Form if in_body == 1 => fields,
            To::Query => query,
            To::Form | To::Header(_) => fields,
        };
        let Some(spliced) = wanted else {
            return fault(Asked::Body, format!("is no form, and {name} goes into one"));
        };
        match value {
            Some(value) => spliced.set(name, &value),
            None => spliced.keep(name, index),
        }
        Ok(())
    }

    pub(super) fn place_header(&mut self, index: usize) -> Made<()> {
        let place = &self.compiled().places[index];
        let value = visible(&place.name, self.item(place)?)?;
        self.filled.headers[index] = Some(value);
        Ok(())
    }

    /// The text of a value that a key makes.
    fn sign(&mut self, index: usize) -> Made<()> {
        let text = match &self.compiled().values[index].kind {
            Kind::Sign(sign) => {
                let mut text = self.fill(&sign.text)?;
                if let Some((_, behind)) = &sign.hash {
                    text.extend(self.fill(behind)?);
                }
                text
            }
            Kind::Jwt(jwt) => self.jwt(jwt)?,
            // Made from one: later.
            Kind::Text(_)
            | Kind::Clock(_)
            | Kind::Nonce(_)
            | Kind::Pairs(_)
            | Kind::Headers(_)
            | Kind::Json(_)
            | Kind::OneOf(_)
            | Kind::Unreadable => return Ok(()),
        };
        self.filled.texts.push((index, text));
        Ok(())
    }

    /// A value that is made from the request and other values.
    pub(super) fn make(&mut self, index: usize) -> Made<()> {
        let value = &self.compiled().values[index];
        let made = match &value.kind {
            Kind::Text(text) => self.fill(text)?,
            Kind::Clock(own) => match self.filled.ticks.given.get(&index) {
                Some(given) => given.clone().into_bytes(),
                None => {
                    let unix_ms = self.filled.ticks.unix_ms.saturating_add_signed(own.add_ms);
                    own.clock.write(unix_ms).into_bytes()
                }
            },
            Kind::Nonce(nonce) => match self.filled.ticks.given.get(&index) {
                Some(given) => given.clone().into_bytes(),
                None => {
                    let Ticks { seed, unix_ms, .. } = &self.filled.ticks;
                    let seed = [&index.to_be_bytes()[..], seed].concat();
                    nonce.write(&seed, nonce.number_at(*unix_ms)).into_bytes()
                }
            },
            Kind::Pairs(pairs) => self.pairs(pairs)?,
            Kind::Headers(list) => {
                let written = list.write(&self.headers());
                let (lines, names) = written.or_else(|what| fault(Asked::Rest, what))?;
                self.filled.names.push((index, names));
                lines
            }
            Kind::Json(json) => self.json(json)?.into_bytes(),
            Kind::OneOf(texts) => {
                let mut found = Vec::new();
                for text in texts {
                    found = self.fill(text)?;
                    if !found.is_empty() {
                        break;
                    }
                }
                found
            }
            Kind::Jwt(_) | Kind::Sign(_) | Kind::Unreadable => return Ok(()),
        };
        self.set(index, made);
        Ok(())
    }

    /// The bytes of a text.
    pub(super) fn fill(&self, text: &Text) -> Made<Vec<u8>> {
        if let [Part::Hole(hole)] = &text.parts[..] {
            return Ok(self.hole(hole)?.into_owned());
        }
        let mut out = Vec::with_capacity(ROOM);
        for part in &text.parts {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Hole(hole) => out.extend_from_slice(&self.hole(hole)?),
            }
        }
        Ok(out)
    }

    /// The bytes of a hole.
    pub(super) fn hole(&self, hole: &Hole) -> Made<Cow<'_, [u8]>> {
        let mut bytes = self.source(hole)?;
        for call in &hole.calls {
            if call.name() == "if_any" && bytes.is_empty() {
                break;
            }
            bytes = match call.apply(&bytes) {
                Ok(made) => made.into(),
                Err(what) => {
                    let part = hole.source.part();
                    return fault(part, format!("{what} ({{{}}})", hole.written));
                }
            };
        }
        Ok(bytes)
    }

    fn pairs(&self, pairs: &Pairs) -> Made<Vec<u8>> {
        let mut all: Vec<Pair<'_>> = Vec::new();
        for from in &pairs.from {
            match from {
                From::Query => all.extend(pairs.split(self.query())),
                From::Form if self.has_form() => {
                    all.extend(pairs.split(self.body()?));
                }
                From::Form => {}
                From::Json => all.extend(self.json_pairs(pairs.nested)?),
            }
        }
        for (name, text) in &pairs.add {
            all.push((name.clone().into_bytes().into(), self.fill(text)?.into()));
        }
        pairs.write(all).or_else(|what| fault(Asked::Query, what))
    }

    fn json_pairs(&self, nested: Nested) -> Made<Vec<Pair<'_>>> {
        let wrong = |what: String| Fault { part: Asked::Body, what };
        let body = self.body()?;
        if body.is_empty() {
            return Ok(Vec::new());
        }
        let text = document(body).map_err(|error| wrong(error.to_string()))?;
        let object = Object::whole(text).map_err(|error| wrong(error.to_string()))?;
        let pair = |member: &crate::scheme::json::Member<'_>| {
            let value = plain(member.value, nested)
                .ok_or_else(|| wrong(format!("has lists or objects in {}", member.name)))?;
            Ok((member.name.clone().into_bytes().into(), value.into_bytes().into()))
        };
        object.members.iter().map(pair).collect()
    }

    pub(super) fn write_json(&self, json: &super::jsons::Json, out: &mut String) -> Made<()> {
        let wrong = |what: &'static str| Fault { part: Asked::Rest, what: what.into() };
        json.write(&|text| self.fill(text), &wrong, out)
    }

    /// Header and claims of a token, encoded.
    fn jwt(&self, jwt: &super::signing::Jwt) -> Made<Vec<u8>> {
        let alg = alg(&self.inputs.keys[jwt.slot]);
        let mut header = format!("{{\"alg\":\"{alg}\",\"typ\":\"JWT\"");
        let mut own = String::from("{}");
        if let Some(json) = &jwt.header {
            own.clear();
            self.write_json(json, &mut own)?;
        }
        if own.len() > 2 {
            header.push(',');
        }
        header.push_str(&own[1..]);
        let mut claims = String::new();
        self.write_json(&jwt.claims, &mut claims)?;
        Ok(format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes())).into())
    }

    /// A placement's value: JSON where it goes into JSON, and bytes otherwise.
    pub(super) fn item(&self, place: &Place) -> Made<Vec<u8>> {
        if let (Item::Text(text), true) = (&place.item, place.to != To::Json) {
            return self.fill(text);
        }
        let mut out = String::new();
        let wrong = |what: &'static str| Fault { part: Asked::Rest, what: what.into() };
        place.item.write(&|text| self.fill(text), &wrong, &mut out)?;
        Ok(out.into_bytes())
    }

    /// A value that was made.
    pub(super) fn made(&self, index: usize) -> Option<&[u8]> {
        self.filled.values[index].as_deref()
    }

    pub(super) fn set(&mut self, index: usize, value: Vec<u8>) {
        self.filled.values[index] = Some(value);
    }
}
