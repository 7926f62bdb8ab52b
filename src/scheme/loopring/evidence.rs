//! What a Loopring request with `X-API-SIG` shows, and what programs sign in the place of its text.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::Method;

use super::canonical::{Canonical, Duplicates, Public};
use super::message::SLOT;
use super::numeric::{hashing, numbers, variants};
use super::written;
use crate::keys::babyjub::Element;
use crate::keys::{PublicKey, Signature};
use crate::scheme::evidence::causes::{content, form, text as causes};
use crate::scheme::evidence::{
    Cause, Coding, Evidence, Facts, Found, Hypothesis, Json, Query, Suspect, Test, bodies,
    json_forms, one, queries,
};
use crate::scheme::{Preimage, Signable, percent};
use crate::secret::Secret;

/// What the scheme knows of itself.
pub(super) struct Own<'o> {
    pub(super) canonical: &'o Canonical,
    /// Whether the signature is written in hex.
    pub(super) hex: bool,
    pub(super) key: &'o PublicKey,
}

const HOSTS: [&str; 4] =
    ["api.loopring.io", "api3.loopring.io", "uat2.loopring.io", "uat3.loopring.io"];

/// What the request shows.
pub(super) fn header(request: Signable<'_>, own: &Own<'_>, evidence: &mut Evidence) {
    let signature = match one(request.head, "X-API-SIG", &["X-API-KEY"]) {
        Ok(text) => signature(text, own.hex),
        Err(cause) => Err(cause),
    };
    let (signature, fault) = match signature {
        Ok(read) => read,
        Err(cause) => return evidence.faults.push(cause),
    };
    evidence.faults.extend(fault);
    let text = match own.canonical.text(request) {
        Ok(text) => text.into_bytes(),
        Err(error) => {
            let cause = Cause::seen(&form::UNSIGNABLE).said(error.to_string());
            return evidence.faults.push(cause);
        }
    };
    let hashed = hashing(&text);
    let mut hypotheses: Vec<Hypothesis> = Vec::new();
    for Found { cause, text } in texts(request, own, &text) {
        let hashing = hashing(&text);
        hypotheses.push(Hypothesis { cause, test: Test::Text { text, hashing } });
    }
    // The numbers are few, and likelier than the last of the texts.
    let at = hypotheses.len().min(200);
    let rest = hypotheses.split_off(at);
    hypotheses.extend(numbers(&text));
    hypotheses.extend(variants(own.key, &signature, &hashed));
    hypotheses.extend(rest);
    let wanted = Preimage { slot: SLOT.into(), text, hashing: hashed, secret: false };
    let (slot, key, shown_in) = (SLOT.into(), own.key.clone(), None);
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

/// What is wrong with the API key that goes with the request.
pub(super) fn api_key(request: Signable<'_>, configured: &Secret) -> Option<Cause> {
    let shown = match one(request.head, "X-API-KEY", &["X-API-SIG"]) {
        Ok(shown) => shown,
        Err(cause) => return Some(cause),
    };
    let other = verify_slices_are_equal(shown.as_bytes(), configured.expose()).is_err();
    other.then(|| {
        Cause::seen(&form::TOKEN_OTHER)
            .said("X-API-KEY is not the API key that is configured")
            .fix("fetch the API key anew, and configure the one that the program sends")
    })
}

/// The signature in whatever form, and what is wrong with that.
pub(super) fn signature(text: &str, hex: bool) -> Result<(Signature, Option<Cause>), Cause> {
    let proper = if hex { written::from_hex(text) } else { written::from_commas(text) };
    if let Some(signature) = proper {
        return Ok((signature, None));
    }
    let wanted =
        if hex { "0x and 192 lower-case hex digits" } else { "three decimal numbers with commas" };
    let bare = text.trim().trim_matches(['[', ']', '(', ')', '{', '}', '"']);
    let numbers: Vec<&str> =
        bare.split(',').map(|part| part.trim().trim_matches(['"', '\''])).collect();
    let wrong = |what: &str| {
        Cause::seen(&form::SIGNATURE_ENCODING)
            .said(format!("X-API-SIG is {what}, and {wanted} is wanted"))
            .fix(format!("write Rx, Ry and S as {wanted}"))
    };
    let all = |read: fn(&str) -> Option<[u8; 32]>| -> Option<Signature> {
        let [rx, ry, s] = numbers[..] else { return None };
        Some(Signature::BabyJub { rx: read(rx)?, ry: read(ry)?, s: read(s)? })
    };
    let digits = bare.strip_prefix("0x").unwrap_or(bare);
    let whole = || -> Option<Signature> {
        let bytes = base16ct::mixed::decode_vec(digits).ok()?;
        let part = |at: usize| <[u8; 32]>::try_from(bytes.get(32 * at..32 * at + 32)?).ok();
        (bytes.len() == 96).then_some(())?;
        Some(Signature::BabyJub { rx: part(0)?, ry: part(1)?, s: part(2)? })
    };
    if let Some(signature) = all(decimal) {
        let what = if hex {
            "three decimal numbers"
        } else {
            "three decimal numbers with something around them"
        };
        return Ok((signature, Some(wrong(what))));
    }
    if let Some(signature) = all(from_hex) {
        return Ok((signature, Some(wrong("three numbers in hex with commas"))));
    }
    if let Some(signature) = whole() {
        let what = match (hex, bare.starts_with("0x")) {
            (true, false) => "hex without 0x",
            (true, true) => "hex in capitals",
            (false, _) => "hex",
        };
        return Ok((signature, Some(wrong(what))));
    }
    let what = if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        format!("{} hex digits, with zeros in front cut off or more", digits.len())
    } else {
        format!("{} numbers", numbers.len())
    };
    Err(Cause::seen(&form::SIGNATURE_CUT)
        .said(format!("X-API-SIG is {what}, and {wanted} is wanted"))
        .fix("pad each number to 64 hex digits, or write all three in decimal"))
}

