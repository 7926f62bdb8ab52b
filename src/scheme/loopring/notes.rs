//! What a configuration for Loopring begins with, and what its page says beside the slots.

use crate::scheme::Example;

pub(super) fn example() -> Example {
    Example { params: vec![("canonical".into(), "v2".into())], routes: ROUTES.into() }
}

const ROUTES: &str = r#"# Some endpoints want their signature in the body, some none at all: a route for each, and the
# longest path wins. The others, where they are needed, differ in path and body; see docs/schemes.md.
[routes.loopring_order]
host = "api.loopring.io"
path = "/api/v2/order"
methods = ["POST"]
scheme = "loopring"
keys = { eddsa = "loopring" }
secrets = { api_key = "loopring_api_key" }
params = { canonical = "none", body = "order" }

[routes.loopring_batch]
host = "api.loopring.io"
path = "/api/v2/batchOrders"
methods = ["POST"]
scheme = "loopring"
keys = { eddsa = "loopring" }
secrets = { api_key = "loopring_api_key" }
params = { canonical = "none", body = "order" }

# The request that fetches the API key cannot have it.
[routes.loopring_api_key]
host = "api.loopring.io"
path = "/api/v2/apiKey"
methods = ["GET"]
scheme = "loopring"
keys = { eddsa = "loopring" }
params = { canonical = "v2" }

# The program signs this one with its Ethereum key.
[routes.loopring_transfer]
host = "api.loopring.io"
path = "/api/v2/transfer"
scheme = "loopring"
secrets = { api_key = "loopring_api_key" }
params = { canonical = "none" }
"#;

pub(super) const NOTES: &[&str] = &[
    "The signature is made here, not by a library. The nonce's point is a sum of table entries, of \
     which every one is read and masks select; nonce and S are integers of fixed length. The field \
     library does not always take the same time, so what goes through it is blinded with random \
     numbers. That is an argument, not a proof: do not let people you distrust measure how long \
     signing takes. Hashing and verification work on what is public.",
    "One route signs one thing: give `/api/v2/order` and its like routes of their own, with \
     `canonical = \"none\"` and `body`. With `body = \"order\"`, a body with an array `orders` is a \
     batch, and each of its orders is signed.",
    "Requests that the Ethereum key signs (API v3 transfers, withdrawals and account updates, \
     beside the signature in the body; API v2 transfers) keep the `X-API-SIG` their program made: \
     it is only replaced where `canonical` is not none.",
    "The same request has the same signature at any time, so whoever sees one can repeat it. That \
     is the provider's design; TLS is what keeps it from being seen.",
    "Bound in part: the host of v2 and v3 where `base` is `host`; of a body that is a message, the \
     fields of that message.",
];
