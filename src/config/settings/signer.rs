//! Every setting of `signer.toml` that is not one of `proxy.toml` as well.

use super::Section;
use super::row::{LOCK_MEMORY, LOCK_MEMORY_DOC, SANDBOX, SANDBOX_DOC, optional, required, setting};
use crate::config::Config;
use crate::document::Key;

/// The tables of the signer's file beside `[stores]`, `[keys]` and `[log]`.
pub(crate) const SIGNER: &[Section] = &[
    Section {
        table: "signer",
        doc: "The process: where it listens, whom it believes, what it writes down.",
        settings: &[
            required(
                Key::string("listen", "\"unix:/run/countersign/signer.sock\""),
                "A Unix socket, whose peers are known by their user; or an address with a port, \
                 whose peers show a certificate in TLS 1.3.",
            )
            .restart(KEPT),
            setting(
                Key::string("mode", "\"0600\""),
                "The mode of the Unix socket: `\"0660\"` lets its group connect, `\"0666\"` everybody; \
                 the grants decide in any case.",
            )
            .restart(KEPT),
            optional(
                Key::string("cert", "\"signer.pem\""),
                "The certificate to show at an address, in PEM, those that signed it after it.",
            )
            .restart(KEPT),
            optional(
                Key::string("key", "\"signer-key.pem\""),
                "Its private key in PEM, which nobody else may read.",
            )
            .restart(KEPT),
            optional(
                Key::string("client_ca", "\"clients-ca.pem\""),
                "The authority of the certificates that are believed, in PEM.",
            )
            .restart(KEPT),
            required(
                Key::string("audit", "\"signer-audit.jsonl\""),
                "The file with a line for each signature; lines follow from each other, and \
                 `countersign audit verify` checks them.",
            )
            .restart(KEPT),
            setting(
                Key::flag("durable", "true"),
                "Whether a signature waits until its line is on the disk, and not in the file only.",
            )
            .or("false")
            .restart(KEPT),
            setting(SANDBOX, SANDBOX_DOC).restart(KEPT),
            setting(LOCK_MEMORY, LOCK_MEMORY_DOC).or("false").restart(KEPT),
            setting(
                Key::duration("drain", "\"5s\""),
                "How long a stop waits for signatures under way.",
            )
            .restart(KEPT),
        ],
    },
    Section {
        table: "grants.NAME",
        doc: "Who may use which keys. A request needs one grant that gives it all it asks for.",
        settings: &[
            optional(
                Key::count("uid", "1000"),
                "The user that a process at the Unix socket runs as; a number.",
            ),
            optional(
                Key::string("certificate", "\"proxy.internal\""),
                "A DNS name in the certificate of a peer at an address.",
            ),
            required(Key::list("keys", "[\"okx\"]"), "Names under `[keys]`."),
            optional(
                Key::list("algorithms", "[\"hmac_sha256\"]"),
                "What they may be used for; everything that they can, when left out.",
            ),
            optional(
                Key::list("routes", "[\"okx\"]"),
                "The routes whose requests are signed, by the names that the caller has for them; \
                 all, when left out.",
            ),
            optional(
                Key::count("rate", "200"),
                "Signatures a second with each of the keys, as many of them at once; no limit, when \
                 left out.",
            ),
        ],
    },
];

/// It is kept by the signer itself, which has a configuration of its own.
const KEPT: fn(&mut Config, &Config) -> bool = |_, _| false;
