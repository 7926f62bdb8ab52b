//! A request to take away: as a command of curl, as a line for `explain`, as a vector of a scheme file.
//! What is not held, or is a secret, is not in them and said to be missing.

use maud::{Markup, html};

use crate::inspect::{HIDDEN, Seen, Signed};
use crate::moment::rfc3339;
use crate::route::Route;

/// All of them, each in a block that can be selected, and copied where there is script.
pub(super) fn copies(seen: &Seen, signed: &Signed, route: Option<&Route>) -> Markup {
    let all = [
        ("curl", "as it was sent, signature and all", curl(seen, signed)),
        ("explain", "to sign it again, without sending it", explain(seen, signed, route)),
        (
            "vector",
            "for a scheme file, once it has a key made for the purpose",
            vector(seen, signed),
        ),
    ];
    html! {
        section {
            h2 { "To take away" }
            @for (name, what, text) in &all {
                div.copy {
                    h3 { (name) " " small { (what) } }
                    button type="button" hidden data-copy={ "copy-" (name) } { "Copy" }
                }
                pre.bytes id={ "copy-" (name) } tabindex="0" { (text) }
            }
        }
    }
}

/// Headers whose values are held, by who set them, without those that follow from the rest.
fn headers(signed: &Signed, set: bool) -> impl Iterator<Item = (&str, &str)> {
    let own = signed.headers.iter().filter(move |(_, value, by)| *by == set && value != HIDDEN);
    let own = own.map(|(name, value, _)| (name.as_str(), value.as_str()));
    own.filter(|(name, _)| !["host", "content-length"].contains(name))
}

/// The names of those whose values are not.
fn hidden(signed: &Signed) -> String {
    let own = signed.headers.iter().filter(|(_, value, _)| value == HIDDEN);
    own.map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The body, where it is held and text.
fn body(signed: &Signed) -> Option<&str> {
    let body = std::str::from_utf8(signed.whole()?).ok()?;
    Some(body).filter(|body| !body.is_empty())
}

/// What has to be added by hand, as a comment.
fn missing(signed: &Signed) -> String {
    let names = Some(hidden(signed)).filter(|names| !names.is_empty());
    let names = names.map(|names| format!("the headers {names}"));
    let without = body(signed).is_none() && signed.body_length != Some(0);
    let all: Vec<_> = names.into_iter().chain(without.then(|| "the body".to_owned())).collect();
    if all.is_empty() { String::new() } else { format!("# not held: {}\n", all.join("; ")) }
}

fn curl(seen: &Seen, signed: &Signed) -> String {
    let (base, socket) = match signed.upstream.strip_prefix("unix:") {
        Some(path) => ("http://localhost", format!(" --unix-socket {}", quoted(path))),
        None => (&*signed.upstream, String::new()),
    };
    let mut text = missing(signed);
    let url = quoted(&format!("{base}{}", signed.target));
    text.push_str(&format!("curl --path-as-is{socket} --request {} {url}", quoted(&seen.method)));
    let host = [("host", seen.host.as_str())];
    let all = host.into_iter().chain(headers(signed, false)).chain(headers(signed, true));
    for (name, value) in all {
        text.push_str(&format!(" \\\n  --header {}", quoted(&format!("{name}: {value}"))));
    }
    with_body(text, signed, "--data-binary")
}

fn explain(seen: &Seen, signed: &Signed, route: Option<&Route>) -> String {
    let origin = route.and_then(|route| route.origin.as_ref());
    let base = origin.map_or("", |origin| origin.base_path.as_str());
    let target = signed.target.strip_prefix(base).unwrap_or(&signed.target);
    let url = match route {
        Some(route) if route.host.is_none() => format!("/{}{target}", route.name),
        _ => format!("http://{}{target}", seen.host),
    };
    let mut text = missing(signed);
    let method = quoted(&seen.method);
    let (url, at) = (quoted(&url), signed.moment_ms);
    text.push_str(&format!("countersign explain --method {method} --url {url} --at {at}"));
    let parts = signed.texts.iter().flat_map(|text| &text.parts);
    let mut nonces = parts.filter(|part| part.kind == "nonce").map(|part| &part.text);
    let digits = |nonce: &&String| nonce.len() <= 10 && nonce.bytes().all(|b| b.is_ascii_digit());
    if let Some(nonce) = nonces.next().filter(digits) {
        text.push_str(&format!(" --nonce {nonce}"));
    }
    if let Some(client) = &seen.client {
        text.push_str(&format!(" --client {}", quoted(client)));
    }
    for (name, value) in headers(signed, false) {
        text.push_str(&format!(" \\\n  --header {}", quoted(&format!("{name}: {value}"))));
    }
    with_body(text, signed, "--body")
}

fn with_body(text: String, signed: &Signed, option: &str) -> String {
    match body(signed) {
        Some(body) => format!("{text} \\\n  {option} {}", quoted(body)),
        None => text,
    }
}

/// `[[vectors]]`, as docs/declared.md has them.
fn vector(seen: &Seen, signed: &Signed) -> String {
    let mut text = missing(signed);
    text.push_str("[[vectors]]\n");
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name} = {}\n", toml(value)));
    line("source", &format!("the request {} of a proxy", seen.id));
    line("now", &rfc3339(signed.moment_ms));
    line("request.method", &seen.method);
    line("request.host", &seen.host);
    line("request.target", &signed.target);
    for (name, value) in headers(signed, false) {
        line(&format!("request.headers.{}", key(name)), value);
    }
    if let Some(body) = body(signed) {
        line("request.body", body);
    }
    for (name, value) in headers(signed, true) {
        line(&format!("expect.headers.{}", key(name)), value);
    }
    text
}

/// A word as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A string of TOML.
fn toml(value: &str) -> String {
    let mut text = String::from("\"");
    for sign in value.chars() {
        match sign {
            '"' | '\\' => text.extend(['\\', sign]),
            '\n' => text.push_str("\\n"),
            sign if sign.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(sign))),
            sign => text.push(sign),
        }
    }
    text.push('"');
    text
}

/// A key of TOML, quoted where it has to be.
fn key(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { name.to_owned() } else { toml(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_away_says_what_it_says_to_a_shell_and_to_toml() {
        assert_eq!(quoted("a'b; $(c)\n"), "'a'\\''b; $(c)\n'");
        assert_eq!(toml("a\"\\\n\u{1}\u{7f}é"), "\"a\\\"\\\\\\n\\u0001\\u007Fé\"");
        let parsed: ::toml::Table =
            format!("{} = {}", key("a.b!"), toml("\u{85}\t'\"")).parse().expect("TOML");
        assert_eq!(parsed["a.b!"].as_str(), Some("\u{85}\t'\""));
    }
}
