//! Files that are wrong in a way that puts a secret where a message could repeat it.

use super::flows::{BEARER, CLIENT, HANDSHAKE};
use super::{ACCOUNT, BABYJUB};

/// A mistake, the file it is in, and what is in that file; of the good configuration and the
/// number of a key.
pub(super) type BadFile = (&'static str, &'static str, fn(&str, &str) -> String);

/// Each puts a secret where it does not belong.
pub(super) const BAD_FILES: &[BadFile] = &[
    ("a key for its own entry", "proxy.toml", |config, key| {
        config.replace("entry = \"metasv.hex\"", &format!("entry = \"{key}\""))
    }),
    ("a key for the name of its variable", "proxy.toml", |config, key| {
        let file = "store = \"files\"\nentry = \"metasv.hex\"";
        config.replace(file, &format!("store = \"variables\"\nentry = \"{key}\""))
    }),
    ("a token outside its store's directory", "proxy.toml", |config, _| {
        config.replace("entry = \"bearer.jwt\"", &format!("entry = \"/{BEARER}\""))
    }),
    ("a key for its algorithm", "proxy.toml", |config, key| {
        config.replace("algorithm = \"ecdsa_secp256k1\"", &format!("algorithm = \"{key}\""))
    }),
    ("a key for its name", "proxy.toml", |config, key| {
        config.replace("signer = \"metasv\"", &format!("signer = \"{key}\""))
    }),
    ("a key beside its entry", "proxy.toml", |config, key| {
        config.replace("[keys.metasv]\n", &format!("[keys.metasv]\nnumber = \"{key}\"\n"))
    }),
    ("a key without quotes", "proxy.toml", |config, key| {
        config.replace("[keys.metasv]\n", &format!("[keys.metasv]\nnumber = {key}\n"))
    }),
    ("a key that is too long", "keys/metasv.hex", |_, key| format!("{key}00")),
    ("an account with another public key", "keys/loopring.json", |_, _| {
        ACCOUNT.replace("\"publicKeyX\": \"1", "\"publicKeyX\": \"2")
    }),
    ("an account that is cut off", "keys/loopring.json", |_, _| ACCOUNT.replace('}', "")),
    ("an account whose key is too large", "keys/loopring.json", |_, _| {
        ACCOUNT.replace(BABYJUB, &format!("{BABYJUB}0"))
    }),
    ("an account's key with its sign", "keys/loopring.json", |_, _| {
        ACCOUNT.replace(BABYJUB, &format!("+{BABYJUB}"))
    }),
    ("a key for the CA's certificate", "ca.pem", |_, key| key.to_owned()),
    ("a key for the CA's certificate, in PEM", "ca.pem", |_, key| {
        format!("-----BEGIN CERTIFICATE-----\n{key}\n-----END CERTIFICATE-----\n")
    }),
    ("a key that is not the CA's", "proxy.toml", |config, _| {
        config.replace(
            "[secrets.ca]\nstore = \"files\"\nentry = \"sinohope.pem\"",
            "[secrets.ca]\nstore = \"files\"\nentry = \"sinohope-k256.pem\"",
        )
    }),
    ("a key for the name of the CA's", "proxy.toml", |config, key| {
        config.replace("ca_key = \"ca\"", &format!("ca_key = \"{key}\""))
    }),
    ("a token for its hash", "keys/clients", |_, _| format!("app:{CLIENT}\n")),
];

/// The same for tokens, each of which stops its route and not the proxy.
pub(super) const BAD_TOKENS: &[BadFile] = &[
    ("a token with the word before it", "keys/bearer.jwt", |_, _| format!("Bearer {BEARER}\n")),
    ("a handshake's token with the word before it", "keys/handshake.jwt", |_, _| {
        format!("Bearer {HANDSHAKE}\n")
    }),
    ("a handshake's token without its signature", "keys/handshake.jwt", |_, _| {
        HANDSHAKE.rsplit_once('.').expect("it has parts").0.to_owned()
    }),
    ("a token in two lines", "keys/bearer.jwt", |_, _| format!("{BEARER}\n{BEARER}\n")),
];
