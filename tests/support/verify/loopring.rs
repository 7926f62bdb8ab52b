//! Would Loopring accept this request? The API key, and either a signature in `X-API-SIG` over the
//! request, or one in the body over its fields.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sha3::Keccak256;

use super::babyjub::{Point, Signed, hex, number, on_curve, poseidon, verify};
use super::{Accepted, Arrived};

/// The provider's side: knows one account, and what one endpoint wants signed.
#[derive(Clone, Debug)]
pub(crate) struct Loopring {
    pub(crate) key: Point,
    pub(crate) api_key: Option<&'static str>,
    pub(crate) wants: Wants,
}

/// What an endpoint wants signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wants {
    /// The array of one-member objects.
    Objects,
    /// The base string, with this in front of the path, and a decimal header.
    V2(&'static str),
    /// The same with a hex header.
    V3(&'static str),
    /// The fields of the body, or of each element of its `orders`.
    Body(Kind),
}

/// The fields of a message, and where the signature is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Kind {
    pub(crate) width: usize,
    fields: &'static str,
    hex: bool,
}

pub(crate) const ORDER: Kind = Kind {
    width: 14,
    fields: "exchangeId orderId accountId tokenSId tokenBId amountS amountB text:allOrNone \
             validSince validUntil maxFeeBips text:buy label",
    hex: false,
};

pub(crate) const WITHDRAWAL_311: Kind = Kind {
    width: 9,
    fields: "exchangeId accountId tokenId amount feeTokenId amountFee label nonce",
    hex: false,
};

pub(crate) const TRANSFER_311: Kind = Kind {
    width: 10,
    fields: "exchangeId sender receiver tokenId amount feeTokenId amountFee label nonce",
    hex: false,
};

pub(crate) const ORDER_36: Kind = Kind {
    width: 12,
    fields: "hex:exchange storageId accountId sellToken.tokenId buyToken.tokenId \
             sellToken.volume buyToken.volume validUntil maxFeeBips bool:fillAmountBOrS \
             hex0:taker",
    hex: true,
};

pub(crate) const WITHDRAWAL_36: Kind = Kind {
    width: 10,
    fields: "hex:exchange accountId token.tokenId token.volume maxFee.tokenId maxFee.volume \
             data:onChainDataHash validUntil storageId",
    hex: true,
};

pub(crate) const TRANSFER_36: Kind = Kind {
    width: 13,
    fields: "hex:exchange payerId payeeId token.tokenId token.volume maxFee.tokenId \
             maxFee.volume hex:payeeAddr zero: zero: validUntil storageId",
    hex: true,
};

pub(crate) const UPDATE_36: Kind = Kind {
    width: 9,
    fields: "hex:exchange accountId maxFee.tokenId maxFee.volume hex:publicKey.x \
             hex:publicKey.y validUntil nonce",
    hex: true,
};

impl Loopring {
    /// Says what was signed, or why the request is not acceptable.
    pub(crate) fn check(&self, request: &Arrived) -> Result<Accepted, String> {
        match self.api_key {
            Some(key) if request.once("X-API-KEY")? != key => return Err("another API key".into()),
            None if !request.values("X-API-KEY").is_empty() => return Err("an API key".into()),
            _ => {}
        }
        let canonical = match self.wants {
            Wants::Objects => objects(request)?,
            Wants::V2(url) | Wants::V3(url) => base_string(request, url)?,
            Wants::Body(kind) => return self.check_body(request, kind),
        };
        let header = request.once("X-API-SIG")?;
        let signature = match self.wants {
            Wants::V3(_) => Signed::from_hex(header)?,
            Wants::Objects | Wants::V2(_) | Wants::Body(_) => {
                Signed::from_decimals(&header.split(',').collect::<Vec<_>>())?
            }
        };
        verify(&self.key, &message(&canonical), &signature)?;
        Ok(Accepted { canonical })
    }

    fn check_body(&self, request: &Arrived, kind: Kind) -> Result<Accepted, String> {
        if !request.values("X-API-SIG").is_empty() {
            return Err("there is an X-API-SIG beside the signature in the body".into());
        }
        let length = request.once("Content-Length")?;
        if length != request.body.len().to_string() {
            return Err(format!("Content-Length is {length}"));
        }
        let body = body(request)?;
        let mut orders = vec![body.clone()];
        if let Some(array) = body.get("orders") {
            let array: Vec<Members> =
                serde_json::from_str(array.get()).map_err(|e| e.to_string())?;
            orders = array;
        }
        let mut said = Vec::new();
        for order in &orders {
            let inputs = inputs(order, kind)?;
            let hash = poseidon(kind.width, 53, &inputs);
            let signature = if kind.hex {
                Signed::from_hex(&text(order, "eddsaSignature")?)?
            } else {
                if text(order, "hash")? != hash.to_string() {
                    return Err("hash is not the hash of the fields".into());
                }
                let [x, y, s] = ["signatureRx", "signatureRy", "signatureS"];
                let [x, y, s] = [text(order, x)?, text(order, y)?, text(order, s)?];
                Signed::from_decimals(&[&x, &y, &s])?
            };
            verify(&self.key, &hash, &signature)?;
            said.push(hash.to_string());
        }
        Ok(Accepted { canonical: said.join(" ") })
    }
}

type Members = BTreeMap<String, Box<RawValue>>;

