//! Every check at the start fails once, with its message and a way to mend it; what is wrong with the
//! text of a configuration is held to the letter by the files of `tests/config/bad`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::signer::conform::Python;
use crate::support::authority::Authority;
use crate::support::cited;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT, TOKENS, TOKENS_FILE};
use crate::support::home::Home;
use crate::support::process::refused_start;
use crate::support::proxy::{Proxy, countersign};

/// What is checked, what is wrong with a good configuration, and what is said of it.
type Check = (&'static str, fn(&Home, String) -> String, &'static str);

const CHECKS: &[Check] = &[
    ("a key's entry", |_, text| text.replace("metasv.hex", "none.hex"), "keys.metasv: "),
    (
        "who may read a key",
        |home, text| mode(home, "keys/metasv.hex", 0o644, text),
        "is open to its group or to others",
    ),
    ("a key's form", |home, text| wrote(home, "keys/metasv.hex", "no key", text), "keys.metasv: "),
    (
        "a key's kind",
        |_, text| text.replace("\"ecdsa_secp256k1\"", "\"ed25519\""),
        "a key for ed25519, and metasv signs with",
    ),
    (
        "a key's public half",
        |_, text| {
            let of_another = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
            let public = format!("\"metasv.hex\"\npublic = \"{of_another}\"");
            text.replace("\"metasv.hex\"", &public)
        },
        "not the one in `public`",
    ),
    (
        "a key for its slot",
        |_, text| {
            text.replace("\"metasv.hex\"\nalgorithm = \"ecdsa_secp256k1\"", "\"sinohope.pem\"")
        },
        "ecdsa_secp256k1",
    ),
    ("a store's directory", |_, text| text.replace("dir = \"keys\"", "dir = \"none\""), "none"),
    ("a secret's entry", |home, text| removed(home, TOKENS_FILE, text), "secrets.client_tokens: "),
    ("a line of the tokens", |home, text| wrote(home, TOKENS_FILE, "app:12", text), "on line 1"),
    ("a token at all", |home, text| wrote(home, TOKENS_FILE, "# none", text), "holds no token"),
    ("the authority's file", |home, text| removed(home, CA_FILE, text), "intercept.ca_cert: "),
    (
        "the authority's key",
        |home, text| wrote(home, CA_KEY_FILE, &Authority::new().key_pem(), text),
        "intercept.ca_key: ",
    ),
    (
        "the authority's form",
        |home, text| wrote(home, CA_FILE, "no PEM", text),
        "holds no CERTIFICATE block in PEM",
    ),
    (
        "an upstream's authorities",
        |_, text| text.replacen("upstream-ca.pem", "none.pem", 1),
        "upstreams.metasv_origin: ",
    ),
    (
        "the certificates among them",
        |home, text| wrote(home, "upstream-ca.pem", "none", text),
        "holds no CERTIFICATE block in PEM",
    ),
    (
        "credentials for a proxy",
        |home, text| {
            let via = "\nvia = \"http://127.0.0.1:9\"\nvia_credentials = \"password\"\n\
                       [secrets.password]\nstore = \"files\"\nentry = \"password\"\n";
            wrote(
                home,
                "keys/password",
                "nobody",
                text.replacen("[access]", &format!("{via}[access]"), 1),
            )
        },
        "user:password",
    ),
    (
        "a scheme's vectors",
        |home, text| {
            let json = crate::declared::JSON.replacen("expect", "expekt", 1);
            wrote(home, "json.toml", &json, text + "[schemes.json]\nfile = \"json.toml\"\n")
        },
        "json.toml",
    ),
    (
        "keys to verify with",
        |home, text| {
            removed(home, "cobo-node-public.pem", text + &config::cobo_rules("keygen = \"allow\""))
        },
        "params.verify_with",
    ),
    (
        "the directory of an audit",
        |_, text| text + "[audit]\nfile = \"none/signatures.jsonl\"\n",
        "audit: ",
    ),
    (
        "an audit that is a link",
        |home, text| {
            symlink(home.path("proxy.toml"), home.path("signatures.jsonl")).expect("it is ours");
            text + "[audit]\nfile = \"signatures.jsonl\"\n"
        },
        "is a symbolic link",
    ),
    (
        "an audit of ours",
        |home, text| {
            wrote(
                home,
                "signatures.jsonl",
                "a line\n",
                text + "[audit]\nfile = \"signatures.jsonl\"\n",
            )
        },
        "audit: ",
    ),
    (
        "a state directory that is named",
        |home, text| {
            fs::create_dir(home.path("open")).expect("it is ours");
            mode(home, "open", 0o777, text + "[nonces]\nstate = \"open\"\n")
        },
        "nonces.state: ",
    ),
    (
        "a pod's number",
        // Whatever this machine is called.
        |_, text| text + "[nonces]\nreplica = \"ordinal/1\"\n",
        "nonces.replica is \"ordinal/1\"",
    ),
    (
        "the authority of that store",
        |_, text| text + "[shared]\nredis = \"rediss://127.0.0.1:9\"\nca = \"none.pem\"\n",
        if cfg!(feature = "redis") { "none.pem" } else { "cargo feature `redis`" },
    ),
    (
        "who may write the configuration",
        |home, text| mode(home, "proxy.toml", 0o622, text),
        "proxy.toml",
    ),
    (
        "who may write what it names",
        |home, text| mode(home, CA_FILE, 0o622, text),
        "can be written by others",
    ),
    (
        "an address",
        |_, text| text.replace("forward = \"127.0.0.1:0\"", "forward = \"192.0.2.1:0\""),
        "listen.forward cannot be bound to 192.0.2.1:0",
    ),
    (
        "a socket's directory",
        |home, text| {
            let socket = home.path("none/gateway.sock").display().to_string();
            text.replace("gateway = \"127.0.0.1:0\"", &format!("gateway = \"unix:{socket}\""))
        },
        "listen.gateway cannot be bound",
    ),
];

