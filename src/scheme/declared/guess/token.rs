//! A captured JSON Web Token: what each member of its header and each claim is made from.

use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use super::draft::{braces, quoted};
use super::seen::{Seen, To, What, nonce_form};
use super::sight::Sight;

/// What a token is made from.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// Clocks, nonces and secrets that are in it.
    pub(super) inner: Vec<Seen>,
    /// The body of `[values.token.jwt]`.
    pub(super) text: String,
}

/// Explains header and claims, or names the claim that nothing explains.
pub(super) fn explain(header: &Value, claims: &Value, sight: &Sight) -> Result<Explained, String> {
    let mut explained = Explained { text: "key = \"signer\"\n".into(), ..Explained::default() };
    let now = ["iat", "nbf", "exp"].iter().filter_map(|name| claims[name].as_u64()).min();
    for (part, members) in [("header", header), ("claims", claims)] {
        let object = members.as_object().ok_or_else(|| format!("the {part} is no object"))?;
        let mut rows = Vec::new();
        for (name, value) in object {
            if part == "header" && ["alg", "typ"].contains(&name.as_str()) {
                continue;
            }
            let made = explained.member(name, value, now, sight);
            let made =
                made.ok_or_else(|| format!("nothing explains {name} of the token's {part}"))?;
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            let name = if plain { name.clone() } else { quoted(name) };
            rows.push(format!("{name} = {made}"));
        }
        if part == "claims" || !rows.is_empty() {
            explained.text.push_str(&format!("{part} = {{ {} }}\n", rows.join(", ")));
        }
    }
    Ok(explained)
}

impl Explained {
    fn member(
        &mut self,
        name: &str,
        value: &Value,
        now: Option<u64>,
        sight: &Sight,
    ) -> Option<String> {
        if let Some(number) = value.as_u64() {
            let later = number.checked_sub(now?).filter(|later| *later <= 86_400)?;
            let add = (later > 0).then(|| format!("{later}s"));
            let own = if later > 0 { format!("in_{later}s") } else { "now".to_owned() };
            self.add(&own, name, &number.to_string(), What::Clock("unix", add));
            return Some(format!("{{ number = \"{{{own}}}\" }}"));
        }
        let text = value.as_str()?;
        let made = made(sight).into_iter().find(|(_, made)| made == text);
        if let Some((hole, _)) = made {
            return Some(quoted(&hole));
        }
        let lower = name.to_ascii_lowercase();
        if ["nonce", "jti"].contains(&&*lower)
            && let Some(form) = nonce_form(text)
        {
            self.add(&lower, name, text, What::Nonce(form));
            return Some(format!("\"{{{lower}}}\""));
        }
        if text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            let constant = ["iss", "aud", "alg", "typ", "scope", "ver"].iter();
            if constant.clone().any(|word| lower.contains(word)) {
                return Some(quoted(&braces(text)));
            }
        }
        let known = self.inner.iter().find(|seen| seen.text == text).map(|seen| seen.name.clone());
        let own = known.unwrap_or_else(|| {
            let own: String =
                lower.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
            self.add(&own, name, text, What::Id);
            own
        });
        Some(format!("\"{{{own}}}\""))
    }

    fn add(&mut self, name: &str, label: &str, text: &str, what: What) {
        if self.inner.iter().all(|seen| seen.name != name) {
            let (name, label, text) = (name.to_owned(), label.to_owned(), text.to_owned());
            self.inner.push(Seen { name, label, to: To::Header, text, what });
        }
    }
}

/// What claims say of a request, each as a file has it and as it is here. Where the request leaves it
/// open, the first is taken.
fn made(sight: &Sight) -> Vec<(String, String)> {
    let (method, host, path) = (&sight.method, &sight.host, &sight.path);
    let (target, query) = (sight.target(), &sight.query);
    let mut all = vec![
        ("{method} {host}{target}".to_owned(), format!("{method} {host}{target}")),
        ("{method} {host}{path}".to_owned(), format!("{method} {host}{path}")),
        ("{method} {target}".to_owned(), format!("{method} {target}")),
        ("{target}".to_owned(), target.clone()),
        ("{path}".to_owned(), path.clone()),
        ("{url}".to_owned(), format!("https://{host}{target}")),
        ("{host}".to_owned(), host.clone()),
        ("{method}".to_owned(), method.clone()),
    ];
    for (source, bytes) in [("body", sight.body.as_slice()), ("query", query.as_bytes())] {
        let hashes =
            [("sha256", hex(&Sha256::digest(bytes))), ("sha512", hex(&Sha512::digest(bytes)))];
        all.extend(hashes.map(|(name, hash)| (format!("{{{source} | {name} | hex}}"), hash)));
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
