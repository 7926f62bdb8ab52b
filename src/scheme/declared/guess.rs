//! From captured requests whose key is known to the scheme file that makes them: the usual forms of
//! the vocabulary are tried, in a search of bounded length, and what is found is held against every
//! request by the code that signs.

mod captured;
mod confirm;
mod draft;
mod hit;
mod search;
mod seen;
mod sight;
mod slots;
mod token;

pub(crate) use self::captured::Captured;
use self::confirm::{SHORT, confirm, with_vectors};
use self::draft::Draft;
use self::hit::{Signing, texts};
use self::search::{FAST, Hit, SLOW, Search, Set, Tried};
use self::seen::{Field, Seen, What};
use self::sight::Sight;
use super::encode::ENCODINGS;
use super::finish::signature;
use crate::keys::{Algorithm, Content, Encoding, PrivateKey, PublicKey, Signature};
use crate::secret::Secret;

/// What is known besides.
#[derive(Debug)]
pub(crate) struct Known<'k> {
    /// The key that signed.
    pub(crate) secret: &'k Secret,
    /// Names and values that are signed and stand nowhere in the request.
    pub(crate) params: &'k [(String, String)],
    /// When the first request was sent, in milliseconds since 1970.
    pub(crate) at: Option<u64>,
}

/// A file that makes the captured requests.
#[derive(Debug)]
pub(crate) struct Found {
    /// The file, with vectors; without anything that is secret.
    pub(crate) file: String,
    /// What is worth knowing of it, a sentence each.
    pub(crate) said: Vec<String>,
}

/// What was seen where no file was found, a sentence each.
pub(crate) type Nearest = Vec<String>;

/// A key as it may be read.
struct Read {
    encoding: &'static str,
    public: PublicKey,
}

/// The file that makes these requests, of which there is one at least.
///
/// # Errors
///
/// What was recognised, and what was not.
pub(crate) fn guess(captured: &[Captured], known: &Known<'_>) -> Result<Found, Nearest> {
    let keys = read(known.secret);
    let rich = |one: &&Captured| (!one.head.query().is_empty(), !one.body.is_empty());
    let count = |one: &&Captured| u8::from(rich(one).0) + u8::from(rich(one).1);
    let Some(first) = captured.iter().max_by_key(count) else {
        return Err(vec!["there is no request".into()]);
    };
    let publics: Vec<PublicKey> = keys.iter().map(|read| read.public.clone()).collect();
    let (mut fields, mut seen) = seen::take(first, &publics, known.at);
    for field in fields.iter_mut().filter(|field| field.to == seen::To::Header) {
        let spelled = first.spelled.iter().find(|name| name.eq_ignore_ascii_case(&field.name));
        let Some(spelled) = spelled else { continue };
        for own in seen.iter_mut().filter(|own| own.label == field.name) {
            own.label.clone_from(spelled);
        }
        field.name.clone_from(spelled);
    }
    let job = Job { captured, first, known, keys: &keys, fields, seen };
    job.token().unwrap_or_else(|| job.search())
}

/// The ways that a secret can be a key.
fn read(secret: &Secret) -> Vec<Read> {
    let mut all: Vec<Read> = Vec::new();
    let mut add = |encoding: &'static str, how: Encoding, algorithm: Algorithm| {
        let bytes = secret.expose();
        if let Ok(key) = PrivateKey::parse_encoded(bytes, how, Some(algorithm), None) {
            let public = key.public_key();
            let known = all.iter().any(|read| read.public.fingerprint() == public.fingerprint());
            // RSA keys have the fingerprint of the key, whatever they sign with.
            if !known || !algorithm.is_shared() {
                all.push(Read { encoding, public });
            }
        }
    };
    let rows = || Algorithm::ALL.iter().copied().filter(|row| *row != Algorithm::EDDSA_BABYJUB);
    for algorithm in rows().filter(|row| !row.is_shared()) {
        add("text", Encoding::Text, algorithm);
    }
    for (name, how) in Encoding::ALL {
        rows().filter(|row| row.is_shared()).for_each(|algorithm| add(name, *how, algorithm));
    }
    all
}

/// One search.
struct Job<'j> {
    captured: &'j [Captured],
    first: &'j Captured,
    known: &'j Known<'j>,
    keys: &'j [Read],
    fields: Vec<Field>,
    seen: Vec<Seen>,
}

