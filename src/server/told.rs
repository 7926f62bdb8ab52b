//! Refusals to connections that no HTTP is spoken with: an answer in plain HTTP/1.1 all the same, and
//! the end.

use tokio::io::AsyncWriteExt as _;

use super::stream::{Duplex, Lingering, Unread};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

/// Says so and closes. What still comes is read for a while, or the client would lose the answer.
pub(super) async fn tell(
    stream: Box<dyn Duplex>,
    refusal: Refusal,
    snapshot: &Snapshot,
    mut record: Box<Record>,
) {
    let (code, logged) = (refusal.code.name(), refusal.logged());
    let response = refusal.into_response(None, record.id());
    record.refused(code, response.status().as_u16(), logged);
    let mut answer =
        format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        answer.extend_from_slice(
            &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat(),
        );
    }
    let body = response.into_body();
    answer.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(&body);
    let unread = Unread::default();
    unread.answer(true);
    let mut stream = Lingering::new(stream, snapshot.timeouts.body_idle, unread);
    let told = stream.write_all(&answer).await;
    match told.and(stream.shutdown().await) {
        Ok(()) => record.sent(body.len() as u64),
        Err(error) => record.cut(&error),
    }
}
