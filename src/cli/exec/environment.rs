//! The environment of the program: what the caller has, without keys, with the way to the proxy.

use super::credentials::{self, Credentials};
use super::java;
use super::no_proxy::NoProxy;
use super::running::Running;
use super::trust::Trust;
pub(in crate::cli) use super::values::{Variables, text};
use super::variables::{self, Gets};
use crate::config::{Config, HostPattern};

/// What a program finds: what the caller has, whose keys are taken out already, with the way to the
/// proxy and whom to trust. And what it reaches past the proxy.
pub(in crate::cli) fn of_program(
    caller: Variables,
    config: &Config,
    proxy: Running,
    credentials: Option<&Credentials>,
    trust: &Trust,
) -> (Variables, NoProxy) {
    let past = past(&caller, config);
    let mut variables = caller.clone();
    let user = credentials.map(|own| format!("{}@", own.user_info())).unwrap_or_default();
    let (url, list) = (format!("http://{user}{}", proxy.forward), past.list());
    for variable in variables::ALL {
        let value = match variable.gets {
            Gets::Proxy => url.as_str(),
            Gets::Past => list.as_str(),
            Gets::Yes => "1",
        };
        for name in variable.names(&caller) {
            variables.insert(name, value.into());
        }
    }
    if let Some(gateway) = proxy.gateway {
        variables.insert(GATEWAY.into(), format!("http://{gateway}").into());
    }
    if let Some(store) = &trust.java {
        for name in java::variables(&caller) {
            let given = text(&caller, name);
            let options = java::options(given.as_deref(), proxy.forward, &past, store.as_ref());
            variables.insert(name.into(), options.into());
        }
    }
    for (name, file) in &trust.files {
        variables.insert(name.into(), file.clone());
    }
    (variables, past)
}

/// Where programs find the gateway.
const GATEWAY: &str = "COUNTERSIGN_GATEWAY";

/// Takes away every variable that could hold a key, a secret or a passphrase of this
/// configuration: those it names, and those an `env` store could read under another entry, such as
/// a key of yesterday's. A store without prefix could read all; there only the named ones go.
pub(in crate::cli) fn without_keys(variables: &mut Variables, config: &Config) {
    let mut named = vec![credentials::VARIABLE.to_owned()];
    let keys = config.keys.values().map(|key| (&key.store, &key.entry));
    let secrets = config.secrets.values().map(|secret| (&secret.store, &secret.entry));
    for (store, entry) in keys.chain(secrets) {
        let prefix = config.stores.get(store).and_then(|store| store.variables().prefix);
        named.extend(prefix.map(|prefix| format!("{prefix}{entry}")));
    }
    let mut prefixes = Vec::new();
    for store in config.stores.values() {
        let variables = store.variables();
        prefixes.extend(variables.prefix);
        named.extend(variables.named);
    }
    prefixes.retain(|prefix| !prefix.is_empty());
    variables.retain(|name, _| {
        let bytes = name.as_encoded_bytes();
        !named.iter().any(|taken| taken.as_bytes() == bytes)
            && !prefixes.iter().any(|prefix| bytes.starts_with(prefix.as_bytes()))
    });
}

/// What is reached past the proxy: what the caller has, without routed hosts, with this machine.
fn past(caller: &Variables, config: &Config) -> NoProxy {
    let lists = variables::ALL.iter().filter(|variable| variable.gets == Gets::Past);
    let names = lists.flat_map(|variable| variable.names(caller));
    let lists: Vec<_> = names.filter_map(|name| caller.get(&name)).collect();
    let lists: Vec<_> = lists.iter().map(|list| list.to_string_lossy()).collect();
    let routed: Vec<&HostPattern> = routed(config).collect();
    NoProxy::merge(lists.iter().map(AsRef::as_ref), &routed)
}

/// The hosts that routes name.
pub(super) fn routed(config: &Config) -> impl Iterator<Item = &HostPattern> {
    config.routes.values().filter_map(|route| route.host.as_ref())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

    fn config(stores: &str) -> Config {
        let text = format!(
            "[listen]\nforward = \"127.0.0.1:0\"\n{stores}\n[keys.k]\nstore = \"e\"\n\
            entry = \"KEY\"\n[secrets.s]\nstore = \"f\"\nentry = \"FILE\"\n\
            [routes.r]\nhost = \"api.sinohope.com\"\nscheme = \"sinohope\"\n\
            keys = {{ signer = \"k\" }}\n"
        );
        Config::parse(&text, Path::new("proxy.toml")).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn variables(names: &[&str]) -> Variables {
        names.iter().map(|name| (OsString::from(name), OsString::from("x"))).collect()
    }

    #[test]
    fn variables_with_keys_go_and_others_stay() {
        let all = ["PATH", "KEY", "CS_KEY", "CS_OLD", "PASS", "FILE", "COUNTERSIGN_TOKEN", "CS"];
        let file = "[stores.f]\nkind = \"file\"\ndir = \"d\"\npassphrase_env = \"PASS\"\n";
        for (store, left) in [
            ("[stores.e]\nkind = \"env\"\nprefix = \"CS_\"", vec!["CS", "FILE", "KEY", "PATH"]),
            (
                "[stores.e]\nkind = \"env\"\nprefix = \"\"",
                vec!["CS", "CS_KEY", "CS_OLD", "FILE", "PATH"],
            ),
            ("[stores.e]\nkind = \"env\"", vec!["CS", "CS_KEY", "CS_OLD", "FILE", "KEY", "PATH"]),
        ] {
            let mut variables = variables(&all);
            without_keys(&mut variables, &config(&format!("{file}{store}")));
            let names: Vec<_> = variables.keys().collect();
            assert_eq!(names, left, "{store}");
        }
    }

    #[test]
    fn both_spellings_of_no_proxy_are_merged() {
        let config = config("[stores.e]\nkind = \"env\"\n[stores.f]\nkind = \"file\"\ndir = \"d\"");
        let variables = Variables::from([
            ("NO_PROXY".into(), "a.b,sinohope.com".into()),
            ("no_proxy".into(), "c.d".into()),
        ]);
        let past = past(&variables, &config);
        assert_eq!(past.list(), "a.b,c.d,localhost,127.0.0.1,::1");
        assert_eq!(past.left_out, ["sinohope.com"]);
    }
}