fn decimal(text: &str) -> Option<[u8; 32]> {
    Element::from_decimal(text).map(Element::to_be_bytes)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= 64)?;
    base16ct::mixed::decode_vec(format!("{digits:0>64}")).ok()?.try_into().ok()
}

/// Texts that may have been signed.
fn texts(request: Signable<'_>, own: &Own<'_>, wanted: &[u8]) -> Vec<Found> {
    let mut all = Vec::new();
    if let Canonical::Base(public) = own.canonical {
        all.extend(bases(request, public));
    } else {
        all.extend(entries(request, wanted));
    }
    let forms = [
        ("as a list of objects", Canonical::Objects(Duplicates::KeepBoth)),
        ("as a list of pairs", Canonical::Pairs(Duplicates::KeepBoth)),
        ("as METHOD&URL&parameters, as API v2 and v3 have it", Canonical::Base(Public::Host)),
    ];
    for (how, other) in forms.iter().filter(|(_, other)| other != own.canonical) {
        let cause = format!("the request was signed {how}, and this route's canonical is another");
        if let Ok(text) = other.text(request) {
            let mut found = Found::said(&causes::VALUE_SIGNED, text, cause);
            found.cause = found
                .cause
                .fix("set the route's canonical to what the server takes, or change the program");
            all.push(found);
        }
    }
    let plain = String::from_utf8_lossy(wanted).into_owned();
    all.push(Found::new(&causes::NEWLINE, format!("{plain}\n")));
    all.push(Found::new(&causes::TEXT_CASE, plain.to_lowercase()));
    all.push(Found::new(&causes::TEXT_QUOTED, format!("\"{plain}\"")));
    all.retain(|found| found.text != wanted);
    all
}

/// How the parts of a base string are encoded.
type Coder = fn(&str) -> String;

fn percent_of(text: &str) -> String {
    let mut out = String::new();
    percent::encode(text, &mut out);
    out
}

