//! What `demo` plays of Loopring.

use http::Method;

use crate::scheme::{Act, Demo, Way};

/// Of the demo.
const DEMO: &str = r#"
[keys.loopring]
store = "files"
entry = "loopring.json"
algorithm = "eddsa_babyjub"

[secrets.loopring_api_key]
store = "files"
entry = "api_key"

[routes.loopring]
host = "api.loopring.io"
scheme = "loopring"
keys = { eddsa = "loopring" }
secrets = { api_key = "loopring_api_key" }
params = { canonical = "v2" }
upstream = "loopring"

[routes.loopring_order]
host = "api.loopring.io"
path = "/api/v2/order"
methods = ["POST"]
scheme = "loopring"
keys = { eddsa = "loopring" }
secrets = { api_key = "loopring_api_key" }
params = { canonical = "none", body = "order" }
upstream = "loopring_order"
"#;

const ORDER: &str = r#"{
  "exchangeId": 2, "orderId": 5, "accountId": 1234, "tokenSId": 2, "tokenBId": 3,
  "amountS": "5000000000000000000", "amountB": "15000000", "allOrNone": "false", "buy": "false",
  "validSince": 1582094327, "validUntil": 1587278341, "maxFeeBips": 50, "label": 211
}"#;

pub(super) fn demo() -> Demo {
    let cancel = (Method::DELETE, "/api/v2/orders?orderHash=111%2C222&accountId=1234");
    let order = || (Method::POST, "/api/v2/order");
    let (forward, around) = ((Way::Forward, "loopring_order"), (Way::Around, "loopring_order"));
    Demo {
        tables: DEMO.into(),
        acts: vec![
            Act::taken(
                "Loopring query, signed in the header, through HTTP_PROXY",
                (Way::Forward, "loopring"),
                cancel,
                "",
            ),
            Act::taken(
                "Loopring order, signed in its body, through HTTP_PROXY",
                forward,
                order(),
                ORDER,
            ),
            Act::refused("Loopring order, past the proxy: nobody signs", around, order(), ORDER),
        ],
    }
}
