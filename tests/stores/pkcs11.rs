//! Keys in a token by PKCS#11: what a signature is made into, PINs, and what is refused.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k256::ecdsa::Signature;

use super::token::{PIN, SOFTHSM, Token, borrowed, hsm};
use super::{check, refused};
use crate::declared::route;
use crate::secrets::search::Canary;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get, post};
use crate::support::wait::DEADLINE;

const OKX: &str = "okx-secret-of-26-characters";

#[test]
fn a_token_makes_the_s_low_and_macs_of_long_messages_and_shows_no_secret() {
    let (verifying, seeing) = (Origin::start(scripted(providers())), Origin::start(echo()));
    let secrets = "[secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n\
                   [secrets.passphrase]\nstore = \"files\"\nentry = \"api_key\"\n";
    let okx = route("okx", "hmac_sha256", &["api_key", "passphrase"], &seeing.url());
    let home = Home::new(&config::proxy(&[
        hsm(),
        config::metasv(&verifying.url(), None).replace("\"files\"", "\"hsm\""),
        secrets.into(),
        okx.replacen("store = \"files\"", "store = \"hsm\"", 1),
    ]));
    home.write("okx.toml", include_str!("../../schemes/okx.toml"));
    home.write("keys/api_key", "the-api-key");
    home.write("okx", OKX);
    let token = Token::new(&home);
    for (file, entry, algorithm) in
        [("keys/metasv.hex", "metasv.hex", "ecdsa_secp256k1"), ("okx", "okx.secret", "hmac_sha256")]
    {
        let place = ["--store", "hsm", "--entry", entry, "--algorithm", algorithm];
        token.done(&[&["import", "--in", file][..], &place].concat());
    }
    let mut proxy = Proxy::start_in(home, &borrowed(&token.variables()));
    let ask = |request: String| Client::connect(proxy.forward_url()).exchange(request).status;
    for at in 1..=12 {
        assert_eq!(ask(get(&format!("{METASV}/v1/x?at={at}"))), 200);
        let got = verifying.arrived().pop().expect("it arrived");
        let der = STANDARD.decode(got.once("metasv-signature").expect("once"));
        let signature = Signature::from_der(&der.expect("base64")).expect("DER");
        // Half of those that tokens make have the other one.
        assert_eq!(signature.normalize_s(), signature, "the s of signature {at} is the low one");
    }
    let body = "x".repeat(1_000_000);
    assert_eq!(ask(post("http://okx.test/api/v5/order?b=%2f", &body)), 200);
    let got = seeing.arrived().pop().expect("it arrived");
    let time = got.once("ok-access-timestamp").expect("once");
    let text = format!("{time}POST/api/v5/order?b=%2f{body}");
    let key = hmac::Key::new(HMAC_SHA256, OKX.as_bytes());
    let mac = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    assert_eq!(got.once("ok-access-sign"), Ok(&*mac));

    let said = proxy.finish(DEADLINE);
    assert_eq!(Canary::new("the PIN", PIN.as_bytes()).find(said.as_bytes()), None);
    assert_eq!(Canary::new("the secret", OKX.as_bytes()).find(said.as_bytes()), None);
}

#[test]
fn a_pin_in_a_uri_is_shown_nowhere_and_a_wrong_one_is_tried_once() {
    let home = Home::new("");
    let token = Token::new(&home);
    token.import("keys/sinohope.pem", "the key", "0aFF");
    token.import("keys/sinohope-k256.pem", "twin", "02");
    token.import("keys/sinohope-k256.pem", "twin", "03");
    let variables = token.variables();
    let variables = borrowed(&variables);
    let route = config::sinohope("http://127.0.0.1:9", None);
    let table = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";
    let config = |uri: &str| {
        let short = format!("[keys]\nsinohope = \"pkcs11:{uri}\"\nb = \"pkcs11:{uri}\"\n");
        home.write("proxy.toml", &config::proxy(&[route.replace(table, &short)]));
    };
    let module = format!("module-path={SOFTHSM}");
    for uri in [
        format!("token=trading;object=the%20key?{module}&pin-value={PIN}"),
        format!("id=%0a%FF;type=private?{module}&pin-source=file:pin"),
        format!("object=the%20key;id=%0a%ff?{module}&pin-source=|cat%20pin"),
    ] {
        config(&uri);
        let said = check(&home, &variables);
        assert_eq!(said.matches("signs and verifies").count(), 2, "{said}");
        assert!(!said.contains(PIN), "{said}");
    }
    let wrong = "0000-wrong-pin";
    let known = format!("token=trading;object=the%20key?{module}");
    for (uri, what) in [
        (format!("{known}&pin-value={wrong}"), "the token refuses the PIN"),
        (format!("{known}&pin-value={wrong}"), "which is not tried again before a restart"),
        (known.clone(), "shows private keys after a login alone"),
        (format!("{known}&pin-source=nowhere:{wrong}"), "does not begin with a kind of store"),
        (format!("{known}&pin={wrong}"), "has an attribute that means nothing here"),
        (format!("object=twin?{module}&pin-source=file:pin"), "is 2 keys"),
        (format!("object=none?{module}&pin-source=file:pin"), "is not in the token"),
        (format!("token=other;{known}").replace("token=trading;", ""), "the token is not there"),
        ("object=a?module-path=nowhere.so".to_owned(), "the module cannot be loaded: "),
    ] {
        config(&uri);
        let said = refused(&home, &variables);
        assert!(said.contains(what) && said.contains("\n  fix: "), "{uri}: {said}");
        assert!(!said.contains(wrong), "{uri}: {said}");
    }
}

#[test]
fn a_token_is_known_by_its_label_and_its_serial_number() {
    let sinohope = config::sinohope("http://127.0.0.1:9", None).replace("\"files\"", "\"hsm\"");
    let text = config::proxy(&[hsm(), sinohope]);
    let home = Home::new(&text);
    let token = Token::new(&home);
    token.import("keys/sinohope.pem", "sinohope.pem", "01");
    let variables = token.variables();
    let serial = token.serial();
    for (label, serial, right) in [
        ("trading", serial.as_str(), true),
        ("trading", "0123456789abcdef", false),
        ("another", serial.as_str(), false),
    ] {
        let line = format!("token = \"{label}\"\nserial = \"{serial}\"\n");
        home.write("proxy.toml", &text.replace("token = \"trading\"\n", &line));
        if right {
            check(&home, &borrowed(&variables));
        } else {
            assert!(refused(&home, &borrowed(&variables)).contains("keys.sinohope: "));
        }
    }
}
