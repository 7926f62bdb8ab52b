//! What a MetaSV request shows: its four headers in whatever form, and what programs sign in the
//! place of path, time stamp and nonce.

use crate::keys::{Algorithm, Hashing, PublicKey};
use crate::scheme::evidence::causes::form;
use crate::scheme::evidence::{
    Canon, Cause, Evidence, Facts, Form, Given, Of, Piece, Suspect, ecdsa, ecdsa_digests,
    near_times, one, public, space, stamp,
};
use crate::scheme::{Preimage, Signable};

const NAMES: [&str; 4] =
    ["MetaSV-Timestamp", "MetaSV-Client-Pubkey", "MetaSV-Nonce", "MetaSV-Signature"];

/// The provider takes a request within five minutes of its time stamp.
const WINDOW_MS: u32 = 300_000;

/// What the request shows; `slot` is the key's.
pub(super) fn evidence(request: Signable<'_>, slot: &'static str) -> Evidence {
    let head = request.head;
    let mut evidence = Evidence::default();
    let [time, key, nonce, signature] = NAMES.map(|name| one(head, name, &NAMES));
    let missing = [&time, &key, &nonce, &signature].map(|value| value.as_ref().err().cloned());
    evidence.faults.extend(missing.into_iter().flatten());
    let mut shown = None;
    if let Ok(text) = key {
        let (key, fault) = shown_key(text);
        shown = key;
        evidence.faults.extend(fault);
    }
    if let Ok(text) = time {
        let (stamp, faults) = stamp("MetaSV-Timestamp", text, WINDOW_MS);
        evidence.stamps.extend(stamp);
        evidence.faults.extend(faults);
    }
    if let Ok(text) = nonce {
        evidence.faults.extend(nonce_fault(text));
        evidence.nonce = Some(text.to_owned());
    }
    let (Ok(time), Ok(nonce), Ok(signature), Some(key)) = (time, nonce, signature, shown) else {
        return evidence;
    };
    match ecdsa(signature, "MetaSV-Signature", &[Form::Base64], key.algorithm()) {
        Err(cause) => evidence.faults.push(cause),
        Ok((signature, fault)) => {
            evidence.faults.extend(fault);
            let canon = canon(request, time, nonce);
            let text = canon.text();
            let hashing = Hashing::sha256(&text);
            let wanted = Preimage { slot: slot.into(), text, hashing, secret: false };
            let unix_ms = evidence.stamps.first().and_then(|own| u64::try_from(own.unix_ms).ok());
            let body = request.body.map_or(&b""[..], |body| body);
            let facts = Facts { head, query: head.query(), body, hosts: &["apiv2.metasv.com"] };
            let mut hypotheses = space(&canon, &facts, Given { own: Vec::new(), unix_ms });
            hypotheses.extend(ecdsa_digests(&canon.text()));
            hypotheses.extend(unix_ms.into_iter().flat_map(|at| near_times(&canon, at)));
            let (slot, shown_in) = (slot.into(), Some("MetaSV-Client-Pubkey"));
            evidence.suspects.push(Suspect {
                slot,
                key,
                shown_in,
                signature,
                wanted,
                hypotheses,
                last: None,
            });
        }
    }
    evidence
}

fn canon(request: Signable<'_>, time: &str, nonce: &str) -> Canon {
    let pieces = vec![
        Piece::new(Of::Path, "the path", request.head.path()),
        Piece::literal("_"),
        Piece::new(Of::Time, "the time stamp", time),
        Piece::literal("_"),
        Piece::new(Of::Nonce, "the nonce", nonce),
    ];
    Canon { pieces, hashing: Box::new(Hashing::sha256) }
}

/// The key that the request presents, and what is wrong with how. Any point on the curve in hex is
/// taken.
fn shown_key(text: &str) -> (Option<PublicKey>, Option<Cause>) {
    let part = "MetaSV-Client-Pubkey";
    let fix = "send the compressed point in hex, which countersign keys show prints";
    let Some((key, encoding, what)) = public(text, &[Algorithm::ECDSA_SECP256K1]) else {
        let other = public(text, &[Algorithm::ECDSA_P256]);
        let what = match other {
            Some(_) => "is a key on P-256, and the provider's curve is secp256k1",
            None => "is no public key on secp256k1 in any form",
        };
        let known = if other.is_some() { &form::KEY_CURVE_NAMED } else { &form::KEY_FORM };
        return (None, Some(Cause::seen(known).said(format!("{part} {what}")).fix(fix)));
    };
    let hex = matches!(encoding, Form::Hex | Form::HexUpper);
    let proper = hex && matches!(what, "a compressed point" | "a point");
    let wrong = || {
        Cause::seen(&form::KEY_FORM)
            .said(format!(
                "{part} is {what} in {}, and a compressed point in hex is wanted",
                encoding.name()
            ))
            .fix(fix)
    };
    (Some(key), (!proper).then(wrong))
}

fn nonce_fault(text: &str) -> Option<Cause> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let what = match text.len() {
        10 if digits => return None,
        length if digits => format!("{length} digits, and ten are wanted"),
        _ => "no number of ten digits".to_owned(),
    };
    let cause = Cause::seen(&form::PART_FORM).said(format!("MetaSV-Nonce is {what}"));
    Some(cause.fix("send ten decimal digits, zeros in front and all"))
}
