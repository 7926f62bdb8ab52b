//! Whole files: the example, files that must resolve, files that must not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::settings::{Need, SECTIONS};
use crate::config::{
    Config, Endpoint, Limits, Location, LogFormat, ParentProxy, Timeouts, Turns, Unrouted,
};
use crate::scheme::{BindError, Binding, Entry, Registry};
use crate::stores::STORES;

#[test]
fn the_example_resolves_to_what_it_shows() {
    let config = resolve(&example());
    let names = |routes: Vec<&String>| routes.into_iter().cloned().collect::<Vec<_>>().join(" ");
    let routes = names(config.routes.keys().collect());
    assert_eq!(routes, "infras loopring loopring_order metasv sinohope");
    assert_eq!(names(config.keys.keys().collect()), "loopring metasv sinohope");
    let gateway = "127.0.0.1:8081".parse().expect("an address");
    assert_eq!(config.listen.gateway, Some(Endpoint::Tcp(gateway)));
    // Relative to the file, not to the working directory.
    assert_eq!(config.stores["files"].file("a"), Some("/etc/countersign/keys/a".into()));
    assert_eq!(config.routes["sinohope"].params["remove"], "space_lf");
    assert_eq!(config.routes["infras"].params["token_header"], "Sec-WebSocket-Infras-Token");
    assert!(config.secrets["infras_token"].watch);
}

#[test]
fn the_example_shows_the_defaults() {
    let example = example();
    let mut shown = 0;
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if is_pair(rest) => {
                shown += 1;
                rest
            }
            _ => line,
        })
        .collect();
    assert!(shown >= 23, "only {shown} defaults were seen");
    let written = resolve(&uncommented.join("\n"));
    assert_eq!(without_places(written), without_places(resolve(&example)));
}

#[test]
fn the_examples_in_the_example_resolve() {
    let example = example();
    let (mut tables, mut pairs) = (0, 0);
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') && rest.ends_with(']') => {
                tables += 1;
                rest
            }
            Some(rest) if is_pair(rest) => {
                pairs += 1;
                rest
            }
            _ => line,
        })
        .collect();
    assert!(tables >= 5 && pairs >= 19, "only {tables} tables and {pairs} pairs were seen");
    // The file of a scheme is read with the configuration.
    let here = concat!("file = \"", env!("CARGO_MANIFEST_DIR"), "/schemes/");
    let config = resolve(&uncommented.join("\n").replace("file = \"schemes/", here));
    assert_eq!(config.routes.len(), 10);
    assert_eq!(config.access.tokens.as_deref(), Some("client_tokens"));
    let intercept = config.intercept.expect("[intercept]");
    assert_eq!(intercept.ca_cert, Path::new("/etc/countersign/ca.pem"));
    assert_eq!(intercept.ca_key, "intercept_ca");
    let next = config.routes["metasv"].next.as_deref().expect("a rotation");
    assert_eq!(next.route.keys["signer"], "metasv_2027");
    let turns = Turns { from: 1_796_083_200_000, until: 1_796_169_600_000, share: 500 };
    assert_eq!(next.turns, turns);
    let ca = config.upstreams["staging"].ca.as_deref();
    assert_eq!(ca, Some(Path::new("/etc/countersign/staging-ca.pem")));
    assert!(config.upstreams["office"].url.is_none() && config.upstreams["office"].via.is_some());
}

