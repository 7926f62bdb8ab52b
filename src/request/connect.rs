//! CONNECT, intercepted or tunnelled: a host whose requests are signed is listened to, any other is
//! a blind tunnel where the configuration allows that.

use super::plan::Trail;
use super::routing::unrouted;
use super::{Arrival, Body, Inside, View, admit};
use crate::access::Credentials;
use crate::host::host_and_port;
use crate::refusal::{Code, Refusal};

/// What is to become of a CONNECT.
#[derive(Debug)]
pub enum Connect {
    /// Bytes both ways, to a host that no route names.
    Tunnel {
        /// The host, lower-case, without brackets.
        name: String,
        /// The port.
        port: u16,
    },
    /// Requests of their own, for a host that has a route.
    Enter(Inside),
}

/// Where plain HTTP is expected, and nothing has to be opened.
const PLAIN: u16 = 80;

impl Connect {
    /// Decides, and leaves in `trail` how far the request came.
    ///
    /// # Errors
    ///
    /// As [`admit`], and `bad_target`, `host_not_routed`, `interception_off`.
    pub fn of(view: View<'_>, arrival: &Arrival<'_>, trail: &mut Trail) -> Result<Self, Refusal> {
        trail.client = admit(view, arrival.sender, arrival.version, &arrival.headers)?;
        let bad = |detail: &str| Refusal::new(Code::BadTarget, detail);
        let authority = arrival.uri.authority().map_or("", |authority| authority.as_str());
        let (name, port) = match host_and_port(authority) {
            Ok((name, Some(port))) => (name, port),
            Ok((_, None)) => return Err(bad("CONNECT names no port")),
            Err(what) => return Err(bad(&format!("the target {what}"))),
        };
        trail.host = format!("{name}:{port}");
        if arrival.body != Body::Absent {
            // Where it ends and the tunnel begins, readers of one connection may not agree on.
            return Err(bad("the CONNECT has a body")
                .remedy("Send CONNECT without Content-Length and Transfer-Encoding."));
        }
        if !view.routes.lead_to(&name, port) {
            unrouted(view, &name, Some(port))?;
            return Ok(Self::Tunnel { name, port });
        }
        if !view.intercepts && port != PLAIN {
            let detail =
                format!("{name} has a route, and without [intercept] its TLS stays closed");
            return Err(Refusal::new(Code::InterceptionOff, detail));
        }
        let shown = Credentials::of(&arrival.headers);
        Ok(Self::Enter(Inside { name, port, shown, https: false }))
    }
}
