//! AWS KMS: by a stand-in that is written from its reference (see `trent`), and by moto, which is
//! somebody else's. moto hashes a digest once more, takes the longest salt for PSS where KMS takes the
//! hash's length, and knows no Ed25519: these are the stand-in's.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::trent::{ID, SECRET, Trent};
use super::{check, refused};
use crate::clients::installed;
use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, get, post};
use crate::support::wait::{DEADLINE, eventually};

const STORE: &str = "[stores.kms]\nkind = \"aws_kms\"\nregion = \"eu-west-1\"\n";

/// Signs for Sinohope with a key of KMS.
fn config(origin: &str, tables: &str) -> String {
    let route = config::sinohope(origin, None).replace("\"files\"", "\"kms\"");
    config::proxy(&[route.replace("\"sinohope.pem\"", "\"p256\""), format!("{STORE}{tables}")])
}

fn variables<'v>(of: &'v [(&'static str, String)]) -> Vec<(&'static str, &'v str)> {
    of.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn keys(keys: &[(&str, &str, &str)]) -> String {
    let key = |(name, entry, lines): &(&str, &str, &str)| {
        format!("[keys.{name}]\nstore = \"kms\"\nentry = \"{entry}\"\n{lines}\n")
    };
    keys.iter().map(key).collect()
}

fn ask(proxy: &Proxy, request: &str) -> (u16, String) {
    let reply: Reply = Client::connect(proxy.forward_url()).exchange(request);
    (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
}

#[test]
fn every_kind_of_keys_signs() {
    let trent = Trent::start();
    let ways = trent.variables();
    let good = keys(&[
        ("a", "alias/k256", ""),
        ("b", "ed25519", ""),
        ("c", "arn:aws:kms:eu-west-1:1:key/rsa", ""),
        ("d", "rsa", "algorithm = \"rsa_pkcs1_sha512\""),
        ("e", "rsa", "algorithm = \"rsa_pss_sha256\""),
        ("f", "rsa", "algorithm = \"rsa_pss_sha512\""),
        ("g", "mac", ""),
    ]);
    let said = check(&Home::new(&config("http://127.0.0.1:9", &good)), &variables(&ways));
    for line in [
        "a: ecdsa_secp256k1 SHA256:",
        "b: ed25519 SHA256:",
        "c: rsa_pkcs1_sha256 SHA256:",
        "d: rsa_pkcs1_sha512 SHA256:",
        "e: rsa_pss_sha256 SHA256:",
        "f: rsa_pss_sha512 SHA256:",
        "g: hmac_sha256 MAC:",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(said.matches("signs and verifies").count(), 8, "{said}");
    assert_eq!(trent.count("Sign RAW"), 7, "one signature a key");
    let bad = keys(&[
        ("a", "absent", ""),
        ("b", "aes", ""),
        ("c", "mac", "algorithm = \"hmac_sha512\""),
        ("d", "wJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEY", ""),
    ]);
    let said = refused(&Home::new(&config("http://127.0.0.1:9", &bad)), &variables(&ways));
    for line in [
        "keys.a: the KMS's key \"absent\" is not there",
        "keys.b: the KMS's key \"aes\" is a key of a kind that does not sign here",
        "keys.c: the KMS's key \"mac\" is an hmac_sha256 key where an hmac_sha512 key is asked for",
        "keys.d: an entry of 40 characters is not there, and looks like a key or a token itself",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn long_messages_are_digests() {
    let (trent, origin) = (Trent::start(), Origin::start(scripted(providers())));
    let metasv = config::metasv(&origin.url(), None).replace("\"files\"", "\"kms\"");
    let tables = metasv.replace("\"metasv.hex\"", "\"k256\"");
    let ways = trent.variables();
    let proxy = Proxy::start_in(Home::new(&config(&origin.url(), &tables)), &variables(&ways));
    let tested = trent.count("Sign RAW");
    for (length, kind) in [(100, "Sign RAW"), (5000, "Sign DIGEST")] {
        let before = trent.count(kind);
        let reply = ask(&proxy, &post(&format!("{SINOHOPE}/x"), &"x".repeat(length)));
        assert_eq!((reply.0, trent.count(kind)), (200, before + 1), "{length}: {}", reply.1);
    }
    assert_eq!(ask(&proxy, &get(&format!("{METASV}/x"))).0, 200, "a high s was made low");
    assert_eq!(trent.count("Sign RAW"), tested + 2);
}

#[test]
fn credentials_are_found_in_each_place_and_renewed_before_they_end() {
    let origin = Origin::start(scripted(providers()));
    // A second before they are due, as they are renewed five minutes early.
    for place in ["profile", "web", "container", "instance"] {
        let trent = Trent::lasting(301);
        let home = Home::new(&config(&origin.url(), ""));
        home.write("web", "eyJ.web.id\n");
        home.write(
            "credentials",
            &format!("[other]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"),
        );
        let path = |name: &str| home.path(name).display().to_string();
        let mut ways = trent.ways();
        ways.extend(match place {
            "profile" => vec![
                ("AWS_SHARED_CREDENTIALS_FILE", path("credentials")),
                ("AWS_PROFILE", "other".into()),
            ],
            "web" => vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", path("web")),
                ("AWS_ROLE_ARN", "arn:aws:iam::1:role/t".into()),
            ],
            "container" => vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container?role=1", trent.url())),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-t0ken".into()),
            ],
            _ => vec![
                ("AWS_EC2_METADATA_DISABLED", "false".into()),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", trent.url()),
            ],
        });
        let mut proxy = Proxy::start_in(home, &variables(&ways));
        let asked = || ask(&proxy, &get(&format!("{SINOHOPE}/x"))).0;
        assert_eq!(asked(), 200, "{place}");
        if place != "profile" {
            let first = trent.state.given();
            eventually("they are renewed", || asked() == 200 && trent.state.given() > first);
            trent.state.end();
            assert_eq!(asked(), 200, "{place}: others, as those are refused");
        }
        let said = proxy.finish(DEADLINE);
        for secret in
            [SECRET, "temporary/", "session+", "eyJ.web", "container-t0ken", "metadata-t0"]
        {
            assert!(!said.contains(secret), "{place}: {secret}: {said}");
        }
    }
    let trent = Trent::start();
    let said = refused(&Home::new(&config(&origin.url(), "")), &variables(&trent.ways()));
    assert!(said.contains("is out of reach: there are no AWS credentials"), "{said}");
}

#[test]
fn refusals_are_told_apart() {
    let (trent, origin) = (Trent::start(), Origin::start(scripted(providers())));
    let ways = trent.variables();
    let tables = "[timeouts]\nsign = \"500ms\"\n";
    let proxy = Proxy::start_in(Home::new(&config(&origin.url(), tables)), &variables(&ways));
    let refusing = |code: &str| Answer::json(400, &json!({ "__type": code, "message": SECRET }));
    for (odd, what) in [
        (refusing("ThrottlingException"), "the KMS is out of reach, or has too much to do"),
        (Answer::json(500, &json!({})), "the KMS is out of reach, or has too much to do"),
        (Answer::Big(70_000), "the KMS is out of reach, or has too much to do"),
        (refusing("AccessDeniedException"), "does not let these credentials sign"),
        (refusing("x#InvalidSignatureException"), "refused the credentials, or the clock is wrong"),
        (refusing("DisabledException"), "the KMS refused to sign"),
        (Answer::json(200, &json!({ "Signature": "aGVsbG8=" })), "answered with no such signature"),
        (Answer::json(200, &json!({})), "something that is no signature"),
    ] {
        let shown = format!("{odd:?}");
        trent.odd(Some(odd));
        let (status, body) = ask(&proxy, &get(&format!("{SINOHOPE}/x")));
        assert_eq!(status, 503, "{shown}: {body}");
        assert!(body.contains(what) && !body.contains(SECRET), "{shown}: {body}");
    }
    trent.odd(None);
    assert_eq!(ask(&proxy, &get(&format!("{SINOHOPE}/x"))).0, 200);
    assert_eq!(origin.arrived().len(), 1, "what was not signed was not sent");
}

#[test]
fn a_kms_is_asked_where_with_whose_credentials_and_for_as_long_as_is_written() {
    let (trent, origin) = (Trent::start(), Origin::start(scripted(providers())));
    let with = |lines: &str, tables: &str| {
        let text = config(&origin.url(), tables);
        Home::new(&text.replace(STORE, &format!("{STORE}{lines}\n")))
    };
    let (ways, own) = (trent.ways(), trent.variables());
    let without = |name: &str, all: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        all.iter().filter(|(own, _)| *own != name).cloned().collect()
    };
    // Nothing in the environment says where it is.
    let home = with(&format!("endpoint = {:?}", trent.url()), "");
    check(&home, &variables(&without("AWS_ENDPOINT_URL", &own)));
    // Nor that there are credentials; those of other places are no good, and not used.
    let home = with("profile = \"other\"", "");
    let file = home.path("credentials").display().to_string();
    home.write(
        "credentials",
        &format!("[other]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"),
    );
    let mut places = without("AWS_SHARED_CREDENTIALS_FILE", &ways);
    places.push(("AWS_SHARED_CREDENTIALS_FILE", file));
    check(&home, &variables(&places));
    places.push(("AWS_ACCESS_KEY_ID", ID.to_owned()));
    places.push(("AWS_SECRET_ACCESS_KEY", "another".to_owned()));
    check(&home, &variables(&places));
    // Whichever is shorter says what became of it.
    let home = with("timeout = \"300ms\"", "[timeouts]\nsign = \"4s\"\n");
    let proxy = Proxy::start_in(home, &variables(&own));
    trent.odd(Some(Answer::Silence));
    let (status, body) = ask(&proxy, &get(&format!("{SINOHOPE}/x")));
    assert!(status == 503 && body.contains("signer_unavailable"), "{body}");
    assert_eq!(origin.arrived().len(), 0);
}

#[test]
#[ignore = "needs half a gigabyte of libraries: scripts/test --long"]
fn moto_verifies_what_is_asked_and_signs_raw_messages() {
    let moto = Moto::start();
    let tables = keys(&[
        ("a", &moto.keys[1], ""),
        ("b", &moto.keys[2], ""),
        ("c", &moto.keys[2], "algorithm = \"rsa_pkcs1_sha512\""),
        ("d", &moto.keys[3], ""),
    ]);
    let text =
        config("http://127.0.0.1:9", &tables).replace("\"p256\"", &format!("{:?}", moto.keys[0]));
    let home = Home::new(&text);
    let mut ways = vec![
        ("AWS_ENDPOINT_URL", moto.url.clone()),
        ("AWS_ACCESS_KEY_ID", moto.credentials[0].clone()),
        ("AWS_SECRET_ACCESS_KEY", moto.credentials[1].clone()),
    ];
    let said = check(&home, &variables(&ways));
    assert_eq!(said.matches("signs and verifies").count(), 5, "{said}");
    ways[2].1.push('x');
    let said = refused(&home, &variables(&ways));
    assert_eq!(said.matches("is refused by the KMS: ").count(), 5, "{said}");
}

/// A running moto, with a user who may use all of KMS.
struct Moto {
    child: Child,
    url: String,
    /// P-256, secp256k1, RSA, HMAC.
    keys: Vec<String>,
    credentials: Vec<String>,
}

impl Moto {
    fn start() -> Self {
        let mut command = Command::new(installed("programs/bin/python"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/kms.py");
        // It ends when this end of its input does.
        let command = command.args(["-B", source]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().expect("Python can be run");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut said = said.lines().map(|line| line.expect("it says where it is"));
        let mut next = || said.next().expect("it says where it is");
        let list = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Self { url: next(), credentials: list(next()), keys: list(next()), child }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it can be waited for");
    }
}
