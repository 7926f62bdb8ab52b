//! What was written: every value of the file on its own, with the place it stands at.
//!
//! Reading checks what a value says by itself: its type, its form, the keys a table may have.
//! Whether values fit together, and what holds where nothing is written, is for `resolve`.

mod decide;
mod values;

use std::net::SocketAddr;
use std::time::Duration;

pub(super) use decide::Decide;
use http::{HeaderValue, Method};
use ipnet::IpNet;
use toml::de::DeTable;

use super::units::{self, Endpoint, HostPattern, UpstreamUrl, Via};
use super::{LogFormat, Unrouted};
use crate::document::{Field, Key, Location, Named, Pair, Report, Table, Written};
use crate::keys::{Algorithm, Encoding, STORES, SettingKind, StoreKind, StoreSetting};
use crate::moment::Replica;
use crate::scheme::Entry;

/// A whole file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) listen: Listen,
    pub(super) access: Access,
    pub(super) intercept: Intercept,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    /// `[nonces] replica`.
    pub(super) replica: Field<Replica>,
    pub(super) stores: Named<Store>,
    pub(super) keys: Named<KeyEntry>,
    pub(super) secrets: Named<SecretEntry>,
    pub(super) routes: Named<Route>,
    pub(super) upstreams: Named<Upstream>,
    pub(super) log: Log,
}

/// Reads a text. `None` when it is not TOML at all, which is reported; other problems are
/// reported and leave their fields unreadable.
pub(super) fn read(report: &Report<'_>) -> Option<File> {
    let document = match DeTable::parse(report.text()) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map(|span| report.at(span.start));
            let message = error.message().replace('\n', ", ");
            let fix = if message.starts_with("duplicate key") {
                "remove one of the two, or rename it"
            } else {
                "write name = \"value\": only numbers, true and false go without quotes"
            };
            report.add(at, format!("this is not TOML: {message}"), fix);
            return None;
        }
    };
    Some(Table::root(report, document.get_ref(), |file| File {
        listen: file.table("listen", listen),
        access: file.table("access", access),
        intercept: file.table("intercept", intercept),
        limits: file.table("limits", limits),
        timeouts: file.table("timeouts", timeouts),
        replica: file.table("nonces", |table| {
            table.parsed(Key::string("replica", "\"2/4\""), values::replica)
        }),
        stores: file.tables("stores", store),
        keys: file.tables("keys", key),
        secrets: file.tables("secrets", secret),
        routes: file.tables("routes", route),
        upstreams: file.tables("upstreams", upstream),
        log: file.table("log", log),
    }))
}

/// `[listen]`.
#[derive(Debug)]
pub(super) struct Listen {
    /// Where the header is, if there is one.
    pub(super) at: Option<Location>,
    pub(super) forward: Field<SocketAddr>,
    pub(super) gateway: Field<Endpoint>,
    pub(super) admin: Field<Endpoint>,
}

fn listen(table: &mut Table<'_>) -> Listen {
    let key = Key::string;
    Listen {
        at: table.at(),
        forward: table.parsed(key("forward", "\"127.0.0.1:8080\""), units::socket_address),
        gateway: table.parsed(key("gateway", "\"127.0.0.1:8081\""), Endpoint::parse),
        admin: table.parsed(key("admin", "\"127.0.0.1:8089\""), Endpoint::parse),
    }
}

/// `[access]`.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) tokens: Field<String>,
    pub(super) from: Field<Vec<Written<IpNet>>>,
    pub(super) origins: Field<Vec<Written<HeaderValue>>>,
    pub(super) hosts: Field<Vec<Written<String>>>,
    pub(super) unrouted: Field<Unrouted>,
}

fn access(table: &mut Table<'_>) -> Access {
    let from = Key::list("from", "[\"127.0.0.0/8\", \"::1/128\"]");
    let origins = Key::list("origins", "[\"https://wallet.example.com\"]");
    let hosts = Key::list("hosts", "[\"countersign.internal:8081\"]");
    let unrouted = [("refuse", Unrouted::Refuse), ("pass", Unrouted::Pass)];
    Access {
        tokens: table.parsed(Key::string("tokens", "\"client_tokens\""), values::text),
        from: table.list(from, values::network),
        origins: table.list(origins, units::origin),
        hosts: table.list(hosts, values::own_host),
        unrouted: table.parsed(Key::string("unrouted", "\"refuse\""), values::one_of(&unrouted)),
    }
}

/// `[intercept]`.
#[derive(Debug)]
pub(super) struct Intercept {
    pub(super) ca_cert: Field<String>,
    pub(super) ca_key: Field<String>,
    pub(super) leaf_lifetime: Field<Duration>,
    pub(super) leaf_cache: Field<u64>,
}

