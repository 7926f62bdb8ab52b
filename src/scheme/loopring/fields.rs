//! What a signed body of Loopring shows, and what programs hash in the place of its fields.

use bytes::Bytes;
use num_bigint::BigUint;

use super::evidence::signature as read_signature;
use super::message::{Message, Protocol, SLOT};
use super::numeric::variants;
use crate::keys::babyjub::{Element, poseidon, poseidon_of};
use crate::keys::{Content, Digest, Hashing, PublicKey, Signature};
use crate::scheme::evidence::causes::{fields as causes, form};
use crate::scheme::evidence::{Cause, Evidence, Hypothesis, Suspect, Test};
use crate::scheme::json::{self, Object};
use crate::scheme::{Preimage, SchemeError};

/// What a hash of one message costs, and a signature, in microseconds.
const HASH: u32 = 120;
const VERIFY: u32 = 500;

/// What the body shows, of each message in it.
pub(super) fn body(message: &Message, body: &Bytes, key: &PublicKey, evidence: &mut Evidence) {
    let unsignable = |error: SchemeError| Cause::seen(&form::BODY_FORM).said(error.to_string());
    let read = json::document(body).and_then(|text| Ok((text, message.signed(text)?)));
    let (document, objects) = match read {
        Ok(read) => read,
        Err(error) => return evidence.faults.push(unsignable(error)),
    };
    for object in &objects {
        let inputs = match message.read(document, object) {
            Ok((text, inputs)) => Looked::new(message, object, text, inputs),
            Err(error) => {
                evidence.faults.push(unsignable(error));
                continue;
            }
        };
        match message.protocol {
            Protocol::V311 => v311(&inputs, object, key, evidence),
            Protocol::V36 => v36(&inputs, object, key, evidence),
        }
    }
}

/// A message as it is sent.
struct Looked {
    width: usize,
    names: Vec<&'static str>,
    /// The names in the order of the JSON text.
    sent: Vec<usize>,
    text: String,
    inputs: Vec<Element>,
}

impl Looked {
    fn new(message: &Message, object: &Object<'_>, text: String, inputs: Vec<Element>) -> Self {
        let names: Vec<&'static str> = message.fields.iter().map(|field| field.path).collect();
        let place = |name: &str| {
            let first = name.split('.').next().unwrap_or_default();
            object.members.iter().position(|member| member.name == first)
        };
        let mut sent: Vec<usize> = (0..names.len()).collect();
        sent.sort_by_key(|at| place(names[*at]).unwrap_or(usize::MAX));
        Self { width: message.width, names, sent, text, inputs }
    }

    fn hash(&self) -> Element {
        poseidon(self.width, &self.inputs)
    }

    fn wanted(&self) -> Preimage {
        let hashing = Hashing::Own(Digest(self.hash().to_be_bytes()));
        Preimage { slot: SLOT.into(), text: self.text.clone().into(), hashing, secret: false }
    }
}

/// A member that is a text.
fn member(object: &Object<'_>, name: &'static str) -> Result<String, Cause> {
    let Some(member) = object.get(name) else {
        return Err(Cause::seen(&form::PART_MISSING)
            .said(format!("{name} is not in the body"))
            .fix(format!("put {name} into the body, as a string")));
    };
    // Numbers of this size are no numbers to most readers, and are taken all the same.
    let bare = json::string(member.value);
    bare.ok_or_else(|| {
        Cause::seen(&form::PART_FORM)
            .said(format!(
                "{name} is {} in the body, and a string is wanted",
                json::kind(member.value)
            ))
            .fix(format!("write {name} in quotation marks"))
    })
}

fn number(object: &Object<'_>, name: &'static str) -> Result<Element, Cause> {
    let text = member(object, name)?;
    Element::from_decimal(&text).filter(|_| text == "0" || !text.starts_with('0')).ok_or_else(
        || {
            let what = if text.starts_with("0x") { "in hex" } else { "no number below the prime" };
            Cause::seen(&form::PART_FORM)
                .said(format!("{name} is {what}, and a decimal number is wanted"))
                .fix(format!("write {name} in decimal"))
        },
    )
}

