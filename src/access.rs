//! Who may use the proxy: address ranges, tokens, users, and the guard against web pages.

mod page;
mod users;

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HOST, ORIGIN, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};

pub use self::page::{Called, OwnNames};
pub use self::users::Users;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::refusal::{Code, Refusal};
use crate::secret::Secret;

/// The header that carries a client's token to the gateway.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("countersign-token");

/// `[access]`, with its tokens read.
#[derive(Debug, Default)]
pub struct Access {
    /// The clients that may use the proxy; empty when no token is asked for.
    pub tokens: Tokens,
    /// The users of this machine who need none.
    pub users: Users,
    /// Addresses that may connect.
    pub from: Vec<IpNet>,
    /// Origins whose pages may call the gateway.
    pub origins: Vec<HeaderValue>,
    /// Further names by which the gateway and the admin listener may be called.
    pub hosts: Vec<String>,
}

impl Access {
    /// Whether a peer's address may use the proxy. A Unix socket's peer has none, and has passed
    /// the file's permissions.
    ///
    /// # Errors
    ///
    /// `client_not_allowed`.
    pub fn address(&self, peer: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return Ok(()) };
        if self.from.iter().any(|net| net.contains(&peer)) {
            return Ok(());
        }
        Err(Refusal::new(Code::ClientNotAllowed, format!("{peer} is not in access.from")))
    }

    /// The name of the client that a request is from, by what was shown, unless the user at the other
    /// end of its connection needs no token.
    ///
    /// # Errors
    ///
    /// `client_unauthenticated`, `client_not_allowed`.
    pub fn client(
        &self,
        shown: &Credentials,
        address: Option<IpAddr>,
        user: Peer,
    ) -> Result<Option<String>, Refusal> {
        match (self.users.include(address, user), self.tokens.is_empty()) {
            (true, _) => Ok(None),
            (false, true) => Err(Users::refusal(user)),
            (false, false) => self.owner(shown),
        }
    }

    /// The name of the client that a token is of, when tokens are asked for.
    ///
    /// # Errors
    ///
    /// `client_unauthenticated`.
    pub fn owner(&self, shown: &Credentials) -> Result<Option<String>, Refusal> {
        if self.tokens.is_empty() {
            return Ok(None);
        }
        let Some(shown) = &shown.0 else {
            return Err(Refusal::new(Code::ClientUnauthenticated, "the request shows no token"));
        };
        let name = self.tokens.owner(shown.as_bytes());
        let name = name.ok_or_else(|| {
            Refusal::new(Code::ClientUnauthenticated, "the token is not one of access.tokens")
        })?;
        Ok(Some(name.to_owned()))
    }

    /// The same for a client that somebody vouches for: whether it has a token at all.
    ///
    /// # Errors
    ///
    /// `client_unauthenticated`.
    pub fn vouched(&self, name: &str) -> Result<Option<String>, Refusal> {
        if self.tokens.is_empty() {
            return Ok(None);
        }
        if self.tokens.0.iter().any(|(known, _)| known == name) {
            return Ok(Some(name.to_owned()));
        }
        let detail = format!("no client of access.tokens is called \"{}\"", name.escape_debug());
        Err(Refusal::new(Code::ClientUnauthenticated, detail))
    }

    /// The guards of a listener that answers to plain URLs. `own` are its names; none for a Unix
    /// socket, whose `Host` says nothing.
    ///
    /// A `Host` that is not ours is a name that an attacker points at this address (DNS rebinding).
    ///
    /// # Errors
    ///
    /// `wrong_authority`, `cross_site`.
    pub fn listener(&self, headers: &HeaderMap, own: Option<&OwnNames>) -> Result<(), Refusal> {
        self.name(headers, own)?;
        self.page(headers, Called::by(headers).as_ref())
    }

    /// Whether a request's `Host` is one of the listener's `own` names, or of those in
    /// `access.hosts`.
    ///
    /// # Errors
    ///
    /// `wrong_authority`.
    pub fn name(&self, headers: &HeaderMap, own: Option<&OwnNames>) -> Result<(), Refusal> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let added = || self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host));
        if own.is_some_and(|own| !own.include(host) && !added()) {
            let detail = format!("this listener is not called \"{}\"", host.escape_debug());
            return Err(Refusal::new(Code::WrongAuthority, detail));
        }
        Ok(())
    }

    /// The guard against web pages: one whose origin is allowed may call, and one of the host that
    /// is `called` itself; any other is refused.
    ///
    /// # Errors
    ///
    /// `cross_site`.
    pub fn page(&self, headers: &HeaderMap, called: Option<&Called<'_>>) -> Result<(), Refusal> {
        let origins = headers.get_all(ORIGIN).iter();
        let mut others = origins.filter(|origin| !self.origins.contains(origin)).peekable();
        if headers.contains_key(ORIGIN) && others.peek().is_none() {
            return Ok(());
        }
        if !others.all(|origin| called.is_some() && Called::read(origin).as_ref() == called) {
            let detail = "the Origin is not the host that is called, and not in access.origins";
            return Err(Refusal::new(Code::CrossSite, detail));
        }
        let site = headers.get(SITE).map(HeaderValue::as_bytes);
        match site {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(Refusal::new(
                Code::CrossSite,
                "a browser says that a page of another origin made this request",
            )),
        }
    }

    /// The same for what would be signed: also what bears a browser's marks is refused where neither
    /// `Origin` nor Fetch Metadata says which page made it. To plain-http URLs off loopback browsers
    /// send no Fetch Metadata, and with most GETs no `Origin`.
    ///
    /// # Errors
    ///
    /// `cross_site`.
    pub fn signable(
        &self,
        headers: &HeaderMap,
        called: Option<&Called<'_>>,
    ) -> Result<(), Refusal> {
        self.page(headers, called)?;
        if headers.contains_key(ORIGIN) || headers.contains_key(SITE) {
            return Ok(());
        }
        let Some(mark) = page::mark(headers, called) else { return Ok(()) };
        let detail =
            format!("{mark}, as a browser's request has it, and no Origin says whose page made it");
        let remedy = "A page of yours asks with fetch and CORS, from an origin in access.origins. A program leaves out Referer and Upgrade-Insecure-Requests, and sends no browser's User-Agent together with Accept-Language.";
        Err(Refusal::new(Code::CrossSite, detail).remedy(remedy))
    }
}