/// Of these `check` says nothing: it binds no listener, and opens no file that another process may be
/// writing.
const RUN_ALONE: [&str; 4] =
    ["an address", "a socket's directory", "an audit of ours", "a pod's number"];

/// Checks that take more than a file, and what sees them fail.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "the store that replicas share",
        "shared::reached::check_says_what_is_doubtful_and_run_begins_without_a_store",
    ),
    (
        "the text of a configuration",
        "countersign::config::resolve::tests::bad_files_print_every_problem_to_the_letter",
    ),
    (
        "all mistakes at once",
        "cli::check: five mistakes are five problems, each with its place and the way to mend it",
    ),
    ("listeners off loopback", "access::other_machines_are_listened_to_only_with_tokens"),
    ("the hash of an empty token", "access::the_hash_of_an_empty_token_stops_the_start"),
    (
        "users beside tokens",
        "access::users::users_without_a_token_are_not_named_where_all_need_one",
    ),
    ("a port that is taken", "gateway::a_port_that_is_taken_comes_with_the_line_to_write"),
    ("a socket in use", "gateway::a_socket_that_is_in_use_or_a_file_that_is_none_stops_the_start"),
    (
        "hosts that the authority may not vouch for",
        "authority::configured::a_routed_host_out_of_reach_is_an_error_at_the_host",
    ),
    (
        "an authority past its time",
        "authority::made::what_cannot_be_an_authority_says_why_and_what_to_do",
    ),
    (
        "a client certificate",
        "upstreams::certificates::a_key_that_is_not_the_certificates_stops_the_start",
    ),
    (
        "the environment's proxy",
        "upstreams::hops::a_variable_that_names_no_proxy_stops_the_start_where_it_is_asked",
    ),
    ("an audit in use", "callbacks::rules::two_routes_may_share_a_file_and_two_processes_may_not"),
    (
        "a key of another user",
        "strict_modes::a_key_of_another_user_is_refused_and_one_of_roots_is_not",
    ),
    (
        "every file that is believed",
        "strict_modes::every_file_that_is_believed_is_refused_while_others_can_write_it",
    ),
    ("what a signer believes", "strict_modes::a_signer_believes_nothing_that_others_can_change"),
    ("a signer's stores", "signer::grants::stores_that_need_what_was_given_up_are_refused"),
    (
        "sandbox = \"require\"",
        "confined::kernel::a_filter_that_would_end_it_is_found_out_beforehand",
    ),
    (
        "lock_memory",
        "confined::kernel::memory_is_locked_where_it_is_asked_for_and_the_limit_allows",
    ),
    ("each store's key", "stores::contract::vault"),
    ("each store's key", "stores::contract::aws_kms"),
    ("each store's key", "stores::contract::pkcs11"),
    ("a program for exec", "exec::ending::the_exit_code_is_the_programs_or_what_a_shell_says"),
];

