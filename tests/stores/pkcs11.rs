//! Keys in a token by PKCS#11: five algorithms on the wire, PINs, and what is refused.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base16ct::lower::decode_vec as unhex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k256::ecdsa::Signature;
use sha2::{Digest as _, Sha256};

use super::token::{PIN, SOFTHSM, Token, borrowed, hsm};
use super::{check, refused};
use crate::declared::route;
use crate::secrets::search::Canary;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, get, post};
use crate::support::verify::Arrived;
use crate::support::wait::DEADLINE;

const OKX: &str = "okx-secret-of-26-characters";

/// Five providers whose keys are in the token: two whose requests the first origin judges, and three
/// of which the second one tells.
fn configured(verifying: &Origin, seeing: &Origin) -> (Home, Token) {
    let in_token = |route: String| route.replace("\"files\"", "\"hsm\"");
    let declared = |name: &str, algorithm: &str, secrets: &[&str]| {
        let route = route(name, algorithm, secrets, &seeing.url());
        route.replacen("store = \"files\"", "store = \"hsm\"", 1)
    };
    let secrets = "[secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n\
                   [secrets.passphrase]\nstore = \"files\"\nentry = \"api_key\"\n";
    let home = Home::new(&config::proxy(&[
        hsm(),
        in_token(config::sinohope(&verifying.url(), None)),
        in_token(config::metasv(&verifying.url(), None)),
        secrets.into(),
        declared("okx", "hmac_sha256", &["api_key", "passphrase"]),
        declared("cobo_waas2", "ed25519", &[]),
        declared("binance_rsa", "rsa_pkcs1_sha256", &["api_key"]),
    ]));
    home.write("okx.toml", include_str!("../../schemes/okx.toml"));
    home.write("cobo_waas2.toml", include_str!("../../schemes/cobo_waas2.toml"));
    home.write("binance_rsa.toml", include_str!("../../schemes/binance_rsa.toml"));
    home.write("keys/api_key", "the-api-key");
    home.write("okx", OKX);
    let token = Token::new(&home);
    for (file, entry, algorithm) in [
        ("keys/sinohope.pem", "sinohope.pem", "ecdsa_p256"),
        ("keys/metasv.hex", "metasv.hex", "ecdsa_secp256k1"),
        ("okx", "okx.secret", "hmac_sha256"),
    ] {
        let place = ["--store", "hsm", "--entry", entry, "--algorithm", algorithm];
        token.done(&[&["import", "--in", file][..], &place].concat());
    }
    for (entry, algorithm) in
        [("cobo_waas2.secret", "ed25519"), ("binance_rsa.secret", "rsa_pkcs1_sha256")]
    {
        token.done(&["new", "--store", "hsm", "--entry", entry, "--algorithm", algorithm]);
    }
    (home, token)
}

#[test]
fn requests_of_every_algorithm_are_signed_in_the_token() {
    let (verifying, seeing) = (Origin::start(scripted(providers())), Origin::start(echo()));
    let (home, token) = configured(&verifying, &seeing);
    let mut proxy = Proxy::start_in(home, &borrowed(&token.variables()));
    let ask = |request: String| Client::connect(proxy.forward_url()).exchange(request).status;
    let seen = || seeing.arrived().pop().expect("it arrived");

    assert_eq!(ask(post(&format!("{SINOHOPE}/x"), "{\"a\":1}")), 200);
    for at in 1..=12 {
        assert_eq!(ask(get(&format!("{METASV}/v1/x?at={at}"))), 200);
        let got = verifying.arrived().pop().expect("it arrived");
        let der = STANDARD.decode(got.once("metasv-signature").expect("once"));
        let signature = Signature::from_der(&der.expect("base64")).expect("DER");
        // Half of those that tokens make have the other one.
        assert_eq!(signature.normalize_s(), signature, "the s of signature {at} is the low one");
    }
    for body in ["{\"a\":1}", &"x".repeat(1_000_000)] {
        assert_eq!(ask(post("http://okx.test/api/v5/order?b=%2f", body)), 200);
        okx(&seen(), body);
    }
    assert_eq!(ask(post("http://cobo_waas2.test/v2/x?a=1", "{}")), 200);
    cobo(&seen());
    assert_eq!(ask(get("http://binance_rsa.test/api/v3/order?b=%2f")), 200);
    binance(&seen(), &token.done(&["show", "--store", "hsm", "binance_rsa.secret"]));

    let said = proxy.finish(DEADLINE);
    assert_eq!(Canary::new("the PIN", PIN.as_bytes()).find(said.as_bytes()), None);
    assert_eq!(Canary::new("the secret", OKX.as_bytes()).find(said.as_bytes()), None);
}

fn okx(got: &Arrived, body: &str) {
    let time = got.once("ok-access-timestamp").expect("once");
    let text = format!("{time}POST/api/v5/order?b=%2f{body}");
    let key = hmac::Key::new(HMAC_SHA256, OKX.as_bytes());
    let mac = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    assert_eq!(got.once("ok-access-sign"), Ok(&*mac));
}

fn cobo(got: &Arrived) {
    let field = |name| got.once(name).expect("once").to_owned();
    let text = format!("POST|/v2/x|{}|a=1|{{}}", field("biz-api-nonce"));
    let twice = Sha256::digest(Sha256::digest(text));
    let public = unhex(field("biz-api-key")).expect("hex");
    let signature = unhex(field("biz-api-signature")).expect("hex");
    UnparsedPublicKey::new(&ED25519, public).verify(&twice, &signature).expect("it is signed");
}

/// `shown` has the public key, in PEM.
fn binance(got: &Arrived, shown: &str) {
    let (text, signature) = got.query().rsplit_once("&signature=").expect("it stands last");
    let signature = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let signature = STANDARD.decode(signature).expect("base64");
    let pem: String = shown.lines().skip_while(|line| !line.starts_with("-----BEGIN")).collect();
    let pem = pem.trim_start_matches("-----BEGIN PUBLIC KEY-----");
    let public = STANDARD.decode(pem.trim_end_matches("-----END PUBLIC KEY-----")).expect("PEM");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    public.verify(text.as_bytes(), &signature).expect("it is signed");
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
