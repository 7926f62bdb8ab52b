//! Infras' handshake through the built binary, in every way there is to it, with a provider that
//! reads it as the documents say.

use std::fs;
use std::sync::Arc;

use countersign::moment::unix_ms;
use tokio_tungstenite::tungstenite::Error;

use super::token;
use crate::support::authority::Authority;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::proxy::Proxy;
use crate::support::road::{Road, converse, say_goodbye};
use crate::support::sockets::{Echo, Judge};
use crate::support::verify::Infras;
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn a_session_opens_and_carries_every_kind_of_message_whichever_way_it_came() {
    let stage = Stage::new(&lasting(3600));
    for (way, open) in Road::WAYS {
        for code in [4001, 4002] {
            let mut socket = open(&stage.road(), "/mpc/sign?x=1").expect("it is accepted");
            converse(&mut socket);
            say_goodbye(&mut socket, code);
        }
        let arrived = stage.echo.arrived();
        let last = arrived.last().expect("a handshake has arrived");
        assert_eq!(last.target, "/mpc/sign?x=1", "{way}");
        assert_eq!(last.once("Host"), Ok(HOST), "{way}");
    }
    assert_eq!(stage.echo.arrived().len(), 8);
    stage.proxy.await_metric("countersign_tunnels", 0);
}

#[test]
fn a_refusal_of_the_provider_s_stays_its_own() {
    let stage = Stage::new(&lasting(3600));
    for (way, open) in Road::WAYS {
        let refused = open(&stage.road(), "/refuse").err().expect("it is refused");
        let Error::Http(answer) = *refused else { panic!("{way}: {refused} is no answer") };
        assert_eq!(answer.status(), 401, "{way}");
        assert_eq!(answer.body().as_deref(), Some(&b"no such session"[..]), "{way}");
        assert!(answer.headers().get("proxy-status").is_none(), "{way}: it is the provider's");
    }
    assert_eq!(stage.echo.arrived().len(), 4);
}

