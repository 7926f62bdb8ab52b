//! What is held of a signed request for those who ask later.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::inspect::{
    Canonical, HIDDEN, LONGEST_BODY, LONGEST_TEXT, Piece, Seen, Signed, is_private, shown,
};
use crate::moment::{Moment, unix_ms};
use crate::record::Record;
use crate::request::Unsigned;
use crate::route::Route;
use crate::scheme::{Edits, Origin, Preimage};
use crate::snapshot::Snapshot;

/// Holds the request, where the configuration says so.
pub(super) fn kept(
    snapshot: &Snapshot,
    unsigned: &Unsigned<'_>,
    (moment, texts, edits): (&Moment, &[Preimage], &Edits),
    record: &mut Record,
) {
    if snapshot.keep.requests == 0 {
        return;
    }
    let seen = Seen {
        id: record.id().to_owned(),
        unix_ms: unix_ms(),
        route: unsigned.route.name.to_string(),
        client: record.sender().0.map(str::to_owned),
        method: record.method().to_owned(),
        host: unsigned.outgoing.signable().head.host.clone(),
        path: unsigned.outgoing.signable().head.path().to_owned(),
        signed: Some(signed(snapshot, unsigned, (moment, texts, edits))),
        ..Seen::default()
    };
    record.seen(snapshot.inspect.keep(seen, snapshot.keep.requests), &snapshot.inspect);
}

fn signed(
    snapshot: &Snapshot,
    unsigned: &Unsigned<'_>,
    (moment, texts, edits): (&Moment, &[Preimage], &Edits),
) -> Signed {
    let signable = unsigned.outgoing.signable();
    let target = edits.new_target().unwrap_or(&signable.head.target).as_str();
    let body = edits.new_body().or(signable.body).filter(|_| !edits.hides());
    let length = |body: &Bytes| Some(body.len() as u64);
    let open = !edits.hides();
    let origins = unsigned.scheme.origins(signable, moment).unwrap_or_default();
    let parts = |at: usize| origins.get(at).into_iter().flatten().map(part).collect();
    Signed {
        scheme: unsigned.route.entry.name.to_string(),
        upstream: unsigned.outgoing.origin().to_string(),
        moment_ms: moment.unix_ms,
        target: if open { shown(target.as_bytes(), LONGEST_TEXT) } else { HIDDEN.to_owned() },
        headers: headers(unsigned, edits),
        texts: texts
            .iter()
            .enumerate()
            .map(|(at, text)| canonical(unsigned.route, text, parts(at)))
            .collect(),
        body_length: edits.new_body().map_or_else(|| unsigned.outgoing.body().length(), length),
        body_sha256: body.map(|body| base16ct::lower::encode_string(&Sha256::digest(body))),
        body: body.filter(|_| snapshot.keep.bodies).map(cut),
    }
}

/// The headers as they leave; what identifies the client is taken out.
fn headers(unsigned: &Unsigned<'_>, edits: &Edits) -> Vec<(String, String, bool)> {
    let head = unsigned.outgoing.signable().head;
    let own = head.headers.iter().filter(|(name, _)| edits.iter().all(|edit| edit.name != *name));
    let own = own.map(|(name, value)| {
        let hidden = is_private(name.as_str());
        let value = if hidden { HIDDEN.to_owned() } else { shown(value.as_bytes(), LONGEST_TEXT) };
        (name.to_string(), value, false)
    });
    let set = edits.iter().map(|edit| {
        let value = shown(edit.value.as_bytes(), LONGEST_TEXT);
        (edit.name.to_string(), if edit.secret { HIDDEN.to_owned() } else { value }, true)
    });
    own.chain(set).collect()
}

fn canonical(route: &Route, text: &Preimage, parts: Vec<Piece>) -> Canonical {
    Canonical {
        slot: text.slot.to_string(),
        key: route.public_key(&text.slot).map(|key| key.fingerprint()),
        text: shown(text.shown().as_bytes(), LONGEST_TEXT),
        parts,
    }
}

/// What is held of a body. A part is copied, lest all of it be held.
fn cut(body: &Bytes) -> Bytes {
    body.get(..LONGEST_BODY).map_or_else(|| body.clone(), Bytes::copy_from_slice)
}

fn part(piece: &Origin) -> Piece {
    let text = if piece.secret { HIDDEN.to_owned() } else { shown(&piece.text, LONGEST_TEXT) };
    Piece { from: piece.from.clone(), kind: piece.kind.name(), text }
}
