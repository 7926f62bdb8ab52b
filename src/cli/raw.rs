//! A request given on the command line or as a raw HTTP/1.1 file, for `explain` and `verify`.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{CliError, Exit};
use crate::destination::Destination;
use crate::host::host_and_port;
use crate::server::intake;

/// A request before anything has been decided about it.
#[derive(Debug)]
pub(super) struct RawRequest {
    pub(super) method: Method,
    pub(super) destination: Destination,
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl RawRequest {
    /// From a method, a URL and headers written `Name: value`. A URL that begins with `/` is the
    /// gateway's.
    pub(super) fn from_parts(
        method: &str,
        url: &str,
        headers: &[String],
        body: Bytes,
    ) -> Result<Self, CliError> {
        let method = method.parse().map_err(|_| usage(format!("{method} is no method")))?;
        let mut map = HeaderMap::new();
        for line in headers {
            let bad = || usage(format!("--header {line}: write it as 'Name: value'"));
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
            map.append(name, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
        }
        let (destination, target) = locate(url, &map)?;
        Ok(Self { method, destination, target, headers: map, body })
    }

    /// From a file with a request as it is on the wire; `-` is standard input. Lines may end in
    /// LF alone, as an editor leaves them.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let mut bytes = Vec::new();
        if path == Path::new("-") {
            std::io::stdin().read_to_end(&mut bytes)?;
        } else {
            bytes = std::fs::read(path).map_err(|error| CliError::at(path, &error))?;
        }
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, CliError> {
        let mut lines = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut lines);
        let bad = |what: String| {
            usage(format!("the file is no HTTP/1.1 request: {what}"))
                .fix("begin it with a line such as GET /path HTTP/1.1, then headers, an empty line, the body")
        };
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
        let body = body(&bytes[head..], &headers).map_err(bad)?;
        let method = request.method.unwrap_or_default();
        let method = method.parse().map_err(|_| bad(format!("{method} is no method")))?;
        let (destination, target) = locate(request.path.unwrap_or("/"), &headers)?;
        Ok(Self { method, destination, target, headers, body })
    }
}

/// The body of a request file. One newline more than `Content-Length` is the editor's.
fn body(rest: &[u8], headers: &HeaderMap) -> Result<Bytes, String> {
    if headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Err("its body is chunked; write the body plain, with Content-Length".into());
    }
    let declared = headers.get(http::header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let Some(declared) = declared else { return Ok(Bytes::copy_from_slice(rest)) };
    let length: usize = declared.parse().map_err(|_| "Content-Length is no number".to_owned())?;
    if rest.len() < length {
        return Err(format!(
            "Content-Length is {length}, and {} bytes follow the head",
            rest.len()
        ));
    }
    if !matches!(&rest[length..], b"" | b"\n" | b"\r\n") {
        return Err(format!(
            "Content-Length is {length}, and {} bytes follow the head",
            rest.len()
        ));
    }
    Ok(Bytes::copy_from_slice(&rest[..length]))
}

/// An absolute URL goes by its host; a path with a `Host` header by that, as a provider receives
/// it; a path alone is the gateway's.
fn locate(url: &str, headers: &HeaderMap) -> Result<(Destination, PathAndQuery), CliError> {
    let bad = |what: &str| usage(format!("{url} {what}"));
    if url.starts_with('/') {
        let Some(host) = headers.get(http::header::HOST) else {
            let (name, target) = intake::split(url).ok_or_else(|| bad("is no target"))?;
            return Ok((Destination::Route(name.to_owned()), target));
        };
        let host = host.to_str().map_err(|_| bad("has an unreadable Host"))?;
        let (name, port) = host_and_port(host).map_err(|what| usage(format!("Host {what}")))?;
        let target = url.parse().map_err(|_| bad("is no target"))?;
        return Ok((Destination::Host { name, port, https: true }, target));
    }
    let uri: Uri = url.parse().map_err(|_| bad("is no URL"))?;
    let destination = intake::destination(&uri).map_err(|refusal| usage(refusal.detail))?;
    let target = uri.path_and_query().cloned();
    Ok((destination, target.unwrap_or_else(|| PathAndQuery::from_static("/"))))
}

fn usage(what: String) -> CliError {
    CliError::new(Exit::Usage, what)
}
