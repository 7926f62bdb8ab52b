//! Schemes, those of this program and of the catalogue: what is signed verifies, reads back as it was
//! signed, is accepted by the second opinions, and verifies as nothing else.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use countersign::keys::{Algorithm, PrivateKey, PublicKey, Signer};
use countersign::moment::{Moment, Nonce};
use countersign::scheme::{
    Binding, Difference, Entry, Head, ParamKind, Preimage, Registry, Scheme, Signable, Signatures,
};
use countersign::secret::{Secret, SecretCell};
use countersign::verification::verify;
use tokio::runtime::Runtime;

use super::input::{Input, Message};
use super::{Target, corpus, jwt};
use crate::support::dialect::{Outgoing, Prepared};
use crate::support::verify::{Arrived, Clock, MetaSv, Sinohope, loopring};

pub(super) const TARGET: Target = Target {
    name: "schemes",
    run,
    seeds,
    words: &[
        "?",
        "&",
        "=",
        "%2f",
        "%",
        "+",
        "%C3%A9",
        "{\"a\":1}",
        "\"",
        "\\u0041",
        "\\ud83d\\udd11",
        ",",
        "[",
        "null",
        "1e400",
        "\nContent-Type: application/json",
        "\nContent-Type: application/x-www-form-urlencoded",
        "\nAuthorization: Bearer x",
        "signature=",
        "timestamp=1",
        "nonce",
        "\r\n",
        "\u{e9}",
        "\u{2028}",
    ],
    tries: 4_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let names: Vec<String> = SCHEMES.iter().map(|ready| ready.name.clone()).collect();
    let at = |scheme: &str| names.iter().position(|name| name == scheme).expect("it is one") as u8;
    let mut seeds = Vec::new();
    for (file, _, text) in corpus::requests() {
        let own = if file == "cobo" { "cobo_client" } else { &file };
        seeds.push([&[at(own), 0, 9, 1], text.as_bytes()].concat());
    }
    let vectors = corpus::files("schemes").into_iter();
    let requests = vectors.flat_map(|file| {
        let file: toml::Table =
            toml::from_str(&String::from_utf8_lossy(&file)).expect("it is TOML");
        file["vectors"].as_array().expect("every file has vectors").clone()
    });
    for (index, vector) in requests.enumerate() {
        let request = &vector["request"];
        let of = |name: &str| request.get(name).and_then(toml::Value::as_str).unwrap_or_default();
        let mut text = format!("{} {}\n", of("method"), of("target"));
        for (name, value) in
            request.get("headers").and_then(toml::Value::as_table).into_iter().flatten()
        {
            text.push_str(&format!("{name}: {}\n", value.as_str().unwrap_or_default()));
        }
        text.push_str(&format!("\n{}", of("body")));
        // Also for a scheme that it is not of.
        seeds.push([&[index as u8, 0, index as u8, 1], text.as_bytes()].concat());
    }
    seeds
}

/// A scheme that is bound to keys.
struct Ready {
    name: String,
    /// What its parameter of this name is.
    canonical: String,
    scheme: Arc<dyn Scheme>,
    keys: Vec<(String, PublicKey, Arc<dyn Signer>)>,
}

static SCHEMES: LazyLock<Vec<Ready>> = LazyLock::new(|| {
    let registry = Registry::built_in();
    let entries = registry.names().filter_map(|name| registry.find(name));
    let entries = entries.filter(|entry| !entry.is_envelope()).map(|entry| (entry, &[][..]));
    let loopring = registry.find("loopring").expect("it is a scheme");
    let variants = LOOPRING.iter().map(|params| (loopring, *params));
    let ready: Vec<_> = entries.chain(variants).map(|(entry, own)| Ready::of(entry, own)).collect();
    assert!(ready.len() > 50, "{} schemes", ready.len());
    ready
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing")
});

/// Further forms of a provider's signature.
const LOOPRING: &[&[(&str, &str)]] = &[
    &[("canonical", "kv_objects")],
    &[("canonical", "kv_pairs")],
    &[("canonical", "v3")],
    &[("canonical", "none"), ("body", "order")],
    &[("canonical", "none"), ("body", "transfer"), ("protocol", "3.6")],
];

