//! What a request of a declared scheme shows, by the file that says where things stand: placements
//! that are missing or written otherwise, signatures in whatever encoding, times.

use http::header::CONTENT_TYPE;

use super::encode::ENCODINGS;
use super::eval::{is_form, prepare};
use super::finish::signature;
use super::inputs::{Inputs, Ticks};
use super::jsons::Item;
use super::pattern::Shown;
use super::place::{Place, To};
use super::rewritten;
use super::spliced::Spliced;
use super::text::{Hole, Part, Source, Text};
use super::value::Kind;
use crate::keys::{Algorithm, Signature};
use crate::scheme::declared::clock::CLOCKS;
use crate::scheme::evidence::causes::form;
use crate::scheme::evidence::{Cause, Evidence, Limit, Stamp, Suspect, decoded, near_header};
use crate::scheme::{Preimage, Signable};
use crate::secret::Secret;

/// How far a clock may be off where nobody has said: five minutes.
const WINDOW_MS: u32 = 300_000;

/// What the file is bound to.
pub(super) struct Bound<'b> {
    pub(super) inputs: Inputs<'b>,
    pub(super) secrets: &'b [std::sync::Arc<Secret>],
}

/// What the request shows.
pub(super) fn evidence(request: Signable<'_>, bound: &Bound<'_>) -> Evidence {
    let mut read =
        Reading { bound, evidence: Evidence::default(), shown: Shown::new(), unix_ms: None };
    for place in &bound.inputs.compiled.places {
        match sent(place, request, bound) {
            Ok(sent) => read.place(place, &sent),
            Err(cause) => read.evidence.faults.push(cause),
        }
    }
    read.times();
    let suspects = read.suspects(request);
    let Reading { mut evidence, .. } = read;
    evidence.suspects.extend(suspects);
    evidence
}

/// What stands in a placement, once.
fn sent(place: &Place, request: Signable<'_>, bound: &Bound<'_>) -> Result<Vec<u8>, Cause> {
    let name = place.name.as_str();
    let body = request.body.map_or(&b""[..], |body| body);
    let counted = |count: usize, place: &str| match count {
        0 => Cause::seen(&form::PART_MISSING)
            .said(format!("{name} is not in the {place}"))
            .fix(format!("send {name} in the {place}")),
        _ => Cause::seen(&form::PART_TWICE)
            .said(format!("{name} is in the {place} {count} times"))
            .fix(format!("send {name} once")),
    };
    match &place.to {
        To::Header(header) => {
            let values: Vec<_> = request.head.headers.get_all(header).iter().collect();
            let names = bound.inputs.compiled.places.iter().map(|own| own.name.as_str());
            let names: Vec<&str> = names.collect();
            match values[..] {
                [] => Err(near_header(request.head, name, &names)),
                [one] => Ok(one.as_bytes().to_vec()),
                _ => Err(counted(values.len(), "request's headers")),
            }
        }
        To::Query | To::Form => {
            let query = Spliced::form(request.head.query().as_bytes());
            let has = is_form(bound.inputs.compiled, request.head.headers.get(CONTENT_TYPE));
            let fields = Spliced::form(if has { body } else { b"" });
            let found = match (query.count(name), fields.count(name)) {
                (1, 0) => query.value(name),
                (0, 1) => fields.value(name),
                (0, 0) if place.to == To::Form => return Err(counted(0, "form")),
                (one, other) => return Err(counted(one + other, "query")),
            };
            found.ok_or_else(|| counted(0, "query"))
        }
        To::Json => {
            let spliced = Spliced::json(body);
            let Ok(spliced) = spliced else {
                let cause = Cause::seen(&form::BODY_FORM).said("the body is no JSON object");
                return Err(cause);
            };
            match (spliced.count(name), spliced.value(name)) {
                (1, Some(value)) => Ok(value),
                (count, _) => Err(counted(count, "JSON body")),
            }
        }
        To::Body => Ok(body.to_vec()),
    }
}

/// A request as it is read.
struct Reading<'b> {
    bound: &'b Bound<'b>,
    evidence: Evidence,
    shown: Shown,
    unix_ms: Option<u64>,
}