#[test]
fn the_example_shows_every_setting_with_its_default_and_no_other() {
    let example = example();
    let (mut table, mut shown) = (String::new(), BTreeMap::<(String, &str), Vec<&str>>::new());
    for line in example.lines().map(|line| line.trim_start_matches('#').trim_start()) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let mut parts: Vec<&str> = header.split('.').collect();
            parts.iter_mut().skip(1).take(1).for_each(|name| *name = "NAME");
            table = parts.join(".");
        } else if is_pair(line) {
            let (name, value) = line.split_once(" = ").expect("it is a pair");
            let value = value.find(" #").map_or(value, |at| &value[..at]).trim_end();
            shown.entry((table.clone(), name)).or_default().push(value);
        }
    }
    // Rules are their scheme's (docs/decide.md); that those of the example resolve is seen above.
    shown.retain(|(table, _), _| !table.starts_with("routes.NAME.decide."));
    for section in SECTIONS {
        for setting in section.settings {
            let (table, name) = (section.table, setting.key.name);
            let values = shown.remove(&(table.to_owned(), name));
            let values = values.unwrap_or_else(|| panic!("{table}.{name} is not shown"));
            if let Need::Default(default) = setting.need {
                assert!(values.contains(&default), "{table}.{name}: {default}, not {values:?}");
            }
        }
    }
    // Kinds may have settings of one name.
    let mut stores: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for setting in STORES.iter().flat_map(|kind| kind.settings) {
        stores.entry(setting.name).or_default().push(setting.example);
    }
    for (name, examples) in stores {
        let values = shown.remove(&("stores.NAME".to_owned(), name));
        assert_eq!(values, Some(examples), "{name}");
    }
    assert!(shown.is_empty(), "there are no such settings: {shown:?}");
}

#[test]
fn good_files_resolve() {
    let files = files("good");
    for (path, text) in &files {
        if let Err(errors) = Config::parse(text, path) {
            panic!("{errors}");
        }
    }
    assert!(files.len() >= 9, "only {} files were seen", files.len());
}

