//! The configuration file as written: every value on its own, with the place it stands at.
//!
//! Reading checks what a value says by itself: its type, its form, the keys a table may have. It
//! goes by the rows of [`super::settings`], which know names, examples and defaults. A table whose
//! values need no second look is read into what will run; whether the others fit together is for
//! `resolve`.

mod decide;
mod next;
mod route;
mod schemes;
mod shared;
pub(super) mod signer;
mod values;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub(super) use decide::Decide;
use http::HeaderValue;
use ipnet::IpNet;
pub(super) use next::Next;
pub(super) use route::Route;
use route::route;
pub(super) use schemes::Declared;
pub(super) use shared::Shared;
use shared::shared;
use toml::de::DeTable;
pub(super) use values::milliseconds;

use super::settings::{self, Settings, section, sections, sections_or_texts};
use super::units::{self, Endpoint, ParentProxy, UpstreamAddress};
use super::{Limits, LocalUser, Log, LogFormat, Runtime, Sandbox, SelfCheck, Timeouts, Unrouted};
use crate::document::{Field, Key, Location, Named, Report, Table, Written};
use crate::inspect::Keep;
use crate::keys::{Algorithm, Encoding, SettingKind, StoreKind, StoreSetting};
use crate::moment::Part;
use crate::scheme::Registry;
use crate::stores::{Located, STORES};

/// A whole file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) listen: Listen,
    pub(super) access: Access,
    pub(super) intercept: Intercept,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    pub(super) nonces: Nonces,
    pub(super) shared: Shared,
    pub(super) self_check: SelfCheck,
    pub(super) keep: Keep,
    pub(super) stores: Named<Store>,
    pub(super) keys: Named<KeyEntry>,
    pub(super) secrets: Named<SecretEntry>,
    pub(super) routes: Named<Route>,
    pub(super) upstreams: Named<Upstream>,
    pub(super) audit: Audit,
    pub(super) process: Process,
    pub(super) log: Log,
    /// What routes can name: the schemes of this program, and those of `[schemes]`.
    pub(super) schemes: Declared,
}

/// Reads a text. `None` when it is not TOML at all, which is reported; other problems are
/// reported and leave their fields unreadable.
pub(super) fn read(report: &Report<'_>, schemes: &Registry, directory: &Path) -> Option<File> {
    let document = parsed(report)?;
    Some(Table::root(report, document.get_ref(), |file| {
        let declared = sections(file, "schemes", |table, _| table.text("file", values::text));
        let schemes = Declared::read(&declared, schemes, directory, report);
        whole(file, schemes)
    }))
}

/// The document; `None` when it is not TOML, which is reported.
fn parsed<'t>(report: &Report<'t>) -> Option<toml::Spanned<DeTable<'t>>> {
    match DeTable::parse(report.text()) {
        Ok(document) => Some(document),
        Err(error) => {
            let at = error.span().map(|span| report.at(span.start));
            let message = error.message().replace('\n', ", ");
            let fix = if message.starts_with("duplicate key") {
                "remove one of the two, or rename it"
            } else if message.starts_with("unclosed") {
                "close it with what is expected there: [NAME] begins a section, [\"a\", \"b\"] is a list"
            } else {
                "write name = \"value\": only numbers, true and false go without quotes"
            };
            report.add(at, format!("this is not TOML: {message}"), fix);
            None
        }
    }
}

fn whole(file: &mut Table<'_>, schemes: Declared) -> File {
    File {
        listen: section(file, "listen", listen),
        access: section(file, "access", access),
        intercept: section(file, "intercept", intercept),
        limits: section(file, "limits", limits),
        timeouts: section(file, "timeouts", timeouts),
        nonces: section(file, "nonces", |table| Nonces {
            replica: table.text("replica", values::replica),
            state: table.text("state", values::text),
        }),
        shared: section(file, "shared", shared),
        self_check: section(file, "signing", self_check),
        keep: section(file, "inspect", |table| Keep {
            requests: table.value("keep", |table, key| table.count(key, values::keep)),
            bodies: table.value("bodies", |table, key| table.flag(key)),
        }),
        stores: sections(file, "stores", store),
        keys: sections_or_texts(file, "keys", key, &|report, name, text| {
            KeyEntry::located(located(report, name, &text), text.at)
        }),
        secrets: sections_or_texts(file, "secrets", secret, &|report, name, text| {
            SecretEntry::located(located(report, name, &text), text.at)
        }),
        routes: sections(file, "routes", |table, at| route(table, at, &schemes)),
        upstreams: sections(file, "upstreams", upstream),
        audit: section(file, "audit", |table| Audit {
            at: table.at(),
            file: table.text("file", values::text),
            required: table.value("required", |table, key| table.flag(key)),
        }),
        process: section(file, "process", process),
        log: section(file, "log", log),
        schemes,
    }
}

