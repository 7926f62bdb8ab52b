//! Who may use the proxy: address ranges, tokens, users, and the guard against web pages.

mod page;
mod sessions;
mod tokens;
mod users;

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, ORIGIN, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

pub use self::page::{Called, OwnNames};
pub use self::sessions::{Sessions, Whose};
pub use self::tokens::{Ticket, Tokens};
pub use self::users::Users;
use crate::peer::Peer;
use crate::refusal::{Code, Refusal};

/// The header that carries a client's token to the gateway.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("countersign-token");

/// `[access]`, with its tokens read.
#[derive(Debug, Default)]
pub struct Access {
    /// The clients that may use the proxy; empty when no token is asked for.
    pub tokens: Tokens,
    /// Those who may read the metrics, and nothing else; empty where metrics have no tokens of their own.
    pub scrapers: Tokens,
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

    /// What a session keeps of a token that was typed, with its client's name or without.
    ///
    /// # Errors
    ///
    /// `client_unauthenticated`.
    pub fn ticket(&self, name: &str, token: &str) -> Result<Ticket, Refusal> {
        let name = Some(name.as_bytes()).filter(|name| !name.is_empty());
        let ticket = self.tokens.ticket(name, token.as_bytes());
        ticket.ok_or_else(|| {
            Refusal::new(Code::ClientUnauthenticated, "the token is not one of access.tokens")
        })
    }

    /// The client of a session, for as long as its token is one.
    pub fn resumed(&self, ticket: Option<&Ticket>) -> Option<String> {
        ticket.filter(|ticket| self.tokens.honour(ticket)).map(|ticket| ticket.name().to_owned())
    }

    /// Whether a request may read the metrics: by a token for them, which is shown to an origin server
    /// and not to a proxy, or as a `client` that could have requests signed.
    ///
    /// # Errors
    ///
    /// `metrics_unauthenticated`.
    pub fn scraper(
        &self,
        headers: &HeaderMap,
        client: &Result<Option<String>, Refusal>,
    ) -> Result<(), Refusal> {
        let open = self.tokens.is_empty() && self.scrapers.is_empty();
        let shown = headers.get(AUTHORIZATION).and_then(|shown| bearer(shown.as_bytes()));
        let known = shown.is_some_and(|token| self.scrapers.with_token(None, token).is_some());
        if open || known || client.is_ok() {
            return Ok(());
        }
        let detail = match shown {
            Some(_) => "the token is not one of access.metrics_tokens",
            None => "the request shows no token",
        };
        Err(Refusal::new(Code::MetricsUnauthenticated, detail))
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
        if self.tokens.name(name) {
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

    /// The guard against web pages of what changes something on this listener: no page but its own may
    /// ask for that, whatever `access.origins` has.
    ///
    /// # Errors
    ///
    /// `cross_site`.
    pub fn own_page(headers: &HeaderMap) -> Result<(), Refusal> {
        let called = Called::by(headers);
        let mut origins = headers.get_all(ORIGIN).iter();
        if origins.all(|origin| called.is_some() && Called::read(origin) == called) {
            return Ok(());
        }
        Err(Refusal::new(Code::CrossSite, "the Origin is not the host that is called"))
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
        Self::sensitive(headers.get(PROXY_AUTHORIZATION).or_else(|| headers.get(TOKEN_HEADER)))
    }

    /// The same where nobody else is asked for anything, as on the admin listener: also in
    /// `Authorization`, where browsers and `curl -u` have it.
    pub fn of_service(headers: &HeaderMap) -> Self {
        let own = Self::of(headers);
        if own.0.is_some() { own } else { Self::sensitive(headers.get(AUTHORIZATION)) }
    }

    fn sensitive(shown: Option<&HeaderValue>) -> Self {
        let mut shown = shown.cloned();
        if let Some(shown) = &mut shown {
            shown.set_sensitive(true);
        }
        Self(shown)
    }
}

/// The token of `Bearer` credentials (RFC 6750, section 2.1).
fn bearer(shown: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = shown.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::secret::Secret;

    fn access() -> Access {
        let hash = base16ct::lower::encode_string(&Sha256::digest(b"t0ken"));
        let tokens = Tokens::parse(&Secret::new(format!("# app\napp:{hash}\n").into_bytes()));
        Access {
            tokens: tokens.expect("one token"),
            scrapers: Tokens::one("prometheus", &Secret::new(b"scr4pe".to_vec())),
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
    fn a_token_for_metrics_is_good_for_them_alone() {
        let shown = |name, value: &str| headers(&[(name, value)]);
        for (name, value, scrapes) in [
            ("authorization", "Bearer scr4pe", true),
            ("authorization", "bearer scr4pe", true),
            ("authorization", "scr4pe", false),
            ("authorization", "Basic scr4pe", false),
            ("authorization", "Bearer t0ken", true),
            ("authorization", "Bearer ", false),
            ("proxy-authorization", "Bearer scr4pe", false),
            ("countersign-token", "scr4pe", false),
            ("countersign-token", "t0ken", true),
            ("accept", "*/*", false),
        ] {
            let (access, headers) = (access(), shown(name, value));
            let client = access.client(&Credentials::of_service(&headers), None, Peer::Unasked);
            assert_eq!(client.is_ok(), value.ends_with("t0ken"), "{name}: {value}");
            let scraper = access.scraper(&headers, &client);
            let refused = scraper.err().map(|refusal| refusal.code);
            let wanted = (!scrapes).then_some(Code::MetricsUnauthenticated);
            assert_eq!(refused, wanted, "{name}: {value}");
        }
        let bare = || Err(Refusal::new(Code::ClientNotAllowed, "another user"));
        let open = Access { tokens: Tokens::default(), scrapers: Tokens::default(), ..access() };
        assert!(open.scraper(&HeaderMap::new(), &bare()).is_ok(), "where there are no tokens");
        let one = Access { scrapers: access().scrapers, ..open };
        assert!(one.scraper(&HeaderMap::new(), &bare()).is_err(), "where there is one of its own");
    }

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

    #[test]
    fn only_the_listeners_own_page_changes_something() {
        for (origin, own) in [
            (None, true),
            (Some("http://localhost:8081"), true),
            (Some("http://localhost:3000"), false),
            (Some("https://localhost:8081"), false),
            (Some("null"), false),
        ] {
            let host = [("host", "localhost:8081")];
            let pairs: Vec<_> = host.into_iter().chain(origin.map(|own| ("origin", own))).collect();
            assert_eq!(Access::own_page(&headers(&pairs)).is_ok(), own, "{origin:?}");
        }
    }
}
