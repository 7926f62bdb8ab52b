//! What programs sign in place of a path or a URL.

use super::causes::text as causes;
use super::coding::{decode, encode, escapes_lower};
use super::shape::{Facts, Found, Of, Rewrite};

/// Rewritings of a path.
pub(super) static PATHS: &[Rewrite] = &[
    Rewrite { of: Of::Path, make: slashes },
    Rewrite { of: Of::Path, make: with_query },
    Rewrite { of: Of::Path, make: urls },
    Rewrite { of: Of::Path, make: hosts },
    Rewrite { of: Of::Path, make: coded },
    Rewrite { of: Of::Path, make: shorter },
    Rewrite { of: Of::Path, make: cased },
    Rewrite { of: Of::Path, make: longer },
    Rewrite { of: Of::Target, make: without_query },
    Rewrite { of: Of::Target, make: target_coded },
    Rewrite { of: Of::Target, make: target_urls },
    Rewrite { of: Of::Target, make: shorter },
    Rewrite { of: Of::Target, make: slashes },
    Rewrite { of: Of::Target, make: longer },
    Rewrite { of: Of::Url, make: url_forms },
];

fn slashes(_: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let (path, query) = split(path);
    let mut all = Vec::new();
    let back = |path: &[u8]| [path, query].concat();
    if let Some(shorter) = path.strip_suffix(b"/").filter(|shorter| !shorter.is_empty()) {
        all.push(back(shorter));
    } else {
        all.push(back(&[path, b"/"].concat()));
    }
    all.extend(path.strip_prefix(b"/").map(back));
    all.push(back(&[b"/", path].concat()));
    let trimmed: Vec<u8> = path.strip_prefix(b"/").unwrap_or(path).to_vec();
    all.extend(trimmed.strip_suffix(b"/").map(back));
    all.into_iter().map(|text| Found::new(&causes::PATH_SLASH, text)).collect()
}

/// Path, and the query with its question mark.
fn split(target: &[u8]) -> (&[u8], &[u8]) {
    let at = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    target.split_at(at)
}

fn with_query(facts: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let query = facts.query;
    let mut all = vec![Found::new(&causes::PATH_QUERY, [path, b"?"].concat())];
    if !query.is_empty() {
        all.push(Found::new(&causes::PATH_QUERY, [path, b"?", query.as_bytes()].concat()));
        all.push(Found::new(&causes::PATH_QUERY, [path, query.as_bytes()].concat()));
        let decoded = decode(query.as_bytes(), true);
        all.push(Found::new(&causes::PATH_QUERY, [path, b"?", &decoded].concat()));
    }
    all
}

fn urls(facts: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let mut all = Vec::new();
    let query = facts.query;
    for scheme in ["https://", "http://"] {
        let url = [scheme.as_bytes(), facts.head.host.as_bytes(), path].concat();
        if !query.is_empty() {
            let whole = [&url, &b"?"[..], query.as_bytes()].concat();
            all.push(Found::new(&causes::PATH_URL, whole));
        }
        all.push(Found::new(&causes::PATH_URL, url));
    }
    all
}

fn hosts(facts: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let host = facts.head.host.as_bytes();
    let name = host.split(|byte| *byte == b':').next().unwrap_or(host);
    [host, name].map(|host| Found::new(&causes::PATH_HOST, [host, path].concat())).into()
}

fn coded(_: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    vec![
        Found::new(&causes::PATH_DECODED, decode(path, false)),
        Found::new(&causes::PATH_DECODED, decode(path, true)),
        Found::new(&causes::PATH_ENCODED, encode(path, b"/")),
        Found::new(&causes::PATH_ENCODED, encode(path, b"")),
        Found::new(&causes::PATH_ENCODED, escapes_lower(path)),
        Found::new(&causes::PATH_ENCODED, encode(&decode(path, false), b"/")),
        Found::new(&causes::PATH_ENCODED, encode(&decode(path, false), b"/:@!$&'()*+,;=")),
    ]
}

