//! What a request waits for before it is signed: its key's turn, and its nonce.

use crate::moment::Moment;
use crate::nonces::Taken;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::snapshot::Snapshot;

/// The turn of a route's key, until it is dropped; nothing where its requests are not ordered.
pub(super) async fn turn(snapshot: &Snapshot, route: &Route) -> Result<Option<Taken>, Refusal> {
    let Some(order) = &route.order else { return Ok(None) };
    let limit = snapshot.timeouts.response_head;
    let taken = tokio::time::timeout(limit, Box::pin(order.take())).await.map_err(|_| {
        let what = format!("routes.{} is ordered, and earlier requests took {limit:?}", route.name);
        Refusal::new(Code::TurnTimeout, what)
    })?;
    taken.map(Some).map_err(|problem| none(problem.what, problem.fix))
}

/// The moment of a request, whose turn is still its own when it has a nonce.
pub(super) async fn moment(
    snapshot: &Snapshot,
    route: &Route,
    turn: Option<&Taken>,
) -> Result<Moment, Refusal> {
    let moment = match Moment::of(&route.nonces) {
        Some(moment) => moment,
        None => Box::pin(awaited(snapshot, route)).await?,
    };
    if turn.is_none_or(Taken::is_good) {
        return Ok(moment);
    }
    let what =
        format!("routes.{} is ordered, and the lease of its key's turn has ended", route.name);
    Err(none(what, "see that shared.redis can be reached".into()))
}

/// The moment of a request whose nonce others or the disk have to be waited for.
async fn awaited(snapshot: &Snapshot, route: &Route) -> Result<Moment, Refusal> {
    let (source, limit) = (route.nonces.clone(), snapshot.timeouts.sign);
    let waiting = tokio::task::spawn_blocking(move || Moment::wait(&source, limit));
    let late = |_| Refusal::new(Code::NoncesUnavailable, format!("no nonce within {limit:?}"));
    // The disk knows no limit.
    let waited = tokio::time::timeout(2 * limit, waiting).await.map_err(late)?;
    let lost = |_| Refusal::new(Code::Internal, "the nonce was not finished");
    waited.map_err(lost)?.map_err(|problem| none(problem.what, problem.fix))
}

fn none(what: String, fix: String) -> Refusal {
    Refusal::new(Code::NoncesUnavailable, what).remedy(fix)
}
