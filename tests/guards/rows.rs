//! The guards, by row.

use crate::support::config::TOKENS;
use crate::support::doors::Doors;

/// A guard, and a request that triggers it.
pub(super) struct Guard {
    pub(super) name: &'static str,
    /// The proxy.
    pub(super) scene: fn() -> Doors,
    /// Method, path, and what follows the `Host` of the head: lines, the empty one, a body.
    pub(super) asked: (&'static str, &'static str, &'static str),
    /// What of the head is replaced.
    pub(super) instead: Option<(&'static str, &'static str)>,
    /// What is answered.
    pub(super) code: &'static str,
    /// Ways with another answer, or the reason why they have no such guard.
    pub(super) but: &'static [(&'static [&'static str], Result<&'static str, &'static str>)],
    /// Whether every way leads somewhere without the trigger.
    pub(super) opens: bool,
}

const GUARD: Guard = Guard {
    name: "",
    scene: || Doors::new("", ""),
    asked: ("GET", "/v1/x", "\r\n"),
    instead: None,
    code: "",
    but: &[],
    opens: true,
};

const INSIDE: &[&str] = &["plain in a CONNECT", "TLS in a CONNECT", "TLS in a CONNECT in HTTP/2"];
const ADMIN: &[&str] = &["admin"];
const CONNECT: &[&str] = &["CONNECT"];
const IN_HTTP_2: &[&str] = &["gateway in HTTP/2", "TLS in a CONNECT in HTTP/2"];
const NO_ROUTE: &[&str] = &["admin", "CONNECT"];
const LIMITED: fn() -> Doors = || Doors::new("path = \"/v1\"\nmethods = [\"GET\"]\n", "");
const HOLDS: fn() -> Doors = || {
    Doors::sinohope("", "[limits]\nsigned_body = \"1KiB\"\n[timeouts]\nrequest_body = \"500ms\"\n")
};

const NOT_ASKED: Result<&str, &str> = Err("no tunnel is opened to those who are refused it");
const UNROUTED: Result<&str, &str> = Err("nothing that comes here goes to a provider");
const FRAMES: Result<&str, &str> = Err("frames say how long a body is: abuse::http2 breaks them");

pub(super) const GUARDS: &[Guard] = &[
    Guard {
        name: "the client's address",
        scene: || Doors::new("", "[access]\nfrom = [\"10.0.0.0/8\"]\n"),
        code: "client_not_allowed",
        but: &[
            (INSIDE, NOT_ASKED),
            (
                &["gateway in HTTP/2"],
                Err("it is told in HTTP/1.1, before it has said what it speaks"),
            ),
        ],
        opens: false,
        ..GUARD
    },
    Guard {
        name: "no token",
        scene: || Doors::new("", TOKENS),
        code: "client_unauthenticated",
        but: &[(INSIDE, NOT_ASKED), (ADMIN, Ok("metrics_unauthenticated"))],
        opens: false,
        ..GUARD
    },
    Guard {
        name: "another token",
        scene: || Doors::new("", TOKENS),
        asked: (
            "GET",
            "/v1/x",
            "Countersign-Token: t1ken\r\nProxy-Authorization: Bearer t\r\n\r\n",
        ),
        code: "client_unauthenticated",
        but: &[(INSIDE, NOT_ASKED), (ADMIN, Ok("metrics_unauthenticated"))],
        opens: false,
        ..GUARD
    },
    Guard {
        name: "a page's origin",
        asked: ("GET", "/v1/x", "Origin: http://evil.example\r\n\r\n"),
        code: "cross_site",
        but: &[(CONNECT, Err("browsers send no such fields with it; what is inside is looked at"))],
        ..GUARD
    },
    Guard {
        name: "a page's fetch",
        asked: ("GET", "/v1/x", "Sec-Fetch-Site: cross-site\r\n\r\n"),
        code: "cross_site",
        but: &[(CONNECT, Err("browsers send no such fields with it; what is inside is looked at"))],
        ..GUARD
    },
    Guard {
        name: "a browser's marks",
        asked: ("GET", "/v1/x", "User-Agent: Mozilla/5.0\r\nAccept-Language: de\r\n\r\n"),
        code: "cross_site",
        but: &[(
            NO_ROUTE,
            Err("to look at a page of ours by its address is no harm: no signature"),
        )],
        ..GUARD
    },
    Guard {
        name: "a page's referrer",
        asked: ("GET", "/v1/x", "Referer: http://evil.example/\r\n\r\n"),
        code: "cross_site",
        but: &[(NO_ROUTE, Err("to look at a page of ours by a link is no harm: no signature"))],
        ..GUARD
    },
    Guard {
        name: "another Host",
        instead: Some(("\r\nHost: ", "\r\nHost: evil.example\r\nX: ")),
        code: "wrong_authority",
        but: &[
            (
                &["forward", "CONNECT"],
                Err("the target says the host, whatever the Host is (RFC 9112, section 3.2.2)"),
            ),
            (IN_HTTP_2, Err("the authority is the host there: intercept has another one")),
        ],
        ..GUARD
    },
    Guard {
        name: "two Hosts",
        asked: ("GET", "/v1/x", "Host: evil.example\r\n\r\n"),
        code: "bad_host",
        ..GUARD
    },
    Guard {
        name: "a target that is none",
        asked: ("GET", "/v1/\u{e9}", "\r\n"),
        code: "bad_target",
        but: &[(NO_ROUTE, Err("these have targets of their own: refusals has those of a CONNECT"))],
        ..GUARD
    },
    Guard {
        name: "a path that wanders",
        scene: LIMITED,
        asked: ("GET", "/v1/%252e%252e/v2", "\r\n"),
        code: "outside_route",
        but: &[(NO_ROUTE, UNROUTED)],
        ..GUARD
    },
    Guard {
        name: "a path beside the route",
        scene: LIMITED,
        asked: ("GET", "/v10", "\r\n"),
        code: "outside_route",
        but: &[(NO_ROUTE, UNROUTED)],
        ..GUARD
    },
    Guard {
        name: "a method beside the route",
        scene: LIMITED,
        asked: ("POST", "/v1/x", "\r\n"),
        code: "outside_route",
        but: &[(ADMIN, Ok("admin_method_not_allowed")), (CONNECT, UNROUTED)],
        ..GUARD
    },
    Guard {
        name: "a method that is said in a header",
        scene: LIMITED,
        asked: ("GET", "/v1/x", "X-HTTP-Method-Override: DELETE\r\n\r\n"),
        code: "outside_route",
        but: &[(NO_ROUTE, UNROUTED)],
        ..GUARD
    },
    Guard {
        name: "a part that nothing binds",
        scene: || Doors::new("unbound = \"refuse\"\n", ""),
        asked: ("GET", "/v1/x?a=1", "\r\n"),
        code: "part_unbound",
        but: &[(NO_ROUTE, UNROUTED)],
        ..GUARD
    },
    Guard {
        name: "a method that cannot be signed",
        scene: HOLDS,
        asked: ("PUT", "/v1/x", "Content-Length: 0\r\n\r\n"),
        code: "method_unsignable",
        but: &[(ADMIN, Ok("admin_method_not_allowed")), (CONNECT, UNROUTED)],
        ..GUARD
    },
    Guard {
        name: "two transfer codings",
        asked: ("POST", "/v1/x", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        code: "transfer_coding_unknown",
        but: &[(IN_HTTP_2, FRAMES)],
        ..GUARD
    },
    Guard {
        name: "two lengths",
        asked: ("POST", "/v1/x", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        code: "400",
        but: &[(IN_HTTP_2, FRAMES)],
        ..GUARD
    },
    Guard {
        name: "a head that is too long",
        asked: ("GET", "/v1/x", "X: {LONG}\r\n\r\n"),
        code: "431",
        but: &[(IN_HTTP_2, Err("its head has frames: abuse::http2 has one beyond the limit"))],
        ..GUARD
    },
    Guard {
        name: "too many fields",
        asked: ("GET", "/v1/x", "{MANY}\r\n"),
        code: "too_many_fields",
        ..GUARD
    },
    Guard {
        name: "a body that is too long",
        scene: HOLDS,
        asked: ("POST", "/v1/x", "Content-Length: 1025\r\n\r\n"),
        code: "body_too_large",
        but: &[
            (ADMIN, Ok("admin_method_not_allowed")),
            (CONNECT, Ok("bad_target")),
            (IN_HTTP_2, FRAMES),
        ],
        ..GUARD
    },
    Guard {
        name: "a body that does not come",
        scene: HOLDS,
        asked: ("POST", "/v1/x", "Content-Length: 9\r\n\r\nhalf"),
        code: "body_too_slow",
        but: &[
            (ADMIN, Ok("admin_method_not_allowed")),
            (CONNECT, Ok("bad_target")),
            (IN_HTTP_2, FRAMES),
        ],
        ..GUARD
    },
    Guard {
        name: "a body that is compressed",
        scene: HOLDS,
        asked: ("POST", "/v1/x", "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"),
        code: "body_encoded",
        but: &[
            (ADMIN, Ok("admin_method_not_allowed")),
            (CONNECT, Ok("bad_target")),
            (IN_HTTP_2, FRAMES),
        ],
        ..GUARD
    },
    Guard {
        name: "what is not HTTP",
        asked: ("\u{5}\u{1}", "/", "\r\n"),
        code: "not_http",
        but: &[
            (CONNECT, Err("it is a method: without it there is nothing of a CONNECT")),
            (IN_HTTP_2, Err("HTTP/2 begins with a preface, or is not spoken")),
        ],
        ..GUARD
    },
];

/// Codes of guards that need more than a request: what they are, and which tests hold them.
pub(super) const HELD_ELSEWHERE: &[(&str, &str, &[&str])] = &[
    (
        "host_not_routed",
        "the forward listener's and a CONNECT's: elsewhere a route is named, or the host is known",
        &[
            "passing::a_host_without_a_route_is_passed_on_unsigned_or_refused",
            "passing::tls_goes_through_a_tunnel_untouched_or_is_refused",
        ],
    ),
    (
        "private_address",
        "of hosts without a route, which come to the forward listener alone",
        &["private::no_private_address_is_reached_however_it_is_spelt"],
    ),
    (
        "interception_off",
        "a CONNECT's",
        &["refusals::a_refused_connect_says_its_code_where_clients_look"],
    ),
    (
        "route_unknown",
        "the gateway's",
        &["gateway::a_name_that_is_no_route_is_answered_with_those_that_are"],
    ),
    (
        "admin_path_unknown",
        "the admin listener's",
        &["refusals::every_refusal_says_what_and_where_and_how_to_mend_it"],
    ),
    (
        "too_many_connections",
        "one limit of both listeners",
        &["lifecycle::a_limit_of_one_connection_serves_both_listeners_in_turn"],
    ),
    (
        "too_many_tunnels",
        "sockets on every way, and blind tunnels",
        &["websocket::a_socket_beyond_the_limit_is_refused_before_the_provider_hears_of_it"],
    ),
    (
        "too_many_bodies",
        "a budget of all",
        &[
            "availability::held::a_body_that_the_budget_has_no_room_for_is_refused_before_it_is_read",
        ],
    ),
    (
        "body_unsignable",
        "a scheme's, which knows of no way",
        &["refusals::every_refusal_says_what_and_where_and_how_to_mend_it"],
    ),
    (
        "query_unsignable",
        "a scheme's, which knows of no way",
        &["refusals::every_refusal_says_what_and_where_and_how_to_mend_it"],
    ),
    (
        "value_unsignable",
        "a scheme's, which knows of no way",
        &["refusals::every_refusal_says_what_and_where_and_how_to_mend_it"],
    ),
    (
        "not_an_upgrade",
        "a scheme's, which knows of no way",
        &["infras::wire::a_request_that_opens_no_session_is_not_for_this_route"],
    ),
    (
        "body_incomplete",
        "a body's end",
        &["bodies::a_client_that_ends_its_sending_half_way_is_told_so"],
    ),
];
