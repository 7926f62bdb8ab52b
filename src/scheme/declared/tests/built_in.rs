//! Built-in schemes declared once more: both make the same of every request of `tests/vectors`, so
//! that the vocabulary is held against code that is known to be right.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::super::Compiled;
use super::super::eval::prepare;
use super::super::inputs::{Inputs, Ticks};
use super::super::scheme::Declared;
use super::super::trial::wait;
use super::super::value::Kind;
use crate::keys::{Algorithm, PrivateKey, PublicKey, Signature, Signer};
use crate::moment::{Moment, Nonce};
use crate::scheme::{Binding, Head, Registry, Scheme, Signable, Signatures};

/// A file, the built-in scheme that it is, and the requests that it is for; none where for all.
const FILES: &[(&str, &str, Option<&str>, usize)] = &[
    (include_str!("../../../../tests/declared/metasv.toml"), "metasv", None, 6),
    (include_str!("../../../../tests/declared/sinohope_get.toml"), "sinohope", Some("GET"), 6),
    (include_str!("../../../../tests/declared/sinohope_post.toml"), "sinohope", Some("POST"), 7),
];
const METASV: &str = include_str!("../../../../tests/vectors/metasv.json");
const SINOHOPE: &str = include_str!("../../../../tests/vectors/sinohope.json");

#[test]
fn what_is_built_in_can_be_declared_to_the_byte() {
    for (file, name, method, count) in FILES {
        assert_eq!(super::problems(file), [""; 0], "{name}");
        let compiled = Arc::new(Compiled::load(file).expect("it has no problems"));
        let vectors = if *name == "metasv" { METASV } else { SINOHOPE };
        let vectors: Value = serde_json::from_str(vectors).expect("JSON");
        let cases = vectors["sign"].as_array().expect("a list").iter();
        let own = |case: &&Value| method.is_none_or(|method| case["request"]["method"] == method);
        let tried = cases.filter(own).map(|case| {
            let key = &vectors["keys"][text(&case["key"])];
            Case::of(&compiled, name, key, case).is_the_same();
        });
        assert_eq!(tried.count(), *count, "{name}");
    }
}

/// One request, and all that both schemes are given.
struct Case<'c> {
    compiled: &'c Arc<Compiled>,
    expect: &'c Value,
    id: &'c str,
    signer: Arc<dyn Signer>,
    binding: Binding,
    built_in: Arc<dyn Scheme>,
    head: Head,
    body: Bytes,
    moment: Moment,
    nonce: Option<&'c str>,
}