impl Reading<'_> {
    /// Reads a placement; where it is not in the form of the file, says why.
    fn place(&mut self, place: &Place, sent: &[u8]) {
        let Bound { inputs, secrets } = self.bound;
        let bound = |hole: &Hole| inputs.filled(hole, secrets);
        let mut shown = self.shown.clone();
        let compiled = inputs.compiled;
        let read = match (&place.item, &place.to) {
            (item, To::Json) => serde_json::from_slice(sent)
                .ok()
                .and_then(|read| compiled.item(item, &read, &bound, &mut shown)),
            (Item::Text(text), _) => compiled.shown(text, sent, &bound, &mut shown),
            (Item::Number(_) | Item::Fixed(_) | Item::List(_) | Item::Object(_), _) => Some(()),
        };
        if read.is_some() {
            self.shown = shown;
            return;
        }
        let value = match &place.item {
            Item::Text(text) => alone(text),
            Item::Number(_) | Item::Fixed(_) | Item::List(_) | Item::Object(_) => None,
        };
        // A JSON string's quotation marks are none of the value.
        let bare = serde_json::from_slice::<String>(sent).map(String::into_bytes);
        let sent = if place.to == To::Json {
            bare.unwrap_or_else(|_| sent.to_vec())
        } else {
            sent.to_vec()
        };
        match value {
            Some(Source::Value(index)) => {
                self.shown.insert(index, sent);
            }
            Some(Source::Secret(_) | Source::Param(_) | Source::Public(_)) => {
                let cause = Cause::seen(&form::TOKEN_OTHER)
                    .said(format!("{} is not what is configured", place.name))
                    .fix(format!(
                        "send the {} that is configured, or configure the one that is sent",
                        place.name
                    ));
                self.evidence.faults.push(cause);
            }
            _ => {
                let cause = Cause::seen(&form::PART_FORM)
                    .said(format!("{} is not in the form that the scheme gives it", place.name));
                self.evidence.faults.push(cause);
            }
        }
    }

    /// Looks at the clocks as they are shown.
    fn times(&mut self) {
        let mut finest = u64::MAX;
        for (value, bytes) in &self.shown {
            let own = &self.bound.inputs.compiled.values[*value];
            let Kind::Clock(clock) = &own.kind else { continue };
            let name = self.placed(*value);
            let text = String::from_utf8_lossy(bytes).into_owned();
            let sane = |unix_ms: &u64| (600_000_000_000..4_200_000_000_000).contains(unix_ms);
            let read = clock.clock.read(&text).filter(sane);
            let Some(unix_ms) = read else {
                let other =
                    CLOCKS.iter().find(|other| other.read(&text).is_some_and(|at| sane(&at)));
                self.evidence.faults.push(mistimed(
                    &name,
                    clock.clock.word.name,
                    other.map(|own| own.word.name),
                ));
                self.unix_ms = self.unix_ms.or_else(|| other.and_then(|other| other.read(&text)));
                continue;
            };
            let at = unix_ms.saturating_add_signed(-clock.add_ms);
            if clock.clock.grain < finest {
                finest = clock.clock.grain;
                self.unix_ms = Some(at);
            }
            let limit =
                if clock.add_ms > 0 { Limit::Until } else { Limit::Signed(Some(WINDOW_MS)) };
            let whole_days = clock.clock.grain >= 86_400_000;
            if !whole_days {
                self.evidence.stamps.push(Stamp { part: name, unix_ms: unix_ms.into(), limit });
            }
        }
    }

    /// The name of the placement that shows a value.
    fn placed(&self, value: usize) -> String {
        let compiled = self.bound.inputs.compiled;
        let shows = |place: &&Place| match &place.item {
            Item::Text(text) => text.holes().any(|hole| hole.source == Source::Value(value)),
            Item::Number(_) | Item::Fixed(_) | Item::List(_) | Item::Object(_) => false,
        };
        let place = compiled.places.iter().find(shows);
        place.map_or_else(|| compiled.values[value].name.clone(), |place| place.name.clone())
    }

    /// The signatures, each with what it may be of.
    fn suspects(&mut self, request: Signable<'_>) -> Vec<Suspect> {
        let Bound { inputs, secrets } = self.bound;
        let compiled = inputs.compiled;
        let mut given = std::collections::BTreeMap::new();
        for (value, bytes) in &self.shown {
            if matches!(compiled.values[*value].kind, Kind::Clock(_) | Kind::Nonce(_)) {
                given.insert(*value, String::from_utf8_lossy(bytes).into_owned());
            }
        }
        let needed = compiled
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| matches!(value.kind, Kind::Clock(_) | Kind::Nonce(_)));
        let lacks = needed.clone().any(|(index, _)| !given.contains_key(&index));
        if lacks && !self.evidence.faults.is_empty() {
            return Vec::new();
        }
        let unix_ms = self.unix_ms.unwrap_or_default();
        let ticks = Ticks { unix_ms, seed: Vec::new(), given };
        let prepared = match prepare(*inputs, secrets.to_vec(), request, ticks) {
            Ok(prepared) => prepared,
            Err(fault) => {
                let cause =
                    Cause::seen(&form::UNSIGNABLE).said(format!("the request {}", fault.what));
                self.evidence.faults.push(cause);
                return Vec::new();
            }
        };
        let Ok(made) = prepared.preimages() else { return Vec::new() };
        let mut all = Vec::new();
        for (value, hashing, text) in made {
            let kind = &compiled.values[value].kind;
            let Some(slot) = kind.slot() else { continue };
            let Some((signature, signed)) = self.signature(value) else { continue };
            let key = inputs.keys[slot].clone();
            let secret = compiled.order.secrets[value];
            if let Some(signed) = &signed {
                self.evidence.faults.extend(claims(signed, text, secret));
            }
            let slot = compiled.slots[slot].name.clone().into();
            let text = signed.unwrap_or_else(|| text.to_vec());
            let wanted = Preimage { slot, text, hashing, secret };
            let hypotheses = rewritten::hypotheses(&prepared, value, &wanted, &key, self.unix_ms);
            let (slot, shown_in, last) = (wanted.slot.clone(), None, None);
            all.push(Suspect { slot, key, shown_in, signature, wanted, hypotheses, last });
        }
        all
    }

    /// A signature in whatever encoding, and of a token the text that it is of.
    fn signature(&mut self, value: usize) -> Option<(Signature, Option<Vec<u8>>)> {
        let own = &self.bound.inputs.compiled.values[value];
        let algorithm = self.bound.inputs.keys[own.kind.slot()?].algorithm();
        let Some(found) = self.shown.get(&value).cloned() else {
            if self.evidence.faults.is_empty() {
                let cause = Cause::seen(&form::PART_MISSING);
                self.evidence.faults.push(cause.said(format!("there is no {}", own.name)));
            }
            return None;
        };
        let text = String::from_utf8_lossy(&found).into_owned();
        let Some(sign) = own.kind.sign() else {
            let (signed, last) = text.rsplit_once('.')?;
            let octets = ENCODINGS.iter().find(|row| row.word.name == "base64url");
            let octets = octets.and_then(|row| (row.read)(last))?;
            return Some((signature(algorithm, &octets, true)?, Some(signed.into())));
        };
        let proper = match sign.encoding {
            Some(row) => (row.read)(&text),
            None => Some(found),
        };
        let long = self.length(&own.kind);
        let whole = |octets: &[u8]| long.is_none_or(|long| long == octets.len());
        let readings = decoded(text.trim());
        let other = readings.iter().find(|(_, octets)| whole(octets));
        // In its own encoding where that is as long as it must be, or where no other is.
        if let Some(octets) = proper.filter(|octets| whole(octets) || other.is_none()) {
            let read = signature(algorithm, &octets, sign.raw);
            return read
                .or_else(|| self.packed(value, algorithm, &octets, sign.raw))
                .map(|own| (own, None));
        }
        let name = self.placed(value);
        let wanted = sign.encoding.map_or("bytes", |row| row.word.name);
        let Some((encoding, octets)) = other.or_else(|| readings.first()) else {
            let what = format!("{name} is in no encoding of bytes, and {wanted} is wanted");
            self.evidence.faults.push(Cause::seen(&form::PART_FORM).said(what));
            return None;
        };
        let cause = Cause::seen(&form::SIGNATURE_ENCODING)
            .said(format!("{name} is in {}, and {wanted} is wanted", encoding.name()))
            .fix(format!("write the signature's bytes in {wanted}"));
        self.evidence.faults.push(cause);
        signature(algorithm, octets, sign.raw).map(|own| (own, None))
    }

    /// An ECDSA signature in the other form; else one that is none.
    fn packed(
        &mut self,
        value: usize,
        algorithm: Algorithm,
        octets: &[u8],
        raw: bool,
    ) -> Option<Signature> {
        let name = self.placed(value);
        let other = signature(algorithm, octets, !raw);
        let (is, wanted) = if raw { ("DER", "r and s") } else { ("r and s", "DER") };
        self.evidence.faults.push(match &other {
            Some(_) => Cause::seen(&form::SIGNATURE_FORM)
                .said(format!("{name} is {is}, and {wanted} is wanted")),
            None => Cause::seen(&form::SIGNATURE_CUT).said(format!(
                "{name} is {} bytes, which is no signature of this key",
                octets.len()
            )),
        });
        other
    }

    /// How many bytes a signature has, where that is fixed.
    fn length(&self, kind: &Kind) -> Option<usize> {
        let key = &self.bound.inputs.keys[kind.slot()?];
        match key.algorithm().name() {
            "hmac_sha1" => Some(20),
            "hmac_sha256" => Some(32),
            "hmac_sha384" => Some(48),
            "hmac_sha512" | "ed25519" => Some(64),
            name if name.starts_with("rsa_") => Some(key.bits()?.div_ceil(8)),
            _ => None,
        }
    }
}

