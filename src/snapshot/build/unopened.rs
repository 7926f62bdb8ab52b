//! Validation without keys: a configuration on a machine that has none of its keys and secrets.
//! Stand-ins are bound in their place; what others may read (certificates, public keys) is read.

use std::collections::BTreeMap;

use super::builder::{Builder, Secrets};
use crate::config::{self, Config, Problem};
use crate::keys::{PrivateKey, PublicKey};
use crate::scheme::Binding;
use crate::secret::{Secret, SecretCell};
use crate::snapshot::{Snapshot, Surroundings};

impl Snapshot {
    /// What is wrong, and what is doubtful, as far as it can be told without a key or a secret.
    /// Routes are looked at only where the configuration itself is `right`.
    pub fn unopened(config: &Config, right: bool) -> (Vec<Problem>, Vec<Problem>) {
        let surroundings = Surroundings::default();
        let mut builder = Builder::new(config, &surroundings, None);
        // What needs a secret ends where it is looked for.
        let none = Secrets::new();
        builder.upstreams(&none);
        builder.leaves(&none);
        builder.look_at_state();
        builder.warn_of_local();
        let mut made = BTreeMap::new();
        let routes = config.routes.iter();
        let halves = routes.flat_map(|(name, own)| own.halves().map(move |half| (name, half)));
        for (name, route) in halves {
            let files = builder.files(name, route);
            let (Some(files), true) = (files, right) else { continue };
            let keys = stand_ins(config, route, &mut made);
            let stand_in = || SecretCell::fixed(Secret::new(b"stand-in".to_vec()));
            let secrets = route.secrets.keys().map(|slot| (slot.clone(), stand_in())).collect();
            let binding = Binding { keys, secrets, params: route.params.clone(), files };
            builder.warn_of_binding(name, route, &binding);
            match route.scheme.bind(&binding) {
                Ok(scheme) => {
                    builder.warn_of_order(name, route, &scheme);
                    // An entry stands for its key.
                    let key = route.scheme.keys.first().map(|slot| slot.name.as_ref());
                    let key = key.and_then(|slot| route.keys.get(slot)).map_or("", String::as_str);
                    builder.shares_numbers(name, route, &scheme, key);
                }
                Err(error) => builder.unbound(name, route, &error),
            }
        }
        builder.warnings.sort_by_key(|warning| warning.at);
        (builder.errors, builder.warnings)
    }
}

/// A public key in each slot that names a key, of the algorithm that is written, or one that fits.
fn stand_ins(
    config: &Config,
    route: &config::Route,
    made: &mut BTreeMap<&'static str, PublicKey>,
) -> BTreeMap<String, PublicKey> {
    let mut keys = BTreeMap::new();
    for slot in &route.scheme.keys {
        let Some(name) = route.keys.get(slot.name.as_ref()) else { continue };
        let written = config.keys.get(name).and_then(|key| key.algorithm);
        let Some(algorithm) = written.or_else(|| slot.algorithms.first().copied()) else {
            continue;
        };
        let make = || PrivateKey::generate(algorithm).public_key();
        let key = made.entry(algorithm.name()).or_insert_with(make);
        keys.insert(slot.name.to_string(), key.clone());
    }
    keys
}