#[test]
fn files_of_a_parameter_are_as_many_as_it_names() {
    let routes = good("callbacks.toml").routes;
    let names = |route: &str| {
        let files = routes[route].files["verify_with"].iter();
        files.map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    assert!(matches!(&names("service")[..], [one, two]
        if one.ends_with("node.pem") && two.ends_with("next/node.pem")));
    assert_eq!(names("rules").len(), 1);
}

#[test]
fn every_number_comes_from_its_own_key() {
    let config = good("tuned.toml");
    let limits = Limits {
        signed_body: 65_536,
        held_bodies: 131_072,
        connections: 16,
        unauthenticated: 9,
        tunnels: 8,
        header: 16_384,
    };
    assert_eq!(config.limits, limits);
    let timeouts = Timeouts {
        request_head: Duration::from_millis(500),
        request_body: Duration::from_secs(60),
        body_idle: Duration::from_secs(3_600),
        tunnel_idle: Duration::from_secs(7_200),
        sign: Duration::from_millis(1_500),
        log: Duration::from_millis(750),
        connect: Duration::from_secs(3),
        response_head: Duration::from_secs(20),
        pool_idle: Duration::from_secs(30),
        client_idle: Duration::from_secs(300),
        drain_linger: Duration::from_millis(250),
        drain: Duration::from_secs(86_400),
    };
    assert_eq!(config.timeouts, timeouts);
    let intercept = config.intercept.expect("[intercept]");
    assert_eq!((intercept.leaf_lifetime, intercept.leaf_cache), (Duration::from_secs(7_200), 9));
    assert_eq!(config.replica.written().to_string(), "2/4");
    assert_eq!(config.routes["sinohope"].params["remove"], "ascii_whitespace");
    assert_eq!(config.log.level, "warn,countersign::pipeline=trace");
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn access_is_what_is_written() {
    let access = good("exposed.toml").access;
    assert_eq!(access.tokens.as_deref(), Some("clients"));
    let from: Vec<String> = access.from.iter().map(ToString::to_string).collect();
    assert_eq!(from, ["10.0.0.0/8", "192.0.2.7/32"]);
    assert_eq!(access.origins, ["https://wallet.example.com", "http://localhost:3000"]);
    assert_eq!(access.hosts, ["countersign.internal:8081", "sign.example.com"]);
    assert_eq!(access.unrouted, Unrouted::Pass);
    assert_eq!(access.pass_private, ["10.0.0.0/8".parse().expect("a network")]);
}

#[test]
fn upstreams_and_hosts_are_what_is_written() {
    let config = good("upstreams.toml");
    let tls = &config.upstreams["tls"];
    let url = tls.url.as_ref().and_then(|url| url.url()).map(ToString::to_string);
    assert_eq!(url.as_deref(), Some("https://10.0.0.7:8443"));
    assert_eq!(tls.server_name.as_deref(), Some("api.example.com"));
    assert_eq!(tls.ca.as_deref(), Some(Path::new("ca.pem")));
    let plain = &config.upstreams["plain"];
    assert_eq!((tls.idle_connections, plain.idle_connections), (0, 256));
    assert_eq!((tls.post_quantum, plain.post_quantum), (false, true));
    assert_eq!((tls.max_age.as_secs(), plain.max_age.as_secs()), (30, 300));
    let direct = &config.upstreams["direct"];
    let Some(ParentProxy::Proxy(via)) = &direct.via else { panic!("{direct:?}") };
    assert_eq!((&direct.url, via.to_string().as_str()), (&None, "http://proxy.internal:3128"));
    assert_eq!(config.upstreams["office"].via, Some(ParentProxy::Environment));
    assert_eq!(config.upstreams["office"].via_ca.as_deref(), Some(Path::new("proxy-ca.pem")));
    assert_eq!(direct.via_credentials.as_deref(), Some("proxy_password"));
    let client = direct.client.as_ref().expect("a certificate");
    assert_eq!((client.cert.as_path(), client.key.as_str()), (Path::new("client.pem"), "key"));
    let host = config.routes["wildcard"].host.as_ref().expect("a host");
    assert!(host.is_wildcard() && host.matches("api.example.com", None));
    assert_eq!(config.routes["hostless"].host, None);
    assert_eq!(config.routes["hostless"].upstream.as_deref(), Some("plain"));
    assert_eq!(config.keys["unused"].public.as_ref().map(Vec::len), Some(33));
}

#[test]
fn secrets_are_watched_where_it_is_written() {
    let secrets = good("watched.toml").secrets;
    assert_eq!((secrets["jwt"].watch, secrets["still"].watch), (true, false));
    assert!(!good("token.toml").secrets["jwt"].watch);
}

#[test]
fn bad_files_print_every_problem_to_the_letter() {
    let files = files("bad");
    for (path, text) in &files {
        let name = path.file_name().expect("a file").as_ref();
        let errors = Config::parse(text, name).expect_err("a bad file");
        let found = format!("{errors}\n");
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        let expected: String = expected.lines().map(|line| with_stores(line) + "\n").collect();
        assert!(found == expected, "{}:\n{found}--- expected:\n{expected}", path.display());
    }
    assert!(files.len() >= 25, "only {} files were seen", files.len());
}

#[test]
fn five_mistakes_are_five_problems() {
    let found = files("bad").into_iter().find(|(path, _)| path.ends_with("five_mistakes.toml"));
    let (path, text) = found.expect("the file");
    let errors = Config::parse(&text, &path).expect_err("five mistakes").errors;
    assert_eq!(errors.len(), 5);
    assert!(errors.iter().all(|error| error.at.is_some() && !error.fix.is_empty()));
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("proxy.toml");
    let missing = Config::load(&path).expect_err("no file");
    assert!(missing.errors[0].what.starts_with("cannot be read: "), "{missing}");
    fs::write(&path, b"a = \"\xff\"").expect("a file");
    let binary = Config::load(&path).expect_err("not UTF-8");
    let expected = format!("{}: is not text in UTF-8\n  fix: save it as UTF-8", path.display());
    assert_eq!(binary.to_string(), expected);
    fs::write(&path, example()).expect("a file");
    let config = Config::load(&path).expect("the example");
    assert_eq!(config.stores["files"].file("a"), Some(directory.path().join("keys/a")));
}

#[test]
fn schemes_are_looked_up_in_the_registry_that_is_given() {
    let mut schemes = Registry::built_in();
    let metasv = Entry::clone(schemes.find("metasv").expect("a scheme"));
    let prefix = "captured: ".to_owned();
    let advise = move |_: &Binding, host: Option<&str>| {
        let what = format!("{prefix}{}", host.unwrap_or_default());
        vec![BindError { field: "scheme".into(), what, fix: String::new() }]
    };
    let name = String::from("of_a_file");
    schemes.insert(Entry { name: name.into(), advise: Arc::new(advise), ..metasv });
    let text = [
        "listen.forward = '127.0.0.1:0'",
        "stores.env.kind = 'env'",
        "secrets.token = { store = 'env', entry = 'TOKEN' }",
        "routes.r = { host = 'a.b', scheme = 'of_a_file', secrets.token = 'token' }",
    ];
    let (text, path) = (text.join("\n"), Path::new("proxy.toml"));
    let config = Config::parse_with(&text, path, &schemes);
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let scheme = &config.routes["r"].scheme;
    let binding = Binding { params: scheme.defaults(), ..Binding::default() };
    assert_eq!((scheme.advise)(&binding, Some("a.b"))[0].what, "captured: a.b");
    let names: Vec<&str> = schemes.iter().map(|entry| entry.name.as_ref()).collect();
    assert!(names.is_sorted() && names.len() == 1 + Registry::built_in().iter().count());
    let errors = Config::parse(&text, path).expect_err("no such scheme");
    assert!(errors.to_string().contains("\"of_a_file\", which is no scheme"), "{errors}");
}

#[test]
fn fields_say_where_they_are_written() {
    let text = [
        "listen.forward = '127.0.0.1:0'",
        "stores.env.kind = 'env'",
        "keys.k.store = 'env'",
        "keys.k.entry = 'K'",
        "  [routes.r]",
        "host = 'a.b'",
        "scheme = 'sinohope'",
        "keys = { signer = 'k' }",
        "  params.remove = 'none'",
    ];
    let mut config = resolve(&text.join("\n"));
    let at = |line, column| Location { line, column };
    assert_eq!(config.keys["k"].at, at(3, 6));
    let route = config.routes.remove("r").expect("a route");
    assert_eq!(route.at, at(5, 3));
    assert_eq!(route.fields["keys.signer"], at(8, 19));
    assert_eq!(route.fields["params.remove"], at(9, 19));
    assert_eq!(route.fields["host"], at(6, 8));
    assert_eq!(route.fields["scheme"], at(7, 10));
    assert_eq!(route.fields["params"], at(9, 3));
    assert_eq!(route.fields.len(), 5);
}

/// A line of what is expected, with kinds of stores in the place of words for them.
fn with_stores(line: &str) -> String {
    let stores: Vec<_> = STORES.iter().map(|kind| format!("\"{}\"", kind.name)).collect();
    let line = line.replace("{the first store}", &stores[0]);
    let others: Vec<_> = stores.into_iter().filter(|name| !line.contains(name)).collect();
    line.replace("{every other store}", &others.join(", "))
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("proxy.toml.example");
    fs::read_to_string(path).expect("the example")
}

fn resolve(text: &str) -> Config {
    let config = Config::parse(text, Path::new("/etc/countersign/proxy.toml"));
    config.unwrap_or_else(|errors| panic!("{errors}"))
}

/// A good file, as if it stood in the working directory.
fn good(name: &str) -> Config {
    let found = files("good").into_iter().find(|(path, _)| path.ends_with(name));
    let (_, text) = found.expect("the file");
    Config::parse(&text, Path::new(name)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The TOML files of a directory under `tests/config`, in alphabetical order.
fn files(directory: &str) -> Vec<(PathBuf, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(directory);
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension() == Some("toml".as_ref())).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).expect("a file"));
    paths.into_iter().map(read).collect()
}

/// Whether a line is `name = value`.
fn is_pair(line: &str) -> bool {
    let name = line.split_once(" = ").map_or("", |(name, _)| name);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// A configuration as text, without where its parts are written.
fn without_places(mut config: Config) -> String {
    let nowhere = Location { line: 1, column: 1 };
    config.keys.values_mut().for_each(|key| key.at = nowhere);
    config.secrets.values_mut().for_each(|secret| secret.at = nowhere);
    config.upstreams.values_mut().for_each(|upstream| upstream.at = nowhere);
    for route in config.routes.values_mut() {
        route.at = nowhere;
        route.fields.clear();
    }
    format!("{config:#?}")
}