/// How a token's header and claims differ from those that are wanted.
fn claims(signed: &[u8], wanted: &[u8], secret: bool) -> Vec<Cause> {
    let parts = |text: &[u8]| -> Vec<serde_json::Map<String, serde_json::Value>> {
        let text = String::from_utf8_lossy(text).into_owned();
        let row = ENCODINGS.iter().find(|row| row.word.name == "base64url");
        let read = |part: &str| serde_json::from_slice(&(row?.read)(part)?).ok();
        text.split('.').map(|part| read(part).unwrap_or_default()).collect()
    };
    let mut all = Vec::new();
    for ((sent, wanted), part) in parts(signed).iter().zip(parts(wanted)).zip(["header", "claim"]) {
        for (name, value) in wanted.iter().filter(|(name, value)| sent.get(*name) != Some(value)) {
            let (known, said) = match sent.get(name) {
                None => (&form::MEMBER_MISSING, format!("the token has no {part} {name}")),
                Some(_) if secret => (
                    &form::MEMBER_OTHER,
                    format!("the token's {part} {name} is not what is wanted"),
                ),
                Some(found) => {
                    let said =
                        format!("the token's {part} {name} is {found}, and {value} is wanted");
                    (&form::MEMBER_OTHER, said)
                }
            };
            all.push(Cause::seen(known).said(said));
        }
        let surplus = sent.keys().filter(|name| !wanted.contains_key(*name));
        all.extend(surplus.map(|name| {
            let said = format!("the token has a {part} {name}, which the scheme has not");
            Cause::seen(&form::MEMBER_SURPLUS).said(said)
        }));
    }
    all
}

/// The source that is a whole text, where it is one hole without functions.
fn alone(text: &Text) -> Option<Source> {
    match &text.parts[..] {
        [Part::Hole(hole)] if hole.calls.is_empty() => Some(hole.source.clone()),
        _ => None,
    }
}

/// A clock that is written as another.
fn mistimed(name: &str, wanted: &str, found: Option<&str>) -> Cause {
    let words = |clock: &str| match clock {
        "unix" => "seconds".to_owned(),
        "unix_ms" => "milliseconds".to_owned(),
        "unix_us" => "microseconds".to_owned(),
        "unix_ns" => "nanoseconds".to_owned(),
        other => format!("the form {other}"),
    };
    let wanted_words = words(wanted);
    match found {
        Some("unix") if wanted == "unix_ms" => Cause::seen(&form::TIME_SECONDS)
            .said(format!("{name} is in seconds, and milliseconds are wanted")),
        Some(found) => Cause::seen(&form::TIME_UNIT)
            .said(format!("{name} is in {}, and {wanted_words} are wanted", words(found))),
        None => Cause::seen(&form::TIME_FORM)
            .said(format!("{name} is no time, and {wanted_words} are wanted")),
    }
}
