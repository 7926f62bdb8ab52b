//! Cobo TSS nodes: before a node uses its key share it asks a callback server, and does so in a
//! JWT; the answer is a JWT as well. [`callback`] speaks for the server, [`client`] for the node.
//!
//! What the public examples agree on: RS256 and nothing else; the CallbackRequest and the
//! CallbackResponse are JSON, which stands in base64 in the claim `package_data`. A node is a
//! program in Go, which finds members without regard to case, so a text whose members could be
//! read in two ways is not taken.

pub(super) mod callback;
pub(super) mod client;
mod evidence;
mod form;
mod policy;
mod request;
mod response;
mod token;

use std::time::Duration;

use pkcs8::{Document, LineEnding};

use super::{BindError, Binding, ParamDoc, ParamKind, PublicForm};
use crate::keys::PublicKey;

/// The slot of the key that seals.
const SLOT: &str = "signer";

/// `request_type` of a ping, which needs no action for an answer.
const PING: u64 = 0;

/// How Cobo's programs read public keys.
const PUBLIC: PublicForm = PublicForm { name: "SPKI in PEM", write: public_pem };

fn public_pem(key: &PublicKey) -> String {
    let document = Document::try_from(key.spki()).expect("an SPKI is DER");
    document.to_pem("PUBLIC KEY", LineEnding::LF).expect("DER of a key can be written in PEM")
}

const CALLBACK_NOTES: &[&str] = &[
    "A route of this kind has no `host`: only the gateway leads to it. What it says, when, and what \
     the numbers in a request mean is in [callbacks.md](callbacks.md).",
];
const CLIENT_NOTES: &[&str] = &[
    "The program posts a CallbackRequest in JSON and is given the CallbackResponse in JSON; an answer \
     that the server did not seal, or sealed for another request, is refused as `reply_untrusted`. \
     [callbacks.md](callbacks.md) has the members and `countersign callback send`, which needs no \
     program.",
];

/// The parameter with the other side's public keys.
fn verify_with(doc: &'static str) -> ParamDoc {
    let kind = ParamKind::Files;
    ParamDoc { required: true, kind, ..ParamDoc::text("verify_with", "", doc) }
}

fn lifetime() -> ParamDoc {
    ParamDoc::text("lifetime", "2m", "How long a token that is made here is good.")
}

fn leeway() -> ParamDoc {
    ParamDoc::text(
        "leeway",
        "60s",
        "How far the other side's clock may be off when a token's times are checked; 60s at most.",
    )
}

fn payload() -> ParamDoc {
    ParamDoc::one_of(
        "payload",
        "package_data",
        &["package_data", "flat"],
        "Where the JSON stands in a token: in base64 in a claim, or as the claims themselves.",
    )
}

/// A duration of a parameter, between two bounds.
fn span(
    binding: &Binding,
    name: &str,
    from: Duration,
    to: Duration,
) -> Result<Duration, BindError> {
    let written = binding.param(name);
    let found = duration(written).filter(|found| (from..=to).contains(found));
    found.ok_or_else(|| BindError {
        field: format!("params.{name}"),
        what: format!("is \"{}\", which it cannot be", written.escape_debug()),
        fix: format!("write a time from {from:?} to {to:?}, such as \"5s\" or \"500ms\""),
    })
}

/// `500ms`, `7s`, `2m`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_bounds() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("7s", Some(7_000)),
            ("2m", Some(120_000)),
            ("", None),
            ("7", None),
            ("s", None),
            ("-7s", None),
            ("7 s", None),
            ("1.5s", None),
            ("18446744073709551615m", None),
            ("18446744073709551616ms", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
        let mut binding = Binding::default();
        let (from, to) = (Duration::from_secs(1), Duration::from_secs(9));
        for (text, fits) in [("1s", true), ("9s", true), ("999ms", false), ("9001ms", false)] {
            binding.params.insert("deadline".into(), text.into());
            assert_eq!(span(&binding, "deadline", from, to).is_ok(), fits, "{text}");
        }
    }
}
