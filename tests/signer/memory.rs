//! What is left of a key in the memory of a proxy that has it at a signer: nothing.

use std::fs;
use std::process::Command;

use super::gone::{KEY, proxy};
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::signer::{Signer, own_grant};
use crate::support::stage::{SINOHOPE, get};
use crate::support::vectors::{load, text};

/// Which of these bytes are in a process's memory, as root sees it.
fn found(home: &Home, pid: u32, forms: &[Vec<u8>]) -> Vec<usize> {
    let core = home.path("core");
    let output = Command::new("gcore").arg("-a").arg("-o").arg(&core).arg(pid.to_string()).output();
    let output = output.expect("gcore can be run: scripts/setup-tests --long installs gdb");
    assert!(output.status.success(), "{output:?}");
    let core = home.path(format!("core.{pid}"));
    // Hundreds of megabytes, which unoptimised code would search for minutes.
    let forms = forms.iter().map(|form| base16ct::lower::encode_string(form));
    let output = Command::new("python3").args(["-c", SEARCH]).arg(&core).args(forms).output();
    fs::remove_file(core).expect("it was written");
    let output = output.expect("python3 can be run");
    assert!(output.status.success(), "{output:?}");
    let found = String::from_utf8(output.stdout).expect("it is text");
    found.split_whitespace().map(|at| at.parse().expect("it is a number")).collect()
}

const SEARCH: &str = "\
import sys
memory = open(sys.argv[1], 'rb').read()
assert len(memory) > 1 << 20
print(*(at for at, form in enumerate(sys.argv[2:]) if bytes.fromhex(form) in memory))
";

#[test]
#[ignore = "takes gdb and writes hundreds of megabytes: --long"]
fn no_byte_of_a_signers_key_is_in_the_proxys_memory() {
    let origin = Origin::start(scripted(providers()));
    let home = Home::new("");
    let number = text(&load("sinohope"), "/keys/test-p256/private_scalar_hex").to_owned();
    let number = base16ct::lower::decode_vec(number).expect("the vectors are lower-case hex");
    let pem = fs::read_to_string(home.path("keys/sinohope.pem")).expect("it is there");
    let line = pem.lines().nth(1).expect("it has several").as_bytes().to_vec();
    let reversed: Vec<u8> = number.iter().rev().copied().collect();
    let hex = base16ct::lower::encode_string(&number).into_bytes();
    // As the curve's library has it, and as the file does.
    let forms = [number, reversed, hex, line];
    let ask = |proxy: &Proxy| {
        let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/x")));
        assert_eq!(reply.status, 200);
    };
    // What would be found is found where the key is in memory.
    let own = Home::new("");
    own.write("proxy.toml", &config::proxy(&[config::sinohope(&origin.url(), None)]));
    let with_key = Proxy::start_in(own.clone(), &[]);
    ask(&with_key);
    let seen = found(&own, with_key.pid(), &forms);
    assert!(seen.contains(&0) || seen.contains(&1), "the search sees nothing: {seen:?}");
    drop(with_key);

    let signer = Signer::at_a_socket(&home, &own_grant("sinohope"), KEY);
    let proxy = proxy(&home, &origin, &signer);
    for _ in 0..32 {
        ask(&proxy);
    }
    assert_eq!(found(&home, proxy.pid(), &forms), [0; 0]);
}
