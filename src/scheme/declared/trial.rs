//! Runs a file's vectors: with the keys that stand in them, which are made for the purpose.

mod made;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park};

use bytes::Bytes;
use http::HeaderValue;

use super::check::untried;
use super::compiled::Compiled;
use super::eval::{Placed, Prepared, prepare};
use super::finish::signature;
use super::inputs::{Inputs, Ticks};
use super::jsons::Item;
use super::pattern::Shown;
use super::place::To;
use super::spliced::Spliced;
use super::text::Hole;
use super::value::Kind;
use super::vector::{Expected, Vector};
use crate::keys::{Content, Hashing, PrivateKey, PublicKey, Signature, Signer};
use crate::problem::{Location, Problem};
use crate::scheme::{Head, Signable};
use crate::secret::Secret;

/// What is wrong with a vector: where, what, how to mend it.
type Wrong = (Location, String, String);

impl Compiled {
    /// Runs every vector.
    pub(crate) fn try_vectors(&self) -> Vec<Problem> {
        let vectors = self.vectors.iter();
        let wrong = vectors.flat_map(|vector| Trial { compiled: self, vector }.run());
        let wrong = wrong.chain(untried(self));
        wrong.map(|(at, what, fix)| Problem::new(what, fix).at(at)).collect()
    }
}

struct Trial<'t> {
    compiled: &'t Compiled,
    vector: &'t Vector,
}