impl Ready {
    fn of(entry: &Entry, own: &[(&str, &str)]) -> Self {
        let mut binding = Binding { params: entry.defaults(), ..Binding::default() };
        let example =
            entry.example.params.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        binding.params.extend(example);
        binding
            .params
            .extend(own.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        for param in entry.params.iter().filter(|param| param.required) {
            let (name, value) = (param.name.to_string(), binding.params.get(&*param.name));
            if param.kind != ParamKind::Text {
                binding.files.insert(name, jwt::public_pem().as_bytes().to_vec());
            } else if value.is_none_or(String::is_empty) {
                binding.params.insert(name, "party".to_owned());
            }
        }
        for slot in entry.secrets.iter().filter(|slot| slot.required) {
            let secret = Secret::new(jwt::lasting_token().into_bytes());
            binding.secrets.insert(slot.name.to_string(), SecretCell::fixed(secret));
        }
        let mut keys = Vec::new();
        for slot in &entry.keys {
            let signer = key(slot.algorithms[0]).signer().expect("every key signs");
            binding.keys.insert(slot.name.to_string(), signer.public_key().clone());
            keys.push((slot.name.to_string(), signer.public_key().clone(), signer));
        }
        let bound = entry.bind(&binding).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        let scheme = Arc::clone(bound.signing().expect("the scheme signs requests"));
        let canonical = binding.param("canonical").to_owned();
        Self { name: entry.name.to_string(), canonical, scheme, keys }
    }

    fn sign(&self, preimages: &[Preimage]) -> Signatures {
        let mut signatures = Signatures::default();
        for preimage in preimages {
            let (.., signer) =
                self.keys.iter().find(|(slot, ..)| *slot == preimage.slot).expect("a slot");
            let signature = RUNTIME.block_on(signer.sign(preimage.content()));
            signatures.insert(preimage.slot.clone(), signature.expect("a key in memory signs"));
        }
        signatures
    }

    fn verified(&self, request: &Outgoing) -> Option<Vec<Preimage>> {
        let key = |slot: &str| {
            self.keys.iter().find(|(own, ..)| own == slot).map(|(_, public, _)| public)
        };
        let shown = Signable::of(self.scheme.as_ref(), &request.head, &request.body);
        verify(self.scheme.as_ref(), key, shown).ok().map(|verified| verified.preimages)
    }
}

fn key(algorithm: Algorithm) -> PrivateKey {
    let (pem, number) = (jwt::private_pem(), "01".repeat(32));
    let text = if algorithm.name().starts_with("rsa") { pem } else { &number };
    let key = PrivateKey::parse(text.as_bytes(), Some(algorithm), None);
    key.unwrap_or_else(|error| panic!("{algorithm}: {error}"))
}

const HOST: &str = "https://provider.example.com";
const NOW: Moment = Moment { unix_ms: 1_764_337_800_123, nonce: Nonce::Given(1_764_337_800) };

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let ready = input.choice(&SCHEMES);
    let change = (input.byte(), input.byte(), input.byte());
    let Some((head, body)) = Message::read(input).and_then(|message| message.head(&HOST[8..]))
    else {
        return;
    };
    let asked = Outgoing { head, body };
    // Whatever it claims, it is read.
    let shown = Signable::of(ready.scheme.as_ref(), &asked.head, &asked.body);
    let _any = ready.scheme.claim(shown);
    let Ok(prepared) = Prepared::of(&ready.scheme, &asked, &NOW) else { return };
    let preimages = prepared.preimages.clone();
    let signatures = ready.sign(&preimages);
    let Ok(sent) = prepared.assemble(&NOW, &signatures) else { return };
    let reread = ready.scheme.reread(sent.signable(ready.scheme.as_ref()), &NOW, &signatures);
    let reread = reread.unwrap_or_else(|error| panic!("{}: {error} in {sent:?}", ready.name));
    assert_eq!(Difference::between(&preimages, &reread), None, "{}: {sent:?}", ready.name);
    let verified = ready.verified(&sent).unwrap_or_else(|| panic!("{}: {sent:?}", ready.name));
    assert_eq!(texts(&verified), texts(&preimages), "{}: {sent:?}", ready.name);
    second_opinion(ready, &sent, &preimages);
    let changed = changed(&sent, change);
    if let Some(others) = changed.and_then(|changed| ready.verified(&changed)) {
        assert_eq!(texts(&others), texts(&preimages), "{}: {change:?} in {sent:?}", ready.name);
    }
}

fn texts(preimages: &[Preimage]) -> Vec<(&str, &[u8])> {
    preimages.iter().map(|preimage| (&*preimage.slot, &*preimage.text)).collect()
}

/// The same request with one byte of its body, target or headers another.
fn changed(sent: &Outgoing, (what, place, by): (u8, u8, u8)) -> Option<Outgoing> {
    let Outgoing { mut head, mut body } = sent.clone();
    let change = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        // From the end, where signatures are.
        let at = bytes.len().checked_sub(1 + usize::from(place) % bytes.len().max(1))?;
        bytes[at] ^= by.max(1);
        Some(bytes)
    };
    match what % 3 {
        0 => body = Bytes::from(change(&body)?),
        1 => head.target = change(head.target.as_str().as_bytes())?.try_into().ok()?,
        _ => {
            let count = head.headers.len();
            let value = head.headers.values_mut().nth(usize::from(what / 3) % count.max(1))?;
            *value = change(value.as_bytes())?.try_into().ok()?;
        }
    }
    Some(Outgoing { head, body })
}

/// What the provider, written from its documents, says of a request.
fn second_opinion(ready: &Ready, sent: &Outgoing, preimages: &[Preimage]) {
    let Head { headers, .. } = &sent.head;
    if headers.contains_key("content-encoding")
        || headers.values().any(|value| value.to_str().is_err())
    {
        return;
    }
    let hex = base16ct::lower::encode_string;
    let check = |arrived: &Arrived| {
        let (_, public, _) = ready.keys.first()?;
        let text = match (&*ready.name, &*ready.canonical) {
            ("sinohope", _) => Sinohope::new(&hex(&public.spki()), Clock::Stopped).check(arrived),
            ("metasv", _) => {
                MetaSv::signature(&hex(&public.compressed()), Clock::Stopped).check(arrived)
            }
            // The arithmetic below the text takes the second opinion long, and has tests of its own.
            ("loopring", "kv_objects") => return Some(loopring::objects(arrived)),
            ("loopring", "v2" | "v3") => return Some(loopring::base_string(arrived, HOST)),
            _ => return None,
        };
        Some(text.map(|accepted| accepted.canonical))
    };
    let Some(accepted) = check(&sent.arrive()) else { return };
    let accepted = accepted.unwrap_or_else(|why| panic!("{}: {why}: {sent:?}", ready.name));
    assert_eq!(accepted.as_bytes(), preimages[0].text, "{}: {sent:?}", ready.name);
}