fn intercept(table: &mut Table<'_>) -> Intercept {
    let (ca_cert, ca_key) =
        (Key::string("ca_cert", "\"ca.pem\""), Key::string("ca_key", "\"intercept_ca\""));
    let found = (table.parsed(ca_cert, values::text), table.parsed(ca_key, values::text));
    // Without the table there is no interception, and nothing is missing.
    let written = table.at().is_some();
    let require = |key, field| if written { table.require(key, field) } else { field };
    let (ca_cert, ca_key) = (require(ca_cert, found.0), require(ca_key, found.1));
    Intercept {
        ca_cert,
        ca_key,
        leaf_lifetime: table.parsed(Key::duration("leaf_lifetime", "\"7d\""), units::duration),
        leaf_cache: table.count(Key::count("leaf_cache", "1024")),
    }
}

/// `[limits]`.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) signed_body: Field<u64>,
    pub(super) connections: Field<u64>,
    pub(super) tunnels: Field<u64>,
    pub(super) header: Field<u64>,
}

fn limits(table: &mut Table<'_>) -> Limits {
    Limits {
        signed_body: table.parsed(Key::size("signed_body", "\"1MiB\""), units::size),
        connections: table.count(Key::count("connections", "1024")),
        tunnels: table.count(Key::count("tunnels", "512")),
        header: table.parsed(Key::size("header", "\"32KiB\""), units::size),
    }
}

/// `[timeouts]`.
#[derive(Debug)]
pub(super) struct Timeouts {
    pub(super) request_head: Field<Duration>,
    pub(super) request_body: Field<Duration>,
    pub(super) body_idle: Field<Duration>,
    pub(super) tunnel_idle: Field<Duration>,
    pub(super) sign: Field<Duration>,
    pub(super) connect: Field<Duration>,
    pub(super) response_head: Field<Duration>,
    pub(super) idle: Field<Duration>,
    pub(super) client_idle: Field<Duration>,
    pub(super) drain_linger: Field<Duration>,
    pub(super) drain: Field<Duration>,
}

fn timeouts(table: &mut Table<'_>) -> Timeouts {
    let mut duration = |name, example| table.parsed(Key::duration(name, example), units::duration);
    Timeouts {
        request_head: duration("request_head", "\"30s\""),
        request_body: duration("request_body", "\"30s\""),
        body_idle: duration("body_idle", "\"2m\""),
        tunnel_idle: duration("tunnel_idle", "\"10m\""),
        sign: duration("sign", "\"2s\""),
        connect: duration("connect", "\"5s\""),
        response_head: duration("response_head", "\"30s\""),
        idle: duration("idle", "\"90s\""),
        client_idle: duration("client_idle", "\"2m\""),
        drain_linger: duration("drain_linger", "\"2s\""),
        drain: duration("drain", "\"10s\""),
    }
}

/// `[stores.NAME]`.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) at: Location,
    pub(super) kind: Field<&'static StoreKind>,
    /// The settings of every kind, with the kind that has them.
    pub(super) settings: Vec<(&'static StoreKind, &'static StoreSetting, Field<String>)>,
}

fn store(table: &mut Table<'_>, at: Location) -> Store {
    let kinds: Vec<_> = STORES.iter().map(|kind| (kind.name, kind)).collect();
    let kind = Key::string("kind", "\"file\"");
    let found = table.parsed(kind, values::one_of(&kinds));
    let settings = STORES.iter().flat_map(|kind| kind.settings.iter().map(move |s| (kind, s)));
    let read = |(kind, setting): (&'static StoreKind, &'static StoreSetting)| {
        let key = Key::string(setting.name, setting.example);
        let parse = match setting.kind {
            SettingKind::Directory => values::text,
            SettingKind::Variable | SettingKind::Prefix => values::variable,
        };
        (kind, setting, table.parsed(key, parse))
    };
    let settings = settings.map(read).collect();
    Store { at, kind: table.require(kind, found), settings }
}

/// `[keys.NAME]`.
#[derive(Debug)]
pub(super) struct KeyEntry {
    pub(super) at: Location,
    pub(super) store: Field<String>,
    pub(super) entry: Field<String>,
    pub(super) algorithm: Field<Algorithm>,
    pub(super) encoding: Field<Encoding>,
    pub(super) public: Field<Vec<u8>>,
}

fn key(table: &mut Table<'_>, at: Location) -> KeyEntry {
    let (store, entry) = store_and_entry(table);
    let algorithm = Key::string("algorithm", "\"ecdsa_secp256k1\"");
    KeyEntry {
        at,
        store,
        entry,
        algorithm: table.parsed(algorithm, values::algorithm),
        encoding: table
            .parsed(Key::string("encoding", "\"base64\""), values::one_of(Encoding::ALL)),
        public: table.parsed(Key::string("public", "\"02…\""), values::hex),
    }
}