/// A value that may be the signature, and how it is written.
struct Candidate {
    value: usize,
    encoding: &'static str,
    octets: Vec<u8>,
}

impl Job<'_> {
    fn draft(&self, read: &Read, signed: (usize, &'static str)) -> Draft {
        Draft {
            host: self.first.head.host.clone(),
            algorithm: read.public.algorithm().name(),
            secret: read.encoding,
            fields: self.fields.clone(),
            seen: self.seen.clone(),
            signed,
            params: self.known.params.iter().map(|(name, _)| name.clone()).collect(),
            values: Vec::new(),
            inner: Vec::new(),
        }
    }

    /// The file that a draft is, where it makes every request.
    fn finished(&self, draft: &Draft, key: &PublicKey) -> Result<String, String> {
        let text = draft.text();
        let params = self.known.params;
        let moments = confirm(draft, &text, self.captured, key, params)?;
        let file = with_vectors(draft, &text, self.captured, &moments, params)?;
        let ids = draft.secrets();
        let ids = ids.values().map(|seen| seen.text.as_str()).filter(|id| id.len() >= SHORT);
        let secret = String::from_utf8_lossy(self.known.secret.expose().trim_ascii());
        let signed = self.seen[draft.signed.0].text.as_str();
        let shown = ids.chain([&*secret, signed]).any(|text| file.contains(text));
        if shown { Err("the file would show what is secret".into()) } else { Ok(file) }
    }

    /// A JSON Web Token, where a request has one.
    fn token(&self) -> Option<Result<Found, Nearest>> {
        let found = self.seen.iter().enumerate();
        let (index, (header, claims, octets)) =
            found.filter_map(|(index, seen)| Some((index, seen::token(&seen.text)?))).next()?;
        let text = &self.seen[index].text;
        let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
        let holds = |read: &&Read| {
            let found = signature(read.public.algorithm(), &octets, true);
            found.is_some_and(|own| read.public.verifies(Content::Message(signed.as_bytes()), &own))
        };
        let Some(read) = self.keys.iter().find(holds) else {
            let alg = header["alg"].as_str().unwrap_or("no alg");
            return Some(Err(vec![format!(
                "there is a token ({alg}), which this key did not sign"
            )]));
        };
        let sight = Sight::of(self.first, None);
        let explained = match token::explain(&header, &claims, &sight) {
            Ok(explained) => explained,
            Err(what) => return Some(Err(vec![format!("the token's signature holds; {what}")])),
        };
        let mut draft = self.draft(read, (index, "token"));
        draft.values.push(("token".into(), explained.text));
        draft.inner = explained.inner;
        Some(match self.finished(&draft, &read.public) {
            Ok(file) => Ok(Found { file, said: Vec::new() }),
            Err(what) => Err(vec![format!("the token's signature holds, but {what}")]),
        })
    }

    fn search(&self) -> Result<Found, Nearest> {
        let mut nearest = self.recognised();
        let candidates = self.candidates();
        if candidates.is_empty() {
            nearest.push("no value is as long as a signature of this key".into());
        }
        for candidate in candidates {
            match self.try_candidate(&candidate) {
                Ok(found) => return Ok(found),
                Err(what) => nearest.push(what),
            }
        }
        Err(nearest)
    }

    fn try_candidate(&self, candidate: &Candidate) -> Result<Found, String> {
        let label = &self.seen[candidate.value].label;
        let mut slow = false;
        let (mut tried, mut reads) = (Vec::new(), Vec::new());
        for read in self.keys {
            let algorithm = read.public.algorithm();
            if let Some((signature, own)) = as_signature(algorithm, &read.public, &candidate.octets)
            {
                slow |= !algorithm.is_shared();
                tried.push(Tried { key: &read.public, signature });
                reads.push((read, own));
            }
        }
        let to = self.seen[candidate.value].to;
        let name = (to != seen::To::Header).then_some(label.as_str());
        let sight = Sight::of(self.first, name);
        let (mut found, mut reason) = (None, String::new());
        let mut accept = |hit: &Hit| {
            let (read, raw) = reads[hit.key];
            let signing = Signing { encoding: candidate.encoding, raw };
            for text in texts(hit, &sight, &signing) {
                let mut draft = self.draft(read, (candidate.value, "signature"));
                draft.values = text.values;
                match self.finished(&draft, &read.public) {
                    Ok(file) => {
                        let said = text.assumed.iter().map(|text| (*text).to_owned()).collect();
                        found = Some(Found { file, said });
                        return true;
                    }
                    Err(what) => reason = format!("; a text was found for one request, but {what}"),
                }
            }
            false
        };
        let most = if slow { SLOW } else { FAST };
        let mut search = Search { keys: &tried, slow, left: most, accept: &mut accept };
        for sets in self.sets(&sight, candidate.value) {
            if search.run(&sets) {
                break;
            }
        }
        let count = most - search.left;
        let none =
            || format!("{label}: {count} texts were tried as what it signs, in vain{reason}");
        found.ok_or_else(none)
    }

    /// The sets of parts, in tiers: what is rare is tried when all else is.
    fn sets(&self, sight: &Sight, signature: usize) -> Vec<Vec<Set>> {
        let (times, ids) = slots::values(&self.seen, signature);
        let body = slots::body(sight, &self.seen);
        let labelled = slots::labelled(&self.seen, signature, self.known.params, sight);
        let labelled = vec![Set { slots: labelled, only: Some("&") }];
        let mut tiers = [labelled, Vec::new(), Vec::new()];
        let every: Vec<Vec<_>> = if ids.is_empty() {
            vec![Vec::new()]
        } else {
            ids.into_iter().map(|id| vec![id]).collect()
        };
        for id in every {
            let with = |parts| {
                let parts: Vec<_> = [times.clone(), id.clone(), parts, vec![body.clone()]].concat();
                Set { slots: parts, only: None }
            };
            tiers[1].push(with(slots::with_target(sight)));
            tiers[1].push(with(slots::with_path(sight)));
            let host = [slots::with_path(sight), vec![slots::host(sight)]].concat();
            tiers[2].push(with(host));
        }
        tiers.into()
    }

    /// Values as long as a signature of the key; where some are called so, those.
    fn candidates(&self) -> Vec<Candidate> {
        let mut all = Vec::new();
        for (value, seen) in self.seen.iter().enumerate().filter(|(_, seen)| seen.what == What::Id)
        {
            for row in ENCODINGS.iter().filter(|row| row.word.name != "base58") {
                let Some(octets) = (row.read)(&seen.text) else { continue };
                let fits = |read: &Read| {
                    as_signature(read.public.algorithm(), &read.public, &octets).is_some()
                };
                if self.keys.iter().any(fits) {
                    all.push(Candidate { value, encoding: row.word.name, octets });
                    break;
                }
            }
        }
        let called = |own: &Candidate| seen::is_signature(&self.seen[own.value].label);
        if all.iter().any(called) {
            all.retain(called);
        }
        all.truncate(3);
        all
    }

    /// What was seen in the first request.
    fn recognised(&self) -> Nearest {
        let seen = self.seen.iter().map(|seen| {
            let label = &seen.label;
            match &seen.what {
                What::Clock(word, None) => format!("{label} is a clock ({word})"),
                What::Clock(word, Some(add)) => format!("{label} is a clock ({word}, {add} later)"),
                What::Nonce(form) => format!("{label} is a nonce ({form})"),
                What::Public(form) => format!("{label} is the public key ({form})"),
                What::Window => format!("{label} is a setting"),
                What::Fixed => format!("{label} is a constant"),
                What::Id => format!("{label} is an identifier or a signature"),
            }
        });
        seen.collect()
    }
}

/// Octets as a signature of a key, and whether they are r and s of ECDSA.
fn as_signature(algorithm: Algorithm, key: &PublicKey, octets: &[u8]) -> Option<(Signature, bool)> {
    let long = match algorithm.name() {
        "hmac_sha1" => 20,
        "hmac_sha256" => 32,
        "hmac_sha384" => 48,
        "hmac_sha512" | "ed25519" => 64,
        "ecdsa_p256" | "ecdsa_secp256k1" => {
            let raw = octets.len() == 64;
            return signature(algorithm, octets, raw).map(|signature| (signature, raw));
        }
        _ => key.bits()?.div_ceil(8),
    };
    (octets.len() == long).then(|| (Signature::Octets(octets.to_vec()), false))
}