/// What a browser says of where a request comes from (Fetch Metadata), but for plain-http URLs.
const SITE: &str = "sec-fetch-site";

/// What a request showed who it is from, which no output shows.
#[derive(Clone, Debug, Default)]
pub struct Credentials(Option<HeaderValue>);

impl Credentials {
    /// Takes them from a request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let shown = headers.get(PROXY_AUTHORIZATION).or_else(|| headers.get(TOKEN_HEADER));
        let mut shown = shown.cloned();
        if let Some(shown) = &mut shown {
            shown.set_sensitive(true);
        }
        Self(shown)
    }
}

/// Clients and the hashes of their tokens.
#[derive(Debug, Default)]
pub struct Tokens(Vec<(String, [u8; 32])>);

impl Tokens {
    /// Reads lines of `name:sha256-of-token`; empty lines and `#` remarks are skipped.
    ///
    /// # Errors
    ///
    /// The number of the first line that is neither, or a sentence when there is no token at all.
    pub fn parse(secret: &Secret) -> Result<Self, Problem> {
        let problem = |what: String| {
            let fix = "write one line a client: its name, a colon, and what \
                       `printf %s TOKEN | sha256sum` prints";
            Problem::new(what, fix)
        };
        let text =
            std::str::from_utf8(secret.expose()).map_err(|_| problem("is not UTF-8".into()))?;
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = || problem(format!("has no name:sha256-in-hex on line {}", number + 1));
            let (name, hash) = line.split_once(':').ok_or_else(bad)?;
            let hash = base16ct::mixed::decode_vec(hash.trim()).map_err(|_| bad())?;
            let hash: [u8; 32] = hash.try_into().map_err(|_| bad())?;
            if hash == <[u8; 32]>::from(Sha256::digest(b"")) {
                let what = format!("has the hash of an empty token on line {}", number + 1);
                return Err(problem(what));
            }
            tokens.push((name.trim().to_owned(), hash));
        }
        if tokens.is_empty() {
            return Err(problem("holds no token".into()));
        }
        Ok(Self(tokens))
    }

    /// The one token of one client.
    pub fn one(name: &str, token: &Secret) -> Self {
        Self(vec![(name.to_owned(), Sha256::digest(token.expose()).into())])
    }

    /// Whether no token is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client whose token a header shows: `Basic` with name and token (as a proxy URL's user
    /// info is sent), `Bearer`, or the token alone.
    fn owner(&self, shown: &[u8]) -> Option<&str> {
        let (scheme, value) = match shown.iter().position(|byte| *byte == b' ') {
            Some(space) => (shown[..space].to_ascii_lowercase(), shown[space + 1..].trim_ascii()),
            None => (Vec::new(), shown),
        };
        if scheme != b"basic" {
            return self.with_token(None, value);
        }
        let decoded = Secret::new(STANDARD.decode(value).ok()?);
        let decoded = decoded.expose();
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        self.with_token(Some(&decoded[..colon]), &decoded[colon + 1..])
    }

    fn with_token(&self, name: Option<&[u8]>, token: &[u8]) -> Option<&str> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let owner = self.0.iter().find(|(owner, known)| {
            name.is_none_or(|name| name == owner.as_bytes())
                && verify_slices_are_equal(known, &hash).is_ok()
        });
        owner.map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let hash = base16ct::lower::encode_string(&Sha256::digest(b"t0ken"));
        let tokens = Tokens::parse(&Secret::new(format!("# app\napp:{hash}\n").into_bytes()));
        Access {
            tokens: tokens.expect("one token"),
            users: Users::Nobody,
            from: vec!["127.0.0.0/8".parse().expect("a net")],
            origins: vec![HeaderValue::from_static("http://localhost:3000")],
            hosts: vec!["countersign:8081".into()],
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a value");
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), value(v))).collect()
    }

    #[test]
    fn tokens_are_taken_in_every_form_clients_send_them() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (name, value, admitted) in [
            ("proxy-authorization", basic("app:t0ken"), true),
            ("proxy-authorization", "Bearer t0ken".into(), true),
            ("proxy-authorization", "bearer t0ken".into(), true),
            ("countersign-token", "t0ken".into(), true),
            ("proxy-authorization", basic("other:t0ken"), false),
            ("proxy-authorization", basic("app:T0ken"), false),
            ("proxy-authorization", basic("t0ken"), false),
            ("proxy-authorization", "Basic !!!".into(), false),
            ("countersign-token", String::new(), false),
            ("authorization", "Bearer t0ken".into(), false),
        ] {
            let client = access().owner(&Credentials::of(&headers(&[(name, &value)])));
            assert_eq!(client.is_ok_and(|c| c.as_deref() == Some("app")), admitted, "{value}");
        }
    }

    #[test]
    fn token_files_with_mistakes_name_the_line() {
        for (text, expected) in [
            ("", "holds no token"),
            ("app", "on line 1"),
            ("# x\napp:12", "on line 2"),
            ("app:zz", "on line 1"),
            (&format!("a:{}\nb:{EMPTY}", "12".repeat(32)), "the hash of an empty token on line 2"),
        ] {
            let error = Tokens::parse(&Secret::new(text.into())).expect_err(text);
            assert!(error.what.contains(expected), "{error}");
        }
    }

    /// What `printf %s "" | sha256sum` prints.
    const EMPTY: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

    #[test]
    fn a_token_or_a_user_will_do_where_both_are_known() {
        let shown = |token: &str| Credentials::of(&headers(&[("countersign-token", token)]));
        let guarded = |users| Access { users, ..access() };
        let open = |users| Access { tokens: Tokens::default(), ..guarded(users) };
        let seven = || Users::These(vec![7]);
        let (unauthenticated, not_allowed) = (Code::ClientUnauthenticated, Code::ClientNotAllowed);
        for (access, token, user, client) in [
            (guarded(Users::Nobody), "t0ken", 7, Ok(Some("app"))),
            (guarded(Users::Nobody), "", 7, Err(unauthenticated)),
            (guarded(seven()), "t0ken", 8, Ok(Some("app"))),
            (guarded(seven()), "", 7, Ok(None)),
            (guarded(seven()), "", 8, Err(unauthenticated)),
            (open(seven()), "", 7, Ok(None)),
            (open(seven()), "", 8, Err(not_allowed)),
            (open(Users::Any), "", 8, Ok(None)),
        ] {
            let address = Some([127, 0, 0, 1].into());
            let found = access.client(&shown(token), address, Peer::User(user));
            let found = found.map_err(|refusal| refusal.code);
            assert_eq!(found, client.map(|name| name.map(str::to_owned)), "{token} {user}");
        }
    }

    #[test]
    fn pages_of_other_origins_and_rebound_names_are_refused() {
        let own = OwnNames::of("127.0.0.1:8081".parse().expect("an address"));
        for (pairs, refused) in [
            (vec![("host", "127.0.0.1:8081")], None),
            (vec![("host", "LOCALHOST:8081")], None),
            (vec![("host", "countersign:8081")], None),
            (vec![("host", "evil.example:8081")], Some(Code::WrongAuthority)),
            (vec![("host", "127.0.0.1")], None),
            (vec![("host", "0.0.0.0:8081")], Some(Code::WrongAuthority)),
            (vec![], Some(Code::WrongAuthority)),
            (vec![("host", "localhost:8081"), ("sec-fetch-site", "none")], None),
            (
                vec![("host", "localhost:8081"), ("sec-fetch-site", "cross-site")],
                Some(Code::CrossSite),
            ),
            (
                vec![("host", "localhost:8081"), ("sec-fetch-site", "same-site")],
                Some(Code::CrossSite),
            ),
            (vec![("host", "localhost:8081"), ("origin", "null")], Some(Code::CrossSite)),
            (
                vec![("host", "localhost:8081"), ("origin", "http://evil.example")],
                Some(Code::CrossSite),
            ),
            (
                vec![
                    ("host", "localhost:8081"),
                    ("origin", "http://localhost:3000"),
                    ("sec-fetch-site", "cross-site"),
                ],
                None,
            ),
        ] {
            let result = access().listener(&headers(&pairs), Some(&own));
            assert_eq!(result.err().map(|refusal| refusal.code), refused, "{pairs:?}");
        }
        assert!(
            access().listener(&headers(&[]), None).is_ok(),
            "a Unix socket's Host is not checked"
        );
    }

    #[test]
    fn addresses_outside_the_ranges_are_refused() {
        let allowed = |peer: &str| access().address(Some(peer.parse().expect("an address")));
        assert!(allowed("127.0.0.9").is_ok());
        assert!(allowed("::ffff:127.0.0.1").is_ok(), "a mapped address is the address it maps");
        assert!(allowed("10.0.0.1").is_err());
        assert!(access().address(None).is_ok());
    }
}
