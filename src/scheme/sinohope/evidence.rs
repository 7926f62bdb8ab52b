//! What a Sinohope request shows: its three headers in whatever form, and what programs sign in the
//! place of data, path, time stamp and key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use crate::keys::{Algorithm, Hashing, PublicKey};
use crate::scheme::evidence::causes::{content, form, keyed, text};
use crate::scheme::evidence::{
    Canon, Cause, Coding, Evidence, Facts, Form, Found, Given, Of, Piece, Query, Suspect, bodies,
    ecdsa, ecdsa_digests, near_times, one, public, queries, space, stamp,
};
use crate::scheme::{Preimage, Signable};

/// What the scheme knows of itself.
pub(super) struct Own<'o> {
    pub(super) slot: &'static str,
    pub(super) public_hex: &'o str,
    /// Which bytes of a body are signed.
    pub(super) keeps: &'o dyn Fn(u8) -> bool,
    /// What is signed of the query or the body.
    pub(super) data: &'o [u8],
}

const NAMES: [&str; 3] = ["BIZ-API-KEY", "BIZ-API-NONCE", "BIZ-API-SIGNATURE"];
const ALGORITHMS: [Algorithm; 2] = [Algorithm::ECDSA_P256, Algorithm::ECDSA_SECP256K1];

/// How far clocks may be apart, in milliseconds. The provider's documents do not say; others take five
/// minutes.
const WINDOW_MS: u32 = 300_000;