fn body(request: &Arrived) -> Result<Members, String> {
    let text = std::str::from_utf8(&request.body).map_err(|_| "the body is not UTF-8")?;
    serde_json::from_str(text).map_err(|why| format!("the body is no JSON object: {why}"))
}

/// SHA-256 as a big-endian number, modulo the field's prime.
pub(crate) fn message(canonical: &str) -> num_bigint::BigUint {
    num_bigint::BigUint::from_bytes_be(&Sha256::digest(canonical)) % on_curve::prime()
}

/// The numbers that are hashed for a message.
pub(crate) fn inputs(members: &Members, kind: Kind) -> Result<Vec<num_bigint::BigUint>, String> {
    kind.fields.split_whitespace().map(|field| input(members, field)).collect()
}

fn input(members: &Members, field: &str) -> Result<num_bigint::BigUint, String> {
    let (how, path) = field.split_once(':').unwrap_or(("", field));
    let bit = |one: bool| num_bigint::BigUint::from(u8::from(one));
    let found = value(members, path)?;
    let bad = || format!("{path} is {found:?}");
    let written = found.as_deref().unwrap_or_default();
    let inside = written.trim_matches('"');
    match how {
        "zero" => Ok(bit(false)),
        "hex0" if found.is_none() => Ok(bit(false)),
        "hex" | "hex0" => hex(inside.strip_prefix("0x").ok_or_else(bad)?),
        "text" if ["\"true\"", "\"false\""].contains(&written) => Ok(bit(inside == "true")),
        "bool" if ["true", "false"].contains(&written) => Ok(bit(inside == "true")),
        "data" => on_chain_data(members),
        "" => number(inside),
        _ => Err(bad()),
    }
}

fn value(members: &Members, path: &str) -> Result<Option<String>, String> {
    let Some((outer, inner)) = path.split_once('.') else {
        return Ok(members.get(path).map(|raw| raw.get().to_owned()));
    };
    let outer = members.get(outer).ok_or_else(|| format!("{outer} is missing"))?;
    let nested: Members = serde_json::from_str(outer.get()).map_err(|why| why.to_string())?;
    Ok(nested.get(inner).map(|raw| raw.get().to_owned()))
}

fn on_chain_data(members: &Members) -> Result<num_bigint::BigUint, String> {
    let mut data = vec![0; 32];
    let gas = input(members, "minGas")?.to_bytes_be();
    data.splice(32 - gas.len().., gas);
    let to = text(members, "to")?;
    data.extend(super::lower_hex("to", to.trim_start_matches("0x"))?);
    let extra = text(members, "extraData").unwrap_or_default();
    data.extend(super::lower_hex("extraData", extra.trim_start_matches("0x"))?);
    let made = num_bigint::BigUint::from_bytes_be(&Keccak256::digest(data)[..20]);
    match members.get("onChainDataHash") {
        Some(_) if input(members, "hex:onChainDataHash")? != made => Err("onChainDataHash".into()),
        _ => Ok(made),
    }
}

fn text(members: &Members, name: &str) -> Result<String, String> {
    let raw = members.get(name).ok_or_else(|| format!("{name} is missing"))?;
    serde_json::from_str(raw.get()).map_err(|_| format!("{name} is no string"))
}

/// The array of objects that is signed.
pub(crate) fn objects(request: &Arrived) -> Result<String, String> {
    let mut entries = Vec::new();
    for (name, value) in pairs(request.query())? {
        entries.push((name, serde_json::to_string(&value).expect("a string is JSON")));
    }
    if !request.body.is_empty() {
        for (name, value) in body(request)? {
            entries.push((name, without_space(value.get())));
        }
    }
    entries.sort_by_key(|(name, _)| name.chars().collect::<Vec<_>>());
    if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err("a name is there twice".into());
    }
    let object = |(name, value): &(String, String)| {
        format!("{{{}:{value}}}", serde_json::to_string(name).expect("a string is JSON"))
    };
    let objects: Vec<_> = entries.iter().map(object).collect();
    Ok(format!("[{}]", objects.join(",")))
}

fn without_space(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let mut kept = String::new();
    for c in json.chars() {
        if inside || !" \t\r\n".contains(c) {
            kept.push(c);
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && c == '\\' && !escaped;
    }
    kept
}

/// METHOD, URL and parameters, each encoded.
pub(crate) fn base_string(request: &Arrived, url: &str) -> Result<String, String> {
    let parameters = match request.method.as_str() {
        "GET" | "DELETE" => {
            let mut pairs = pairs(request.query())?;
            pairs.sort();
            let pair =
                |(name, value): &(String, String)| format!("{}={}", quote(name), quote(value));
            pairs.iter().map(pair).collect::<Vec<_>>().join("&")
        }
        "POST" | "PUT" => {
            String::from_utf8(request.body.clone()).map_err(|_| "the body is not UTF-8")?
        }
        other => return Err(format!("the method is {other}")),
    };
    let url = format!("{url}{}", request.path());
    Ok(format!("{}&{}&{}", request.method, quote(&url), quote(&parameters)))
}

fn quote(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(format!("the query has {name} twice"));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair: String = rest.by_ref().take(2).map(char::from).collect();
                let pair = pair.to_ascii_lowercase();
                *super::lower_hex("escape", &pair)?.first().ok_or("an escape is cut short")?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("{text} is not UTF-8"))
}
