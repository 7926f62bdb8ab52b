//! The files that a configuration has this program believe: the configuration itself, and what it
//! names. None of them is used that others can change.
//!
//! Keys and secrets are looked at by their stores, whenever they are read; a state directory by those
//! who keep nonces there.

use std::collections::BTreeMap;
use std::path::Path;

use super::signer::{Listen, SignerConfig};
use super::{Config, Route, Store};
use crate::keys::SettingKind;
use crate::problem::{Location, Problem};
use crate::strict_modes;

/// A setting and the file it names.
type Named<'c> = (String, &'c Path, Option<Location>);

impl Config {
    /// Which files others can change, and how that is mended.
    pub fn distrusted(&self) -> Vec<Problem> {
        let own = [(String::new(), self.path.as_path(), None)];
        let schemes = self.scheme_files.iter();
        let schemes = schemes
            .map(|(name, (path, at))| (format!("schemes.{name}: "), path.as_path(), Some(*at)));
        let authority = self.intercept.iter().map(|intercept| {
            let at = Some(intercept.ca_cert_at);
            ("intercept.ca_cert: ".to_owned(), intercept.ca_cert.as_path(), at)
        });
        let upstreams = self.upstreams.iter().flat_map(|(name, upstream)| {
            let client = upstream.client.as_ref().map(|client| &client.cert);
            let files = [("ca", upstream.ca.as_ref()), ("via_ca", upstream.via_ca.as_ref())];
            files.into_iter().chain([("client_cert", client)]).filter_map(move |(setting, file)| {
                Some((format!("upstreams.{name}: {setting}: "), file?.as_path(), Some(upstream.at)))
            })
        });
        let routes = self.routes.iter().flat_map(|(name, route)| route_files(name, route));
        let audit = self
            .audit
            .iter()
            .map(|audit| ("audit.file: ".to_owned(), audit.file.as_path(), Some(audit.at)));
        let shared = self.shared.iter().filter_map(|shared| {
            Some(("shared.ca: ".to_owned(), shared.ca.as_deref()?, Some(shared.at)))
        });
        let named =
            schemes.chain(authority).chain(shared).chain(upstreams).chain(routes).chain(audit);
        judged(own.into_iter().chain(named).chain(store_files(&self.stores)))
    }
}

impl SignerConfig {
    /// The same of a signer's.
    pub(super) fn distrusted(&self) -> Vec<Problem> {
        let own = [
            (String::new(), self.path.as_path(), None),
            ("signer.audit: ".to_owned(), self.audit.as_path(), None),
        ];
        let certificates = match &self.listen {
            Listen::Tls(_, [cert, _, ca]) => vec![("cert", cert), ("client_ca", ca)],
            Listen::Unix(..) => Vec::new(),
        };
        let certificates = certificates
            .into_iter()
            .map(|(setting, path)| (format!("signer.{setting}: "), path.as_path(), None));
        judged(own.into_iter().chain(certificates).chain(store_files(&self.stores)))
    }
}

/// The files of a route's parameters, and its audit.
fn route_files<'c>(name: &'c str, route: &'c Route) -> impl Iterator<Item = Named<'c>> {
    let params = route.halves().flat_map(move |half| {
        let paths =
            half.files.iter().flat_map(|(param, paths)| paths.iter().map(move |p| (param, p)));
        paths.map(move |(param, path)| {
            let field = format!("params.{param}");
            let at = half.fields.get(&field).copied().unwrap_or(half.at);
            (format!("routes.{name}: {field}: "), path.as_path(), Some(at))
        })
    });
    let audit = route.decide.iter().map(move |decide| {
        (format!("routes.{name}.decide: audit: "), decide.audit.as_path(), Some(decide.at))
    });
    params.chain(audit)
}

/// The files that stores are told of: authorities, certificates, modules. A socket of an agent is no
/// file, and what is signed there is held against the key's public half.
fn store_files(stores: &BTreeMap<String, Store>) -> impl Iterator<Item = Named<'_>> {
    stores.iter().flat_map(|(name, store)| {
        let files = store.kind.settings.iter().filter(|setting| setting.kind == SettingKind::File);
        files.filter_map(move |setting| {
            let path = store.settings.path(setting.name);
            let subject = if store.unnamed { name.clone() } else { format!("stores.{name}") };
            path.is_file().then(|| (format!("{subject}: {}: ", setting.name), path, Some(store.at)))
        })
    })
}

fn judged<'c>(files: impl Iterator<Item = Named<'c>>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (subject, path, at) in files {
        let Err(problem) = strict_modes::check(path) else { continue };
        let problem = Problem { what: format!("{subject}{}", problem.what), ..problem }.at(at);
        // A file may be named by two halves of a route.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}
