//! Keys in any form: what is read is written and read again as the same key, signs what its public half
//! verifies, and is named in no message.

use countersign::keys::{Algorithm, Encoding, PrivateKey, PublicKey, Signature};
use tokio::runtime::Builder;

use super::input::Input;
use super::{Target, corpus};
use crate::support::vectors::all;

pub(super) const TARGET: Target = Target {
    name: "key_formats",
    run,
    seeds,
    words: &[
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n",
        "\\n",
        "0x",
        "\"",
        "{\"privateKey\":\"",
        "\u{feff}",
        "0\u{2}\u{1}\0",
        "\u{2}\u{1}\0",
        "\u{6}\u{7}*",
        "0w",
        "\x04\x20",
        "=",
        "\n",
        "00",
        "ff",
    ],
    tries: 3_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    all().iter().for_each(|(_, vectors)| corpus::strings(&vectors["keys"], 6, &mut texts));
    texts.extend(["123456", "0x1e240"].map(Into::into));
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| algorithm.sizes().is_empty()) {
        let key = PrivateKey::parse("01".repeat(32).as_bytes(), Some(*algorithm), None);
        texts.push(key.expect("it is a number and a secret").to_text().as_bytes().to_vec());
    }
    let mut seeds = Vec::new();
    for text in texts {
        let decoded = base16ct::lower::decode_vec(&text).ok();
        for form in [Some(text), decoded].into_iter().flatten() {
            seeds.push([&[0, 0], &form[..]].concat());
            seeds.push([&[seeds.len() as u8, 0], &form[..]].concat());
        }
    }
    seeds
}

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let wanted = match usize::from(input.byte()) % (Algorithm::ALL.len() + 1) {
        0 => None,
        at => Some(Algorithm::ALL[at - 1]),
    };
    let (_, encoding) = *input.choice(Encoding::ALL);
    public(input.0);
    for algorithm in Algorithm::ALL {
        if let Some(signature) = Signature::from_der(*algorithm, input.0) {
            assert_eq!(
                signature.to_der().as_deref(),
                Some(input.0),
                "{algorithm}: there are two forms"
            );
        }
    }
    match PrivateKey::parse_encoded(input.0, encoding, wanted, None) {
        Ok(key) => {
            assert!(
                wanted.is_none_or(|wanted| wanted == key.algorithm()),
                "{key:?} for {wanted:?}"
            );
            private(&key);
        }
        Err(error) => silent(&error.to_string(), input.0),
    }
}

fn private(key: &PrivateKey) {
    let algorithm = key.algorithm();
    let text = key.to_text();
    let again = PrivateKey::parse(text.as_bytes(), Some(algorithm), None);
    let again = again.unwrap_or_else(|error| panic!("{algorithm} as it is written: {error}"));
    assert!(
        again.public_key() == key.public_key() && *again.to_text() == *text,
        "{algorithm}: another key"
    );
    // Twice the same of a secret proves nothing, and of RSA takes long.
    if algorithm.is_shared() || !algorithm.sizes().is_empty() {
        return;
    }
    let signer = key.signer().expect("every key that was read signs");
    let runtime =
        Builder::new_current_thread().build().expect("a runtime without drivers needs nothing");
    let signature =
        runtime.block_on(signer.sign(algorithm.probe())).expect("a key in memory signs");
    assert!(
        key.public_key().verifies(algorithm.probe(), &signature),
        "{algorithm}: its own signature"
    );
}

fn public(bytes: &[u8]) {
    let read = PublicKey::from_pem(bytes).ok().or_else(|| PublicKey::from_spki(bytes));
    let Some(key) = read else { return };
    let again = PublicKey::from_spki(&key.spki()).expect("what is written is read");
    assert_eq!(again, key);
    assert_eq!(PublicKey::of(key.algorithm(), &key.spki()), Some(key.clone()));
    assert!(!key.forms().is_empty() && key.fingerprint().starts_with("SHA256:"));
}

/// Asserts that nothing of the input is in a message: no run of letters and digits longer than words are.
fn silent(message: &str, input: &[u8]) {
    let runs =
        input.split(|byte| !byte.is_ascii_alphanumeric()).filter(|run| run.len() >= LONGEST_WORD);
    for run in runs.flat_map(|run| run.windows(LONGEST_WORD)) {
        let varied = run.iter().any(|byte| *byte != run[0]);
        let found = message.as_bytes().windows(LONGEST_WORD).any(|window| window == run);
        assert!(!varied || !found, "{message} shows a part of what it was given");
    }
}

const LONGEST_WORD: usize = 20;