fn as_is(text: &str) -> String {
    text.to_owned()
}

fn component(text: &str) -> String {
    ["!", "'", "(", ")", "*"]
        .iter()
        .fold(percent_of(text), |text, mark| text.replace(&percent_of(mark), mark))
}

fn form_of(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn slashes(text: &str) -> String {
    percent_of(text).replace("%2F", "/")
}

fn lower(text: &str) -> String {
    let mut out = percent_of(text).into_bytes();
    for at in 0..out.len().saturating_sub(2) {
        if out[at] == b'%' {
            out[at + 1..at + 3].make_ascii_lowercase();
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Base strings with one part otherwise.
fn bases(request: Signable<'_>, public: &Public) -> Vec<Found> {
    let head = request.head;
    let body = request.body.map_or(&b""[..], |body| body);
    let posted = [Method::POST, Method::PUT].contains(&head.method);
    let url = match public {
        Public::Host => format!("https://{}{}", head.host.to_ascii_lowercase(), head.path()),
        Public::Base(base) => format!("{base}{}", head.path()),
    };
    let home = Query::sorted(Coding::Percent, Coding::Percent);
    let parameters = if posted {
        String::from_utf8_lossy(body).into_owned()
    } else {
        home.write_text(head.query())
    };
    let method = head.method.as_str();
    let text = |method: &str, url: &str, parameters: &str| {
        format!("{method}&{}&{}", percent_of(url), percent_of(parameters))
    };
    let mut all = Vec::new();
    for (found, url) in urls(request, &url) {
        all.push(Found { text: text(method, &url, &parameters).into(), ..found });
    }
    if posted {
        let facts = Facts { head, query: head.query(), body, hosts: &[] };
        let likely: Vec<Found> = bodies(&facts, &|body| body.to_vec());
        for found in likely {
            let parameters = String::from_utf8_lossy(&found.text).into_owned();
            all.push(Found { text: text(method, &url, &parameters).into(), cause: found.cause });
        }
    } else {
        for found in queries(head.query(), home) {
            let parameters = String::from_utf8_lossy(&found.text).into_owned();
            all.push(Found { text: text(method, &url, &parameters).into(), cause: found.cause });
        }
    }
    // In front of the many: each of them is common.
    let mut first = codings(method, &url, &parameters);
    for other in ["", "get", "post", "put", "delete", "GET", "POST", "PUT", "DELETE"] {
        let known = match other {
            "" => &causes::PIECE_MISSING,
            other if other.eq_ignore_ascii_case(method) => &causes::METHOD_CASE,
            _ => &causes::METHOD_OTHER,
        };
        let mut found = Found::new(known, text(other, &url, &parameters));
        if other.is_empty() {
            found.cause = found.cause.said("the method was left out of the canonical string");
            let (url, parameters) = (percent_of(&url), percent_of(&parameters));
            first.push(Found { text: format!("{url}&{parameters}").into(), ..found.clone() });
        }
        first.push(found);
    }
    first.extend(all);
    first
}

/// The parts encoded otherwise, or joined otherwise.
fn codings(method: &str, url: &str, parameters: &str) -> Vec<Found> {
    let coders: [(&'static _, &str, Coder); 6] = [
        (&causes::QUERY_ONCE, "without being encoded", as_is),
        (&causes::QUERY_LOWERCASE, "with lower-case escapes", lower),
        (&causes::QUERY_ENCODING, "as encodeURIComponent has it", component),
        (&causes::QUERY_ENCODING, "as a form has it", form_of),
        (&causes::QUERY_ENCODING, "with their slashes as they are", slashes),
        (&causes::QUERY_TWICE, "encoded twice", |text| percent_of(&percent_of(text))),
    ];
    let mut all = Vec::new();
    for (known, how, coder) in coders {
        let (right_url, right) = (percent_of(url), percent_of(parameters));
        for (part, text) in [
            ("URL and parameters were", format!("{method}&{}&{}", coder(url), coder(parameters))),
            ("the parameters were", format!("{method}&{right_url}&{}", coder(parameters))),
            ("the URL was", format!("{method}&{}&{right}", coder(url))),
        ] {
            all.push(Found::said(known, text, format!("{part} signed {how}")));
        }
    }
    let once = |text: &str| {
        form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("&")
    };
    let text = format!("{method}&{}&{}", percent_of(url), percent_of(&once(parameters)));
    let mut found = Found::new(&causes::QUERY_ONCE, text);
    found.cause = found
        .cause
        .said("the values were encoded once, and the canonical string has them encoded twice");
    all.push(found);
    let (url, parameters) = (percent_of(url), percent_of(parameters));
    for separator in ["", "\n", "|", "?", " "] {
        let text = [method, &url, &parameters].join(separator);
        let cause = format!("the parts were joined with {separator:?}, and & is wanted");
        all.push(Found::said(&causes::SEPARATOR, text, cause));
    }
    let order = |text: String| Found::new(&causes::PIECES_SWAPPED, text);
    all.push(order(format!("{method}&{parameters}&{url}")));
    all.push(order(format!("{url}&{method}&{parameters}")));
    let missing = |text: String, what: &str| {
        let cause = format!("{what} left out of the canonical string");
        Found::said(&causes::PIECE_MISSING, text, cause)
    };
    all.push(missing(format!("{method}&{url}"), "the parameters were"));
    all.push(missing(format!("{method}&{url}&"), "the parameters were"));
    all.push(missing(format!("{method}&{parameters}"), "the URL was"));
    all
}

/// URLs that may have been signed.
fn urls(request: Signable<'_>, url: &str) -> Vec<(Found, String)> {
    let (path, head) = (request.head.path(), request.head);
    let mut all = Vec::new();
    let mut add = |known, text: String, cause: String| {
        all.push((Found::said(known, Vec::new(), cause), text));
    };
    add(&causes::URL_PATH, path.to_owned(), "the path alone was signed in place of the URL".into());
    add(
        &causes::URL_PATH,
        url.replacen("https://", "", 1),
        "the URL was signed without https://".into(),
    );
    add(
        &causes::URL_SCHEME,
        url.replacen("https://", "http://", 1),
        causes::URL_SCHEME.cause.into(),
    );
    let own = head.host.to_ascii_lowercase();
    for host in HOSTS.iter().copied().chain([own.as_str()]) {
        let cause = format!("the URL was signed with the host {host}");
        add(&causes::URL_HOST, format!("https://{host}{path}"), cause);
        for (one, other) in [("/api/v2/", "/api/v3/"), ("/api/v3/", "/api/v2/")] {
            if path.contains(one) {
                let path = path.replacen(one, other, 1);
                let cause = format!("the URL was signed with {other} in place of {one}");
                add(&causes::PATH_BASE, format!("https://{host}{path}"), cause);
            }
        }
    }
    if let Some(query) = head.target.query() {
        add(
            &causes::URL_QUERY,
            format!("{url}?{query}"),
            "the query was signed within the URL".into(),
        );
    }
    add(
        &causes::PATH_SLASH,
        format!("{url}/"),
        "the URL was signed with a slash at its end".into(),
    );
    add(
        &causes::URL_HOST,
        url.replacen(&own, &format!("{own}:443"), 1),
        "the URL was signed with the port".into(),
    );
    let borders = path.match_indices('/').map(|(at, _)| at).skip(1);
    for at in borders {
        let cause = format!("the URL was signed without {}", &path[..at]);
        add(&causes::PATH_PREFIX, url.replacen(path, &path[at..], 1), cause);
    }
    all
}

/// Entries of query and body otherwise.
fn entries(request: Signable<'_>, wanted: &[u8]) -> Vec<Found> {
    let mut all = Vec::new();
    let Some(Json::List(items)) = Json::read(wanted) else { return all };
    if let Some(read) = Json::read(wanted) {
        all.extend(json_forms(&read));
    }
    let pairs = |item: &Json| -> Option<(String, Json)> {
        match item {
            Json::Object(members) => members.first().cloned(),
            Json::List(both) => Some((both.first()?.plain(), both.get(1)?.clone())),
            Json::Bare(_) | Json::Text { .. } => None,
        }
    };
    let pairs: Vec<(String, Json)> = items.iter().filter_map(pairs).collect();
    // As one object; its forms have the usual spaces.
    let object = Json::Object(pairs.clone());
    for found in json_forms(&object).into_iter().take(64) {
        let cause = "one object was signed, and a list with an entry for each name is wanted";
        all.push(Found::said(&content::BODY_REMADE, found.text, cause.into()));
    }
    let plain: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={}", v.plain())).collect();
    all.push(Found::new(&content::BODY_FORM_SIGNED, plain.join("&")));
    all.extend(in_order(request, wanted));
    let body = request.body.map_or(&b""[..], |body| body);
    all.push(Found::new(&causes::QUERY_MISSING, body));
    all.push(Found::new(&content::BODY_MISSING, request.head.query()));
    all
}

/// The entries as they are sent, and those of one place alone.
fn in_order(request: Signable<'_>, wanted: &[u8]) -> Vec<Found> {
    let listed = wanted.starts_with(b"[[");
    let query: Vec<(String, String)> =
        form_urlencoded::parse(request.head.query().as_bytes()).into_owned().collect();
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let query: Vec<(String, String)> =
        query.into_iter().map(|(name, value)| (name, text(&value))).collect();
    let body = request.body.and_then(|body| Json::read(body));
    let written = |value: &Json| match value {
        Json::Bare(written) | Json::Text { written, .. } => written.clone(),
        Json::List(_) | Json::Object(_) => value.plain(),
    };
    let body: Vec<(String, String)> = body
        .iter()
        .flat_map(|body| body.members())
        .map(|(name, value)| (name.clone(), written(value)))
        .collect();
    let write = |pairs: &[(String, String)]| {
        let one = |(name, value): &(String, String)| match listed {
            true => format!("[{},{value}]", text(name)),
            false => format!("{{{}:{value}}}", text(name)),
        };
        format!("[{}]", pairs.iter().map(one).collect::<Vec<_>>().join(","))
    };
    let sorted = |mut pairs: Vec<(String, String)>| {
        pairs.sort();
        pairs
    };
    let quoted = |pairs: &[(String, String)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| match value.starts_with(['"', '{', '[']) {
                true => (name.clone(), value.clone()),
                false => (name.clone(), text(value)),
            })
            .collect()
    };
    let unquoted = |pairs: &[(String, String)]| -> Vec<(String, String)> {
        let bare = |value: &String| {
            let inner = value.trim_matches('"');
            let number = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
            if number { inner.to_owned() } else { value.clone() }
        };
        pairs.iter().map(|(name, value)| (name.clone(), bare(value))).collect()
    };
    let both = [query.clone(), body.clone()].concat();
    let unsorted = "the names were not sorted before signing".to_owned();
    vec![
        Found::said(&causes::QUERY_UNSORTED, write(&both), unsorted.clone()),
        Found::said(
            &causes::QUERY_UNSORTED,
            write(&[body.clone(), query.clone()].concat()),
            unsorted,
        ),
        Found::new(&causes::QUERY_MISSING, write(&sorted(body))),
        Found::new(&content::BODY_MISSING, write(&sorted(query))),
        Found::new(&content::BODY_NUMBERS, write(&sorted(quoted(&both)))),
        Found::new(&content::BODY_NUMBERS, write(&sorted(unquoted(&both)))),
        Found::new(&content::BODY_ESCAPES, write(&sorted(both)).replace("\\/", "/")),
    ]
}
