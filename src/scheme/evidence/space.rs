//! The space of hypotheses that all dialects share: each piece of a canonical string rewritten, left
//! out or exchanged with its neighbour, other separators, the whole changed, other times.

use super::body::bodies;
use super::causes::text as causes;
use super::clock::{near, times};
use super::path::PATHS;
use super::query::as_written;
use super::shape::{Canon, Facts, Found, Of, Piece, join, with};
use super::types::{Cause, Hypothesis};

/// What is known beside the pieces.
pub(in crate::scheme) struct Given {
    /// What a scheme knows of a piece, by its index: these come first.
    pub(in crate::scheme) own: Vec<(usize, Vec<Found>)>,
    /// The time that the request shows.
    pub(in crate::scheme) unix_ms: Option<u64>,
}

/// Every hypothesis, likely ones first: a single deviation each.
pub(in crate::scheme) fn space(canon: &Canon, facts: &Facts<'_>, given: Given) -> Vec<Hypothesis> {
    let mut all = pieces_otherwise(&canon.pieces, facts, given);
    all.extend(wholes(canon, facts));
    all.into_iter().map(|Found { cause, text }| canon.hypothesis(cause, text)).collect()
}

/// Every text with one piece rewritten, left out, exchanged or joined otherwise.
pub(in crate::scheme) fn pieces_otherwise(
    pieces: &[Piece],
    facts: &Facts<'_>,
    given: Given,
) -> Vec<Found> {
    let mut all = Vec::new();
    let mut put = |index: usize, found: Vec<Found>| {
        for Found { cause, text } in found {
            all.push(Found { cause, text: with(pieces, index, &text) });
        }
    };
    for (index, found) in given.own {
        put(index, found);
    }
    for (index, piece) in pieces.iter().enumerate() {
        put(index, rewritten(piece, facts, given.unix_ms));
    }
    all.extend(structures(pieces).into_iter().map(|(cause, text)| Found { cause, text }));
    all
}

/// Other times, for the end of the search: there are thousands.
pub(in crate::scheme) fn near_times(canon: &Canon, unix_ms: u64) -> Vec<Hypothesis> {
    let mut all = Vec::new();
    for (index, piece) in canon.pieces.iter().enumerate().filter(|(_, p)| p.of == Of::Time) {
        for Found { cause, text } in near(&piece.text, unix_ms) {
            all.push(canon.hypothesis(cause, canon.with(index, &text)));
        }
    }
    all
}

/// What may stand in the place of a piece.
pub(in crate::scheme) fn rewritten(
    piece: &Piece,
    facts: &Facts<'_>,
    unix_ms: Option<u64>,
) -> Vec<Found> {
    let text = piece.text.as_slice();
    match piece.of {
        Of::Path | Of::Target | Of::Url => {
            let rules = PATHS.iter().filter(|rule| rule.of == piece.of);
            rules.flat_map(|rule| (rule.make)(facts, text)).collect()
        }
        Of::Query => {
            let mut all = as_written(facts.query, text);
            all.extend(query_instead(facts));
            all
        }
        Of::Method => methods(text),
        Of::Time => times(text, unix_ms),
        Of::Nonce => nonces(text),
        Of::Host => hosts(text),
        Of::Body => bodies(facts, &|body| body.to_vec()),
        // What a key becomes is the scheme's to say.
        Of::Key | Of::Literal => Vec::new(),
        Of::Value => cased(&piece.name, text),
    }
}

fn query_instead(facts: &Facts<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for text in [&b"{}"[..], b"null", b"\"\"", facts.body] {
        all.push(Found::new(&super::causes::content::QUERY_BODY, text));
    }
    let pairs: Vec<_> = form_urlencoded::parse(facts.query.as_bytes()).collect();
    let object: serde_json::Map<String, serde_json::Value> = pairs
        .iter()
        .map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned().into()))
        .collect();
    let json = serde_json::Value::Object(object);
    let known = &causes::QUERY_JOINED;
    let cause = "the query was signed as JSON".to_owned();
    all.push(Found::said(known, json.to_string(), cause.clone()));
    if let Some(read) = super::json_forms::Json::read(json.to_string().as_bytes()) {
        let forms = super::json_forms::forms(&read).into_iter().take(16);
        all.extend(forms.map(|own| Found::said(known, own.text, cause.clone())));
    }
    all
}

