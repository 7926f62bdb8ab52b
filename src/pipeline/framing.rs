//! Response framing against response smuggling: the length of a body by its head (RFC 9112, section
//! 6.3), put right before anybody relies on it: the HTTP library reads the body by its last coding,
//! and leaves the head as it came.

use http::Response;
use http::header::{AsHeaderName, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};

use crate::refusal::{Code, Refusal};

/// Whether an answer to `method` has a body, or its head is all of it (RFC 9110, section 6.4.1).
pub(super) fn has_body<B>(method: &str, answer: &Response<B>) -> bool {
    method != "HEAD" && !matches!(answer.status().as_u16(), 101 | 204 | 304)
}

/// States the length that will be sent, once; none where the end of the chunks or of the
/// connection tells it, whatever a length beside them says.
///
/// # Errors
///
/// `upstream_protocol`: the body is coded for this connection alone and would arrive coded without
/// a word of it, or the lengths contradict each other.
pub(super) fn state_length(headers: &mut HeaderMap, has_body: bool) -> Result<(), Refusal> {
    // As nearly all of them come.
    if !headers.contains_key(TRANSFER_ENCODING) && is_stated(headers) {
        return Ok(());
    }
    let codings: Vec<_> = listed(headers, TRANSFER_ENCODING).collect();
    let plain = match codings[..] {
        [] => true,
        [one] => ["chunked", "identity"].iter().any(|known| one.eq_ignore_ascii_case(known)),
        _ => false,
    };
    if has_body && !plain {
        return Err(unreadable("its body is in a transfer coding other than chunked"));
    }
    if !codings.is_empty() {
        headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    let mut lengths = listed(headers, CONTENT_LENGTH).map(digits);
    let Some(first) = lengths.next() else { return Ok(()) };
    let Some(length) = first.filter(|_| lengths.all(|other| other == first)) else {
        return Err(unreadable("its Content-Length is not one number"));
    };
    drop(lengths);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(())
}

/// The members of a list field. One without a value has one that is empty, as does a comma at the
/// end: to readers of the last member these are no detail.
fn listed(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or("?"));
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether a length, if there is one, stands there as it will be sent.
fn is_stated(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (length, more) = (lengths.next().map(HeaderValue::as_bytes), lengths.next());
    let fits = |text: &[u8]| text.len() < "18446744073709551615".len();
    let plain = |text: &[u8]| match text {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => fits(text) && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    more.is_none() && length.is_none_or(plain)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn unreadable(what: &str) -> Refusal {
    Refusal::new(
        Code::UpstreamProtocol,
        format!("the upstream's answer cannot be passed on: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_length_is_stated_or_none() {
        type Fields = &'static [(&'static str, &'static str)];
        let table: [(Fields, bool, Option<&[&str]>); 18] = [
            (&[], true, Some(&[])),
            (&[("content-length", "5")], true, Some(&["5"])),
            (&[("content-length", "5, 5")], true, Some(&["5"])),
            (&[("content-length", "5"), ("content-length", "005")], false, Some(&["5"])),
            (&[("content-length", "5"), ("transfer-encoding", "chunked")], true, Some(&[])),
            (&[("transfer-encoding", "Chunked"), ("content-length", "x")], true, Some(&[])),
            (&[("transfer-encoding", "identity"), ("content-length", "5")], true, Some(&[])),
            (&[("transfer-encoding", "gzip, chunked")], false, Some(&[])),
            (&[("transfer-encoding", "gzip, chunked")], true, None),
            (&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")], true, None),
            (&[("transfer-encoding", "chunked, chunked")], true, None),
            (&[("transfer-encoding", "chunked, identity")], true, None),
            (&[("transfer-encoding", "chunked,")], true, None),
            (&[("transfer-encoding", "")], true, None),
            (&[("content-length", "5, 6")], true, None),
            (&[("content-length", "5"), ("content-length", "6")], false, None),
            (&[("content-length", "+5")], true, None),
            (&[("content-length", "")], true, None),
        ];
        for (fields, has_body, lengths) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let stated = state_length(&mut headers, has_body).is_ok();
            let found: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(stated, lengths.is_some(), "{fields:?}");
            assert!(lengths.is_none_or(|lengths| found == lengths), "{fields:?}: {found:?}");
        }
    }
}