/// Without its first segments.
fn shorter(_: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let (path, query) = split(path);
    let borders = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    let borders: Vec<usize> = borders.map(|(at, _)| at).collect();
    let one = |at: &usize| {
        let cut = String::from_utf8_lossy(&path[..*at]).into_owned();
        let text = [&path[*at..], query].concat();
        let cause = format!("the path was signed without {cut} in front");
        Found::said(&causes::PATH_PREFIX, text, cause)
    };
    let mut all: Vec<Found> = borders.iter().take(6).map(one).collect();
    all.extend(
        borders
            .iter()
            .take(6)
            .map(|at| Found { text: [&path[at + 1..], query].concat(), ..one(at) }),
    );
    all.push(Found::new(&causes::PATH_PREFIX, b"/".to_vec()));
    all.push(Found::new(&causes::PATH_PREFIX, Vec::new()));
    all
}

fn cased(_: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let both = [path.to_ascii_lowercase(), path.to_ascii_uppercase()];
    both.map(|text| Found::new(&causes::PATH_CASE, text)).into()
}

fn longer(_: &Facts<'_>, path: &[u8]) -> Vec<Found> {
    let bases = ["/api", "/v1", "/v2", "/v3", "/api/v1", "/api/v2", "/api/v3", "/rest", "/open"];
    let one = |base: &&str| {
        let cause = format!("the path was signed with {base} in front, which is not sent");
        Found::said(&causes::PATH_BASE, [base.as_bytes(), path].concat(), cause)
    };
    bases.iter().map(one).collect()
}

fn without_query(facts: &Facts<'_>, target: &[u8]) -> Vec<Found> {
    let (path, query) = split(target);
    let bare = query.strip_prefix(b"?").unwrap_or(query);
    let mut all = vec![Found::new(&causes::QUERY_MISSING, path.to_vec())];
    all.push(Found::new(&causes::QUERY_MARK, [path, bare].concat()));
    if query.is_empty() {
        all.push(Found::new(&causes::QUERY_MARK, [path, b"?"].concat()));
    }
    for found in super::query::as_written(facts.query, facts.query.as_bytes()) {
        all.push(Found { text: [path, b"?", &found.text].concat(), ..found });
    }
    all
}

fn target_coded(_: &Facts<'_>, target: &[u8]) -> Vec<Found> {
    let (path, query) = split(target);
    let query = query.to_vec();
    vec![
        Found::new(&causes::PATH_DECODED, [decode(path, false), query].concat()),
        Found::new(&causes::QUERY_TWICE, encode(target, b"/")),
        Found::new(&causes::QUERY_TWICE, encode(target, b"")),
    ]
}

fn target_urls(facts: &Facts<'_>, target: &[u8]) -> Vec<Found> {
    let host = facts.head.host.as_bytes();
    vec![
        Found::new(&causes::PATH_URL, [b"https://", host, target].concat()),
        Found::new(&causes::PATH_URL, [b"http://", host, target].concat()),
        Found::new(&causes::PATH_HOST, [host, target].concat()),
    ]
}

fn url_forms(facts: &Facts<'_>, url: &[u8]) -> Vec<Found> {
    let text = String::from_utf8_lossy(url).into_owned();
    let head = facts.head;
    let plain = text.split('?').next().unwrap_or_default().to_owned();
    let mut all = vec![
        Found::new(&causes::URL_SCHEME, text.replacen("https://", "http://", 1)),
        Found::new(&causes::URL_PATH, head.path()),
        Found::new(&causes::URL_PATH, head.target.as_str()),
        Found::new(&causes::URL_PATH, text.replacen("https://", "", 1)),
        Found::new(&causes::URL_QUERY, plain),
        Found::new(&causes::URL_QUERY, format!("{}?{}", text, facts.query)),
        Found::new(&causes::URL_HOST, text.replacen(&head.host, &format!("{}:443", head.host), 1)),
        Found::new(&causes::PATH_SLASH, format!("{text}/")),
        Found::new(&causes::PATH_SLASH, text.trim_end_matches('/')),
        Found::new(&causes::PATH_CASE, text.to_lowercase()),
    ];
    all.extend(facts.hosts.iter().map(|host| {
        let cause = format!("the URL was signed with the host {host}");
        let text = text.replacen(&head.host, host, 1);
        Found::said(&causes::URL_HOST, text, cause)
    }));
    all
}
