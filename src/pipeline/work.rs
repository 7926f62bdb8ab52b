//! Where the work on a request is done: short work on the worker that serves it, long work apart.
//!
//! What is to be signed is made in the route's queue: it is the first that costs much, takes turns with
//! that of other routes and of slow keys, and is refused where too much of it waits. What follows
//! borrows from the request and is done [`in_place`], at the pace that the queue lets through.

use std::sync::Arc;

use crate::cost::Cost;
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::request::Unsigned;
use crate::scheme::ToSign;

/// The texts to sign.
///
/// # Errors
///
/// What the scheme has against the request; that too much waits for the route.
pub(super) async fn canonicalise(
    unsigned: Unsigned<'_>,
    moment: Moment,
    cost: Cost,
) -> Result<(Unsigned<'_>, ToSign), Refusal> {
    if !cost.is_long() {
        let to_sign = unsigned.canonicalise(&moment)?;
        return Ok((unsigned, to_sign));
    }
    let Unsigned { route, scheme, outgoing, awaits_body } = unsigned;
    let (reads, asks) = (Arc::clone(scheme), Arc::clone(route));
    let made = route.work.run(move || {
        let to_sign = outgoing.to_sign(&asks, reads.as_ref(), &moment);
        (outgoing, to_sign)
    });
    let (outgoing, to_sign) = made.await?;
    Ok((Unsigned { route, scheme, outgoing, awaits_body }, to_sign?))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, Method};

    use super::*;
    use crate::pipeline::proof::tests::{MOMENT, ORDER, snapshot};
    use crate::route::Origin;
    use crate::scheme::{
        BodyNeed, Bounds, Claim, Edits, Head, Rest, Scheme, SchemeError, Signable, Signatures,
    };
    use crate::snapshot::Snapshot;

    fn unsigned<'s>(
        snapshot: &'s Snapshot,
        scheme: Option<&'s Arc<dyn Scheme>>,
        (name, method, target, body): (&str, &str, &str, String),
    ) -> Unsigned<'s> {
        let route = snapshot.routes.named(name).expect("it is in the configuration");
        let scheme = scheme.unwrap_or_else(|| route.scheme.signing().expect("it signs"));
        let host = route.host.as_ref().expect("it has one").to_string();
        let origin = Origin::of(&host, true).expect("an authority");
        let (method, target) = (method.parse().expect("a method"), target.parse());
        let head =
            Head { method, host, target: target.expect("it is one"), headers: HeaderMap::new() };
        Unsigned::own(route, scheme, head, body.into(), origin).expect("a request")
    }

    fn batch(orders: usize) -> String {
        format!("{{\"orders\":[{}]}}", vec![ORDER; orders].join(","))
    }

    /// By bytes alone, the batches would be short, and the body that nobody reads as JSON long.
    #[tokio::test]
    async fn what_is_long_is_so_by_its_cost() {
        let snapshot = snapshot().await;
        assert!(batch(128).len() < 32 * 1024);
        let bytes = |length| "x".repeat(length);
        for (asked, long) in [
            (("sinohope", "GET", "/v1/x?b=2&a=1", String::new()), false),
            (("sinohope", "POST", "/v1/x", bytes(32 << 10)), false),
            (("sinohope", "POST", "/v1/x", bytes(1 << 20)), true),
            (("metasv", "GET", "/block/1", String::new()), false),
            (("okx", "POST", "/api/v5/trade/order", bytes(1 << 10)), false),
            (("okx", "POST", "/api/v5/trade/order", bytes(1 << 20)), true),
            (("binance", "POST", "/api/v3/order?symbol=A", String::new()), false),
            (("loopring", "POST", "/api/v2/order", ORDER.to_owned()), false),
            (("loopring", "POST", "/api/v2/batchOrders", batch(4)), true),
            (("loopring", "POST", "/api/v2/batchOrders", batch(128)), true),
        ] {
            let said = format!("{} of {} bytes", asked.0, asked.3.len());
            let cost = unsigned(&snapshot, None, asked).cost();
            assert_eq!(cost.is_long(), long, "{said}: {cost:?}");
        }
    }

    /// Each field of it is changed, and the texts made again.
    #[tokio::test]
    async fn a_route_that_wants_all_bound_pays_for_each_field() {
        let snapshot = snapshot().await;
        for (route, long) in [("okx", false), ("strict", true)] {
            let body = format!("a=1{}", "&b=2".repeat(31));
            let unsigned = unsigned(&snapshot, None, (route, "POST", "/api/v5/trade/order", body));
            assert_eq!(unsigned.cost().is_long(), long, "{route}: {:?}", unsigned.cost());
        }
    }

    /// One signature after the other, the worker would have time for nobody else.
    #[tokio::test]
    async fn requests_are_served_between_the_signatures_of_a_batch() {
        let snapshot = snapshot().await;
        let asked = ("loopring", "POST", "/api/v2/batchOrders", batch(32));
        let unsigned = unsigned(&snapshot, None, asked);
        let to_sign = unsigned.canonicalise(&MOMENT).expect("it has texts");
        let others = tokio::spawn(async {
            let mut turns = 0;
            loop {
                turns += 1;
                TURNS.store(turns, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let signed = unsigned.route.sign(&to_sign.preimages).await.expect("the key signs");
        others.abort();
        assert_eq!(signed.all("eddsa").count(), 32);
        let turns = TURNS.load(std::sync::atomic::Ordering::Relaxed);
        assert!(turns >= 8, "others had {turns} turns");
    }

    static TURNS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

    /// A scheme that makes its texts once somebody else has had a turn.
    #[derive(Debug)]
    struct Patient(Mutex<Receiver<()>>);

    impl Scheme for Patient {
        fn owned_headers(&self) -> &[HeaderName] {
            &[]
        }

        fn body_need(&self, _: &Head) -> BodyNeed {
            BodyNeed::Whole
        }

        fn cost(&self, _: Signable<'_>) -> Cost {
            Cost::micros(201)
        }

        fn canonicalise(&self, _: Signable<'_>, _: &Moment) -> Result<ToSign, SchemeError> {
            let turn = self.0.lock().expect("nobody panicked").recv_timeout(LIMIT);
            turn.map_err(|_| SchemeError::Broken("nobody else had a turn"))?;
            Ok(ToSign::default())
        }

        fn bounds(&self) -> &[Bounds] {
            &[]
        }

        fn assemble(
            &self,
            _: Signable<'_>,
            _: &Moment,
            _: Rest,
            _: &Signatures,
        ) -> Result<Edits, SchemeError> {
            Err(SchemeError::Broken("it signs nothing"))
        }

        fn claim(&self, _: Signable<'_>) -> Result<Claim, SchemeError> {
            Err(SchemeError::Broken("it signs nothing"))
        }
    }

    /// Longer than any machine needs; nobody waits for it but where the test fails.
    const LIMIT: Duration = Duration::from_secs(60);

    /// On the only worker it would wait for what that worker has yet to do.
    #[test]
    fn a_long_canonicalisation_keeps_no_other_request_waiting() {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let (told, heard) = channel();
        runtime.spawn(async move {
            let snapshot = snapshot().await;
            let (turn, turns) = channel();
            let scheme: Arc<dyn Scheme> = Arc::new(Patient(turns.into()));
            let asked = ("okx", Method::POST.as_str(), "/x", String::new());
            let unsigned = unsigned(&snapshot, Some(&scheme), asked);
            let cost = unsigned.cost();
            tokio::spawn(async move { turn.send(()) });
            let made = canonicalise(unsigned, MOMENT, cost).await;
            told.send(made.map(drop).map_err(|refusal| refusal.detail)).expect("it is awaited");
        });
        assert_eq!(heard.recv().expect("it ended"), Ok(()));
    }
}
