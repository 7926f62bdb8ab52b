//! A file that was found, held against the captured requests with the key that they were signed
//! with; and its vectors, which are signed with another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::captured::Captured;
use super::draft::{Draft, quoted};
use super::seen::{Seen, What, token};
use crate::keys::{Algorithm, PrivateKey, PublicKey};
use crate::problem::Problem;
use crate::scheme::declared::clock::CLOCKS;
use crate::scheme::declared::compiled::Compiled;
use crate::scheme::declared::eval::Placed;
use crate::scheme::declared::place::To;
use crate::scheme::declared::scheme::Declared;
use crate::scheme::{Binding, Scheme, Signable};
use crate::secret::{Secret, SecretCell};

/// Why a request is not what a file makes.
pub(super) type Flaw = String;

/// When each of the captured requests says that it was signed, where each is what the file makes of
/// it.
pub(super) fn confirm(
    draft: &Draft,
    text: &str,
    captured: &[Captured],
    key: &PublicKey,
    params: &[(String, String)],
) -> Result<Vec<Option<u64>>, Flaw> {
    let compiled = Compiled::read(text).map_err(|problems| said(&problems))?;
    let secret = |(name, seen): (&str, &Seen)| {
        let cell = SecretCell::fixed(Secret::new(seen.text.clone().into_bytes()));
        (name.to_owned(), cell)
    };
    let windows = draft.named().filter(|seen| seen.what == What::Window);
    let windows = windows.map(|seen| (seen.name.clone(), seen.text.clone()));
    let binding = Binding {
        keys: BTreeMap::from([("signer".to_owned(), key.clone())]),
        secrets: draft.secrets().into_iter().map(secret).collect(),
        params: windows.chain(params.iter().cloned()).collect(),
        ..Binding::default()
    };
    let scheme = Declared::bind(&Arc::new(compiled), &binding).map_err(|error| error.what)?;
    captured.iter().map(|request| holds(&scheme, request)).collect()
}

fn holds(scheme: &Declared, request: &Captured) -> Result<Option<u64>, Flaw> {
    let signable = Signable { head: &request.head, body: Some(&request.body) };
    let claim = scheme.claim(signable).map_err(|error| error.to_string())?;
    let signed = claim.signed.unwrap_or_default();
    let mut pairs = signed.iter().zip(&claim.proofs);
    let right =
        pairs.all(|(text, proof)| proof.public_key.verifies(text.content(), &proof.signature));
    if !right {
        return Err("a signature is not of the text that the file makes".into());
    }
    Ok(claim.moment.map(|moment| moment.unix_ms))
}

fn said(problems: &[Problem]) -> Flaw {
    problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>().join("; ")
}

/// The file with vectors, each of a captured request, or of one that is made up where none reads
/// what the file reads.
pub(super) fn with_vectors(
    draft: &Draft,
    text: &str,
    captured: &[Captured],
    moments: &[Option<u64>],
    params: &[(String, String)],
) -> Result<String, Flaw> {
    let algorithm: Algorithm = draft.algorithm.parse().map_err(|_| "an unknown algorithm")?;
    let key = throw_away(algorithm, draft.secret);
    let mut vectors = Vec::new();
    for (request, moment) in captured.iter().zip(moments) {
        let made = Made { draft, params, key: &key, moment: *moment };
        vectors.extend(made.captured(request));
    }
    let first = captured.first().ok_or("there is no request")?;
    let read = Compiled::read(&[text, &vectors.concat()].concat());
    let reads = read.map_err(|problems| said(&problems))?.reads;
    let body = reads.body && captured.iter().all(|one| one.body.is_empty());
    let query = reads.query && captured.iter().all(|one| one.head.query().is_empty());
    if body || query || vectors.is_empty() {
        let moment = moments.first().copied().flatten();
        let made = Made { draft, params, key: &key, moment };
        vectors.push(made.made_up(first, body, query));
    }
    let open = [text, &vectors.concat()].concat();
    let compiled = Compiled::read(&open).map_err(|problems| said(&problems))?;
    let mut out = text.to_owned();
    for (index, vector) in vectors.iter().enumerate() {
        let placed = compiled.becomes(index)?;
        out.push_str(vector.trim_end_matches(UNKNOWN));
        out.push_str(&expected(&compiled, index, placed, algorithm));
    }
    Compiled::load(&out).map_err(|problems| said(&problems))?;
    Ok(out)
}

/// What a vector expects before it is known.
const UNKNOWN: &str = "expect.refused = \"nothing yet\"\n";

/// A key that was made for vectors and opens nothing.
fn throw_away(algorithm: Algorithm, secret: &str) -> String {
    use base64::Engine as _;
    let text = "a-throw-away-key-for-this-vector";
    if !algorithm.is_shared() {
        if algorithm.sizes().is_empty() {
            return base16ct::lower::encode_string(text.as_bytes());
        }
        return PrivateKey::generate(algorithm).to_text().trim().to_owned();
    }
    match secret {
        "base64" | "base64url" => base64::engine::general_purpose::STANDARD.encode(text),
        "hex" => base16ct::lower::encode_string(text.as_bytes()),
        _ => text.to_owned(),
    }
}

/// A vector in the making.
struct Made<'m> {
    draft: &'m Draft,
    params: &'m [(String, String)],
    key: &'m str,
    moment: Option<u64>,
}