fn methods(method: &[u8]) -> Vec<Found> {
    let mut all = vec![
        Found::new(&causes::METHOD_CASE, method.to_ascii_lowercase()),
        Found::new(&causes::METHOD_CASE, method.to_ascii_uppercase()),
    ];
    let mut title = method.to_ascii_lowercase();
    if let Some(first) = title.first_mut() {
        first.make_ascii_uppercase();
    }
    all.push(Found::new(&causes::METHOD_CASE, title));
    for other in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let cause = format!("the method was signed as {other}, and the request is another");
        all.push(Found::said(&causes::METHOD_OTHER, other, cause));
    }
    all
}

fn nonces(nonce: &[u8]) -> Vec<Found> {
    let bare: Vec<u8> = nonce.iter().copied().skip_while(|byte| *byte == b'0').collect();
    vec![
        Found::said(
            &causes::NONCE_WRITTEN,
            bare,
            "the nonce was signed without the zeros in front that it is sent with".into(),
        ),
        Found::new(&causes::NONCE_WRITTEN, [b"\"", nonce, b"\""].concat()),
        Found::new(&causes::NONCE_WRITTEN, nonce.to_ascii_lowercase()),
        Found::new(&causes::NONCE_WRITTEN, nonce.to_ascii_uppercase()),
        Found::new(
            &causes::NONCE_WRITTEN,
            nonce.iter().copied().filter(|byte| *byte != b'-').collect::<Vec<u8>>(),
        ),
    ]
}

fn hosts(host: &[u8]) -> Vec<Found> {
    let name: Vec<u8> = host.split(|byte| *byte == b':').next().unwrap_or(host).to_vec();
    let cause = |what: &str| format!("the host was signed {what}");
    vec![
        Found::said(&causes::VALUE_SIGNED, [&name[..], b":443"].concat(), cause("with its port")),
        Found::said(&causes::VALUE_SIGNED, [b"https://", host].concat(), cause("as a URL")),
        Found::said(&causes::VALUE_SIGNED, host.to_ascii_uppercase(), cause("in capitals")),
        Found::said(&causes::VALUE_SIGNED, host.to_ascii_lowercase(), cause("in lower case")),
        Found::said(&causes::VALUE_SIGNED, name, cause("without its port")),
    ]
}

/// A value in other letters, with its ends trimmed, in quotation marks.
pub(in crate::scheme) fn cased(name: &str, text: &[u8]) -> Vec<Found> {
    let other = |text: Vec<u8>, how: &str| {
        Found::said(&causes::VALUE_SIGNED, text, format!("{name} was signed {how}"))
    };
    vec![
        other(text.to_ascii_uppercase(), "in capitals"),
        other(text.to_ascii_lowercase(), "in lower case"),
        other([b"\"", text, b"\""].concat(), "in quotation marks"),
        other(text.trim_ascii().to_vec(), "without white space at its ends"),
        other([text, b"\n"].concat(), "with a line end behind it"),
        other(super::coding::encode(text, b""), "percent-encoded"),
        other(super::coding::decode(text, false), "percent-decoded"),
    ]
}

/// Pieces left out, exchanged, joined otherwise.
fn structures(pieces: &[Piece]) -> Vec<(Cause, Vec<u8>)> {
    let mut all = Vec::new();
    for (index, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.text.is_empty()) {
        let mut rest = pieces.to_vec();
        rest.remove(index);
        let cause = Cause::seen(&causes::PIECE_MISSING)
            .said(format!("{} was left out of the canonical string", named(piece)))
            .fix(format!("sign {} too, in its place", named(piece)));
        all.push((cause.clone(), join(&rest)));
        // With the label or the separator that belongs to it.
        let before = index.checked_sub(1).filter(|at| pieces[*at].of == Of::Literal);
        let behind = (index + 1 < pieces.len()).then_some(index + 1);
        let behind = behind.filter(|at| pieces[*at].of == Of::Literal);
        for at in before.into_iter().chain(behind).filter(|_| piece.of != Of::Literal) {
            let mut rest = pieces.to_vec();
            rest.remove(index.max(at));
            rest.remove(index.min(at));
            all.push((cause.clone(), join(&rest)));
        }
    }
    all.extend(exchanged(pieces));
    all.extend(separated(pieces));
    all
}

