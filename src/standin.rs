//! Stand-in providers: servers that verify what arrives as strictly as the real ones, and refuse
//! in the provider's own words. On a WebSocket they echo. `demo` talks to them; so can a program
//! under development.
//!
//! They are built on the schemes' own [`claim`](crate::scheme::Scheme::claim), so they say that
//! what was signed is what was sent. That the dialect itself is right is what the tests'
//! independent verifiers say.

mod socket;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
pub use socket::{Frame, accept};
use tokio::net::TcpListener;

use self::socket::Handshake;
use crate::keys::PublicKey;
use crate::moment::{Moment, Nonce};
use crate::scheme::{Entry, Head, Preimage, ProviderRefusal, Scheme, Signable, Text};
use crate::verification::verify;

/// One provider's stand-in.
#[derive(Debug)]
pub struct StandIn {
    /// The scheme's entry, for how it refuses.
    pub entry: Arc<Entry>,
    /// The scheme, bound to the public keys it accepts.
    pub scheme: Arc<dyn Scheme>,
    /// The public keys by slot.
    pub keys: HashMap<Text, PublicKey>,
    /// How many requests it has accepted.
    pub accepted: Arc<AtomicU64>,
    seen: Mutex<HashSet<u64>>,
}

impl StandIn {
    /// A stand-in that accepts these keys.
    pub fn new(entry: Arc<Entry>, scheme: Arc<dyn Scheme>, keys: HashMap<Text, PublicKey>) -> Self {
        Self { entry, scheme, keys, accepted: Arc::default(), seen: Mutex::default() }
    }

    /// Listens on a loopback port of the system's choice and serves until the runtime ends.
    /// `clock` gives milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// When no port can be bound.
    pub async fn start(self, clock: fn() -> u64) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let this = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = Arc::clone(&this);
                let service = service_fn(move |request| {
                    let this = Arc::clone(&this);
                    async move { Ok::<_, Infallible>(this.answer(request, clock()).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                tokio::spawn(connection);
            }
        });
        Ok(address)
    }

    async fn answer(&self, mut request: Request<Incoming>, now_ms: u64) -> Response<Full<Bytes>> {
        let handshake = self.scheme.wants_upgrade().then(|| Handshake::of(&mut request));
        let (parts, body) = request.into_parts();
        let verdict = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => self.judge(parts, &body.to_bytes(), now_ms),
            Err(_) => Err("the body is broken or too long".to_owned()),
        };
        let (status, body) = match verdict {
            Ok(accepted) => {
                self.accepted.fetch_add(1, Ordering::SeqCst);
                match handshake.map(Handshake::answer) {
                    None => (StatusCode::OK, accepted),
                    Some(Some(response)) => return response,
                    Some(None) => self.refusal("this is no handshake of a WebSocket"),
                }
            }
            Err(reason) => self.refusal(&reason),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// Verifies one request: signature, age, and that it was not seen before.
    fn judge(
        &self,
        parts: http::request::Parts,
        body: &Bytes,
        now_ms: u64,
    ) -> Result<String, String> {
        let http::request::Parts { method, uri, headers, .. } = parts;
        let target = uri.path_and_query().cloned().ok_or("the target has no path")?;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_owned();
        let head = Head { method, host, target, headers };
        let signable = Signable::of(self.scheme.as_ref(), &head, body);
        let key_of = |slot: &str| self.keys.get(slot);
        let verified = verify(self.scheme.as_ref(), key_of, signable).map_err(|f| f.to_string())?;
        if let Some(moment) = verified.moment {
            self.fresh(moment, now_ms)?;
        }
        let canonical: Vec<_> = verified.preimages.iter().map(Preimage::shown).collect();
        let accepted = json!({
            "success": true,
            "provider": format!("stand-in for {}", self.entry.name),
            "verified": canonical,
        });
        Ok(format!("{accepted}\n"))
    }

    fn fresh(&self, moment: Moment, now_ms: u64) -> Result<(), String> {
        if moment.unix_ms.abs_diff(now_ms) > WINDOW_MS {
            return Err("the time stamp is more than five minutes off".into());
        }
        // A scheme without a nonce may repeat a time stamp.
        let Nonce::Given(nonce @ 1..) = moment.nonce else { return Ok(()) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_SEEN {
            seen.clear();
        }
        if seen.insert(nonce) { Ok(()) } else { Err("the nonce was used before".into()) }
    }

    fn refusal(&self, reason: &str) -> (StatusCode, String) {
        let refusal = self.entry.refusal.clone().unwrap_or(PLAIN_REFUSAL);
        // As the inside of a JSON string, which is what the body's `{reason}` stands in.
        let quoted = json!(reason).to_string();
        let body = refusal.body.replace("{reason}", &quoted[1..quoted.len() - 1]);
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::UNAUTHORIZED);
        (status, format!("{body}\n"))
    }
}

/// Where nobody knows how the provider says it.
const PLAIN_REFUSAL: ProviderRefusal =
    ProviderRefusal { status: 401, body: Text::Borrowed(r#"{"error":"{reason}"}"#) };
const WINDOW_MS: u64 = 5 * 60 * 1000;
const MAX_BODY: usize = 1 << 20;
/// Nonces remembered; a stand-in forgets them all rather than grow without bound.
const MAX_SEEN: usize = 100_000;