/// The body's own hash decides, without arithmetic on the curve.
fn v311(looked: &Looked, object: &Object<'_>, key: &PublicKey, evidence: &mut Evidence) {
    let read = [
        number(object, "hash"),
        number(object, "signatureRx"),
        number(object, "signatureRy"),
        number(object, "signatureS"),
    ];
    let mut numbers = Vec::new();
    for read in read {
        match read {
            Ok(number) => numbers.push(number),
            Err(cause) => evidence.faults.push(cause),
        }
    }
    let [hash, rx, ry, s] = numbers[..] else { return };
    let bytes = Element::to_be_bytes;
    let signature = Signature::BabyJub { rx: bytes(rx), ry: bytes(ry), s: bytes(s) };
    let right = looked.hash() == hash;
    let digest = Digest(bytes(hash));
    let holds = key.verifies(Content::digest(&digest), &signature);
    let mut hypotheses = Vec::new();
    let mut last = None;
    if right {
        let wanted = Hashing::Own(digest);
        hypotheses.extend(variants(key, &signature, &wanted));
    } else {
        for (cause, inputs) in others(looked) {
            let width = looked.width;
            let cause = shown(cause, looked, &inputs);
            let mine = move || fits(width, &inputs) == Some(hash);
            hypotheses.push(Hypothesis { cause, test: Test::Own(HASH, Box::new(mine)) });
        }
        for (cause, width, partial, inputs) in roundings(looked) {
            let mine = move || poseidon_of(width, partial, &inputs) == Some(hash);
            hypotheses.push(Hypothesis { cause, test: Test::Own(20 * HASH, Box::new(mine)) });
        }
        // The right fields signed, and another hash sent.
        let (key, wanted, own) = (key.clone(), looked.wanted(), signature.clone());
        let mine = move || key.verifies(wanted.content(), &own);
        let cause = Cause::seen(&causes::HASH_STALE).said(
            "the hash in the body is not that of its fields, and the signature is of the right one",
        );
        hypotheses.push(Hypothesis { cause, test: Test::Own(VERIFY, Box::new(mine)) });
        let what = if holds {
            "the fields were changed after the hash was made and signed"
        } else {
            "the hash in the body is not that of its fields, in no way that was tried"
        };
        last = Some(Cause::seen(&causes::HASH_STALE).said(what));
    }
    let (slot, wanted, shown_in) = (SLOT.into(), looked.wanted(), None);
    evidence.suspects.push(Suspect {
        slot,
        key: key.clone(),
        shown_in,
        signature,
        wanted,
        hypotheses,
        last,
    });
}

fn v36(looked: &Looked, object: &Object<'_>, key: &PublicKey, evidence: &mut Evidence) {
    let read = member(object, "eddsaSignature").and_then(|text| read_signature(&text, true));
    let (signature, fault) = match read {
        Ok(read) => read,
        Err(cause) => {
            let said = cause.cause.replace("X-API-SIG", "eddsaSignature");
            return evidence.faults.push(cause.said(said));
        }
    };
    evidence.faults.extend(fault.map(|cause| {
        let said = cause.cause.replace("X-API-SIG", "eddsaSignature");
        cause.said(said)
    }));
    let wanted = looked.wanted();
    let mut hypotheses = variants(key, &signature, &wanted.hashing);
    for (cause, inputs) in others(looked) {
        let cause = shown(cause, looked, &inputs);
        let (width, key, own) = (looked.width, key.clone(), signature.clone());
        let mine = move || fits(width, &inputs).is_some_and(|hash| holds(&key, hash, &own));
        hypotheses.push(Hypothesis { cause, test: Test::Own(VERIFY, Box::new(mine)) });
    }
    for (cause, width, partial, inputs) in roundings(looked) {
        let (key, own) = (key.clone(), signature.clone());
        let mine = move || {
            poseidon_of(width, partial, &inputs).is_some_and(|hash| holds(&key, hash, &own))
        };
        hypotheses.push(Hypothesis { cause, test: Test::Own(20 * HASH, Box::new(mine)) });
    }
    let (slot, shown_in, last) = (SLOT.into(), None, None);
    evidence.suspects.push(Suspect {
        slot,
        key: key.clone(),
        shown_in,
        signature,
        wanted,
        hypotheses,
        last,
    });
}

fn holds(key: &PublicKey, hash: Element, signature: &Signature) -> bool {
    key.verifies(Content::digest(&Digest(hash.to_be_bytes())), signature)
}