/// A proxy that names a file of most kinds.
fn home() -> (Home, String) {
    let metasv = config::metasv("https://127.0.0.1:1", Some(Path::new("upstream-ca.pem")));
    let tables = [metasv, TOKENS.to_owned(), INTERCEPT.to_owned()];
    let text = config::proxy(&tables);
    let (home, ca) = (Home::new(&text), Authority::new());
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    home.write("upstream-ca.pem", &ca.pem());
    home.write(TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    (home, text)
}

fn mode(home: &Home, name: &str, mode: u32, text: String) -> String {
    fs::set_permissions(home.path(name), Permissions::from_mode(mode)).expect("it is ours");
    text
}

fn wrote(home: &Home, name: &str, content: &str, text: String) -> String {
    home.write(name, content);
    text
}

fn removed(home: &Home, name: &str, text: String) -> String {
    fs::remove_file(home.path(name)).expect("it is ours");
    text
}

#[test]
fn every_check_fails_once_and_says_how_to_mend_it() {
    let (good, _) = home();
    Proxy::start_in(good, &[]);
    let mut wrong = Vec::new();
    for (name, spoil, words) in CHECKS {
        let (home, text) = home();
        let spoiled = spoil(&home, text);
        // What is written anew keeps the mode that it was given.
        home.write("proxy.toml", &spoiled);
        let (code, said) = refused_start(&home);
        let refused = code == Some(78) || code == Some(1);
        if !refused || !said.contains(words) || !said.contains("\n  fix: ") {
            wrong.push(format!("{name}: run: {code:?}: {words}: {said}"));
        }
        // `check` says the same, as far as it looks.
        let file = home.path("proxy.toml").display().to_string();
        let output = countersign(&["check", &file]);
        let checked = String::from_utf8_lossy(&output.stderr).into_owned();
        let (code, late) = (output.status.code(), RUN_ALONE.contains(name));
        if (code, checked.contains(words)) != (Some(if late { 0 } else { 78 }), !late) {
            wrong.push(format!("{name}: check: {code:?}: {words}: {checked}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn checks_that_take_more_are_seen_to_fail_elsewhere() {
    let wrong: Vec<_> = ELSEWHERE.iter().filter_map(|(_, name)| cited::test(name).err()).collect();
    assert!(wrong.is_empty() && ELSEWHERE.len() >= 20, "{wrong:#?}");
}

/// A store that has the right key and signs something else with it.
#[test]
fn a_key_that_fails_its_self_test_stops_the_start() {
    let home = Home::new("");
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signer/reference.py");
    let reference = fs::read_to_string(reference).expect("it is there");
    let signs = "        if algorithm in CURVES:\n            digest = digest or";
    assert!(reference.contains(signs));
    let wrong = signs.replace("digest or", "bytes(32) or");
    home.write("wrong", &reference.replacen(signs, &wrong, 1));
    let key = fs::read_to_string(home.path("keys/metasv.hex")).expect("it is there");
    let _signer = Python::start(&home, "wrong", &[format!("k=ecdsa_secp256k1:{}", key.trim())]);
    let socket = home.path("wrong.sock");
    let store =
        format!("[stores.signer]\nkind = \"remote\"\nurl = \"unix:{}\"\n", socket.display());
    let route = config::metasv("http://127.0.0.1:9", None);
    let route = route.replace("\"files\"", "\"signer\"").replace("\"metasv.hex\"", "\"k\"");
    home.write("proxy.toml", &config::proxy(&[route, store]));
    let (code, said) = refused_start(&home);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("signs, but its signature does not verify"), "{said}");
}