/// `[secrets.NAME]`.
#[derive(Debug)]
pub(super) struct SecretEntry {
    pub(super) at: Location,
    pub(super) store: Field<String>,
    pub(super) entry: Field<String>,
    pub(super) watch: Field<bool>,
}

fn secret(table: &mut Table<'_>, at: Location) -> SecretEntry {
    let (store, entry) = store_and_entry(table);
    SecretEntry { at, store, entry, watch: table.flag(Key::flag("watch", "true")) }
}

fn store_and_entry(table: &mut Table<'_>) -> (Field<String>, Field<String>) {
    let (store, entry) = (Key::string("store", "\"files\""), Key::string("entry", "\"name.pem\""));
    let found = (table.parsed(store, values::text), table.parsed(entry, values::text));
    (table.require(store, found.0), table.require(entry, found.1))
}

/// `[routes.NAME]`.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) at: Location,
    pub(super) host: Field<HostPattern>,
    pub(super) path: Field<String>,
    pub(super) methods: Field<Vec<Written<Method>>>,
    pub(super) scheme: Field<&'static Entry>,
    pub(super) keys: Field<Vec<Pair>>,
    pub(super) secrets: Field<Vec<Pair>>,
    pub(super) params: Field<Vec<Pair>>,
    pub(super) upstream: Field<String>,
    pub(super) decide: Option<Decide>,
}

fn route(table: &mut Table<'_>, at: Location) -> Route {
    let scheme = Key::string("scheme", "\"metasv\"");
    let found = table.parsed(scheme, values::scheme);
    let entry = found.value().copied();
    let decide = table.inner("decide", |table, at| decide::decide(table, at, entry));
    Route {
        at,
        host: table.parsed(Key::string("host", "\"api.example.com\""), HostPattern::parse),
        path: table.parsed(Key::string("path", "\"/v1\""), values::path),
        methods: table.list(Key::list("methods", "[\"GET\", \"POST\"]"), values::method),
        scheme: table.require(scheme, found),
        keys: table.pairs(Key::table("keys", "{ slot = \"name\" }"), false),
        secrets: table.pairs(Key::table("secrets", "{ slot = \"name\" }"), false),
        params: table.pairs(Key::table("params", "{ name = \"value\" }"), true),
        upstream: table.parsed(Key::string("upstream", "\"name\""), values::text),
        decide,
    }
}

/// `[upstreams.NAME]`.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) at: Location,
    pub(super) url: Field<UpstreamUrl>,
    pub(super) via: Field<Via>,
    pub(super) via_credentials: Field<String>,
    pub(super) via_ca: Field<String>,
    pub(super) server_name: Field<String>,
    pub(super) ca: Field<String>,
    pub(super) client_cert: Field<String>,
    pub(super) client_key: Field<String>,
    pub(super) allow_plaintext: Field<bool>,
    pub(super) post_quantum: Field<bool>,
    pub(super) idle_connections: Field<u64>,
    pub(super) max_age: Field<Duration>,
}

fn upstream(table: &mut Table<'_>, at: Location) -> Upstream {
    let url = Key::string("url", "\"https://api.example.com\"");
    let via = Key::string("via", "\"http://proxy.internal:3128\"");
    let via_credentials = Key::string("via_credentials", "\"proxy_password\"");
    let server_name = Key::string("server_name", "\"api.example.com\"");
    let client_key = Key::string("client_key", "\"client_key\"");
    Upstream {
        at,
        url: table.parsed(url, UpstreamUrl::parse),
        via: table.parsed(via, Via::parse),
        via_credentials: table.parsed(via_credentials, values::text),
        via_ca: table.parsed(Key::string("via_ca", "\"proxy-ca.pem\""), values::text),
        server_name: table.parsed(server_name, values::server_name),
        ca: table.parsed(Key::string("ca", "\"ca.pem\""), values::text),
        client_cert: table.parsed(Key::string("client_cert", "\"client.pem\""), values::text),
        client_key: table.parsed(client_key, values::text),
        allow_plaintext: table.flag(Key::flag("allow_plaintext", "true")),
        post_quantum: table.flag(Key::flag("post_quantum", "false")),
        idle_connections: table.count(Key::count("idle_connections", "32")),
        max_age: table.parsed(Key::duration("max_age", "\"5m\""), units::duration),
    }
}

/// `[log]`.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) level: Field<String>,
    pub(super) format: Field<LogFormat>,
}

fn log(table: &mut Table<'_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: table.parsed(Key::string("level", "\"info\""), values::level),
        format: table.parsed(Key::string("format", "\"text\""), values::one_of(&formats)),
    }
}
