//! Secrets that two parties share: the forms that they are read in and written in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::keys::formats::{Form, FormatError, Found, Members, unquoted};

/// The forms, in half a sentence.
pub(super) const FORMS: &str = "the secret as text; with `encoding`, in base64, base64url or hex, \
                                or made from the text; a JSON Web Key (RFC 7517) of type `oct`";

/// Reads a secret; `jwk` is what the algorithm is called in a JSON Web Key. A secret that is no JSON
/// says nothing of its algorithm, and is one where somebody asks.
pub(super) fn read(
    found: &Found,
    asked: bool,
    jwk: &str,
) -> Option<Result<Zeroizing<Vec<u8>>, FormatError>> {
    if let Ok(Form::Json(members)) = found.form()
        && members.get("kty") == Some("oct")
    {
        return read_jwk(members, asked, jwk);
    }
    if !asked {
        return None;
    }
    if !found.exact && unquoted(&found.whole).is_some() {
        return Some(Err(FormatError::new(
            "is in quotation marks, which may be the secret's own",
            "remove them; if they belong to it, keep it in base64 and say encoding = \"base64\"",
        )));
    }
    Some(Ok(Zeroizing::new(found.whole.to_vec())))
}

/// `None` if it says that it is for another algorithm, or does not say where nobody asks.
fn read_jwk(
    members: &Members,
    asked: bool,
    jwk: &str,
) -> Option<Result<Zeroizing<Vec<u8>>, FormatError>> {
    if members.get("alg").map_or(!asked, |alg| alg != jwk) {
        return None;
    }
    let damaged = || FormatError::damaged("a JSON Web Key");
    let text = members.get("k").filter(|text| !text.is_empty());
    let mut secret = Zeroizing::new(vec![0; text.map_or(0, str::len)]);
    let length = text.and_then(|text| URL_SAFE_NO_PAD.decode_slice(text, &mut secret).ok());
    Some(length.map(|length| Zeroizing::new(secret[..length].to_vec())).ok_or_else(damaged))
}

/// A JSON Web Key, which says what it is, and holds a secret that is no text too.
pub(super) fn to_text(secret: &[u8], jwk: &str) -> Zeroizing<String> {
    // Room for all of it from the start: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(128 + secret.len() * 2));
    text.push_str("{\n  \"kty\": \"oct\",\n  \"alg\": \"");
    text.push_str(jwk);
    text.push_str("\",\n  \"k\": \"");
    URL_SAFE_NO_PAD.encode_string(secret, &mut text);
    text.push_str("\"\n}\n");
    text
}

/// Writes a secret in an encoding.
pub(super) type Encode = fn(&[u8]) -> Zeroizing<Vec<u8>>;

/// Reads a secret that is written in an encoding.
pub(super) type Decode = fn(&[u8]) -> Option<Zeroizing<Vec<u8>>>;

/// The encodings that secrets are taken out of, or left in, by mistake.
pub(super) fn codings() -> [(Encode, Decode); 3] {
    [
        (
            |secret| Zeroizing::new(STANDARD.encode(secret).into_bytes()),
            |text| STANDARD.decode(text).ok().map(Zeroizing::new),
        ),
        (
            |secret| Zeroizing::new(URL_SAFE_NO_PAD.encode(secret).into_bytes()),
            |text| URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new),
        ),
        (
            |secret| Zeroizing::new(base16ct::lower::encode_string(secret).into_bytes()),
            |text| base16ct::mixed::decode_vec(text).ok().map(Zeroizing::new),
        ),
    ]
}

/// Why there is no PKCS#8.
pub(super) fn no_pkcs8(name: &str) -> FormatError {
    FormatError::new(
        format!("is an {name} key, which PKCS#8 has no name for and cannot encrypt"),
        "leave it plain, readable by you alone; or keep it in a variable or a secret store",
    )
}