impl<'c> Case<'c> {
    fn of(compiled: &'c Arc<Compiled>, name: &str, key: &Value, case: &'c Value) -> Self {
        let number = [&key["pkcs8_der_hex"], &key["private_key_hex"]];
        let number = number.into_iter().find_map(Value::as_str).expect("a key");
        let wanted = key["pkcs8_der_hex"].is_null().then_some(Algorithm::ECDSA_SECP256K1);
        let key = PrivateKey::parse(number.as_bytes(), wanted, None).expect("a key");
        let registry = Registry::built_in();
        let entry = registry.own(name).expect("it is built in");
        let keys = BTreeMap::from([("signer".to_owned(), key.public_key())]);
        let binding = Binding { keys, params: entry.defaults(), ..Binding::default() };
        let bound = entry.bind(&binding).expect("it binds");
        let built_in = Arc::clone(bound.signing().expect("it signs"));
        let request = &case["request"];
        let url = text(&request["url"]).strip_prefix("https://").expect("https");
        let (host, target) = url.split_at(url.find('/').expect("a path"));
        let mut headers = HeaderMap::new();
        for (name, value) in request["headers"].as_object().expect("headers") {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(text(value)).expect("a value"));
        }
        let method = text(&request["method"]).parse().expect("a method");
        let target = target.parse().expect("a target");
        let nonce = case["nonce"].as_str();
        let number = nonce.map_or(0, |nonce| nonce.parse().expect("a number"));
        let unix_ms = text(&case["timestamp_ms"]).parse().expect("a number");
        Self {
            compiled,
            expect: &case["expect"],
            id: text(&case["id"]),
            signer: key.signer().expect("it signs"),
            binding,
            built_in,
            head: Head { method, host: host.into(), target, headers },
            body: Bytes::from(text(&request["body_utf8"]).to_owned()),
            moment: Moment { unix_ms, nonce: Nonce::Given(number) },
            nonce,
        }
    }

    fn is_the_same(&self) {
        let Self { id, built_in, moment, expect, .. } = self;
        let request = Signable { head: &self.head, body: Some(&self.body) };
        let theirs = built_in.canonicalise(request, moment).expect(id).preimages;
        let expected = [&expect["canonical"], &expect["message"]];
        let expected = expected.into_iter().find_map(Value::as_str).expect("a text");
        assert_eq!(String::from_utf8_lossy(&theirs[0].text), expected, "{id}");

        let keys: Vec<PublicKey> = self.binding.keys.values().cloned().collect();
        let publics = self.compiled.publics(&keys);
        let inputs =
            Inputs { compiled: self.compiled, keys: &keys, publics: &publics, params: &[] };
        let prepared = prepare(inputs, Vec::new(), request, self.ticks()).expect(id);
        let (_, hashing, own) = prepared.preimages().expect(id)[0].clone();
        assert_eq!(String::from_utf8_lossy(own), expected, "{id}");
        let signature = wait(self.signer.sign(hashing.content(own))).expect("it signs");
        let known =
            [&expect["signature_der_hex"], &expect["example_signature_der_hex"]["rfc6979_low_s"]];
        if keys[0].algorithm() == Algorithm::ECDSA_SECP256K1 {
            let der = signature.to_der().expect("ECDSA");
            let known = known.into_iter().find_map(Value::as_str);
            assert_eq!(Some(&*base16ct::lower::encode_string(&der)), known, "{id}");
        }

        let placed = prepared.place(std::slice::from_ref(&signature)).expect(id);
        assert!(placed.query.is_none() && placed.body.is_none(), "{id}");
        let own = placed.headers.iter().map(|(place, value)| {
            let name = self.compiled.places[*place].name.to_ascii_lowercase();
            (name, value.to_str().expect("visible").to_owned())
        });
        let own: BTreeMap<String, String> = own.collect();
        assert_eq!(own, self.built_ins(request, &signature), "{id}");
        for (name, value) in expect["headers"].as_object().expect("headers") {
            let (found, value) = (&own[&name.to_ascii_lowercase()], text(value));
            assert!(value.starts_with('<') || found == value, "{id}: {name}: {found}");
        }
        self.is_read_back(&own, &signature);
    }

    /// The instant, and the nonce where there is one.
    fn ticks(&self) -> Ticks {
        let values = self.compiled.values.iter().enumerate();
        let nonces = values.filter(|(_, value)| matches!(value.kind, Kind::Nonce(_)));
        let given = nonces.map(|(at, _)| (at, self.nonce.expect("a nonce").to_owned())).collect();
        Ticks { unix_ms: self.moment.unix_ms, seed: Vec::new(), given }
    }

    /// What the built-in scheme puts in.
    fn built_ins(&self, request: Signable<'_>, signature: &Signature) -> BTreeMap<String, String> {
        let mut signatures = Signatures::default();
        signatures.insert("signer", signature.clone());
        let made = self.built_in.canonicalise(request, &self.moment).expect(self.id);
        let edits = self.built_in.assemble(request, &self.moment, made.rest, &signatures);
        let edits = edits.expect(self.id);
        let header = |edit: &crate::scheme::Edit| {
            (edit.name.to_string(), edit.value.to_str().expect("visible").to_owned())
        };
        edits.iter().map(header).collect()
    }

    /// The file reads from the signed request what was put in.
    fn is_read_back(&self, placed: &BTreeMap<String, String>, signature: &Signature) {
        let mut head = self.head.clone();
        for (name, value) in placed {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            head.headers.insert(name, HeaderValue::from_str(value).expect("a value"));
        }
        let declared = Declared::bind(self.compiled, &self.binding).expect("it binds");
        let claim = declared.claim(Signable { head: &head, body: Some(&self.body) });
        let claim = claim.unwrap_or_else(|error| panic!("{}: {error}", self.id));
        assert_eq!(claim.moment.map(|moment| moment.unix_ms), Some(self.moment.unix_ms));
        assert_eq!(&claim.proofs[0].signature, signature, "{}", self.id);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
