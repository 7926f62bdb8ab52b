//! `signer.toml` as written: its own tables, and those that it has in common with `proxy.toml`.

use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::{File, key, store, values, whole};
use crate::config::Sandbox;
use crate::config::file::schemes::Declared;
use crate::config::file::{KeyEntry, located};
use crate::config::settings::{Settings, section, sections, sections_or_texts};
use crate::config::units::{self, Endpoint};
use crate::document::{Field, Location, Named, Report, Table, ValueFault, Written, quoted};
use crate::keys::Algorithm;
use crate::scheme::Registry;

/// The whole file.
#[derive(Debug)]
pub(in crate::config) struct SignerFile {
    pub(in crate::config) signer: Signer,
    pub(in crate::config) grants: Named<Grant>,
    /// Stores, keys and log; everything else in it is as in an empty file.
    pub(in crate::config) rest: File,
}

/// `[signer]`.
#[derive(Debug)]
pub(in crate::config) struct Signer {
    pub(in crate::config) at: Option<Location>,
    pub(in crate::config) listen: Field<Endpoint>,
    pub(in crate::config) mode: u32,
    pub(in crate::config) cert: Field<String>,
    pub(in crate::config) key: Field<String>,
    pub(in crate::config) client_ca: Field<String>,
    pub(in crate::config) audit: Field<String>,
    pub(in crate::config) durable: bool,
    pub(in crate::config) sandbox: Sandbox,
    pub(in crate::config) lock_memory: bool,
    pub(in crate::config) drain: Duration,
}

/// `[grants.NAME]`.
#[derive(Debug)]
pub(in crate::config) struct Grant {
    pub(in crate::config) at: Location,
    pub(in crate::config) uid: Field<u32>,
    pub(in crate::config) certificate: Field<String>,
    pub(in crate::config) keys: Field<Vec<Written<String>>>,
    pub(in crate::config) algorithms: Field<Vec<Written<Algorithm>>>,
    pub(in crate::config) routes: Field<Vec<Written<String>>>,
    pub(in crate::config) rate: Field<u32>,
}

/// Reads a text. `None` when it is not TOML at all, which is reported.
pub(in crate::config) fn read(report: &Report<'_>) -> Option<SignerFile> {
    let document = super::parsed(report)?;
    Some(Table::root(report, document.get_ref(), |file| SignerFile {
        signer: section(file, "signer", signer),
        grants: sections(file, "grants", grant),
        rest: File {
            stores: sections(file, "stores", store),
            keys: sections_or_texts(file, "keys", key, &|report, name, text| {
                KeyEntry::located(located(report, name, &text), text.at)
            }),
            log: section(file, "log", super::log),
            ..empty()
        },
    }))
}

/// What an empty `proxy.toml` says.
fn empty() -> File {
    let report = Report::new("");
    let document = DeTable::parse("").expect("nothing is TOML");
    Table::root(&report, document.get_ref(), |file| {
        let (none, registry) = (Named::new(), Registry::built_in());
        whole(file, Declared::read(&none, &registry, Path::new(""), &report))
    })
}

fn signer(table: &mut Settings<'_, '_>) -> Signer {
    Signer {
        at: table.at(),
        listen: table.text("listen", Endpoint::parse),
        mode: table.value("mode", |table, key| table.parsed(key, mode)),
        cert: table.text("cert", values::text),
        key: table.text("key", values::text),
        client_ca: table.text("client_ca", values::text),
        audit: table.text("audit", values::text),
        durable: table.value("durable", |table, key| table.flag(key)),
        sandbox: super::sandbox(table),
        lock_memory: table.value("lock_memory", |table, key| table.flag(key)),
        drain: table.value("drain", |table, key| table.parsed(key, units::duration)),
    }
}

fn grant(table: &mut Settings<'_, '_>, at: Location) -> Grant {
    Grant {
        at,
        uid: table.count("uid", values::uid),
        certificate: table.text("certificate", values::server_name),
        keys: table.list("keys", values::text),
        algorithms: table.list("algorithms", values::algorithm),
        routes: table.list("routes", values::text),
        rate: table.count("rate", |number| match u32::try_from(number) {
            Ok(number @ 1..=1_000_000) => Ok(number),
            _ => Err(ValueFault::new("is not between 1 and 1000000", "")),
        }),
    }
}

/// A mode in octal, as `chmod` takes it.
fn mode(text: &str) -> Result<u32, ValueFault> {
    let read = u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o666 == 0);
    read.filter(|mode| mode & 0o600 == 0o600).ok_or_else(|| {
        let what = format!("is {}, which is no mode of a socket", quoted(text));
        ValueFault::meant(what, "0660", "or \"0600\", or \"0666\"")
    })
}
