//! Who may know whom: a row for each module of `src/`, from the ground up.

/// A module and what it may know.
pub(super) struct Layer {
    pub(super) name: &'static str,
    pub(super) may: &'static [Link],
    pub(super) why: &'static str,
}

/// Another module, or some of its items.
pub(super) struct Link {
    pub(super) of: &'static str,
    /// Empty for all of them.
    pub(super) items: &'static [&'static str],
}

impl Layer {
    pub(super) fn is_free(&self) -> bool {
        ANYTHING.contains(&self.name)
    }
}

impl Link {
    pub(super) fn has(&self, item: &str) -> bool {
        self.items.is_empty() || self.items.contains(&item)
    }
}

const fn layer(name: &'static str, may: &'static [Link], why: &'static str) -> Layer {
    Layer { name, may, why }
}

const fn all(of: &'static str) -> Link {
    Link { of, items: &[] }
}

const fn only(of: &'static str, items: &'static [&'static str]) -> Link {
    Link { of, items }
}

/// From the ground up: none knows those that come after it.
pub(super) const LAYERS: &[Layer] = &[
    layer("problem", &[], "what is wrong is the same to everybody who finds it"),
    layer(
        "strict_modes",
        &[all("problem")],
        "whose a file is, and who may change it, is the same to everybody who believes it",
    ),
    layer("sandbox", &[], "what a process gives up; what it is for is said by whoever starts it"),
    layer("socket_file", &[], "a socket with a name is bound the same way by everybody"),
    layer("secret", &[], "whoever guards secrets must not know who wants them"),
    layer(
        "nonces",
        &[all("problem")],
        "what is kept of a key's nonces; neither the clock, nor what they are for",
    ),
    layer(
        "moment",
        &[all("nonces"), all("problem")],
        "time and nonces are given to those who ask, whoever they are",
    ),
    layer("document", &[all("problem")], "reads tables; what their keys mean is for whoever asks"),
    layer("peer", &[], "whose a connection is, whatever that may mean"),
    layer("host", &[], "a name or an address is the same to everybody who reads it"),
    layer("pem", &[], "blocks are found and decoded; what is in them is for whoever asks"),
    layer(
        "lines",
        &[only("moment", &["since_epoch"])],
        "lines of the log in their queue; what they say is nothing to it",
    ),
    layer(
        "metrics",
        &[only("lines", &["dropped", "waiting"])],
        "counters are handed down; they know names, not types",
    ),
    layer("cores", &[], "threads that serve; what is nothing to them"),
    layer("cost", &[], "how long work takes is the same to everybody who has it done"),
    layer(
        "workers",
        &[only("cost", &["Cost"])],
        "threads, and whose turn it is; what for is nothing to it",
    ),
    layer("descriptors", &[], "what the system says of descriptors is the same to everybody"),
    layer("shares", &[only("metrics", &["Limit"])], "counts what is taken, and knows not of what"),
    layer(
        "tls",
        &[all("pem"), all("problem"), all("secret")],
        "certificates and the crypto provider; whose hosts they are is nothing to it",
    ),
    layer(
        "https",
        &[all("problem"), all("secret"), only("tls", &["provider", "roots"])],
        "asks the services that keys are in; what a key is is nothing to it",
    ),
    layer(
        "keys",
        &[
            only("cost", &["Cost"]),
            only("https", &["Answer", "Client"]),
            all("pem"),
            all("problem"),
            all("secret"),
            all("strict_modes"),
            only("tls", &["mutual_client"]),
            only("workers", &["Pool", "Queue", "Undone"]),
        ],
        "a key signs what it is given, and does not know what that is of",
    ),
    layer(
        "scheme",
        &[
            only("cost", &["Cost"]),
            all("document"),
            all("keys"),
            all("moment"),
            only("nonces", &["Counting", "Unit"]),
            all("problem"),
            all("secret"),
        ],
        "pure: no network, refusal or runtime; of a configuration only a table of its own",
    ),
    layer(
        "kms",
        &[
            only("https", &["Answer", "Client"]),
            all("keys"),
            only("moment", &["Moment", "Nonce", "unix_ms"]),
            all("problem"),
            all("scheme"),
            all("secret"),
        ],
        "a store whose own requests are signed by a scheme, and so above both",
    ),
    layer("stores", &[all("keys"), all("kms")], "the table of the places that keys live in"),
    layer(
        "audit",
        &[
            only("lines", &["certain"]),
            only("moment", &["rfc3339", "unix_ms"]),
            all("problem"),
            only("scheme", &["Decision"]),
        ],
        "writes down what it is told, and only that",
    ),
    layer(
        "inspect",
        &[],
        "what is held of requests is texts; who may see them is decided elsewhere",
    ),
    layer(
        "config",
        &[
            only("audit", &["Mode"]),
            all("document"),
            only("inspect", &["Keep"]),
            only(
                "keys",
                &[
                    "Algorithm",
                    "Encoding",
                    "Need",
                    "Needed",
                    "PublicKey",
                    "SettingKind",
                    "StoreKind",
                    "StoreSetting",
                    "StoreSettings",
                    "StoreVariables",
                    "command",
                    "needs",
                    "remote",
                ],
            ),
            only("moment", &["Part"]),
            all("problem"),
            all("scheme"),
            all("stores"),
            all("strict_modes"),
        ],
        "what is written names kinds of keys, stores and schemes; it opens nothing",
    ),
    layer(
        "shared",
        &[
            only("config", &["Shared"]),
            all("metrics"),
            only("moment", &["unix_ms"]),
            only(
                "nonces",
                &["Answer", "Ask", "Held", "Leases", "Question", "Reply", "Round", "TERMS"],
            ),
            all("problem"),
            all("secret"),
        ],
        "asks the store that replicas share; what a lease means is decided below it",
    ),
    layer(
        "verification",
        &[all("keys"), all("moment"), all("scheme")],
        "signing read from the other end, as pure as the schemes",
    ),
    layer(
        "diagnosis",
        &[
            all("keys"),
            only("moment", &["Moment"]),
            all("scheme"),
            only("verification", &["verify_with"]),
        ],
        "why a signature does not hold; who asks, and how the request came here, is nothing to it",
    ),
    layer(
        "standin",
        &[all("keys"), all("moment"), all("scheme"), all("verification")],
        "a provider knows nothing of the proxy in front of it",
    ),
    layer(
        "tunnel",
        &[all("metrics"), all("shares")],
        "bytes both ways; what they are is not looked at",
    ),
    layer(
        "standing",
        &[only("moment", &["since_epoch", "unix_ms"]), only("scheme", &["Blame", "Rejected"])],
        "how a key stands with its provider is counted here, and told to whoever writes it down",
    ),
    layer(
        "reloads",
        &[only("moment", &["unix_ms"])],
        "between whoever asks and whoever reads the file",
    ),
    layer(
        "record",
        &[
            only("audit", &["Sent"]),
            only("inspect", &["Inspect", "LONGEST_ANSWER", "Over", "Seen", "Told", "shown"]),
            only("lines", &["Value", "certain", "event"]),
            all("metrics"),
            only("moment", &["unix_ms"]),
            only("scheme", &["Entry", "Rejected"]),
            only("standing", &["Standing"]),
        ],
        "what is written down of a request is names and numbers",
    ),
    layer(
        "body",
        &[only("record", &["LOOKED_INTO", "Record"]), only("shares", &["Full", "Share", "Shares"])],
        "bytes on their way; the record is told when the last has gone",
    ),
    layer(
        "upstream",
        &[
            only("body", &["Lease", "Progress", "StreamError", "Upload"]),
            only("cores", &["current_core"]),
            only("descriptors", &["ran_out"]),
            all("problem"),
            all("secret"),
            only("strict_modes", &["Owners", "check_socket"]),
            only("tls", &["KeyFault", "identity", "provider", "roots"]),
            only("tunnel", &["keep_alive"]),
        ],
        "sends what it is given and knows nothing of signatures",
    ),
    layer(
        "route",
        &[
            only("cost", &["Cost"]),
            only("audit", &["Audit", "Mode"]),
            only("config", &["HostPattern", "Turns", "Unbound"]),
            all("keys"),
            only("metrics", &["Counts"]),
            only("moment", &["unix_ms"]),
            only("nonces", &["Order", "Source"]),
            all("scheme"),
            only("standing", &["Standing"]),
            only("workers", &["Queue", "in_place"]),
        ],
        "which requests are signed, with what, and where they go",
    ),
    layer(
        "refusal",
        &[
            only("keys", &["SignError"]),
            only("scheme", &["SchemeError"]),
            only("upstream", &["CertificateFault", "ForwardError", "Handshake", "Hop", "Phase"]),
            only("workers", &["Undone"]),
        ],
        "every error of the layers below, and nothing else of them",
    ),
    layer(
        "access",
        &[all("host"), all("peer"), all("problem"), all("refusal"), all("secret")],
        "who may come in, by what it shows",
    ),
    layer(
        "request",
        &[
            only("cost", &["Cost"]),
            all("access"),
            only("config", &["HostPattern", "Limits", "Unbound", "Unrouted"]),
            all("host"),
            only("moment", &["Moment"]),
            only("peer", &["Peer"]),
            all("refusal"),
            all("route"),
            all("scheme"),
        ],
        "everything that can be said of a request without waiting, and so nothing that waits",
    ),
    layer(
        "snapshot",
        &[
            all("access"),
            only("audit", &["Audit", "Signatures", "placed"]),
            all("config"),
            only("cores", &["Cores"]),
            only("inspect", &["Inspect", "Judged", "Keep", "Pasted"]),
            all("keys"),
            all("metrics"),
            only("moment", &["Part", "unix_ms"]),
            all("nonces"),
            all("problem"),
            only("reloads", &["Reloads"]),
            only("request", &["View"]),
            all("route"),
            only("scheme", &["BindError", "Binding", "Bound", "Caller", "ParamDoc", "SchemeError"]),
            all("secret"),
            only("shared", &["Answers", "Cells", "Found", "Sharing", "Store"]),
            all("standing"),
            only("strict_modes", &["check_socket"]),
            only("tls", &["Authority", "CaCertificate", "LeafSettings", "LeafCache", "ends_s"]),
            all("upstream"),
            only("workers", &["Queue"]),
        ],
        "the one place where a configuration becomes what runs",
    ),
    layer(
        "pipeline",
        &[
            only("cost", &["Cost"]),
            only("audit", &["Entry", "Mode", "Sending", "Signatures", "Signed"]),
            all("body"),
            only("config", &["SelfCheck"]),
            all("inspect"),
            only("keys", &["Content", "Signature"]),
            only("lines", &["room"]),
            all("metrics"),
            all("moment"),
            only("nonces", &["Taken"]),
            only("record", &["Record", "Samples"]),
            all("refusal"),
            all("request"),
            only("problem", &["Problem"]),
            only("route", &["BoundPolicy", "Route"]),
            all("scheme"),
            only("shared", &["Answers"]),
            only("shares", &["Shares"]),
            all("snapshot"),
            all("tunnel"),
            only("upstream", &["Answered", "Documented", "Inspect", "Upstream"]),
            only("verification", &["verify"]),
            only("workers", &["in_place"]),
        ],
        "the way of a request, which is why it knows every station",
    ),
    layer(
        "admin",
        &[
            only("access", &["Access", "Credentials", "Whose"]),
            only("body", &["Reply"]),
            only("cost", &["Cost"]),
            all("inspect"),
            only("metrics", &["Form"]),
            only("moment", &["rfc3339", "unix_ms"]),
            all("pipeline"),
            only("record", &["Record"]),
            all("refusal"),
            only("request", &["Sender"]),
            only("route", &["Route"]),
            only("reloads", &["Last"]),
            all("snapshot"),
            only("workers", &["in_place", "waiting"]),
        ],
        "shows what it is told; it does not know who listens",
    ),
    layer(
        "server",
        &[
            only("access", &["OwnNames"]),
            all("admin"),
            only("body", &["Answering", "Progress", "Reply"]),
            only("config", &["Endpoint"]),
            only("descriptors", &["ran_out"]),
            all("host"),
            only("metrics", &["Limit", "Metrics", "Open"]),
            only("peer", &["Peer"]),
            all("pipeline"),
            all("problem"),
            only("record", &["Record"]),
            all("refusal"),
            all("request"),
            only("shares", &["Share", "Shares"]),
            all("snapshot"),
            only("tls", &["LeafCache"]),
            all("tunnel"),
            only("upstream", &["ForwardError", "Phase"]),
            all("socket_file"),
        ],
        "listens and reads; what becomes of a request is the pipeline's",
    ),
    layer(
        "signer",
        &[
            only("audit", &["Audit", "SignatureEntry"]),
            only("config", &["ConfigErrors", "Key", "Store", "signer"]),
            all("keys"),
            all("problem"),
            only("secret", &["Secret"]),
            only("tls", &["certificate_names", "mutual_server"]),
            all("socket_file"),
            all("strict_modes"),
        ],
        "holds keys and signs; it knows nothing of the requests that are signed",
    ),
    layer("cli", &[], "starts everything, so it may know everything"),
];

/// These may know whomever they like.
const ANYTHING: &[&str] = &["cli"];

/// These have no network, runtime or clock, directly or by name.
pub(super) const PURE: &[&str] = &["diagnosis", "request", "scheme"];

/// The files that may speak of status codes.
pub(super) const STATUS_CODES: &[(&str, &str)] = &[
    ("refusal/code/asked.rs", "every refusal's own"),
    ("refusal/code/failed.rs", "every refusal's own"),
    ("refusal/code/list.rs", "what a row holds"),
    ("refusal.rs", "writes the code's into the answer"),
    (
        "admin/view.rs",
        "200, 303 to another page, 403, 404, 422, and 503 for a probe while stopping",
    ),
    ("standin.rs", "a provider's refusals are not ours"),
    ("standin/socket.rs", "a provider takes a handshake"),
    ("signer/answer.rs", "the interface of signers has its own"),
    ("cli/demo/client.rs", "reads the status of an answer"),
];
