//! Every setting there is, in the order of proxy.toml.example.

use super::Section;
use super::routes::{DECIDE, NEXT, ROUTE};
use super::row::{
    LOCK_MEMORY, LOCK_MEMORY_DOC, SANDBOX, SANDBOX_DOC, keep, optional, required, setting,
};
use super::shared::SHARED;
use crate::document::Key;

/// The tables of the file, in the order in which a request meets them.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        table: "listen",
        doc: "Where requests arrive: at `forward` or at `gateway`, or at both.",
        settings: &[
            optional(
                Key::string("forward", "\"127.0.0.1:8080\""),
                "The forward listener's address and port: clients set `HTTP_PROXY` to it.",
            )
            .restart(|new, old| keep(&mut new.listen.forward, &old.listen.forward)),
            optional(
                Key::string("gateway", "\"127.0.0.1:8081\""),
                "The gateway's address and port, or `unix:/path`: `/NAME/rest` goes to \
                 `[routes.NAME]`.",
            )
            .restart(|new, old| keep(&mut new.listen.gateway, &old.listen.gateway)),
            optional(
                Key::string("admin", "\"127.0.0.1:8089\""),
                "Where probes and metrics are, an address with a port or `unix:/path`.",
            )
            .restart(|new, old| keep(&mut new.listen.admin, &old.listen.admin)),
            optional(
                Key::string("user", "\"997\""),
                "The user, by number, that the proxy runs as where that is neither root nor whoever \
                 calls `exec`: it believes nobody else behind `admin`.",
            ),
        ],
    },
    Section {
        table: "access",
        doc: "Who may send requests. Listening on anything but loopback needs `tokens`.",
        settings: &[
            optional(
                Key::string("tokens", "\"client_tokens\""),
                "The `[secrets]` entry with client tokens, lines of `name:sha256-of-token`.",
            ),
            optional(
                Key::string("metrics_tokens", "\"scrapers\""),
                "The `[secrets]` entry with tokens for `/metrics` alone, lines of the same form: shown as \
                 `Authorization: Bearer`, and good for nothing else.",
            ),
            setting(
                Key::list("users", "[\"1001\"]"),
                "The users of this machine, by number, whose requests need no token, where `tokens` \
                 is not written, beside the proxy's own user and root; `any` for all of them.",
            )
            .or("[]"),
            setting(
                Key::list("from", "[\"127.0.0.0/8\", \"::1/128\"]"),
                "The addresses and networks that may connect; a Unix socket always may.",
            ),
            setting(
                Key::list("origins", "[\"https://wallet.example.com\"]"),
                "Values of `Origin`: pages that may use the gateway from a browser.",
            )
            .or("[]"),
            setting(
                Key::list("hosts", "[\"countersign.internal:8081\"]"),
                "Other names, with their port, by which clients call the gateway and the admin \
                 listener.",
            )
            .or("[]"),
            setting(
                Key::string("unrouted", "\"refuse\""),
                "What becomes of a request for a host that no route names: `refuse` answers \
                 403, `pass` forwards it unsigned.",
            ),
            setting(
                Key::list("pass_private", "[\"10.0.0.0/8\"]"),
                "The [private networks](private-networks.md) that `pass` reaches; no other, and \
                 nothing on this machine.",
            )
            .or("[]"),
        ],
    },
    Section {
        table: "intercept",
        doc: "What HTTPS is ended with, for hosts that have a route. Without the table a CONNECT \
             to them is refused, but by a proxy that `exec` starts, which makes an authority of \
             its own.",
        settings: &[
            required(
                Key::string("ca_cert", "\"ca.pem\""),
                "A PEM file with the certificate that clients trust, and nothing else: the root's. Or \
                 one with the authority's own certificate, then those that signed it.",
            ),
            required(
                Key::string("ca_key", "\"intercept_ca\""),
                "The `[secrets]` entry with the authority's private key in PEM and, where `ca_cert` \
                 holds the root alone, its certificate behind it.",
            ),
            setting(
                Key::duration("leaf_lifetime", "\"7d\""),
                "How long a host's leaf certificate is valid, a minute or more; it is renewed \
                 at half of that.",
            ),
            setting(
                Key::count("leaf_cache", "1024"),
                "How many hosts' leaf certificates are kept, 1 to 100,000.",
            ),
        ],
    },
    Section {
        table: "limits",
        doc: "What a request may cost.",
        settings: &[
            setting(
                Key::size("signed_body", "\"1MiB\""),
                "The longest body that is held whole to be signed.",
            ),
            setting(
                Key::size("held_bodies", "\"64MiB\""),
                "The bytes of all bodies that are held at once, at least `signed_body`; one client's \
                 are at most seven eighths of them, and less the more others hold.",
            ),
            setting(
                Key::count("connections", "1024"),
                "Connections open at once, on the forward listener and the gateway together, \
                 1,000,000 at most; one client has at most seven eighths of them, and less the more \
                 others have.",
            )
            .restart(|new, old| keep(&mut new.limits.connections, &old.limits.connections)),
            setting(
                Key::count("unauthenticated", "64"),
                "Connections of one address (of IPv6: of a /64) of which no request was admitted yet; \
                 beyond that, and beyond 512 in all, the oldest is closed for the next.",
            ),
            setting(
                Key::count("tunnels", "512"),
                "WebSockets and blind CONNECT tunnels open at once, beside these and shared like \
                 these.",
            )
            .restart(|new, old| keep(&mut new.limits.tunnels, &old.limits.tunnels)),
            setting(
                Key::size("header", "\"32KiB\""),
                "The longest request head, of 96 fields at most.",
            ),
        ],
    },
    Section {
        table: "timeouts",
        doc: "How long each phase may last.",
        settings: &[
            setting(
                Key::duration("request_head", "\"30s\""),
                "A request head, from its first byte; the first on a connection, from the \
                 connection's.",
            ),
            setting(
                Key::duration("request_body", "\"30s\""),
                "A body that is held whole must be there within this time.",
            ),
            setting(
                Key::duration("body_idle", "\"2m\""),
                "A body that streams, of a request or a response, may stand still this long.",
            ),
            setting(
                Key::duration("tunnel_idle", "\"10m\""),
                "A WebSocket or a blind tunnel may be silent this long in both directions.",
            ),
            setting(Key::duration("sign", "\"2s\""), "A signature."),
            setting(
                Key::duration("log", "\"5s\""),
                "A request that is to be signed waits so long for a log that nobody reads, or for an audit that \
                 is required.",
            ),
            setting(
                Key::duration("connect", "\"5s\""),
                "Name resolution, TCP and TLS handshake to the upstream.",
            ),
            setting(
                Key::duration("response_head", "\"30s\""),
                "The upstream's response head, counted from the last byte of the request.",
            ),
            setting(
                Key::duration("pool_idle", "\"90s\""),
                "An unused upstream connection is closed after this.",
            )
            .was(&["idle"]),
            // Longer than most HTTP clients' pools keep a connection: who sends on one that is
            // being closed loses its request.
            setting(
                Key::duration("client_idle", "\"2m\""),
                "A client's connection may be silent this long between requests.",
            ),
            setting(
                Key::duration("drain_linger", "\"2s\""),
                "New requests are still taken for so long after SIGTERM.",
            ),
            setting(
                Key::duration("drain", "\"10s\""),
                "How long a stop waits for requests under way, after that.",
            ),
        ],
    },
    Section {
        table: "nonces",
        doc: "Proxies that sign with the same key share its nonces: on one machine by files, on several \
              by a share each, or by leases of what they share.",
        settings: &[
            setting(
                Key::string("replica", "\"2/4\""),
                "This process's share of the nonces: of two, the first has `1/2`, the second \
                 `2/2`; 100 at most. `ordinal/3` takes the number from the name of a StatefulSet's \
                 pod, and `shared` leases a lane from `[shared]`, of which there are 100, or 16 where \
                 nonces increase.",
            )
            .or("\"1/1\"")
            .restart(|new, old| keep(&mut new.replica, &old.replica)),
            optional(
                Key::string("state", "\"/var/lib/countersign\""),
                "The directory that keeps nonces across restarts and between processes; without one \
                 it is `$STATE_DIRECTORY`, or `countersign` in `$XDG_STATE_HOME`.",
            )
            .restart(|new, old| keep(&mut new.state, &old.state)),
        ],
    },
    SHARED,
    Section {
        table: "signing",
        doc: "The proxy's check of itself, before a signed request is sent.",
        settings: &[setting(
            Key::string("self_check", "\"digest\""),
            "What is made again of head and body as they are handed over, and compared: nothing \
             (`off`), what was signed (`digest`), or that and the signatures (`signature`, which \
             costs a verification).",
        )],
    },
    Section {
        table: "inspect",
        doc: "What is held of the last signed requests, in memory, for `countersign why` and the admin \
              listener's pages: canonical string, moment, nonce and head, never a secret.",
        settings: &[
            setting(
                Key::count("keep", "200"),
                "How many, up to 10,000; each takes a few kB. With 0 only rejections are held, without \
                 what was signed.",
            )
            .or("0"),
            setting(
                Key::flag("bodies", "true"),
                "Whether bodies are held too, up to 64 KiB of each; else their SHA-256.",
            )
            .or("false"),
        ],
    },
    Section {
        table: "stores.NAME",
        doc: "Where keys and secrets are kept. Stores are opened at the start and at a reload.",
        settings: &[required(
            Key::string("kind", "\"file\""),
            "What it is; each kind has settings of its own.",
        )],
    },
    Section {
        table: "keys.NAME",
        doc: "Private keys, by the names that routes use. A key URI may stand in place of the table, \
              `keys.okx = \"file:okx.pem\"`: it needs no store, and what the key is for follows from the \
              slots that name it.",
        settings: &[
            required(STORE, "The `[stores]` entry it is in."),
            required(
                ENTRY,
                "The entry in that store: a file, `file#member` of a JSON object, or the end of \
                 a variable's name.",
            ),
            optional(
                Key::string("algorithm", "\"ecdsa_secp256k1\""),
                "What kind of key it is, where the entry does not say: one of \
                 [algorithms.md](algorithms.md).",
            ),
            setting(
                Key::string("encoding", "\"base64\""),
                "How the bytes of the entry are written: `text`, `base64`, `base64url` or \
                 `hex`; or how the provider makes the key of the text: `upper`, `md5_hex`, \
                 `percent` or `base64_of`.",
            )
            .or("\"text\""),
            optional(
                Key::string("public", "\"02…\""),
                "The public key it must have, in hex: an SPKI or a point; another one stops the \
                 start.",
            ),
        ],
    },
    Section {
        table: "secrets.NAME",
        doc: "Bytes that a request carries or the proxy reads; they sign nothing. A key URI may stand in \
              place of the table.",
        settings: &[
            required(STORE, "As for keys."),
            required(ENTRY, "As for keys."),
            setting(
                Key::flag("watch", "true"),
                "Whether the entry is read again when its file changes, and not at a reload \
                 only.",
            )
            .or("false"),
        ],
    },
    Section {
        table: "schemes.NAME",
        doc: "Schemes that are declared in files, for routes to name beside the built-in ones. A file \
             whose vectors do not hold is not used.",
        settings: &[required(
            Key::string("file", "\"schemes/okx.toml\""),
            "The file, from this directory; [declared.md](declared.md) says what stands in it.",
        )],
    },
    ROUTE,
    DECIDE,
    NEXT,
    Section {
        table: "upstreams.NAME",
        doc: "How requests leave: where to, through what, whom to trust there and who to be.",
        settings: &[
            optional(
                Key::string("url", "\"https://api.example.com\""),
                "Scheme, host, port and base path, or `unix:/path`; without one, requests go to their \
                 own host over TLS.",
            ),
            optional(
                Key::count("socket_uid", "1001"),
                "The user, beside root and the proxy's own, who may own the socket in `url` and the \
                 directories above it, and whose process may listen there.",
            ),
            optional(
                Key::string("via", "\"http://proxy.internal:3128\""),
                "The parent proxy, `http://`, `https://` or `socks5://`, or `environment` for \
                 the one in `HTTPS_PROXY` and its like.",
            ),
            optional(
                Key::string("via_credentials", "\"proxy_password\""),
                "The `[secrets]` entry with `user:password` for that proxy.",
            ),
            optional(
                Key::string("via_ca", "\"proxy-ca.pem\""),
                "A PEM file with the authorities to trust for that proxy, in place of the \
                 system's.",
            ),
            optional(
                Key::string("server_name", "\"api.example.com\""),
                "The name in the upstream's certificate, and its SNI, where it is not the host \
                 that is dialled.",
            ),
            optional(
                Key::string("ca", "\"ca.pem\""),
                "A PEM file with the authorities to trust in place of the system's, or the \
                 upstream's own certificate.",
            ),
            optional(
                Key::string("client_cert", "\"client.pem\""),
                "A PEM file with the client certificate's chain, its own first.",
            ),
            optional(
                Key::string("client_key", "\"client_key\""),
                "The `[secrets]` entry with its private key in PEM.",
            ),
            setting(
                Key::flag("allow_plaintext", "true"),
                "Whether `url` may be plain HTTP to another machine.",
            )
            .or("false"),
            setting(
                Key::flag("post_quantum", "false"),
                "Whether a key exchange that outlasts quantum computers is offered, which makes \
                 the ClientHello longer than a packet.",
            )
            .or("true"),
            setting(
                Key::count("idle_connections", "256"),
                "How many unused connections the pool keeps for each host; the cores have a part each.",
            ),
            setting(
                Key::duration("max_age", "\"5m\""),
                "A connection that is older gets no new requests.",
            ),
        ],
    },
    Section {
        table: "audit",
        doc: "The [audit of signatures](audit.md): a file with a line for each signed request before it \
              is sent, and one for what came of it. Without the table there is none.",
        settings: &[
            required(
                Key::string("file", "\"signatures.jsonl\""),
                "The file; lines follow from each other, and `countersign audit verify` checks them.",
            ),
            setting(
                Key::flag("required", "true"),
                "Whether a request waits until its line is on the disk, as long as `timeouts.log` at \
                 most, and is refused where that fails.",
            )
            .or("false"),
        ],
    },
    Section {
        table: "process",
        doc: "What `run` gives up at its start, before a request comes: files that the configuration does \
              not name, listening anew, starting programs, and being looked into.",
        settings: &[
            setting(SANDBOX, SANDBOX_DOC)
                .restart(|new, old| keep(&mut new.process.sandbox, &old.process.sandbox)),
            setting(LOCK_MEMORY, LOCK_MEMORY_DOC)
                .or("false")
                .restart(|new, old| keep(&mut new.process.lock_memory, &old.process.lock_memory)),
            setting(
                Key::string("runtime", "\"per_core\""),
                "How connections are served: `per_core`, each by one thread from its first byte to its last, \
                 with a pool of upstream connections for each core; or `work_stealing`, by whichever thread \
                 is free. `TOKIO_WORKER_THREADS` says how many threads, without it there are as many as \
                 processors.",
            )
            .or("\"per_core\"")
            .restart(|new, old| keep(&mut new.process.runtime, &old.process.runtime)),
            optional(
                Key::list("read", "[\"/etc/softhsm\"]"),
                "Directories and files that may be read beside those that the configuration names. A \
                 store of kind `pkcs11` loads a library whose needs nobody knows: files and programs \
                 are given up beside it only where this or `write` says what it needs.",
            )
            .restart(|new, old| keep(&mut new.process.read, &old.process.read)),
            optional(
                Key::list("write", "[\"/var/lib/softhsm/tokens\"]"),
                "The same, which may be written as well.",
            )
            .restart(|new, old| keep(&mut new.process.write, &old.process.write)),
        ],
    },
    Section {
        table: "log",
        doc: "What is written down. At no level: keys, secrets, or headers that the proxy put in.",
        settings: &[
            setting(
                Key::string("level", "\"info\""),
                "`off`, `error`, `warn`, `info`, `debug` or `trace`, or a list: \
                 `info,countersign::pipeline=debug`.",
            ),
            setting(Key::string("format", "\"text\""), "The form of a line, `text` or `json`.")
                .restart(|new, old| keep(&mut new.log.format, &old.log.format)),
        ],
    },
];

const STORE: Key = Key::string("store", "\"files\"");
const ENTRY: Key = Key::string("entry", "\"name.pem\"");
