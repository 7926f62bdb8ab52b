//! The settings of a route.

use super::Section;
use super::row::{optional, required, setting};
use crate::document::Key;

/// `[routes.NAME]`.
pub(super) const ROUTE: Section = Section {
    table: "routes.NAME",
    doc: "Which requests are signed, how, and with what. A request takes the most specific \
     route: an exact host before `*.example.com`, then the longest path.",
    settings: &[
        optional(
            Key::string("host", "\"api.example.com\""),
            "The host that is matched, signed and sent; without one the gateway alone leads \
         here.",
        ),
        setting(Key::string("path", "\"/v1\""), "A prefix of the path, on segment borders.")
            .or("\"/\""),
        optional(
            Key::list("methods", "[\"GET\", \"POST\"]"),
            "The methods it takes; all, when left out.",
        ),
        required(
            Key::string("scheme", "\"metasv\""),
            "The scheme: one of [schemes.md](schemes.md).",
        ),
        optional(
            Key::table("keys", "{ slot = \"name\" }"),
            "The `[keys]` entry for each of the scheme's key slots.",
        ),
        optional(
            Key::table("secrets", "{ slot = \"name\" }"),
            "The `[secrets]` entry for each of its secret slots.",
        ),
        optional(Key::table("params", "{ name = \"value\" }"), "Its parameters."),
        optional(
            Key::string("upstream", "\"name\""),
            "The `[upstreams]` entry that its requests leave by; without one they go to the \
         host, over TLS.",
        ),
        setting(
            Key::flag("ordered", "true"),
            "Whether a request goes out after the head of the answer to the one before it, of the \
         same key, in all processes of the machine, or of all replicas that lease from `[shared]`.",
        )
        .or("false"),
        setting(
            Key::string("unbound", "\"refuse\""),
            "What becomes of a request that bears parts which its signature does not bind \
         ([schemes.md](schemes.md#what-a-signature-binds)): `pass` or `refuse`.",
        )
        .or("\"pass\""),
        setting(
            Key::string("clock", "\"provider\""),
            "Whose clock its time stamps are by: this `machine`'s, or the `provider`'s as the `Date` of \
         its answers shows it, which is believed up to ten minutes from this machine's.",
        )
        .or("\"machine\""),
    ],
};

/// `[routes.NAME.decide]`.
pub(super) const DECIDE: Section = Section {
    table: "routes.NAME.decide",
    doc: "A policy that answers in place of a service; [decide.md](decide.md) has its rules.",
    settings: &[
        setting(
            Key::string("mode", "\"enforce\""),
            "Who answers: the rules (`enforce`), or a service that the rules watch \
         (`shadow`).",
        ),
        required(Key::string("audit", "\"cobo-audit.jsonl\""), "The file of decisions."),
    ],
};

/// `[routes.NAME.next]`.
pub(super) const NEXT: Section = Section {
    table: "routes.NAME.next",
    doc: "Key rotation: what takes over from the route's own keys. Slots and parameters that it \
      leaves out stay as they are.",
    settings: &[
        required(Key::table("keys", "{ slot = \"name\" }"), "The new `[keys]` entry, by its slot."),
        optional(
            Key::table("secrets", "{ slot = \"name\" }"),
            "The `[secrets]` entries that belong to it.",
        ),
        optional(Key::table("params", "{ name = \"value\" }"), "The parameters that belong to it."),
        optional(
            Key::string("from", "\"2026-12-01T00:00:00Z\""),
            "The first moment at which it signs, in UTC; all requests from then on, where there \
         is no `canary`.",
        ),
        optional(
            Key::string("canary", "\"5%\""),
            "The share of the requests that it signs; none any more once the provider rejects \
         its signatures and not the old key's.",
        ),
        optional(
            Key::string("until", "\"2026-12-02T00:00:00Z\""),
            "When the canary ends: from then on it signs all requests, unless it was rejected.",
        ),
    ],
};