fn fits(width: usize, inputs: &[Element]) -> Option<Element> {
    (!inputs.is_empty() && inputs.len() < width).then(|| poseidon(width, inputs))
}

/// A cause with the fields that were hashed and those that are sent.
fn shown(cause: Cause, looked: &Looked, inputs: &[Element]) -> Cause {
    let alike = inputs.len() == looked.inputs.len();
    let changed = alike.then(|| {
        let pairs = looked.names.iter().zip(inputs).zip(&looked.inputs);
        let differ = pairs.filter(|((_, hashed), sent)| hashed != sent);
        let texts = differ.map(|((name, hashed), _)| format!("{name} = {}", hashed.to_decimal()));
        texts.collect::<Vec<_>>().join(", ")
    });
    let width = looked.width;
    let with = changed.filter(|text| !text.is_empty() && text.len() < 200);
    let with = with.map_or_else(String::new, |text| format!(" with {text}"));
    cause.proof(format!("the hash is Poseidon (width {width}) of the fields{with}"))
}

/// Fields that may have been hashed.
fn others(looked: &Looked) -> Vec<(Cause, Vec<Element>)> {
    let mut all = scaled(looked);
    all.extend(single(looked));
    all.extend(orders(looked));
    all.extend(pairwise(looked));
    all
}

/// Numbers times powers of ten, and through a float.
fn scaled(looked: &Looked) -> Vec<(Cause, Vec<Element>)> {
    let mut all = Vec::new();
    for (at, name) in looked.names.iter().enumerate() {
        let sent = looked.inputs[at].to_decimal();
        let number = BigUint::parse_bytes(sent.as_bytes(), 10).unwrap_or_default();
        // Small numbers are identifiers and flags.
        if number < BigUint::from(2_u8) {
            continue;
        }
        for power in [3_u32, 18, 6, 8, 9, 1, 2, 4, 5, 7, 10, 12, 15, 16, 17, 24, 27] {
            let ten = BigUint::from(10_u8).pow(power);
            let up = (&number * &ten, format!("times 10^{power}"));
            let exact = &number % &ten == BigUint::ZERO;
            let down = exact.then(|| (&number / &ten, format!("divided by 10^{power}")));
            for (hashed, how) in [Some(up), down].into_iter().flatten() {
                let unit = if how.starts_with("divided") && power >= 6 {
                    ", whole units for the smallest"
                } else {
                    ""
                };
                let cause = Cause::seen(&causes::FIELD_SCALED)
                    .said(format!("{name} was hashed as {hashed}: {how}{unit}"))
                    .fix(format!("hash the number that is sent: {sent}"));
                all.extend(replaced(looked, at, &hashed.to_string()).map(|inputs| (cause, inputs)));
            }
        }
        let float = sent.parse::<f64>().unwrap_or_default();
        let rounded = format!("{float:.0}");
        // As others print the same float: its shortest digits, then zeros.
        let short = shortest(float, sent.len());
        for rounded in [rounded, short] {
            if rounded != sent {
                let cause = Cause::seen(&causes::FIELD_FLOAT)
                    .said(format!("{name} went through a float and was hashed as {rounded}"))
                    .fix(format!(
                        "hash the number that is sent: {sent}; keep it an integer or a string"
                    ));
                all.extend(replaced(looked, at, &rounded).map(|inputs| (cause, inputs)));
            }
        }
    }
    all
}

/// A float's shortest digits with zeros behind them.
fn shortest(float: f64, digits: usize) -> String {
    let text = format!("{float:e}");
    let mantissa = text.split('e').next().unwrap_or_default().replace('.', "");
    format!("{mantissa:0<digits$}")
}

fn replaced(looked: &Looked, at: usize, number: &str) -> Option<Vec<Element>> {
    let mut inputs = looked.inputs.clone();
    inputs[at] = Element::from_decimal(number)?;
    Some(inputs)
}

