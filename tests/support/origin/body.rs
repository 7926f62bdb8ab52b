//! Reads the bodies of requests.

use std::io::{self, Read, Write};

use aws_lc_rs::digest::{Context, SHA256};

use super::Shared;
use crate::support::verify::Arrived;
use crate::support::wire::{Wire, invalid};

/// Reads a body of any framing. What comes to `/sink` is not kept: its [`digest`] is the body.
pub(super) fn read<S: Read + Write>(
    wire: &mut Wire<S>,
    request: &Arrived,
    shared: &Shared,
) -> io::Result<Vec<u8>> {
    if request.values("Expect").iter().any(|value| value.eq_ignore_ascii_case("100-continue")) {
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = match (
        request.values("Transfer-Encoding").as_slice(),
        request.values("Content-Length").as_slice(),
    ) {
        ([], []) => Some(0),
        ([], [length]) => {
            let length = length.parse();
            Some(length.map_err(|_| invalid("Content-Length is not a number".to_owned()))?)
        }
        (["chunked"], []) => None,
        _ => return Err(invalid("the length of the body is ambiguous".to_owned())),
    };
    let (mut kept, mut hash, mut count) = (Vec::new(), Context::new(&SHA256), 0);
    let sink = request.path() == SINK;
    let mut take = |piece: &[u8]| {
        if sink {
            hash.update(piece);
            count += piece.len();
            shared.state().passed += piece.len();
        } else {
            kept.extend_from_slice(piece);
        }
    };
    match length {
        Some(length) => wire.pass(length, &mut take)?,
        None => drop(wire.pass_chunked(&mut take)?),
    }
    Ok(if sink { describe(count, hash).into_bytes() } else { kept })
}

/// Length and SHA-256 of a body.
pub(crate) fn digest(body: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(body);
    describe(body.len(), hash)
}

fn describe(count: usize, hash: Context) -> String {
    format!("{count} bytes, {:?}", hash.finish())
}

/// Bodies that are too large to keep go here.
const SINK: &str = "/sink";
