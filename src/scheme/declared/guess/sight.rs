//! A captured request as its signer saw it: without the field that the signature stands in.

use super::captured::Captured;
use super::seen::split;
use crate::scheme::declared::encode::{form, percent};

/// The parts of a request.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Vec<u8>,
    pub(super) is_form: bool,
}

impl Sight {
    /// Without the field of this name in query and form.
    pub(super) fn of(captured: &Captured, signature: Option<&str>) -> Self {
        let head = &captured.head;
        let is_form = !captured.form().is_empty();
        let body =
            if is_form { without(&captured.body, signature) } else { captured.body.to_vec() };
        let query = without(head.query().as_bytes(), signature);
        Self {
            method: head.method.to_string(),
            host: head.host.clone(),
            path: head.path().to_owned(),
            query: String::from_utf8_lossy(&query).into_owned(),
            body,
            is_form,
        }
    }

    pub(super) fn target(&self) -> String {
        match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// The pairs of the query, with those of a JSON body where they are wanted; and where they are
    /// from, as a file says it.
    pub(super) fn pairs(&self, sort: bool, encode: &str, json: bool) -> (&'static str, Vec<u8>) {
        let mut query = self.query.clone().into_bytes();
        let read = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&self.body);
        let object = read.ok().filter(|_| json);
        for (name, value) in object.iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !query.is_empty() {
                query.push(b'&');
            }
            percent(name.as_bytes(), b"", &mut query);
            query.push(b'=');
            percent(text.as_bytes(), b"", &mut query);
        }
        let from = if json { r#""query", "json""# } else { r#""query""# };
        (from, pairs(&query, sort, encode))
    }
}

/// Names and values, sorted by name or as they stand, written anew.
pub(super) fn pairs(text: &[u8], sort: bool, encode: &str) -> Vec<u8> {
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = if encode == "raw" {
        let pieces = text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
        let pair = |piece: &[u8]| {
            let middle = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
            (piece[..middle].to_vec(), piece.get(middle + 1..).unwrap_or_default().to_vec())
        };
        pieces.map(pair).collect()
    } else {
        split(text).map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect()
    };
    if sort {
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    let code = |bytes: &[u8]| {
        let mut out = Vec::new();
        match encode {
            "percent" => percent(bytes, b"", &mut out),
            "form" => form(bytes, &mut out),
            _ => out.extend_from_slice(bytes),
        }
        out
    };
    let written = all.iter().map(|(name, value)| [code(name), code(value)].join(&b'='));
    written.collect::<Vec<_>>().join(&b'&')
}

/// A query or a form without the field of this name, all else as it stands.
fn without(text: &[u8], name: Option<&str>) -> Vec<u8> {
    let own = |piece: &&[u8]| split(piece).next().is_none_or(|(own, _)| Some(own.as_str()) != name);
    let kept: Vec<&[u8]> = text.split(|byte| *byte == b'&').filter(own).collect();
    kept.join(&b'&')
}
