//! The variables by which programs find a proxy, and what each is given.
//!
//! Most programs read a few that nearly all have in common. Some want to be told that they should,
//! and some read one of their own first: where the caller has set that one, it would lead past us.

use std::ffi::{OsStr, OsString};

use super::values::Variables;

/// A variable that says where the proxy is, or what is reached past it.
#[derive(Debug)]
pub(super) struct Variable {
    /// In capitals where it is set in both spellings, or found in any.
    name: &'static str,
    pub(super) gets: Gets,
    when: When,
}

/// What a variable is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gets {
    /// The proxy's URL.
    Proxy,
    /// The list of what is reached past it.
    Past,
    /// `1`.
    Yes,
}

/// When a variable is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    /// Always, in capitals and in small letters: some programs read only the one, curl for
    /// `http_proxy` only the other.
    InBoth,
    /// Always, as it is written here.
    AsIs,
    /// Where the caller has set it, in whatever letters.
    IfSet,
}

const fn row(name: &'static str, gets: Gets, when: When) -> Variable {
    Variable { name, gets, when }
}

/// In the order in which the caller's lists are merged.
pub(super) const ALL: &[Variable] = &[
    row("HTTP_PROXY", Gets::Proxy, When::InBoth),
    row("HTTPS_PROXY", Gets::Proxy, When::InBoth),
    // What some programs read first, and others for `ws://`.
    row("ALL_PROXY", Gets::Proxy, When::InBoth),
    // aiohttp, curl and Node's proxy-from-env go by the protocol's name and nothing else.
    row("WS_PROXY", Gets::Proxy, When::InBoth),
    row("WSS_PROXY", Gets::Proxy, When::InBoth),
    row("NO_PROXY", Gets::Past, When::InBoth),
    // Node's fetch, http and https heed those above where this is set (22.21, 24).
    row("NODE_USE_ENV_PROXY", Gets::Yes, When::AsIs),
    // Node's global-agent, with any Node, reads these alone.
    row("GLOBAL_AGENT_HTTP_PROXY", Gets::Proxy, When::AsIs),
    row("GLOBAL_AGENT_HTTPS_PROXY", Gets::Proxy, When::AsIs),
    row("GLOBAL_AGENT_NO_PROXY", Gets::Past, When::AsIs),
    // Perl's LWP heeds those above where this is set.
    row("PERL_LWP_ENV_PROXY", Gets::Yes, When::AsIs),
    // gRPC's C core and grpc-js.
    row("GRPC_PROXY", Gets::Proxy, When::IfSet),
    row("NO_GRPC_PROXY", Gets::Past, When::IfSet),
    // npm, which also hands its configuration to its scripts in these; pnpm, Yarn 1, and what is
    // built on older versions of proxy-from-env.
    row("NPM_CONFIG_PROXY", Gets::Proxy, When::IfSet),
    row("NPM_CONFIG_HTTP_PROXY", Gets::Proxy, When::IfSet),
    row("NPM_CONFIG_HTTPS_PROXY", Gets::Proxy, When::IfSet),
    row("NPM_CONFIG_NOPROXY", Gets::Past, When::IfSet),
    row("NPM_CONFIG_NO_PROXY", Gets::Past, When::IfSet),
    row("YARN_HTTP_PROXY", Gets::Proxy, When::IfSet),
    row("YARN_HTTPS_PROXY", Gets::Proxy, When::IfSet),
    row("CARGO_HTTP_PROXY", Gets::Proxy, When::IfSet),
    row("PIP_PROXY", Gets::Proxy, When::IfSet),
    // PHP's Composer, Perl's LWP.
    row("CGI_HTTP_PROXY", Gets::Proxy, When::IfSet),
];

impl Variable {
    /// The names under which it is set, for a caller with this environment.
    pub(super) fn names(&self, caller: &Variables) -> Vec<OsString> {
        match self.when {
            When::InBoth => vec![self.name.into(), self.name.to_ascii_lowercase().into()],
            When::AsIs => vec![self.name.into()],
            When::IfSet => {
                let is_it = |name: &&OsString| name.eq_ignore_ascii_case(OsStr::new(self.name));
                caller.keys().filter(is_it).cloned().collect()
            }
        }
    }
}
