//! A request given on the command line or as a raw HTTP/1.1 file, for `explain` and `verify`.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
    UPGRADE,
};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::{CliError, Exit};
use crate::access::Credentials;
use crate::host::host_and_port;
use crate::peer::Peer;
use crate::request::{Arrival, Body, Entrance, FIELDS_READ, Inside, Sender, asks_for_socket};
use crate::scheme::{Cause, Head, causes};

/// A request before anything has been decided about it.
#[derive(Debug)]
pub(super) struct RawRequest {
    pub(super) method: Method,
    pub(super) uri: Uri,
    version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Names of headers as a file has them.
    pub(super) spelled: Vec<String>,
    /// The CONNECT that it would be inside of; none for an absolute target, which is the forward
    /// listener's, and for a path alone, which is the gateway's.
    inside: Option<Inside>,
}

impl RawRequest {
    /// From a method, a URL and headers written `Name: value`. A URL that begins with `/` is the
    /// gateway's. What every client sends with such a URL need not be written.
    pub(super) fn from_parts(
        method: &str,
        url: &str,
        headers: &[String],
        body: Bytes,
    ) -> Result<Self, CliError> {
        let method: Method = method.parse().map_err(|_| usage(format!("{method} is no method")))?;
        let mut map = HeaderMap::new();
        for line in headers {
            let bad = || usage(format!("--header {line}: write it as 'Name: value'"));
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
            map.append(name, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
        }
        let uri: Uri = url.parse().map_err(|_| usage(format!("{url} is no URL")))?;
        let host = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        if let Some(host) = host.filter(|_| !map.contains_key(HOST)) {
            map.insert(HOST, host);
        }
        if matches!(uri.scheme_str(), Some("ws" | "wss")) {
            for (name, value) in HANDSHAKE {
                map.entry(name).or_insert(HeaderValue::from_static(value));
            }
        }
        Self::new(method, uri, Version::HTTP_11, map, body)
    }

    /// A path with a `Host` header is as a provider receives it, and so as it is inside a CONNECT.
    fn new(
        method: Method,
        uri: Uri,
        version: Version,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Self, CliError> {
        let mut inside = None;
        if uri.authority().is_none() {
            match headers.get(HOST) {
                Some(host) => {
                    let host = host.to_str().map_err(|_| usage("the Host is unreadable".into()))?;
                    let found = host_and_port(host);
                    let (name, port) = found.map_err(|what| usage(format!("the Host {what}")))?;
                    let shown = Credentials::of(&headers);
                    let port = port.unwrap_or(443);
                    inside = Some(Inside { name, port, shown, https: true });
                }
                None => drop(headers.insert(HOST, HeaderValue::from_static("localhost"))),
            }
        }
        Ok(Self { method, uri, version, headers, body, spelled: Vec::new(), inside })
    }

    /// The request as the proxy would see it arrive: from this machine, and from the client that is
    /// vouched for, or from whoever it shows itself to be.
    pub(super) fn arrival<'a>(&'a self, client: Option<&'a str>) -> Arrival<'a> {
        let entrance = match &self.inside {
            Some(inside) => Entrance::Inside(inside),
            None if self.uri.authority().is_some() => Entrance::Forward,
            None => Entrance::Gateway(None),
        };
        let body = match self.body.len() as u64 {
            0 => Body::Absent,
            length => Body::Streamed(Some(length)),
        };
        Arrival {
            sender: Sender { entrance, peer: None, user: Peer::Unasked, client },
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: self.headers.clone(),
            spelled: Extensions::new(),
            socket: body == Body::Absent
                && asks_for_socket(&self.method, self.version, &self.headers),
            body,
        }
    }

    /// The request as it reached a provider: head and body.
    pub(super) fn into_sent(self) -> (Head, Bytes) {
        let Self { method, uri, headers, body, .. } = self;
        let target = uri.path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_owned();
        (Head { method, host, target, headers }, body)
    }

    /// From a request as it is on the wire, and what is wrong with its framing. Lines may end in LF
    /// alone, as an editor leaves them.
    pub(super) fn lenient(bytes: &[u8]) -> Result<(Self, Vec<Cause>), CliError> {
        let mut lines = [httparse::EMPTY_HEADER; FIELDS_READ];
        let mut request = httparse::Request::new(&mut lines);
        let bad = no_request;
        let head = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Err(bad("no empty line ends its head".into())),
            Err(error) => return Err(bad(error.to_string())),
        };
        let mut headers = HeaderMap::new();
        for line in request.headers.iter() {
            let name = HeaderName::from_bytes(line.name.as_bytes());
            let value = HeaderValue::from_bytes(line.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(bad(format!("the header {} is unreadable", line.name)));
            };
            headers.append(name, value);
        }
        let (body, faults) = body(&bytes[head..], &headers).map_err(bad)?;
        let method = request.method.unwrap_or_default();
        let method = method.parse().map_err(|_| bad(format!("{method} is no method")))?;
        let target = request.path.unwrap_or("/");
        let uri = target.parse().map_err(|_| bad(format!("{target} is no target")))?;
        let old = request.version == Some(0);
        let version = if old { Version::HTTP_10 } else { Version::HTTP_11 };
        let spelled = request.headers.iter().map(|line| line.name.to_owned()).collect();
        Ok((Self { spelled, ..Self::new(method, uri, version, headers, body)? }, faults))
    }
}

pub(super) fn no_request(what: String) -> CliError {
    usage(format!("the file is no HTTP/1.1 request: {what}")).fix(
        "begin it with a line such as GET /path HTTP/1.1, then headers, an empty line, the body",
    )
}

/// The bytes of a file; `-` is standard input.
pub(super) fn content(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).map_err(|error| CliError::at(path, &error))?;
    }
    Ok(bytes)
}

/// The body of a request file, and what is wrong with its length. One newline more than
/// `Content-Length` is the editor's.
fn body(rest: &[u8], headers: &HeaderMap) -> Result<(Bytes, Vec<Cause>), String> {
    match headers.get(TRANSFER_ENCODING) {
        Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            return Err("its body is chunked; write the body plain, with Content-Length".into());
        }
        // No proxy would read it.
        Some(_) => return Ok((Bytes::new(), Vec::new())),
        None => {}
    }
    let declared = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let Some(declared) = declared else { return Ok((Bytes::copy_from_slice(rest), Vec::new())) };
    let length: usize = declared.parse().map_err(|_| "Content-Length is no number".to_owned())?;
    match rest.get(length..) {
        Some(b"" | b"\n" | b"\r\n") => Ok((Bytes::copy_from_slice(&rest[..length]), Vec::new())),
        _ => {
            let what =
                format!("Content-Length is {length}, and {} bytes follow the head", rest.len());
            let fault = Cause::seen(&causes::form::BODY_LENGTH).said(what);
            Ok((Bytes::copy_from_slice(rest), vec![fault]))
        }
    }
}

/// What a client sends with a URL of a WebSocket (RFC 6455, section 4.1).
const HANDSHAKE: [(HeaderName, &str); 4] = [
    (CONNECTION, "Upgrade"),
    (UPGRADE, "websocket"),
    (SEC_WEBSOCKET_VERSION, "13"),
    (SEC_WEBSOCKET_KEY, "AAAAAAAAAAAAAAAAAAAAAA=="),
];

fn usage(what: String) -> CliError {
    CliError::new(Exit::Usage, what)
}