/// One field with another value, or left out.
fn single(looked: &Looked) -> Vec<(Cause, Vec<Element>)> {
    let mut all = Vec::new();
    let zero = Element::from(0);
    for (at, name) in looked.names.iter().enumerate() {
        let sent = looked.inputs[at];
        if sent == zero || sent == Element::from(1) {
            let mut inputs = looked.inputs.clone();
            inputs[at] = Element::from(u64::from(sent == zero));
            let cause = Cause::seen(&causes::FIELD_FLAG).said(format!(
                "{name} was hashed as {}, and is sent as {}",
                u64::from(sent == zero),
                sent.to_decimal()
            ));
            all.push((cause, inputs));
        }
        let mut without = looked.inputs.clone();
        without.remove(at);
        let cause = || {
            Cause::seen(&causes::FIELD_MISSING)
                .said(format!("{name} was left out of the hash"))
                .fix(format!("hash {name} too, in its place"))
        };
        all.push((cause(), without));
        let mut inputs = looked.inputs.clone();
        inputs[at] = zero;
        all.push((cause().said(format!("{name} was hashed as 0")), inputs));
        let number = BigUint::from_bytes_be(&sent.to_be_bytes());
        for off in 1_u8..=3 {
            let up = (&number + off).to_string();
            let down = (number >= BigUint::from(off)).then(|| (&number - off).to_string());
            for hashed in [Some(up), down].into_iter().flatten() {
                let cause = Cause::seen(&causes::FIELD_CHANGED)
                    .said(format!("{name} was hashed as {hashed}, and is sent as {number}"))
                    .fix(format!("hash the {name} that is sent"));
                all.extend(replaced(looked, at, &hashed).map(|inputs| (cause, inputs)));
            }
        }
    }
    all
}

/// Two fields exchanged, or one in the place of another.
fn pairwise(looked: &Looked) -> Vec<(Cause, Vec<Element>)> {
    let mut all = Vec::new();
    let count = looked.inputs.len();
    for one in 0..count {
        for other in one + 1..count {
            let mut inputs = looked.inputs.clone();
            inputs.swap(one, other);
            let (first, second) = (looked.names[one], looked.names[other]);
            let cause = Cause::seen(&causes::FIELDS_SWAPPED)
                .said(format!("{first} and {second} were exchanged in the hash"))
                .fix(format!("hash {first} before {second}"));
            if looked.inputs[one] != looked.inputs[other] {
                all.push((cause, inputs));
            }
        }
    }
    for (one, name) in looked.names.iter().enumerate() {
        for (other, instead) in looked.names.iter().enumerate().filter(|(other, _)| *other != one) {
            let mut inputs = looked.inputs.clone();
            inputs[one] = looked.inputs[other];
            let cause = Cause::seen(&causes::FIELD_CHANGED)
                .said(format!("{instead} was hashed in the place of {name}"));
            all.push((cause, inputs));
        }
    }
    all
}

/// The fields in other orders.
fn orders(looked: &Looked) -> Vec<(Cause, Vec<Element>)> {
    let of = |order: &[usize]| order.iter().map(|at| looked.inputs[*at]).collect::<Vec<_>>();
    let mut by_name: Vec<usize> = (0..looked.names.len()).collect();
    by_name.sort_by_key(|at| looked.names[*at]);
    let mut caseless = by_name.clone();
    caseless.sort_by_key(|at| looked.names[*at].to_ascii_lowercase());
    let mut reversed: Vec<usize> = (0..looked.names.len()).collect();
    reversed.reverse();
    [
        ("in alphabetical order", by_name),
        ("in alphabetical order", caseless),
        ("in the order of the JSON text", looked.sent.clone()),
        ("in reverse order", reversed),
    ]
    .into_iter()
    .map(|(how, order)| {
        let cause =
            Cause::seen(&causes::FIELDS_ORDER).said(format!("the fields were hashed {how}"));
        (cause, of(&order))
    })
    .collect()
}

/// Other widths and rounds: cause, width, partial rounds, fields.
fn roundings(looked: &Looked) -> Vec<(Cause, usize, usize, Vec<Element>)> {
    let mut all = Vec::new();
    for width in looked.inputs.len() + 1..=14 {
        for partial in [53, 52, 57, 60] {
            let own = width == looked.width && partial == 53;
            let cause = Cause::seen(&causes::POSEIDON).said(format!(
                "the fields were hashed by a Poseidon of width {width} with {partial} partial rounds, and width {} with 53 is wanted",
                looked.width
            ));
            if !own {
                all.push((cause, width, partial, looked.inputs.clone()));
            }
        }
    }
    all
}