/// What a piece is called in a sentence.
fn named(piece: &Piece) -> String {
    match piece.of {
        Of::Literal => format!("the text {:?}", String::from_utf8_lossy(&piece.text)),
        Of::Method
        | Of::Host
        | Of::Path
        | Of::Query
        | Of::Target
        | Of::Url
        | Of::Body
        | Of::Time
        | Of::Nonce
        | Of::Key
        | Of::Value => piece.name.clone(),
    }
}

fn exchanged(pieces: &[Piece]) -> Vec<(Cause, Vec<u8>)> {
    let solid: Vec<usize> = pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.of != Of::Literal)
        .map(|(at, _)| at)
        .collect();
    let mut all = Vec::new();
    for (at, one) in solid.iter().enumerate() {
        for other in &solid[at + 1..] {
            let mut order = pieces.to_vec();
            order.swap(*one, *other);
            let (first, second) = (named(&pieces[*one]), named(&pieces[*other]));
            let cause = Cause::seen(&causes::PIECES_SWAPPED)
                .said(format!("{first} and {second} were signed in each other's place"))
                .fix(format!("sign {first} before {second}"));
            all.push((cause, join(&order)));
            // Labels that go with what they are of.
            if *one > 0 && pieces[one - 1].of == Of::Literal && pieces[other - 1].of == Of::Literal
            {
                order.swap(one - 1, other - 1);
                let cause = Cause::seen(&causes::PIECES_SWAPPED)
                    .said(format!("{first} and {second} were signed in the other order"))
                    .fix(format!("sign {first} before {second}"));
                all.push((cause, join(&order)));
            }
        }
    }
    for shift in 1..solid.len().max(1) {
        let mut order = pieces.to_vec();
        for (at, index) in solid.iter().enumerate() {
            order[*index] = pieces[solid[(at + shift) % solid.len()]].clone();
        }
        let cause = Cause::seen(&causes::PIECES_SWAPPED)
            .said("the parts of the canonical string were signed in another order");
        all.push((cause, join(&order)));
    }
    all
}

const SEPARATORS: [&str; 12] = ["", "\n", "&", "|", ",", "_", ":", ".", "-", " ", "\r\n", "#"];

fn separated(pieces: &[Piece]) -> Vec<(Cause, Vec<u8>)> {
    let mark = |piece: &Piece| {
        piece.of == Of::Literal && !piece.text.iter().any(u8::is_ascii_alphanumeric)
    };
    let mut all = Vec::new();
    for separator in SEPARATORS {
        let cause = Cause::seen(&causes::SEPARATOR).said(match separator {
            "" => "the parts were joined without separators".to_owned(),
            "\n" => "the parts were joined with line ends".to_owned(),
            other => format!("the parts were joined with {other:?}"),
        });
        let cause = if separator == "\r\n" { Cause::seen(&causes::LINE_ENDS) } else { cause };
        // In the place of those that there are.
        let swapped: Vec<u8> =
            pieces
                .iter()
                .flat_map(|piece| {
                    if mark(piece) { separator.as_bytes().to_vec() } else { piece.text.clone() }
                })
                .collect();
        all.push((cause.clone(), swapped));
        // Between all, labels being labels.
        let texts: Vec<&[u8]> =
            pieces.iter().filter(|piece| !mark(piece)).map(|piece| piece.text.as_slice()).collect();
        all.push((cause.clone(), texts.join(separator.as_bytes())));
        all.push((
            cause.clone(),
            [&texts.join(separator.as_bytes())[..], separator.as_bytes()].concat(),
        ));
        all.push((cause, labelled(pieces, separator)));
    }
    all
}

