//! Values of headers as programs write them: whether they are there once, and what bytes they are in
//! whatever encoding.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::causes::form;
use super::types::Cause;
use crate::document::nearest;
use crate::keys::{Algorithm, PublicKey, Signature};
use crate::scheme::Head;
use crate::scheme::declared::unpercent;

/// How bytes are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::scheme) enum Form {
    Hex,
    HexUpper,
    Hex0x,
    Base64,
    Base64Url,
    Percent,
    Quoted,
    Pem,
}

impl Form {
    /// What it is called.
    pub(in crate::scheme) fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::HexUpper => "upper-case hex",
            Self::Hex0x => "hex with 0x in front",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Percent => "percent-encoded base64",
            Self::Quoted => "quotation marks",
            Self::Pem => "PEM",
        }
    }
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// The bytes of a text in each encoding that it can be in.
pub(in crate::scheme) fn decoded(text: &str) -> Vec<(Form, Vec<u8>)> {
    let mut all = Vec::new();
    let hex = |text: &str| base16ct::mixed::decode_vec(text).ok().filter(|b| !b.is_empty());
    if let Some(bytes) = hex(text) {
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        all.push((if upper { Form::HexUpper } else { Form::Hex }, bytes));
    }
    if let Some(bytes) = text.strip_prefix("0x").and_then(hex) {
        all.push((Form::Hex0x, bytes));
    }
    for (form, alphabet) in [(Form::Base64, &STANDARD), (Form::Base64Url, &URL_SAFE)] {
        let engine = GeneralPurpose::new(alphabet, LENIENT);
        all.extend(engine.decode(text).ok().filter(|b| !b.is_empty()).map(|bytes| (form, bytes)));
    }
    if let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        all.extend(decoded(inner).into_iter().map(|(_, bytes)| (Form::Quoted, bytes)));
    }
    if text.contains('%') {
        let plain = unpercent(text.as_bytes(), false);
        let plain = String::from_utf8_lossy(&plain);
        all.extend(decoded(&plain).into_iter().map(|(_, bytes)| (Form::Percent, bytes)));
    }
    if let Some(inner) = text.strip_prefix("-----BEGIN PUBLIC KEY-----") {
        let inner = inner.split("-----END").next().unwrap_or_default();
        let inner: String = inner.replace("\\n", "").split_whitespace().collect();
        all.extend(decoded(&inner).into_iter().map(|(_, bytes)| (Form::Pem, bytes)));
    }
    all
}

/// A header's text, which must be there once. `own` are the scheme's other headers.
///
/// # Errors
///
/// Whether it is missing, called otherwise, there twice, or no text.
pub(in crate::scheme) fn one<'h>(
    head: &'h Head,
    name: &'static str,
    own: &[&str],
) -> Result<&'h str, Cause> {
    let mut values = head.headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Err(near_header(head, name, own));
    };
    if let Some(second) = values.next() {
        let how = if second == value { "twice, the same" } else { "twice, with two values" };
        let cause = Cause::seen(&form::PART_TWICE).said(format!("{name} is there {how}"));
        return Err(cause.fix(format!("send {name} once: a second copy is often a proxy's")));
    }
    let text = value.to_str().ok().filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| {
        let what = if value.is_empty() { "is empty" } else { "is not visible ASCII" };
        Cause::seen(&form::PART_FORM).said(format!("{name} {what}"))
    })
}

/// What is said of a header that is missing: whether another has its place. `own` are the scheme's
/// other headers.
pub(in crate::scheme) fn near_header(head: &Head, name: &str, own: &[&str]) -> Cause {
    let plain = |name: &str| -> String {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("x-").unwrap_or(&name);
        name.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect()
    };
    let others = head.headers.keys().map(http::HeaderName::as_str);
    let others: Vec<&str> =
        others.filter(|other| !own.iter().any(|own| own.eq_ignore_ascii_case(other))).collect();
    let wanted = plain(name);
    let alike = others.iter().copied().find(|other| plain(other) == wanted);
    let lower = name.to_ascii_lowercase();
    let near = alike.or_else(|| nearest(&lower, others.iter().copied()));
    match near {
        Some(other) => Cause::seen(&form::PART_MISNAMED)
            .said(format!("{name} is missing; there is {other} in its place"))
            .fix(format!("call the header {name}")),
        None => Cause::seen(&form::PART_MISSING)
            .said(format!("{name} is missing"))
            .fix(format!("send {name}")),
    }
}

