//! What is held of a signed request for those who ask later.

use sha2::{Digest as _, Sha256};

use crate::inspect::{Canonical, LONGEST_BODY, LONGEST_TEXT, Seen, Signed, is_private, shown};
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
        host: record.host().to_owned(),
        path: unsigned.outgoing.signable().head.path().to_owned(),
        signed: Some(signed(snapshot, unsigned, (moment, texts, edits))),
        ..Seen::default()
    };
    record.seen(snapshot.inspect.keep(seen, snapshot.keep.requests));
}

fn signed(
    snapshot: &Snapshot,
    unsigned: &Unsigned<'_>,
    (moment, texts, edits): (&Moment, &[Preimage], &Edits),
) -> Signed {
    let signable = unsigned.outgoing.signable();
    let target = edits.new_target().unwrap_or(&signable.head.target).as_str();
    let body = edits.new_body().or(signable.body).map(|body| &**body).unwrap_or_default();
    let (open, bodies) = (!edits.hides(), snapshot.keep.bodies);
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
        body_length: body.len(),
        body_sha256: open.then(|| base16ct::lower::encode_string(&Sha256::digest(body))),
        body: (open && bodies).then(|| shown(body, LONGEST_BODY)),
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

fn canonical(route: &Route, text: &Preimage, parts: Vec<(String, String)>) -> Canonical {
    Canonical {
        slot: text.slot.to_string(),
        key: route.public_key(&text.slot).map(|key| key.fingerprint()),
        text: shown(text.shown().as_bytes(), LONGEST_TEXT),
        parts,
    }
}

fn part(piece: &Origin) -> (String, String) {
    let text = if piece.secret { HIDDEN.to_owned() } else { shown(&piece.text, LONGEST_TEXT) };
    (piece.from.clone(), text)
}

const HIDDEN: &str = "(secret)";
