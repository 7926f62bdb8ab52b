//! What an answer says beside what was asked for: the provider's clock, and whether the signature
//! was accepted.

use std::time::{Duration, Instant};

use http::header::{AGE, CONTENT_ENCODING, DATE};
use http::{HeaderMap, Response};

use super::sending::upload;
use crate::record::Record;
use crate::request::Unsigned;
use crate::route::Route;
use crate::scheme::Edits;
use crate::snapshot::Snapshot;

/// Notes how the route's key stands with the provider after the head of an answer; where keys take
/// over from others, for both.
pub(super) fn noted<B>(
    snapshot: &Snapshot,
    head: &Response<B>,
    route: &Route,
    record: &mut Record,
) {
    let status = head.status().as_u16();
    let may_be = route.entry.rejections.may_be(status);
    if let Some(turn) = &route.turn {
        record.signed_by(turn.key());
        turn.answered(may_be);
    }
    clock(head, route, record);
    match may_be {
        true => {
            let plain = !head.headers().contains_key(CONTENT_ENCODING);
            let held = (&snapshot.inspect, snapshot.keep.bodies);
            record.doubted(status, (&route.entry, &route.standing), plain, held);
        }
        // What breaks at the provider says nothing about the signature.
        false if status < 500 => route.standing.accepted(),
        false => {}
    }
}

/// Asks a provider for its time before the first time stamp that is to be by it: a bare HEAD of its
/// root, whose answer's status means nothing. Without an answer this machine's clock has to do.
pub(super) async fn asked(snapshot: &Snapshot, unsigned: &Unsigned<'_>) {
    let standing = &unsigned.route.standing;
    if !standing.lacks_time() {
        return;
    }
    let probe = Box::new(unsigned.outgoing.probe());
    let ask = async {
        let Ok((request, _)) = upload(probe, Edits::default(), None, PATIENCE) else { return };
        let sent = Instant::now();
        let answer = snapshot.upstream(unsigned.route).send(request, None, None);
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, Box::pin(answer)).await else { return };
        if let Some(date) = date(answer.head.headers()) {
            standing.heard(date, (sent, Instant::now()));
        }
    };
    Box::pin(standing.ask(ask)).await;
}

/// A cache's answer has the time at which it was made.
fn clock<B>(head: &Response<B>, route: &Route, record: &Record) {
    if head.headers().contains_key(AGE) {
        return;
    }
    let received = Instant::now();
    if let Some((date, sent)) = date(head.headers()).zip(received.checked_sub(record.trip())) {
        route.standing.heard(date, (sent, received));
    }
}

fn date(headers: &HeaderMap) -> Option<&str> {
    headers.get(DATE)?.to_str().ok()
}

/// For a provider's time.
const PATIENCE: Duration = Duration::from_secs(2);