/// An ECDSA signature in whatever encoding and form, and what is wrong with those. `wanted` is how
/// the scheme writes its DER.
pub(in crate::scheme) fn ecdsa(
    text: &str,
    part: &str,
    wanted: &[Form],
    algorithm: Algorithm,
) -> Result<(Signature, Option<Cause>), Cause> {
    let readings = decoded(text.trim());
    let proper = |form: Form| wanted.contains(&form);
    // The proper encoding first: short texts are good in several.
    let mut ordered: Vec<&(Form, Vec<u8>)> = readings.iter().collect();
    ordered.sort_by_key(|(form, _)| !proper(*form));
    for (form, bytes) in &ordered {
        let Some((signature, packed)) = packed(algorithm, bytes) else { continue };
        let name = wanted.first().map_or("DER", |form| form.name());
        let cause = match (proper(*form), packed) {
            (true, None) => None,
            (true, Some(packed)) => Some(
                Cause::seen(&form::SIGNATURE_FORM)
                    .said(format!("{part} is {packed}, and DER is wanted"))
                    .fix("write r and s as an ASN.1 DER sequence"),
            ),
            (false, _) => Some(
                Cause::seen(&form::SIGNATURE_ENCODING)
                    .said(format!("{part} is in {}, and {name} is wanted", form.name()))
                    .fix(format!("encode the same DER bytes in {name}")),
            ),
        };
        return Ok((signature, cause));
    }
    let cut = |(_, bytes): &&(Form, Vec<u8>)| bytes.first() == Some(&0x30);
    Err(match ordered.first() {
        None => Cause::seen(&form::PART_FORM)
            .said(format!("{part} is in no encoding of bytes: neither hex nor base64")),
        Some(_) if ordered.iter().any(cut) => Cause::seen(&form::SIGNATURE_CUT)
            .said(format!("{part} begins as DER and is cut, padded or damaged")),
        Some((_, bytes)) => Cause::seen(&form::SIGNATURE_CUT).said(format!(
            "{part} is {} bytes, which is no ECDSA signature in any form",
            bytes.len()
        )),
    })
}

/// A signature of these bytes, and what they are where they are not DER.
fn packed(algorithm: Algorithm, bytes: &[u8]) -> Option<(Signature, Option<&'static str>)> {
    if let Some(signature) = Signature::from_der(algorithm, bytes) {
        return Some((signature, None));
    }
    let raw = |bytes: &[u8]| {
        let (r, s) = bytes.split_at_checked(32)?;
        Some(Signature::Ecdsa { r: r.try_into().ok()?, s: s.try_into().ok()? })
    };
    match bytes.len() {
        64 => Some((raw(bytes)?, Some("r and s, 64 bytes"))),
        65 if bytes[64] < 4 || (27..35).contains(&bytes[64]) => {
            Some((raw(&bytes[..64])?, Some("r, s and a recovery number, 65 bytes")))
        }
        65 if (27..35).contains(&bytes[0]) => {
            Some((raw(&bytes[1..])?, Some("a recovery number, r and s, 65 bytes")))
        }
        _ => {
            // A wallet's signature has a byte behind it; some libraries pad or do not shorten.
            let (last, der) = bytes.split_last()?;
            if let Some(signature) = Signature::from_der(algorithm, der) {
                let what =
                    if *last <= 1 { "DER with a byte behind it" } else { "DER and a hash type" };
                return Some((signature, Some(what)));
            }
            let numbers = loose(bytes)?;
            Some((numbers, Some("DER whose integers are not written in the shortest form")))
        }
    }
}

/// A sequence of two integers that DER would write otherwise.
fn loose(bytes: &[u8]) -> Option<Signature> {
    let integer = |bytes: &[u8]| -> Option<([u8; 32], usize)> {
        let (head, rest) = bytes.split_at_checked(2)?;
        let length = usize::from(head[1]);
        let number = rest.get(..length).filter(|_| head[0] == 2)?;
        let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let short = &number[first..];
        let mut out = [0; 32];
        out.get_mut(32_usize.checked_sub(short.len())?..)?.copy_from_slice(short);
        Some((out, 2 + length))
    };
    let (head, rest) = bytes.split_at_checked(2)?;
    if head[0] != 0x30 || usize::from(head[1]) != rest.len() {
        return None;
    }
    let (r, at) = integer(rest)?;
    let (s, end) = integer(&rest[at..])?;
    (at + end == rest.len()).then_some(Signature::Ecdsa { r, s })
}

/// A public key in whatever encoding and form: the key, the encoding, and whether it is a point.
pub(in crate::scheme) fn public(
    text: &str,
    algorithms: &[Algorithm],
) -> Option<(PublicKey, Form, &'static str)> {
    for (form, bytes) in decoded(text.trim()) {
        for algorithm in algorithms {
            let spki = PublicKey::from_spki(&bytes).filter(|key| key.algorithm() == *algorithm);
            if let Some(key) = spki {
                return Some((key, form, "SPKI"));
            }
            let length = bytes.len();
            let what = if length == 33 { "a compressed point" } else { "a point" };
            let whole = if length == 64 { [&[4], &bytes[..]].concat() } else { bytes.clone() };
            if let Some(key) = PublicKey::from_point(*algorithm, &whole) {
                return Some((key, form, if length == 64 { "x and y" } else { what }));
            }
            // An SPKI of another curve's name around the point.
            let point = bytes.get(bytes.len().saturating_sub(65)..).filter(|p| p[0] == 4);
            let point = point.filter(|_| bytes.first() == Some(&0x30));
            if let Some(key) = point.and_then(|point| PublicKey::from_point(*algorithm, point)) {
                return Some((key, form, "SPKI of another curve"));
            }
        }
    }
    None
}