/// `[nonces]`.
#[derive(Debug)]
pub(super) struct Nonces {
    pub(super) replica: Field<Part>,
    pub(super) state: Field<String>,
}

/// `[audit]`.
#[derive(Debug)]
pub(super) struct Audit {
    pub(super) at: Option<Location>,
    pub(super) file: Field<String>,
    pub(super) required: bool,
}

/// `[signing]`.
fn self_check(table: &mut Settings<'_, '_>) -> SelfCheck {
    let levels = [
        ("off", SelfCheck::Off),
        ("digest", SelfCheck::Digest),
        ("signature", SelfCheck::Signature),
    ];
    let levels = values::one_of(&levels);
    table.value("self_check", |table, key| table.parsed(key, &levels))
}

/// `[listen]`.
#[derive(Debug)]
pub(super) struct Listen {
    /// Where the header is, if there is one.
    pub(super) at: Option<Location>,
    pub(super) forward: Field<SocketAddr>,
    pub(super) gateway: Field<Endpoint>,
    pub(super) admin: Field<Endpoint>,
    pub(super) user: Option<u32>,
}

fn listen(table: &mut Settings<'_, '_>) -> Listen {
    Listen {
        at: table.at(),
        forward: table.text("forward", units::socket_address),
        gateway: table.text("gateway", Endpoint::parse),
        admin: table.text("admin", Endpoint::parse),
        user: table.text("user", values::user).value().copied(),
    }
}
/// `[access]`.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) tokens: Field<String>,
    pub(super) metrics_tokens: Field<String>,
    pub(super) users: Field<Vec<Written<LocalUser>>>,
    pub(super) from: Field<Vec<Written<IpNet>>>,
    pub(super) origins: Vec<HeaderValue>,
    pub(super) hosts: Vec<String>,
    pub(super) unrouted: Unrouted,
    pub(super) pass_private: Vec<IpNet>,
}

fn access(table: &mut Settings<'_, '_>) -> Access {
    let unrouted = [("refuse", Unrouted::Refuse), ("pass", Unrouted::Pass)];
    let unrouted = values::one_of(&unrouted);
    Access {
        tokens: table.text("tokens", values::text),
        metrics_tokens: table.text("metrics_tokens", values::text),
        users: table.list("users", values::local_user),
        from: table.list("from", values::network),
        origins: values(table.value("origins", |table, key| table.list(key, units::origin))),
        hosts: values(table.value("hosts", |table, key| table.list(key, values::own_host))),
        unrouted: table.value("unrouted", |table, key| table.parsed(key, &unrouted)),
        pass_private: values(
            table.value("pass_private", |table, key| table.list(key, values::network)),
        ),
    }
}

fn values<T>(list: Vec<Written<T>>) -> Vec<T> {
    list.into_iter().map(|written| written.value).collect()
}

/// `[intercept]`.
#[derive(Debug)]
pub(super) struct Intercept {
    pub(super) ca_cert: Field<String>,
    pub(super) ca_key: Field<String>,
    pub(super) leaf_lifetime: Duration,
    pub(super) leaf_cache: usize,
}

fn intercept(table: &mut Settings<'_, '_>) -> Intercept {
    Intercept {
        ca_cert: table.text("ca_cert", values::text),
        ca_key: table.text("ca_key", values::text),
        leaf_lifetime: table
            .value("leaf_lifetime", |table, key| table.parsed(key, values::leaf_lifetime)),
        leaf_cache: table.value("leaf_cache", |table, key| table.count(key, values::leaf_cache)),
    }
}

fn limits(table: &mut Settings<'_, '_>) -> Limits {
    let size = |table: &mut Table<'_>, key| table.parsed(key, units::size);
    let signed_body = table.value("signed_body", size);
    Limits {
        signed_body,
        held_bodies: table.value("held_bodies", size).max(signed_body),
        connections: table.value("connections", |table, key| table.count(key, values::connections)),
        unauthenticated: table
            .value("unauthenticated", |table, key| table.count(key, values::unauthenticated)),
        tunnels: table.value("tunnels", |table, key| table.count(key, values::tunnels)),
        header: values::whole(table.value("header", size)),
    }
}

