//! A configuration of any bytes: what is wrong is said of a place in it, and where a line more stands
//! before it, the same is said one line later, or the same is configured.

use std::path::Path;

use countersign::config::signer::SignerConfig;
use countersign::config::{Config, ConfigErrors};
use countersign::snapshot::Snapshot;

use super::{Target, corpus};

pub(super) const TARGET: Target = Target {
    name: "configuration",
    run,
    seeds: || {
        let mut seeds =
            [corpus::files("tests/config/good"), corpus::files("tests/config/bad")].concat();
        seeds.push(include_bytes!("../../proxy.toml.example").to_vec());
        seeds.push(SIGNER.into());
        seeds
    },
    words: &[
        "\"",
        "'''",
        "[",
        "]]",
        "\n",
        "=",
        "{ ",
        "*.",
        ":80",
        "[::1]",
        "unix:/",
        "https://",
        "-1",
        "1e9",
        "99999999999999999999",
        "ms",
        "MiB",
        "true",
        "\\u0000",
        "\\ud800",
        "routes",
        "[upstreams.x]",
        "[next]",
        "scheme = ",
        "\u{feff}",
        "\r\n",
    ],
    tries: 500,
};

const SIGNER: &str = "[signer]\nlisten = \"unix:/run/s.sock\"\naudit = \"audit.jsonl\"\n[stores.files]\nkind = \
    \"file\"\ndir = \"keys\"\n[keys.a]\nstore = \"files\"\nentry = \"a.pem\"\n[grants.own]\nuid = 1000\n\
    keys = [\"a\"]\n";

fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    // Files that a text names are read where it is: there are none.
    let path = Path::new("/nonexistent/proxy.toml");
    if text.contains("file") && text.contains("/dev/") {
        return;
    }
    let later = format!("# first\n{text}");
    let digest = |config: Config| Snapshot::digest(&config);
    let read = |text| Config::parse(text, path).map(digest);
    same(text, read(text), read(&later));
    let read = |text| SignerConfig::parse(text, path).map(|config| format!("{:?}", config.grants));
    same(text, read(text), read(&later));
}

fn same(text: &str, first: Result<String, ConfigErrors>, later: Result<String, ConfigErrors>) {
    let (first, later) = match (first, later) {
        (Ok(first), Ok(later)) => return assert_eq!(first, later, "a remark configures something"),
        (Err(first), Err(later)) => (first.errors, later.errors),
        // A byte order mark may stand first only.
        _ if text.starts_with('\u{feff}') => return,
        (first, later) => panic!("a remark decides: {first:?}, {later:?}"),
    };
    assert!(!first.is_empty(), "it is refused, and nothing is wrong with it");
    let lines = text.split('\n').count();
    for (first, later) in first.iter().zip(&later) {
        let Some(at) = first.at else { continue };
        assert!((1..=lines).contains(&at.line), "{first:?} is said of {lines} lines");
        assert!(!first.fix.is_empty() && !first.what.is_empty(), "{first:?}");
        if !text.starts_with('\u{feff}') {
            assert_eq!(later.at.map(|at| at.line), Some(at.line + 1), "{first:?} {later:?}");
        }
    }
    assert!(first.len() == later.len() || text.starts_with('\u{feff}'), "{first:?} {later:?}");
}
