//! Clients' tokens: whoever is let in has shown one whose hash is in the file, under the name that stands
//! there, by another reading of both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::access::{Access, Credentials, Tokens, Users};
use countersign::secret::Secret;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::Target;
use super::input::Input;

pub(super) const TARGET: Target = Target {
    name: "client_tokens",
    run,
    seeds: || {
        let basic = STANDARD.encode("app:t0ken");
        let files = [
            "app:@t0ken\nbot:@other",
            "# remark\n\n  app : @t0ken  \r\n",
            "app:@",
            "a:b:@t0ken",
            ":@t0ken",
        ];
        let headers = [
            "t0ken",
            "Bearer t0ken",
            "bearer  t0ken ",
            "Basic YXBwOnQwa2Vu",
            &basic,
            "Basic !!",
            "",
            " ",
        ];
        let pairs = files.iter().flat_map(|file| headers.iter().map(move |header| (file, header)));
        pairs
            .enumerate()
            .map(|(way, (file, header))| format!("{}{header}\n{file}", way as u8 as char).into())
            .collect()
    },
    words: &[
        "Basic ",
        "Bearer ",
        "bearer",
        ":",
        "@",
        "t0ken",
        "app",
        "\n",
        "#",
        " ",
        "\t",
        "YXBwOnQwa2Vu",
        "=",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "0",
        "\u{a0}",
        "\r",
    ],
    tries: 20_000,
};

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let way = input.byte();
    let Ok(shown) = HeaderValue::from_bytes(input.line()) else { return };
    let Ok(file) = str::from_utf8(input.0) else { return };
    // `@token` stands for the hash of one.
    let hashed = |line: &str| match line.split_once('@') {
        Some((before, token)) => format!("{before}{}", hex(token.trim().as_bytes())),
        None => line.to_owned(),
    };
    let file = file.split('\n').map(hashed).collect::<Vec<_>>().join("\n");
    let mut headers = HeaderMap::new();
    let name = if way & 1 == 0 { "proxy-authorization" } else { "countersign-token" };
    headers.insert(name, shown.clone());
    let tokens = match Tokens::parse(&Secret::new(file.clone().into_bytes())) {
        Ok(tokens) => tokens,
        Err(problem) => {
            let said = problem.in_full();
            assert!(
                said.len() < 300
                    && !file.lines().any(|line| line.len() > 20 && said.contains(line)),
                "{said}"
            );
            return;
        }
    };
    assert!(!tokens.is_empty(), "a file without a token lets everybody in");
    let (from, origins, hosts) = (Vec::new(), Vec::new(), Vec::new());
    let scrapers = Tokens::default();
    let access = Access { tokens, scrapers, users: Users::Nobody, from, origins, hosts };
    let owner = access.owner(&Credentials::of(&headers));
    let found = owner.ok().map(|client| client.expect("where tokens are asked for, one was shown"));
    assert_eq!(found, expected(&file, shown.as_bytes()), "{shown:?}: {file:?}");
}

fn hex(token: &[u8]) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first client of the file whose token the header shows.
fn expected(file: &str, shown: &[u8]) -> Option<String> {
    let mut parts = shown.splitn(2, |byte| *byte == b' ');
    let (scheme, value) = (parts.next()?, parts.next());
    let (name, token) = match value {
        None => (None, shown.to_vec()),
        Some(value) if scheme.eq_ignore_ascii_case(b"basic") => {
            let decoded = STANDARD.decode(value.trim_ascii()).ok()?;
            let colon = decoded.iter().position(|byte| *byte == b':')?;
            (Some(decoded[..colon].to_vec()), decoded[colon + 1..].to_vec())
        }
        Some(value) => (None, value.trim_ascii().to_vec()),
    };
    if token.is_empty() {
        return None;
    }
    let clients = file.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let clients = clients.filter_map(|line| line.split_once(':'));
    let mut clients = clients.map(|(name, hash)| (name.trim(), hash.trim()));
    let found = clients.find(|(own, hash)| {
        name.as_ref().is_none_or(|name| name == own.as_bytes())
            && hash.eq_ignore_ascii_case(&hex(&token))
    });
    found.map(|(own, _)| own.to_owned())
}