impl Trial<'_> {
    fn run(&self) -> Vec<Wrong> {
        match self.tried() {
            Ok(wrong) => wrong,
            Err(wrong) => vec![wrong],
        }
    }

    fn wrong<T>(&self, what: impl Into<String>, fix: impl Into<String>) -> Result<T, Wrong> {
        Err((self.vector.at, what.into(), fix.into()))
    }

    fn tried(&self) -> Result<Vec<Wrong>, Wrong> {
        let (compiled, vector) = (self.compiled, self.vector);
        let signers = self.signers()?;
        let keys: Vec<PublicKey> =
            signers.iter().map(|signer| signer.public_key().clone()).collect();
        let params = self.params()?;
        let secrets = self.secrets()?;
        let Some(head) = vector.request.head(&compiled.host) else {
            return self.wrong("the request cannot be sent to host", "mend host, or name another");
        };
        let body = Bytes::from(vector.request.body.clone().into_bytes());
        let publics = compiled.publics(&keys);
        let inputs = Inputs { compiled, keys: &keys, publics: &publics, params: &params };
        let request = Signable { head: &head, body: Some(&body) };
        let ticks = Ticks { unix_ms: vector.now, seed: b"vector".into(), given: self.nonces()? };
        let prepared = match prepare(inputs, secrets, request, ticks) {
            Ok(prepared) => prepared,
            Err(fault) => return Ok(self.refused(&fault.what)),
        };
        let wrong = self.texts(&prepared);
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        let preimages = prepared.preimages();
        let preimages = match preimages {
            Ok(preimages) => preimages,
            Err(fault) => return Ok(self.refused(&fault.what)),
        };
        let shown = self.shown(&prepared, &keys);
        let sign = |(value, hashing, text): &(usize, Hashing, &[u8])| {
            let content = hashing.content(text);
            let shown = shown.get(value).filter(|shown| {
                compiled.values[*value]
                    .kind
                    .slot()
                    .is_some_and(|at| keys[at].verifies(content, shown))
            });
            shown.map_or_else(|| self.sign(*value, content, &signers), |shown| Ok(shown.clone()))
        };
        let signatures = preimages.iter().map(sign).collect::<Result<Vec<_>, _>>()?;
        drop(preimages);
        let said = self.said(&prepared);
        let tokens = self.tokens(&prepared.filled.texts, &signatures, &keys);
        let placed = match prepared.place(&signatures) {
            Ok(placed) => placed,
            Err(fault) => return Ok(self.refused(&fault.what)),
        };
        if let Some(expected) = &vector.expect.refused {
            let what = "the request is signed, and the vector expects that it is refused".into();
            return Ok(vec![(expected.at, what, "mend the scheme, or remove refused".into())]);
        }
        let mut wrong = self.compare(&placed, &head, &said);
        wrong.extend(tokens);
        Ok(wrong)
    }

    fn refused(&self, what: &str) -> Vec<Wrong> {
        match &self.vector.expect.refused {
            Some(expected) if what.contains(&expected.value) => Vec::new(),
            Some(expected) => {
                let what = format!("the request is refused otherwise: it {what}");
                vec![(expected.at, what, "mend the scheme, or refused".into())]
            }
            None => {
                let what = format!("the request cannot be signed: it {what}");
                vec![(self.vector.at, what, "mend the scheme, or write expect.refused".into())]
            }
        }
    }

    fn signers(&self) -> Result<Vec<Arc<dyn Signer>>, Wrong> {
        let mut signers = Vec::new();
        for slot in &self.compiled.slots {
            let Some(text) = self.vector.keys.get(&slot.name) else {
                let fix =
                    format!("write keys.{} = \"…\", of a key made for the purpose", slot.name);
                return self.wrong(format!("the vector has no key for {}", slot.name), fix);
            };
            let read = slot.algorithms.iter().map(|algorithm| {
                PrivateKey::parse_encoded(text.expose(), slot.secret, Some(*algorithm), None)
            });
            let mut last = None;
            let key = read.into_iter().find_map(|read| read.map_err(|e| last = Some(e)).ok());
            let signer = key.and_then(|key| key.signer().ok());
            let Some(signer) = signer else {
                let why = last.map_or_else(String::new, |error| format!(": it {error}"));
                let what = format!("keys.{} cannot be read{why}", slot.name);
                return self.wrong(what, "give a key of one of the slot's algorithms");
            };
            signers.push(signer);
        }
        Ok(signers)
    }

    fn secrets(&self) -> Result<Vec<Arc<Secret>>, Wrong> {
        let secret = |name: &String| match self.vector.secrets.get(name) {
            Some(text) => Ok(Arc::new(Secret::new(text.clone().into_bytes()))),
            None => {
                let fix = format!("write secrets.{name} = \"…\"");
                self.wrong(format!("the vector has no secret {name}"), fix)
            }
        };
        self.compiled.secrets.iter().map(|own| secret(&own.name)).collect()
    }

    fn params(&self) -> Result<Vec<String>, Wrong> {
        let param = |own: &super::compiled::Param| {
            let given = self.vector.params.get(&own.name).or(own.default.as_ref());
            given.cloned().map_or_else(
                || {
                    let fix = format!("write params.{} = \"…\"", own.name);
                    self.wrong(format!("the vector has no param {}", own.name), fix)
                },
                Ok,
            )
        };
        self.compiled.params.iter().map(param).collect()
    }

    fn nonces(&self) -> Result<BTreeMap<usize, String>, Wrong> {
        let values = self.compiled.values.iter().enumerate();
        let nonces = values.filter(|(_, value)| matches!(value.kind, Kind::Nonce(_)));
        let given = nonces.filter_map(|(index, value)| {
            let given = self.vector.nonces.get(&value.name).or_else(|| self.vector.nonces.get(""));
            given.map(|given| (index, given.clone()))
        });
        Ok(given.collect())
    }

    fn sign(
        &self,
        value: usize,
        content: Content<'_>,
        signers: &[Arc<dyn Signer>],
    ) -> Result<Signature, Wrong> {
        let slot = self.compiled.values[value].kind.slot().unwrap_or_default();
        wait(signers[slot].sign(content)).or_else(|error| {
            let name = &self.compiled.values[value].name;
            self.wrong(format!("{name} cannot be signed: {error}"), "use another algorithm")
        })
    }

    /// The texts that the vector says.
    fn texts(&self, prepared: &Prepared<'_>) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for expected in &self.vector.texts {
            let values = &self.compiled.values;
            let Some(index) = values.iter().position(|value| value.name == expected.name) else {
                let names: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
                let fix = crate::document::choose(&expected.name, &names);
                wrong.push((expected.at, format!("there is no value {}", expected.name), fix));
                continue;
            };
            let found = prepared.text_of(index);
            if found == expected.value.as_bytes() {
                continue;
            }
            let at = first_difference(&found, expected.value.as_bytes());
            let from = match &values[index].kind {
                Kind::Text(text) => prepared.origin(&[text], at),
                Kind::Sign(sign) => {
                    let behind = sign.hash.iter().map(|(_, behind)| behind);
                    prepared.origin(&[&sign.text].into_iter().chain(behind).collect::<Vec<_>>(), at)
                }
                Kind::Clock(_)
                | Kind::Nonce(_)
                | Kind::Pairs(_)
                | Kind::Headers(_)
                | Kind::Json(_)
                | Kind::Jwt(_)
                | Kind::OneOf(_)
                | Kind::Unreadable => "the value".into(),
            };
            let what = format!(
                "the text of {} differs at byte {at}, which came from {from}: {} and not {}",
                expected.name,
                around(&found, at),
                around(expected.value.as_bytes(), at),
            );
            wrong.push((expected.at, what, "mend the value, or the vector's text".into()));
        }
        wrong
    }

    /// The texts that were signed, for messages.
    fn said(&self, prepared: &Prepared<'_>) -> String {
        let said = prepared.filled.texts.iter().map(|(value, text)| {
            let name = &self.compiled.values[*value].name;
            format!("{name} signs {:?}", String::from_utf8_lossy(text))
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// Placements that the vector says something of.
    fn expected_places(&self) -> impl Iterator<Item = (usize, &Expected)> {
        let expect = &self.vector.expect;
        self.compiled.places.iter().enumerate().filter_map(move |(index, place)| {
            let list = match place.to {
                To::Header(_) => &expect.headers,
                To::Query => &expect.query,
                To::Form => &expect.form,
                To::Json | To::Body => &expect.json,
            };
            let same = |own: &&Expected| own.name.eq_ignore_ascii_case(&place.name);
            list.iter().find(same).map(|expected| (index, expected))
        })
    }

    /// The signatures that the vector expects, by value, wherever they stand in a placement. One that
    /// verifies is as good as our own: ECDSA and RSA-PSS are not the same twice.
    fn shown(&self, prepared: &Prepared<'_>, keys: &[PublicKey]) -> BTreeMap<usize, Signature> {
        let mut shown = Shown::new();
        let bound = |hole: &Hole| prepared.bound(hole);
        for (place, expected) in self.expected_places() {
            if let Item::Text(text) = &self.compiled.places[place].item {
                self.compiled.shown(text, expected.value.as_bytes(), &bound, &mut shown);
            }
        }
        let read = |(value, found): (usize, Vec<u8>)| {
            let sign = self.compiled.values[value].kind.sign()?;
            let octets = match sign.encoding {
                Some(row) => (row.read)(str::from_utf8(&found).ok()?)?,
                None => found,
            };
            Some((value, signature(keys[sign.slot].algorithm(), &octets, sign.raw)?))
        };
        shown.into_iter().filter_map(read).collect()
    }

    fn compare(&self, placed: &Placed, head: &Head, said: &str) -> Vec<Wrong> {
        let (expect, places) = (&self.vector.expect, &self.compiled.places);
        let mut wrong = Vec::new();
        let mut hold = |expected: &Expected, found: Option<&[u8]>| {
            if found != Some(expected.value.as_bytes()) {
                let found = found.map_or_else(
                    || "nothing".into(),
                    |found| format!("{:?}", String::from_utf8_lossy(found)),
                );
                let what = format!("{} becomes {found}, where {said}", expected.name);
                wrong.push((expected.at, what, "mend the scheme, or the vector".into()));
            }
        };
        for expected in &expect.headers {
            let own = |(index, _): &&(usize, HeaderValue)| {
                places[*index].name.eq_ignore_ascii_case(&expected.name)
            };
            let found = placed.headers.iter().find(own);
            hold(expected, found.map(|(_, value)| value.as_bytes()));
        }
        let query = placed.query.clone().unwrap_or_else(|| head.query().as_bytes().to_vec());
        let sent = self.vector.request.body.as_bytes();
        let body = placed.body.as_deref().unwrap_or(sent);
        for (list, text) in [(&expect.query, query.as_slice()), (&expect.form, body)] {
            let fields = Spliced::form(text);
            for expected in list {
                let found = fields.value(&expected.name);
                hold(expected, found.as_deref());
            }
        }
        if !expect.json.is_empty() {
            let fields = Spliced::json(body).ok();
            for expected in &expect.json {
                let found = fields.as_ref().and_then(|fields| fields.value(&expected.name));
                let text = found.map(|json| plain_text(&json));
                hold(expected, text.as_deref());
            }
        }
        if let Some(expected) = &expect.target {
            let target = super::made::with_query(head.path(), &query);
            hold(expected, Some(&target));
        }
        if let Some(expected) = &expect.body {
            hold(expected, Some(body));
        }
        wrong
    }

    /// Header and claims of tokens, which are compared as JSON: members have no order.
    fn tokens(
        &self,
        texts: &[(usize, Vec<u8>)],
        signatures: &[Signature],
        keys: &[PublicKey],
    ) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for (name, part, expected, at) in &self.vector.expect.jwt {
            let values = &self.compiled.values;
            let found = texts.iter().zip(signatures).find(|((v, _), _)| values[*v].name == *name);
            let Some(((value, text), signature)) = found else {
                let fix = "name a value of the kind jwt".into();
                wrong.push((*at, format!("there is no token {name}"), fix));
                continue;
            };
            let slot = values[*value].kind.slot().unwrap_or_default();
            let holds = keys[slot].verifies(Content::Message(text), signature);
            let mut parts = text.split(|byte| *byte == b'.');
            let piece = if *part == "header" { parts.next() } else { parts.nth(1) };
            let json = piece.and_then(|piece| {
                let read = super::encode::ENCODINGS.iter().find(|row| row.word.name == "base64url");
                let bytes = (read?.read)(str::from_utf8(piece).ok()?)?;
                serde_json::from_slice::<serde_json::Value>(&bytes).ok()
            });
            if !holds || json.as_ref() != Some(expected) {
                let json = json.unwrap_or_default();
                let what = format!("the {part} of {name} is {json}");
                wrong.push((*at, what, format!("mend the scheme, or the vector's {part}")));
            }
        }
        wrong
    }
}

impl Prepared<'_> {
    /// What vectors call a value's text: of a signature what is signed, of all else the value.
    fn text_of(&self, index: usize) -> Vec<u8> {
        let signed = self.filled.texts.iter().find(|(value, _)| *value == index);
        let made = || self.made(index).unwrap_or_default().to_vec();
        signed.map_or_else(made, |(_, text)| text.clone())
    }
}

fn plain_text(json: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(json).unwrap_or_default();
    crate::scheme::json::string(text).map_or_else(|| json.to_vec(), String::into_bytes)
}

fn first_difference(found: &[u8], expected: &[u8]) -> usize {
    let same = found.iter().zip(expected).take_while(|(one, other)| one == other);
    same.count()
}

/// A few characters from a byte on.
fn around(text: &[u8], at: usize) -> String {
    let from = at.saturating_sub(8);
    let piece = &text[from..text.len().min(at + 16)];
    format!("{:?}", String::from_utf8_lossy(piece))
}

/// Waits on this thread: keys in memory sign at once, but for some that have threads of their own.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Parked(Thread);
    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Parked(current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => park(),
        }
    }
}