fn timeouts(table: &mut Settings<'_, '_>) -> Timeouts {
    let mut duration = |name| table.value(name, |table, key| table.parsed(key, units::duration));
    Timeouts {
        request_head: duration("request_head"),
        request_body: duration("request_body"),
        body_idle: duration("body_idle"),
        tunnel_idle: duration("tunnel_idle"),
        sign: duration("sign"),
        log: duration("log"),
        connect: duration("connect"),
        response_head: duration("response_head"),
        pool_idle: duration("pool_idle"),
        client_idle: duration("client_idle"),
        drain_linger: duration("drain_linger"),
        drain: duration("drain"),
    }
}

/// `[process]`.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) sandbox: Sandbox,
    pub(super) lock_memory: bool,
    pub(super) runtime: Runtime,
    pub(super) read: Field<Vec<Written<String>>>,
    pub(super) write: Field<Vec<Written<String>>>,
}

fn process(table: &mut Settings<'_, '_>) -> Process {
    Process {
        sandbox: sandbox(table),
        lock_memory: table.value("lock_memory", |table, key| table.flag(key)),
        runtime: runtime(table),
        read: table.list("read", values::text),
        write: table.list("write", values::text),
    }
}

fn sandbox(table: &mut Settings<'_, '_>) -> Sandbox {
    let all = [("off", Sandbox::Off), ("warn", Sandbox::Warn), ("require", Sandbox::Require)];
    let one = values::one_of(&all);
    table.value("sandbox", |table, key| table.parsed(key, &one))
}

fn runtime(table: &mut Settings<'_, '_>) -> Runtime {
    let all = [("per_core", Runtime::PerCore), ("work_stealing", Runtime::WorkStealing)];
    let one = values::one_of(&all);
    table.value("runtime", |table, key| table.parsed(key, &one))
}

