//! Key URIs: what a key is for follows from the slots that name it.

use super::{check, refused};
use crate::support::config;
use crate::support::home::Home;

#[test]
fn the_slots_say_what_a_key_is_for_and_two_that_fit_are_refused() {
    let metasv = "[keys]\nmetasv = \"file:keys/metasv.hex\"\n[routes.metasv]\n\
                  host = \"apiv2.metasv.com\"\nscheme = \"metasv\"\nkeys = { signer = \"metasv\" }\n";
    let home = Home::new(&config::proxy(&[metasv.into()]));
    // The bare number would say nothing by itself.
    assert!(check(&home, &[]).contains("metasv: ecdsa_secp256k1 SHA256:"));
    let both = metasv.replace("apiv2.metasv.com", "api.sinohope.com");
    let both = both.replace("scheme = \"metasv\"", "scheme = \"sinohope\"");
    home.write("proxy.toml", &config::proxy(std::slice::from_ref(&both)));
    let said = refused(&home, &[]);
    assert!(said.contains("fits ecdsa_p256 and ecdsa_secp256k1"), "{said}");
    assert!(said.contains("fix: write [keys.metasv] with store, entry and algorithm"), "{said}");
    // Bound to both schemes, what both take is left.
    let second = metasv.replace("[keys]\nmetasv = \"file:keys/metasv.hex\"\n", "");
    home.write("proxy.toml", &config::proxy(&[both.replace("routes.metasv", "routes.b"), second]));
    assert!(check(&home, &[]).contains("metasv: ecdsa_secp256k1 SHA256:"));
}