/// What the request shows.
pub(super) fn evidence(request: Signable<'_>, own: &Own<'_>) -> Evidence {
    let head = request.head;
    let mut evidence = Evidence::default();
    let [key, nonce, signature] = NAMES.map(|name| one(head, name, &NAMES));
    let missing = [&key, &nonce, &signature].map(|value| value.as_ref().err().cloned());
    evidence.faults.extend(missing.into_iter().flatten());
    let (shown, fault) = match key.as_ref().map(|text| shown_key(text)) {
        Ok((shown, fault)) => (shown, fault),
        Err(_) => (None, None),
    };
    evidence.faults.extend(fault);
    if let Ok(text) = nonce {
        let (stamp, faults) = stamp("BIZ-API-NONCE", text, WINDOW_MS);
        evidence.stamps.extend(stamp);
        evidence.faults.extend(faults);
    }
    let (Ok(nonce), Ok(signature), Some(key)) = (nonce, signature, shown) else {
        return evidence;
    };
    match ecdsa(signature, "BIZ-API-SIGNATURE", &[Form::Hex, Form::HexUpper], key.algorithm()) {
        Err(cause) => evidence.faults.push(cause),
        Ok((signature, fault)) => {
            evidence.faults.extend(fault);
            // A program that has another key throughout signs that one's text.
            let spki = base16ct::lower::encode_string(&key.spki());
            let canon = canon(request, &Own { public_hex: &spki, ..*own }, nonce);
            let text = canon.text();
            let (slot, hashing) = (own.slot.into(), Hashing::sha256(&text));
            let wanted = Preimage { slot, text, hashing, secret: false };
            let unix_ms = evidence.stamps.first().and_then(|own| u64::try_from(own.unix_ms).ok());
            let hypotheses = hypotheses(request, own, &canon, &key, unix_ms);
            let (slot, shown_in) = (own.slot.into(), Some("BIZ-API-KEY"));
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

/// The key that the request presents, and what is wrong with how.
fn shown_key(text: &str) -> (Option<PublicKey>, Option<Cause>) {
    let part = "BIZ-API-KEY";
    let Some((key, encoding, what)) = public(text, &ALGORITHMS) else {
        let cause = Cause::seen(&form::KEY_FORM)
            .said(format!("{part} is no P-256 or secp256k1 public key in any form"))
            .fix("send the SubjectPublicKeyInfo in hex, which countersign keys show prints");
        return (None, Some(cause));
    };
    let proper = what == "SPKI" && matches!(encoding, Form::Hex | Form::HexUpper);
    let cause = match what {
        _ if proper => None,
        "SPKI of another curve" => Some(
            Cause::seen(&form::KEY_CURVE_NAMED)
                .said(format!("{part} names another curve than the one its point is on")),
        ),
        what => Some(
            Cause::seen(&form::KEY_FORM)
                .said(format!(
                    "{part} is {what} in {}, and the SubjectPublicKeyInfo in hex is wanted",
                    encoding.name()
                ))
                .fix("send the SubjectPublicKeyInfo in hex, which countersign keys show prints"),
        ),
    };
    (Some(key), cause)
}

fn canon(request: Signable<'_>, own: &Own<'_>, nonce: &str) -> Canon {
    let get = request.head.method == Method::GET;
    let data = if get { (Of::Query, "the query") } else { (Of::Body, "the body") };
    let pieces = vec![
        Piece::literal("data"),
        Piece::new(data.0, data.1, own.data),
        Piece::literal("path"),
        Piece::new(Of::Path, "the path", request.head.path()),
        Piece::literal("timestamp"),
        Piece::new(Of::Time, "the time stamp", nonce),
        Piece::literal("version"),
        Piece::new(Of::Value, "the version", "1.0.0"),
        Piece::new(Of::Key, "the public key", own.public_hex),
    ];
    Canon { pieces, hashing: Box::new(Hashing::sha256) }
}

fn hypotheses(
    request: Signable<'_>,
    own: &Own<'_>,
    canon: &Canon,
    key: &PublicKey,
    unix_ms: Option<u64>,
) -> Vec<crate::scheme::evidence::Hypothesis> {
    let head = request.head;
    let body = request.body.map_or(&b""[..], |body| body);
    let facts = Facts { head, query: head.query(), body, hosts: &[] };
    let data = if head.method == Method::GET {
        let mut found = queries(head.query(), Query::sorted(Coding::Plain, Coding::Form));
        found.push(Found::new(&content::QUERY_BODY, body));
        found
    } else {
        let remove = |body: &[u8]| body.iter().copied().filter(|b| (own.keeps)(*b)).collect();
        let mut found = removals(body, own.data);
        found.extend(bodies(&facts, &remove));
        found
    };
    let given =
        Given { own: vec![(1, data), (8, keys(key, own.public_hex)), (7, versions())], unix_ms };
    let mut all = space(canon, &facts, given);
    all.extend(without_labels(canon));
    all.extend(ecdsa_digests(&canon.text()));
    all.extend(unix_ms.into_iter().flat_map(|unix_ms| near_times(canon, unix_ms)));
    all
}

/// The body less what other SDKs of the provider take out.
fn removals(body: &[u8], wanted: &[u8]) -> Vec<Found> {
    let rows: [(&str, &[u8]); 4] = [
        ("none", b""),
        ("space", b" "),
        ("space_lf", b" \n"),
        ("ascii_whitespace", b" \n\r\t\x0b\x0c"),
    ];
    let row = |(name, out): (&str, &[u8])| {
        let text: Vec<u8> = body.iter().copied().filter(|byte| !out.contains(byte)).collect();
        let mut found = Found::said(
            &content::BODY_REMOVED,
            text,
            format!(
                "the white space taken out of the body before signing was that of remove = \"{name}\", which is not this route's"
            ),
        );
        found.cause = found.cause.fix(format!(
            "write params = {{ remove = \"{name}\" }} in the route, or change the program"
        ));
        found
    };
    rows.into_iter().map(row).filter(|found| found.text != wanted).collect()
}

/// The key as other programs have it in the text.
fn keys(key: &PublicKey, bound: &str) -> Vec<Found> {
    let (spki, point) = (key.spki(), key.compressed());
    let hex = base16ct::lower::encode_string;
    let whole = spki.get(spki.len().saturating_sub(65)..).unwrap_or_default();
    let pem =
        |lines: &str| format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----");
    let base64 = STANDARD.encode(&spki);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap_or_default()).collect();
    let pem = pem(&lines.join("\n"));
    let rows: [(&str, Vec<u8>); 10] = [
        ("in capitals", hex(&spki).to_uppercase().into()),
        ("as a compressed point in hex", hex(&point).into()),
        ("as a point in hex", hex(whole).into()),
        ("as x and y in hex", hex(&whole[whole.len().min(1)..]).into()),
        ("in base64", base64.clone().into()),
        ("as a compressed point in base64", STANDARD.encode(&point).into()),
        ("in PEM", pem.clone().into()),
        ("in PEM", format!("{pem}\n").into()),
        ("with 0x in front", format!("0x{}", hex(&spki)).into()),
        ("as bytes", spki),
    ];
    let row = |(how, text): (&str, Vec<u8>)| {
        Found::said(&text::KEY_SIGNED, text, format!("the public key was signed {how}"))
    };
    let mut all: Vec<Found> = rows.into_iter().map(row).collect();
    all.push(Found::new(&keyed::KEY_UNSHOWN, bound));
    all
}

fn versions() -> Vec<Found> {
    let others = ["1", "1.0", "v1", "2.0.0", "v1.0.0", "1.0.1"];
    let one = |other: &&str| {
        Found::said(&text::VALUE_SIGNED, *other, format!("the version was signed as {other}"))
    };
    others.iter().map(one).collect()
}

/// The four values without any label, and all but the labels in capitals.
fn without_labels(canon: &Canon) -> Vec<crate::scheme::evidence::Hypothesis> {
    let bare: Vec<u8> = canon
        .pieces
        .iter()
        .filter(|piece| piece.of != Of::Literal)
        .flat_map(|piece| piece.text.clone())
        .collect();
    let upper: Vec<u8> = canon
        .pieces
        .iter()
        .flat_map(|piece| {
            let literal = piece.of == Of::Literal;
            if literal { piece.text.to_ascii_uppercase() } else { piece.text.clone() }
        })
        .collect();
    let cause = |what: &str| Cause::seen(&text::PIECE_MISSING).said(what.to_owned());
    vec![
        canon.hypothesis(cause("the labels data, path, timestamp and version were left out"), bare),
        canon.hypothesis(
            Cause::seen(&text::TEXT_CASE).said("the labels were signed in capitals"),
            upper,
        ),
    ]
}