fn log(table: &mut Settings<'_, '_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = values::one_of(&formats);
    Log {
        level: table.value("level", |table, key| table.parsed(key, values::level)),
        format: table.value("format", |table, key| table.parsed(key, &format)),
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

fn store(table: &mut Settings<'_, '_>, at: Location) -> Store {
    let kinds: Vec<_> = STORES.iter().map(|kind| (kind.name, kind)).collect();
    let kind = table.text("kind", values::one_of(&kinds));
    let all = || STORES.iter().flat_map(|kind| kind.settings.iter().map(move |s| (kind, s)));
    // Kinds may have settings of one name. It is read once: as the kind's own, where it has one.
    let chosen = kind.value().map(|kind| kind.name);
    let settings = all().enumerate().filter(|(at, (kind, setting))| {
        let same = |(_, other): &(_, &StoreSetting)| other.name == setting.name;
        let own = all().filter(same).find(|(kind, _)| Some(kind.name) == chosen);
        match own {
            Some((own, _)) => own.name == kind.name,
            None => all().position(|other| same(&other)) == Some(*at),
        }
    });
    let settings = settings.map(|(_, row)| row);
    let read = |(kind, setting): (&'static StoreKind, &'static StoreSetting)| {
        let key = Key::new(setting.name, setting.kind.written(), setting.example);
        let parse = match setting.kind {
            SettingKind::Directory | SettingKind::File | SettingKind::Text => values::text,
            SettingKind::Address => values::address,
            SettingKind::Secret => values::key_uri,
            SettingKind::Variable | SettingKind::Prefix => values::variable,
            SettingKind::Duration => values::milliseconds,
            SettingKind::Signer => values::signer,
            SettingKind::Command => {
                return (kind, setting, values::command(table.table, key));
            }
        };
        (kind, setting, table.table.parsed(key, parse))
    };
    let settings = settings.map(read).collect();
    Store { at, kind, settings }
}

/// A key URI; nothing where it is none, which is reported.
fn located(report: &Report<'_>, name: &str, text: &Written<Vec<String>>) -> Option<Located> {
    let read = Located::read(&text.value);
    read.map_err(|what| {
        let (_, short) = name.split_once('.').unwrap_or_default();
        let others = STORES.iter().map(|kind| format!("{}:", kind.scheme)).collect::<Vec<_>>();
        let fix = format!("write {short} = \"file:{short}.pem\", or one of {}", others.join(", "));
        report.add(text.at, format!("{name} {what}"), fix);
    })
    .ok()
}

/// The field of what a key URI says in another way, or should have said.
fn beside<T>(uri: Option<&Located>) -> Field<T> {
    if uri.is_some() { Field::Absent(None) } else { Field::Unreadable }
}

/// `[keys.NAME]`.
#[derive(Debug)]
pub(super) struct KeyEntry {
    /// Where it is, in place of store and entry.
    pub(super) uri: Option<Located>,
    pub(super) at: Location,
    pub(super) store: Field<String>,
    pub(super) entry: Field<String>,
    pub(super) algorithm: Field<Algorithm>,
    pub(super) encoding: Field<Encoding>,
    pub(super) public: Field<Vec<u8>>,
}

fn key(table: &mut Settings<'_, '_>, at: Location) -> KeyEntry {
    KeyEntry {
        uri: None,
        at,
        store: table.text("store", values::text),
        entry: table.text("entry", values::text),
        algorithm: table.text("algorithm", values::algorithm),
        encoding: table.text("encoding", values::one_of(Encoding::ALL)),
        public: table.text("public", values::hex),
    }
}

impl KeyEntry {
    fn located(uri: Option<Located>, at: Location) -> Self {
        let (store, entry) = (beside(uri.as_ref()), beside(uri.as_ref()));
        let (algorithm, public) = (Field::Absent(None), Field::Absent(None));
        Self { uri, at, store, entry, algorithm, encoding: Field::Absent(None), public }
    }
}

/// `[secrets.NAME]`.
#[derive(Debug)]
pub(super) struct SecretEntry {
    /// Where it is, in place of store and entry.
    pub(super) uri: Option<Located>,
    pub(super) at: Location,
    pub(super) store: Field<String>,
    pub(super) entry: Field<String>,
    pub(super) watch: Field<bool>,
}

fn secret(table: &mut Settings<'_, '_>, at: Location) -> SecretEntry {
    SecretEntry {
        uri: None,
        at,
        store: table.text("store", values::text),
        entry: table.text("entry", values::text),
        watch: table.flag("watch"),
    }
}

impl SecretEntry {
    fn located(uri: Option<Located>, at: Location) -> Self {
        let (store, entry) = (beside(uri.as_ref()), beside(uri.as_ref()));
        Self { uri, at, store, entry, watch: Field::Absent(None) }
    }
}

/// `[upstreams.NAME]`.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) at: Location,
    pub(super) url: Field<UpstreamAddress>,
    pub(super) socket_uid: Field<u32>,
    pub(super) via: Field<ParentProxy>,
    pub(super) via_credentials: Field<String>,
    pub(super) via_ca: Field<String>,
    pub(super) server_name: Field<String>,
    pub(super) ca: Field<String>,
    pub(super) client_cert: Field<String>,
    pub(super) client_key: Field<String>,
    pub(super) allow_plaintext: Field<bool>,
    pub(super) post_quantum: Field<bool>,
    pub(super) idle_connections: usize,
    pub(super) max_age: Duration,
}

fn upstream(table: &mut Settings<'_, '_>, at: Location) -> Upstream {
    Upstream {
        at,
        url: table.text("url", UpstreamAddress::parse),
        socket_uid: table.count("socket_uid", values::uid),
        via: table.text("via", ParentProxy::parse),
        via_credentials: table.text("via_credentials", values::text),
        via_ca: table.text("via_ca", values::text),
        server_name: table.text("server_name", values::server_name),
        ca: table.text("ca", values::text),
        client_cert: table.text("client_cert", values::text),
        client_key: table.text("client_key", values::text),
        allow_plaintext: table.flag("allow_plaintext"),
        post_quantum: table.flag("post_quantum"),
        idle_connections: table.value("idle_connections", idle_connections),
        max_age: table.value("max_age", max_age),
    }
}

fn idle_connections(table: &mut Table<'_>, key: Key) -> Field<usize> {
    table.count(key, |number| Ok(values::whole(number)))
}

fn max_age(table: &mut Table<'_>, key: Key) -> Field<Duration> {
    table.parsed(key, units::duration)
}

/// How many unused connections are kept to a host that no `[upstreams]` table speaks of, and the age
/// at which they get no new requests: as where a table says nothing of it.
pub fn direct() -> (usize, Duration) {
    let table = "upstreams.NAME";
    (
        settings::default(table, "idle_connections", idle_connections),
        settings::default(table, "max_age", max_age),
    )
}
