//! Who may send a request: address, form, name, token, in this order on every listener. What comes
//! of a web page is asked later, when it is known whether the request would be signed.

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

use super::View;
use super::arrival::{Entrance, FIELDS, Sender};
use crate::access::Credentials;
use crate::host::host_and_port;
use crate::refusal::{Code, Refusal};

/// Admits a request, and says which client it is from, where tokens are asked for. Whoever probes
/// the admin listener can keep no token, and is guarded against web pages here: there is no route
/// that could be looked at first.
///
/// # Errors
///
/// `client_not_allowed`, `too_many_fields`, `bad_host`, `transfer_coding_unknown`,
/// `wrong_authority`, `cross_site`, `draining`, `client_unauthenticated`.
pub fn admit(
    view: View<'_>,
    sender: Sender<'_>,
    version: Version,
    headers: &HeaderMap,
) -> Result<Option<String>, Refusal> {
    let access = view.access;
    access.address(sender.peer)?;
    wellformed(headers, version)?;
    match sender.entrance {
        Entrance::Admin(own) => return access.listener(headers, own).map(|()| None),
        Entrance::Gateway(own) => access.name(headers, own)?,
        Entrance::Forward | Entrance::Inside(_) => {}
    }
    if view.draining {
        return Err(Refusal::new(Code::Draining, "a stop is in progress"));
    }
    match (sender.client, sender.entrance) {
        (Some(name), _) => access.vouched(name),
        (None, Entrance::Inside(inside)) => access.client(&inside.shown, sender.peer, sender.user),
        (None, _) => access.client(&Credentials::of(headers), sender.peer, sender.user),
    }
}

/// What HTTP asks of every request, wherever it arrives and whatever it asks for.
fn wellformed(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    if headers.len() > FIELDS {
        let detail = format!("the request has {} header fields", headers.len());
        return Err(Refusal::new(Code::TooManyFields, detail));
    }
    one_host(headers, version)?;
    no_coding_but_chunks(headers)
}

/// RFC 9112, section 3.2: one `Host` that can be one. HTTP/1.0 may leave it out.
fn one_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let bad = |detail: String| Err(Refusal::new(Code::BadHost, detail));
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => return Ok(()),
        (None, _) => return bad("the request has no Host".to_owned()),
        (Some(_), Some(_)) => return bad("the request has more than one Host".to_owned()),
        (Some(host), None) => host.to_str().map_err(|_| "has bytes that no host has"),
    };
    match host.and_then(host_and_port) {
        Ok(_) => Ok(()),
        Err(what) => bad(format!("the Host {what}")),
    }
}

/// RFC 9112, section 6.1. hyper undoes chunks, and leaves the codings below them in place: they
/// would be signed and sent without their name.
fn no_coding_but_chunks(headers: &HeaderMap) -> Result<(), Refusal> {
    let codings = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
    let chunked = codings.next().is_none_or(|first| first.eq_ignore_ascii_case(b"chunked"));
    if chunked && codings.next().is_none() {
        return Ok(());
    }
    let detail = "Transfer-Encoding names more than one coding of chunks";
    Err(Refusal::new(Code::TransferCodingUnknown, detail))
}
