//! Secrets that a record of ours leaves out: the route's own, which were sent.

use http::HeaderMap;

use crate::inspect::HIDDEN;
use crate::moment::{Moment, Nonce};
use crate::route::Route;
use crate::scheme::Signable;

/// Puts the secrets that the route's scheme sends in place of what a record has for them.
pub(super) async fn filled(
    route: &Route,
    request: Signable<'_>,
    unix_ms: u64,
) -> Option<HeaderMap> {
    let scheme = route.scheme.signing()?;
    let moment = Moment { unix_ms, nonce: Nonce::Given(0) };
    let to_sign = scheme.canonicalise(request, &moment).ok()?;
    let signatures = route.sign(&to_sign.preimages).await.ok()?;
    let edits = scheme.assemble(request, &moment, to_sign.rest, &signatures).ok()?;
    let mut headers = request.head.headers.clone();
    for edit in edits.iter().filter(|edit| edit.secret) {
        if headers.get(&edit.name).is_some_and(|value| value == HIDDEN) {
            headers.insert(edit.name.clone(), edit.value.clone());
        }
    }
    Some(headers)
}