#[test]
fn with_a_token_past_its_time_nobody_is_asked() {
    let origin = Origin::start(providers());
    let stage = Stage::with(&origin.url(), &lasting(-1));
    for (way, open) in Road::WAYS {
        let refused = open(&stage.road(), "/mpc/sign").err().expect("it is refused");
        let Error::Http(answer) = *refused else { panic!("{way}: {refused} is no answer") };
        let body = answer.body().clone().unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&body).expect("it is a refusal");
        assert_eq!((answer.status().as_u16(), &body["code"]), (503, &"credential_expired".into()));
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_request_that_opens_no_session_is_not_for_this_route() {
    let origin = Origin::start(providers());
    let stage = Stage::with(&origin.url(), &lasting(3600));
    for (url, target) in [
        (stage.proxy.forward_url(), format!("http://{HOST}/mpc/sign")),
        (stage.proxy.gateway_url(), "/infras/mpc/sign".to_owned()),
    ] {
        let host = url.trim_start_matches("http://");
        let reply =
            Client::connect(url).exchange(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((reply.status, &reply.json()["code"]), (426, &"not_an_upgrade".into()));
        assert_eq!(reply.values("Upgrade"), ["websocket"]);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn what_a_client_says_of_its_own_is_replaced_and_what_it_asks_for_is_passed_on() {
    let good = lasting(3600);
    let stage = Stage::new(&good);
    let reply = Client::connect(stage.proxy.forward_url()).exchange(format!(
        "GET http://{HOST}/mpc/sign HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-infras-token: mine\r\nSec-WebSocket-Infras-Token: mine too\r\n\
         INFRAS-MPC-REQUEST: {{\"signtype\":\"cmp\",\"src\":\"another\"}}\r\n\
         Sec-WebSocket-Protocol: mpc.v1\r\n\
         Sec-WebSocket-Extensions: x-echo; level=1\r\n\r\n"
    ));
    assert_eq!(reply.status, 101);
    let [arrived] = stage.echo.arrived().try_into().expect("one has arrived");
    assert_eq!(arrived.once("Sec-WebSocket-Infras-Token"), Ok(&*good));
    let request = arrived.once("Infras-Mpc-Request").expect("one");
    let request: serde_json::Value = serde_json::from_str(request).expect("it is JSON");
    assert_eq!(request, serde_json::json!({ "signtype": "gg20", "src": "co_signer0" }));
    for (name, value) in
        [("Sec-WebSocket-Protocol", "mpc.v1"), ("Sec-WebSocket-Extensions", "x-echo; level=1")]
    {
        assert_eq!(arrived.once(name), Ok(value));
        assert_eq!(reply.values(name), [value]);
    }
    // The answer to that very key (RFC 6455, section 1.3).
    assert_eq!(reply.values("Sec-WebSocket-Accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
}

#[test]
fn a_renewed_token_is_in_the_next_handshake_without_a_reload() {
    let (first, second) = (lasting(3600), lasting(7200));
    let mut stage = Stage::new(&first);
    stage.road().inside("/mpc/sign").expect("it is accepted");
    assert_eq!(stage.last_token(), first);
    let home = stage.proxy.home();
    home.write("keys/new", &second);
    fs::rename(home.path("keys/new"), home.path("keys/infras.jwt")).expect("it can be renamed");
    eventually("the second token is sent", || {
        stage.road().inside("/mpc/sign").expect("it is accepted");
        stage.last_token() == second
    });
    assert!(!stage.proxy.finish(DEADLINE).contains("reloaded"));
}

#[test]
fn an_open_session_outlives_its_token() {
    let stage = Stage::new(&lasting(2));
    let mut socket = stage.road().secure("/mpc/sign").expect("the token is still good");
    eventually("the token expires", || match stage.road().absolute("/mpc/sign") {
        Ok(_) => false,
        Err(refused) => matches!(*refused, Error::Http(answer) if answer.status() == 503),
    });
    converse(&mut socket);
    say_goodbye(&mut socket, 4001);
}

/// A provider that echoes, and a proxy that opens sessions with it.
pub(super) struct Stage {
    pub(super) echo: Echo,
    proxy: Proxy,
    ca: Authority,
}

impl Stage {
    fn new(token: &str) -> Self {
        let echo = Echo::start(judge());
        let url = echo.url();
        Self { echo, ..Self::with(&url, token) }
    }

    /// With another server in its place.
    fn with(url: &str, token: &str) -> Self {
        let (home, ca) = home(config::LISTENERS, url, token);
        Self { echo: Echo::start(judge()), proxy: Proxy::start_in(home, &[]), ca }
    }

    fn road(&self) -> Road<'_> {
        Road::new(&self.proxy, HOST, "infras", self.ca.pem())
    }

    fn last_token(&self) -> String {
        let arrived = self.echo.arrived();
        let last = arrived.last().expect("a handshake has arrived");
        last.once("Sec-WebSocket-Infras-Token").expect("one token").to_owned()
    }
}

/// A route to this server, and the authority for the way in.
pub(super) fn home(listeners: &str, url: &str, token: &str) -> (Home, Authority) {
    let route = format!(
        r#"
[secrets.infras_token]
store = "files"
entry = "infras.jwt"
watch = true

[routes.infras]
host = "{HOST}"
scheme = "infras"
secrets = {{ token = "infras_token" }}
params = {{ src = "co_signer0" }}
upstream = "infras"

[upstreams.infras]
url = "{url}"
"#
    );
    let home = Home::new(&config::listening(listeners, &[route, config::INTERCEPT.to_owned()]));
    let ca = Authority::new();
    home.write(config::CA_FILE, &ca.pem());
    home.write(config::CA_KEY_FILE, &ca.key_pem());
    home.write("keys/infras.jwt", token);
    (home, ca)
}

/// A token that nobody signed, good for so many seconds.
pub(super) fn lasting(seconds: i64) -> String {
    let now = i64::try_from(unix_ms() / 1000).expect("these are not such times");
    token(r#"{"alg":"RS256"}"#, &format!(r#"{{"exp":{}}}"#, now + seconds))
}

/// Takes what the documents describe, but for one path.
pub(super) fn judge() -> Judge {
    Arc::new(|arrived| {
        Infras::at(unix_ms() as f64 / 1000.0).check(arrived)?;
        if arrived.path() == "/refuse" { Err("no such session".to_owned()) } else { Ok(()) }
    })
}

pub(super) const HOST: &str = "api.infras.online";