/// `data=…&path=…`: labels that are letters, with = behind them.
fn labelled(pieces: &[Piece], separator: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let label = piece.of == Of::Literal;
        let behind_label = index > 0 && pieces[index - 1].of == Of::Literal;
        if index > 0 {
            out.extend_from_slice(if behind_label && !label { b"=" } else { separator.as_bytes() });
        }
        out.extend_from_slice(&piece.text);
    }
    out
}

/// The whole text changed.
fn wholes(canon: &Canon, facts: &Facts<'_>) -> Vec<Found> {
    let text = canon.text();
    let mut all = vec![
        Found::new(&causes::NEWLINE, [&text[..], b"\n"].concat()),
        Found::new(&causes::NEWLINE, [&text[..], b"\r\n"].concat()),
        Found::new(&causes::NEWLINE, text.strip_suffix(b"\n").unwrap_or(&text)),
        Found::new(&causes::TEXT_CASE, text.to_ascii_lowercase()),
        Found::new(&causes::TEXT_CASE, text.to_ascii_uppercase()),
        Found::new(&causes::TEXT_ENCODED, super::coding::encode(&text, b"")),
        Found::new(&causes::TEXT_ENCODED, base16ct::lower::encode_string(&text)),
        Found::new(&causes::TEXT_ENCODED, base64(&text)),
        Found::new(&causes::TEXT_QUOTED, [b"\"", &text[..], b"\""].concat()),
    ];
    let plain = String::from_utf8_lossy(&text).into_owned();
    if let Ok(quoted) = serde_json::to_string(&plain) {
        all.push(Found::new(&causes::TEXT_QUOTED, quoted));
    }
    all.push(Found::new(
        &causes::TEXT_CHARSET,
        plain.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    ));
    all.push(Found::new(
        &causes::TEXT_CHARSET,
        plain.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(),
    ));
    let latin = plain.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'));
    all.push(Found::new(&causes::TEXT_CHARSET, latin.collect::<Vec<_>>()));
    let has = |of: Of| canon.pieces.iter().any(|piece| piece.of == of);
    let separators = ["", "_", "\n", " ", "&", "|"];
    if !has(Of::Method) {
        let method = facts.head.method.as_str();
        for (separator, method) in separators.iter().flat_map(|separator| {
            [(separator, method.to_owned()), (separator, method.to_lowercase())]
        }) {
            let front = [method.as_bytes(), separator.as_bytes(), &text].concat();
            all.push(Found::new(&causes::METHOD_ADDED, front));
            let path = canon.pieces.iter().position(|piece| piece.of == Of::Path);
            if let Some(at) = path {
                let path =
                    [method.as_bytes(), separator.as_bytes(), &canon.pieces[at].text].concat();
                all.push(Found::new(&causes::METHOD_ADDED, canon.with(at, &path)));
            }
            let end = [&text[..], separator.as_bytes(), method.as_bytes()].concat();
            all.push(Found::new(&causes::METHOD_ADDED, end));
        }
    }
    all.extend(added(canon, facts, &text, &has));
    all
}

/// Parts of the request that the scheme does not sign, signed.
fn added(canon: &Canon, facts: &Facts<'_>, text: &[u8], has: &dyn Fn(Of) -> bool) -> Vec<Found> {
    let mut all = Vec::new();
    let marks = canon.pieces.iter().filter(|piece| piece.of == Of::Literal);
    let own: Vec<&[u8]> = marks.map(|piece| piece.text.as_slice()).take(1).collect();
    let mut separators: Vec<&[u8]> = vec![b"", b"\n", b"&", b"|", b"_"];
    separators.extend(own);
    for separator in separators {
        let behind = |part: &[u8]| [text, separator, part].concat();
        if !has(Of::Body) && !facts.body.is_empty() {
            all.push(Found::new(&super::causes::content::BODY_ADDED, behind(facts.body)));
        }
        if !has(Of::Query) && !has(Of::Target) && !facts.query.is_empty() {
            all.push(Found::new(&causes::QUERY_ADDED, behind(facts.query.as_bytes())));
        }
        if !has(Of::Host) && !has(Of::Url) {
            all.push(Found::new(&causes::HOST_ADDED, behind(facts.head.host.as_bytes())));
        }
        all.push(Found::new(&causes::SEPARATOR, behind(b"")));
    }
    all
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
