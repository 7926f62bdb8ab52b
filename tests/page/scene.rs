//! A proxy that holds its last requests with their bodies, and two providers: OKX by the catalogue's file,
//! with secrets in headers, and MetaSV. What is asked for below `/denied` is rejected.

use serde_json::{Value, json};

use crate::declared::route;
use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Handler, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};

pub(super) struct Scene {
    pub(super) origin: Origin,
    pub(super) proxy: Proxy,
}

/// What must stand on no page.
pub(super) const SECRETS: [&str; 4] = ["okx-secret", "the-api-key", "pass phrase", "t0ken"];
/// Of the client `app`, where tokens are asked for.
pub(super) const TOKEN: &str = "t0ken";
/// A provider's code and sentence, as an attacker would have them.
pub(super) const EVIL: &str = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'";

impl Scene {
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// With these tables beside the usual ones, and tokens where they ask for some.
    pub(super) fn with(tables: &str) -> Self {
        let answers: Handler = Box::new(|asked| match asked.target.as_str() {
            "/held" => Answer::Held(Box::new(Answer::json(200, &json!({})))),
            target if target.starts_with("/denied") => {
                Answer::json(401, &json!({ "code": "50113", "msg": EVIL }))
            }
            target if target.starts_with("/evil") => Answer::json(401, &json!({ "code": EVIL })),
            _ => Answer::json(200, &json!({})),
        });
        let origin = Origin::start(answers);
        let home = Home::new(&configuration(&origin, tables));
        home.write("okx.toml", include_str!("../../schemes/okx.toml"));
        let tokens = config::client_tokens(&[("app", TOKEN)]);
        for (file, text) in [
            ("keys/okx.secret", SECRETS[0]),
            ("keys/api_key", SECRETS[1]),
            ("keys/passphrase", SECRETS[2]),
            (config::TOKENS_FILE, &*tokens),
        ] {
            home.write(file, text);
        }
        Self { origin, proxy: Proxy::start_in(home, &[]) }
    }

    pub(super) fn configuration(&self, tables: &str) -> String {
        configuration(&self.origin, tables)
    }

    /// Has requests signed: some that are accepted, and rejected ones.
    pub(super) fn busy(&self) {
        let mut client = Client::connect(self.proxy.forward_url());
        let body = "{\"instId\":\"BTC-USDT\",\"sz\":\"1\",\n\"note\":\"a < b & 'c'\"}";
        let length = body.len();
        let post = format!(
            "POST http://www.okx.com/denied/api/v5/trade/order?dry=1 HTTP/1.1\r\nHost: www.okx.com\r\n\
             Content-Type: application/json\r\nX-Note: {EVIL}\r\nCookie: sid=mine\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        for (request, status) in [
            (get("http://www.okx.com/api/v5/account/balance?ccy=BTC%2CETH"), 200),
            (get(&format!("{METASV}/v1/tx/\"onmouseover='alert(3)'?a='b'")), 200),
            (post, 401),
            (get(&format!("{METASV}/evil?x=1")), 401),
        ] {
            assert_eq!(client.exchange(request).status, status);
        }
        self.proxy.await_line("the provider rejected the request", 1);
    }

    /// The requests that are held, as JSON.
    pub(super) fn held(&self) -> Vec<Value> {
        let reply = self.ask("GET /requests", &["Proxy-Authorization: Bearer t0ken"], "");
        reply.json().as_array().expect("a list").clone()
    }

    /// Where the page of the request is whose path begins so.
    pub(super) fn page_of(&self, path: &str) -> String {
        let held = self.held();
        let own = held.iter().find(|one| one["path"].as_str().is_some_and(|p| p.starts_with(path)));
        let id = own.unwrap_or_else(|| panic!("{path} is not held"))["id"].as_str();
        format!("/show?id={}", id.expect("an id"))
    }

    /// Asks the admin listener: method and path, header lines, and what is posted.
    pub(super) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Reply {
        Client::connect(self.proxy.admin_url()).exchange(self.request(line, headers, body))
    }

    pub(super) fn request(&self, line: &str, headers: &[&str], body: &str) -> String {
        let host = self.proxy.admin_url().trim_start_matches("http://");
        let host = format!("Host: {host}");
        let own = |name: &str| headers.iter().any(|line| line.starts_with(name));
        let mut lines: Vec<_> = headers.iter().map(|line| (*line).to_owned()).collect();
        if !own("Host:") {
            lines.push(host);
        }
        if line.starts_with("POST") {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        format!("{line} HTTP/1.1\r\n{}\r\n\r\n{body}", lines.join("\r\n"))
    }

    /// A page's text.
    pub(super) fn text(&self, path: &str) -> String {
        let reply = self.ask(&format!("GET {path}"), &["Proxy-Authorization: Bearer t0ken"], "");
        assert_eq!(reply.status, 200, "{path}");
        String::from_utf8(reply.body).expect("it is UTF-8")
    }
}

fn configuration(origin: &Origin, tables: &str) -> String {
    let secrets = "[inspect]\nkeep = 20\nbodies = true\n\
                   [secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n\
                   [secrets.passphrase]\nstore = \"files\"\nentry = \"passphrase\"\n";
    let okx = route("okx", "hmac_sha256", &["api_key", "passphrase"], &origin.url());
    config::proxy(&[
        config::metasv(&origin.url(), None),
        okx.replace("okx.test", "www.okx.com"),
        secrets.to_owned(),
        tables.to_owned(),
    ])
}

/// A form as browsers post it.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (name, value) in fields {
        let value: String =
            value.replace('\n', "\r\n").bytes().map(|b| format!("%{b:02X}")).collect();
        all.push_str(&format!("{}{name}={value}", if all.is_empty() { "" } else { "&" }));
    }
    all
}
