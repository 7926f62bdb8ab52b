//! Stores, and the keys and secrets in them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::Resolver;
use crate::config::file;
use crate::config::{Key, SecretEntry, Store};
use crate::document::{Field, Pair, Written};
use crate::keys::{
    Algorithm, Encoding, Needed, PublicKey, SettingKind, StoreKind, StoreSetting, StoreSettings,
};
use crate::problem::Location;
use crate::stores::Located;

impl Resolver<'_> {
    pub(in crate::config) fn stores(&self) -> BTreeMap<String, Store> {
        let stores = self.file.stores.iter();
        let named =
            stores.filter_map(|(name, written)| Some((name.clone(), self.store(name, written)?)));
        let keys = self.file.keys.iter().map(|(name, key)| ("keys", name, &key.uri, key.at));
        let secrets = self.file.secrets.iter();
        let secrets = secrets.map(|(name, key)| ("secrets", name, &key.uri, key.at));
        let located = keys.chain(secrets).filter_map(|(table, name, uri, at)| {
            let (kind, settings) = self.located(uri.as_ref()?, at);
            Some((unnamed(table, name), Store { kind, settings, unnamed: true, at }))
        });
        named.chain(located).collect()
    }

    /// The store of a key URI.
    fn located(&self, uri: &Located, at: Location) -> (&'static StoreKind, StoreSettings) {
        let (mut values, mut secrets) = (Vec::new(), Vec::new());
        for setting in uri.kind.settings {
            let written = uri.settings.iter().find(|(name, _)| *name == setting.name);
            match written {
                Some((_, value)) if setting.kind == SettingKind::Secret => {
                    secrets.extend(Some(setting.name).zip(self.needed(value, at)));
                }
                Some((_, value)) => values.push((setting.name, self.meant(setting, value))),
                None => values.extend(Some(setting.name).zip(by_default(setting))),
            }
        }
        let settings = StoreSettings::new(values);
        (uri.kind, secrets.into_iter().fold(settings, |all, (name, s)| all.needing(name, s)))
    }

    /// The secret that a store needs: at a key URI, or in one.
    fn needed(&self, text: &str, at: Location) -> Option<Needed> {
        if let Some(secret) = text.strip_prefix(Located::GIVEN) {
            return Some(Needed::given(secret));
        }
        match Located::read(&[text.to_owned()]) {
            Ok(uri) => {
                let (kind, settings) = self.located(&uri, at);
                Some(Needed::Kept(kind, settings, uri.entry))
            }
            Err(what) => {
                let fix =
                    "name a file (file:/etc/countersign/pin), a variable (env:PIN) or a command";
                self.report.add(at, format!("the place of the store's secret {what}"), fix);
                None
            }
        }
    }

    /// What a right value is once it is read.
    fn meant(&self, setting: &StoreSetting, value: &str) -> OsString {
        match setting.kind {
            SettingKind::Directory | SettingKind::File => {
                self.directory.join(value).into_os_string()
            }
            SettingKind::Variable
            | SettingKind::Prefix
            | SettingKind::Command
            | SettingKind::Duration
            | SettingKind::Text
            | SettingKind::Address
            | SettingKind::Signer
            | SettingKind::Secret => value.into(),
        }
    }

    fn store(&self, name: &str, written: &file::Store) -> Option<Store> {
        let kind = *written.kind.value()?;
        let (mut values, mut secrets) = (Vec::new(), Vec::new());
        for (owner, setting, field) in &written.settings {
            if owner.name == kind.name {
                let secret = field.value().filter(|_| setting.kind == SettingKind::Secret);
                if let Some(uri) = secret {
                    secrets.extend(Some(setting.name).zip(self.needed(uri, written.at)));
                    continue;
                }
                let value = self.setting(name, written, setting, field);
                values.extend(value.map(|value| (setting.name, value)));
            } else if kind.settings.iter().all(|own| own.name != setting.name) {
                self.refuse_foreign(setting.name, field, owner.name, kind.name);
            }
        }
        let settings = StoreSettings::new(values);
        let settings = secrets.into_iter().fold(settings, |all, (name, s)| all.needing(name, s));
        Some(Store { kind, settings, unnamed: false, at: written.at })
    }

    /// What a setting is, where it is anything; reports what it must not be.
    fn setting(
        &self,
        store: &str,
        written: &file::Store,
        setting: &StoreSetting,
        field: &Field<String>,
    ) -> Option<OsString> {
        let (name, example) = (setting.name, setting.example);
        if setting.required && field.is_absent() {
            let what = format!("[stores.{store}] has no {name}");
            self.report.add(written.at, what, format!("write {name} = {example} below it"));
        }
        let Some(Written { value, at }) = field.get() else {
            return by_default(setting);
        };
        if setting.kind == SettingKind::Variable && value.is_empty() {
            let fix = format!("write {name} = {example}, or remove it");
            self.report.add(*at, format!("{name} is empty"), fix);
            return None;
        }
        Some(self.meant(setting, value))
    }

    /// Reports a key that stores of this kind do not have.
    fn refuse_foreign(&self, key: &str, field: &Field<String>, its_kind: &str, kind: &str) {
        if let Some(Written { at, .. }) = field.get() {
            let what =
                format!("{key} is for stores of kind \"{its_kind}\", and this is \"{kind}\"");
            self.report.add(*at, what, format!("remove it, or write kind = \"{its_kind}\""));
        }
    }

    pub(in crate::config) fn keys(&self) -> BTreeMap<String, Key> {
        let key = |(name, written): (&String, &file::KeyEntry)| {
            if let Some(uri) = &written.uri {
                let key = Key {
                    store: unnamed("keys", name),
                    entry: uri.entry.clone(),
                    algorithm: None,
                    candidates: self.candidates(name),
                    encoding: self.encoding(name, &written.encoding),
                    public: None,
                    at: written.at,
                };
                return Some((name.clone(), key));
            }
            let (store, entry) = self.place(&written.store, &written.entry);
            self.check_public(&written.public, written.algorithm.value().copied());
            let algorithm = written.algorithm.value().copied();
            let public = written.public.value().cloned();
            let (store, entry, at) = (store?, entry?, written.at);
            let encoding = self.encoding(name, &written.encoding);
            let candidates = vec![];
            let key = Key { store, entry, algorithm, candidates, encoding, public, at };
            Some((name.clone(), key))
        };
        self.file.keys.iter().filter_map(key).collect()
    }

    /// What every slot takes that names this key.
    fn candidates(&self, key: &str) -> Vec<Algorithm> {
        let mut common: Option<Vec<Algorithm>> = None;
        for route in self.file.routes.values() {
            let slots = route.scheme.value().map_or(&[][..], |scheme| &scheme.keys);
            for pair in named_keys(route) {
                let names = pair.value.as_ref().is_some_and(|value| value.value == key);
                let Some(slot) = slots.iter().find(|slot| names && slot.name == pair.name) else {
                    continue;
                };
                let before = common.take().unwrap_or_else(|| slot.algorithms.to_vec());
                common = Some(before.into_iter().filter(|a| slot.algorithms.contains(a)).collect());
            }
        }
        common.unwrap_or_default()
    }

    /// How a key is written: as it says, or as the provider of a route issues it that it signs for.
    fn encoding(&self, name: &str, written: &Field<Encoding>) -> Encoding {
        if !written.is_absent() {
            return written.holds().copied().unwrap_or_default();
        }
        let slots = self.file.routes.values().flat_map(|route| {
            let entry = route.scheme.value();
            named_keys(route).filter_map(move |pair| Some((pair, entry?)))
        });
        let own = slots
            .filter(|(pair, _)| pair.value.as_ref().is_some_and(|written| written.value == name));
        let mut encodings = own.filter_map(|(pair, entry)| {
            entry.keys.iter().find(|slot| slot.name == pair.name).map(|slot| slot.encoding)
        });
        encodings.next().unwrap_or_default()
    }

    pub(super) fn secrets(&self) -> BTreeMap<String, SecretEntry> {
        let secret = |(name, written): (&String, &file::SecretEntry)| {
            if let Some(uri) = &written.uri {
                let (store, entry) = (unnamed("secrets", name), uri.entry.clone());
                return Some((
                    name.clone(),
                    SecretEntry { store, entry, watch: false, at: written.at },
                ));
            }
            let (store, entry) = self.place(&written.store, &written.entry);
            self.check_watch(name, written);
            let watch = written.watch.holds().copied().unwrap_or_default();
            let entry = SecretEntry { store: store?, entry: entry?, watch, at: written.at };
            Some((name.clone(), entry))
        };
        self.file.secrets.iter().filter_map(secret).collect()
    }

    /// Reports `watch` where nothing can be watched, or nobody would notice a change.
    fn check_watch(&self, name: &str, written: &file::SecretEntry) {
        let Some(Written { value: true, at }) = written.watch.get() else {
            return;
        };
        let store = written.store.value().and_then(|store| self.file.stores.get(store));
        let kind = store.and_then(|store| store.kind.value());
        let none = |kind: &&&StoreKind| (kind.file)(&StoreSettings::default(), "").is_none();
        if let Some(kind) = kind.filter(none) {
            let name = kind.name;
            let what = format!("watch is for files, and entries of kind \"{name}\" are none");
            self.report.add(*at, what, "remove it, or keep the entry in a store of kind \"file\"");
        }
        for (place, _) in self.read_at_reloads().filter(|(_, secret)| *secret == name) {
            let what = format!("watch does nothing for {place}, which is read at a reload");
            self.report.add(*at, what, "remove it, and send SIGHUP after changing the entry");
        }
    }

    /// The secrets that are taken once, when the configuration is, and what takes them.
    fn read_at_reloads(&self) -> impl Iterator<Item = (String, &str)> {
        let file = self.file;
        let upstreams = file.upstreams.iter().flat_map(|(name, upstream)| {
            [("client_key", &upstream.client_key), ("via_credentials", &upstream.via_credentials)]
                .map(|(key, secret)| (format!("upstreams.{name}.{key}"), secret))
        });
        [
            ("access.tokens".to_owned(), &file.access.tokens),
            ("access.metrics_tokens".to_owned(), &file.access.metrics_tokens),
            ("intercept.ca_key".to_owned(), &file.intercept.ca_key),
        ]
        .into_iter()
        .chain(upstreams)
        .filter_map(|(place, secret)| Some((place, secret.value()?.as_str())))
    }

    fn place(
        &self,
        store: &Field<String>,
        entry: &Field<String>,
    ) -> (Option<String>, Option<String>) {
        if let Some(store) = store.get() {
            self.check_reference("store", store, "stores", &self.file.stores);
        }
        (store.value().cloned(), entry.value().cloned())
    }

    /// Checks that the bytes are a public key, and one of the declared kind.
    fn check_public(&self, public: &Field<Vec<u8>>, declared: Option<Algorithm>) {
        let Some(Written { value: bytes, at }) = public.get() else {
            return;
        };
        let mut possible = Algorithm::ALL.iter().filter(|a| declared.is_none_or(|d| d == **a));
        if possible.any(|algorithm| PublicKey::of(*algorithm, bytes).is_some()) {
            return;
        }
        if let (Some(key), Some(declared)) = (PublicKey::from_spki(bytes), declared) {
            let found = key.algorithm();
            let what = format!("public is a key for {found}, and algorithm is {declared}");
            let fix = format!("write algorithm = \"{found}\", or the key for {declared}");
            self.report.add(*at, what, fix);
            return;
        }
        // The bytes are not shown: they may be the private key.
        let of = declared.map(|algorithm| format!(" for {algorithm}")).unwrap_or_default();
        let fix = "write the hex of an SPKI in DER, or of a point, compressed or not";
        self.report.add(*at, format!("public is not a public key{of}"), fix);
    }
}

/// What the store of a key URI is called: names of the user's own have no dots.
fn unnamed(table: &str, name: &str) -> String {
    format!("{table}.{name}")
}

/// What a setting is where it is left out.
fn by_default(setting: &StoreSetting) -> Option<OsString> {
    let default = setting.default?;
    Some(match setting.kind {
        SettingKind::Duration => file::milliseconds(default).expect("a default can be read").into(),
        SettingKind::Directory
        | SettingKind::Variable
        | SettingKind::Prefix
        | SettingKind::File
        | SettingKind::Text
        | SettingKind::Address
        | SettingKind::Signer
        | SettingKind::Secret
        | SettingKind::Command => default.into(),
    })
}

/// What a route writes of keys, those included that take over later.
fn named_keys(route: &file::Route) -> impl Iterator<Item = &Pair> {
    let next = route.next.as_ref().and_then(|next| next.keys.value());
    route.keys.value().into_iter().chain(next).flatten()
}