impl Made<'_> {
    /// Of a captured request, without what is the scheme's or nobody's business.
    fn captured(&self, request: &Captured) -> Option<String> {
        let body = String::from_utf8(request.body.to_vec()).ok()?;
        let target = match request.head.target.query() {
            Some(query) => format!("{}?{}", request.head.path(), self.scrubbed(query)),
            None => request.head.path().to_owned(),
        };
        let form = !request.form().is_empty();
        let body = if form { self.scrubbed(&body) } else { self.without_ids(&body) };
        let source = "made by countersign; confirmed with a captured request";
        let kind = request.head.single("content-type");
        Some(self.vector(source, request, &target, kind, &body))
    }

    /// With a body or a query that no captured request has.
    fn made_up(&self, request: &Captured, body: bool, query: bool) -> String {
        let path = request.head.path();
        let target = if query { format!("{path}?made=up") } else { path.to_owned() };
        let form = self.draft.fields.iter().any(|field| field.to == super::seen::To::Form);
        let body = match (body, form) {
            (true, true) => "made=up",
            (true, false) => r#"{"made":"up"}"#,
            (false, _) => "",
        };
        let source = "made by countersign; nobody else signed such a request";
        self.vector(source, request, &target, None, body)
    }

    fn vector(
        &self,
        source: &str,
        request: &Captured,
        target: &str,
        kind: Option<&str>,
        body: &str,
    ) -> String {
        let now = self.moment.unwrap_or(1_764_337_800_123);
        let iso = CLOCKS.iter().find(|row| row.word.name == "iso_ms").expect("it is a row");
        let mut lines = vec![
            "\n[[vectors]]".to_owned(),
            format!("source = {}", quoted(source)),
            format!("now = \"{}\"", iso.write(now)),
        ];
        let key = if self.key.contains('\n') {
            format!("\"\"\"\n{}\"\"\"", self.key)
        } else {
            quoted(self.key)
        };
        for seen in self.draft.named().filter(|seen| matches!(seen.what, What::Nonce(_))) {
            lines.push(format!("nonce.{} = {}", seen.name, quoted(&seen.text)));
        }
        lines.push(format!("keys.signer = {key}   # made for this vector"));
        for name in self.draft.secrets().keys() {
            lines.push(format!("secrets.{name} = \"made-up-{name}\""));
        }
        for (name, value) in self.params {
            lines.push(format!("params.{name} = {}", quoted(value)));
        }
        let method = if body.is_empty() || !request.body.is_empty() {
            request.head.method.as_str()
        } else {
            "POST"
        };
        lines.push(format!("request.method = {}", quoted(method)));
        if request.head.host != self.draft.host {
            lines.push(format!("request.host = {}", quoted(&request.head.host)));
        }
        lines.push(format!("request.target = {}", quoted(target)));
        if let Some(kind) = kind {
            lines.push(format!("request.headers.Content-Type = {}", quoted(kind)));
        }
        if !body.is_empty() {
            lines.push(format!("request.body = {}", quoted(body)));
        }
        lines.join("\n") + "\n" + UNKNOWN
    }

    /// A query or form whose fields that are the scheme's say nothing.
    fn scrubbed(&self, text: &str) -> String {
        let pieces = text.split('&').map(|piece| {
            let (raw, _) = piece.split_once('=').unwrap_or((piece, ""));
            let mut named = super::seen::split(piece.as_bytes()).map(|(name, _)| name);
            let own = named.next().is_some_and(|name| {
                let fields = self.draft.fields.iter();
                let mut fields = fields.filter(|field| field.to != super::seen::To::Header);
                fields.any(|field| field.name == name)
            });
            if own { format!("{raw}=0") } else { self.without_ids(piece) }
        });
        pieces.collect::<Vec<_>>().join("&")
    }

    fn without_ids(&self, text: &str) -> String {
        let ids = self.draft.secrets();
        let ids = ids.values().map(|seen| seen.text.as_str()).filter(|id| id.len() >= SHORT);
        ids.fold(text.to_owned(), |text, id| text.replace(id, "made-up"))
    }
}

/// Identifiers that are shorter stand in other texts by chance.
pub(super) const SHORT: usize = 6;

/// What a request became, as a vector expects it.
fn expected(compiled: &Compiled, vector: usize, placed: Placed, algorithm: Algorithm) -> String {
    let mut out = String::new();
    let again = [Algorithm::ECDSA_P256, Algorithm::ECDSA_SECP256K1].contains(&algorithm);
    for (index, value) in placed.headers {
        let place = &compiled.places[index];
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let jwt = value.rsplit(' ').next().and_then(token).filter(|_| again);
        if let (Some((header, claims, _)), To::Header(_)) = (jwt, &place.to) {
            for (part, json) in [("header", header), ("claims", claims)] {
                out.push_str(&format!("expect.jwt.token.{part} = {}\n", inline(&json)));
            }
        } else {
            out.push_str(&format!("expect.headers.{} = {}\n", place.name, quoted(&value)));
        }
    }
    if let Some(query) = placed.query {
        let query = String::from_utf8_lossy(&query).into_owned();
        let target = &compiled.vectors[vector].request.target;
        let path = target.split('?').next().unwrap_or("/");
        out.push_str(&format!("expect.target = {}\n", quoted(&format!("{path}?{query}"))));
    }
    if let Some(body) = placed.body {
        let body = String::from_utf8_lossy(&body).into_owned();
        out.push_str(&format!("expect.body = {}\n", quoted(&body)));
    }
    out
}

/// JSON as an inline table.
fn inline(json: &serde_json::Value) -> String {
    if let Some(members) = json.as_object() {
        let member = |(name, value): (&String, &serde_json::Value)| {
            format!("{} = {}", quoted(name), inline(value))
        };
        return format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "));
    }
    json.as_str().map_or_else(|| json.to_string(), quoted)
}
