//! What the self-check does to a request, for the benches that measure it.

use bytes::Bytes;
use countersign::moment::Moment;
use countersign::request::{Body, Outgoing, handed};
use countersign::scheme::{Difference, Scheme, Signable, Signatures, ToSign};
use divan::{Bencher, black_box};

/// A request is signed as the proxy does it; then its head is taken from what is handed over, its
/// texts are made again, and compared: that is timed.
pub(crate) fn timed(
    bencher: Bencher<'_, '_>,
    scheme: &dyn Scheme,
    (outgoing, moment): (Outgoing, &Moment),
    (to_sign, signatures): (ToSign, Signatures),
) {
    let ToSign { preimages, rest } = to_sign;
    let edits = outgoing.edits(scheme, moment, rest, &signatures).expect("there is a place");
    let (request, _) = outgoing.into_request(edits).expect("a request");
    let body = match request.body() {
        Body::Held(body) => body.clone(),
        Body::Absent | Body::Streamed(_) => Bytes::new(),
    };
    bencher.bench_local(|| {
        let head = handed(black_box(&request)).expect("a head");
        let sent = Signable { head: &head, body: Some(&body) };
        let sent = scheme.reread(sent, moment, &signatures).expect("its texts");
        assert_eq!(Difference::between(&preimages, &sent), None);
    });
}
