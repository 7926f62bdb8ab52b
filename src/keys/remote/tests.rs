//! What a request sees of a signer that refuses, is slow, or is not ready: of a stand-in that answers
//! as it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::keys::PrivateKey;

/// The statuses that come before those of the signatures that are asked for.
type Statuses = Arc<Mutex<VecDeque<u16>>>;

/// Nothing is answered.
const SILENCE: u16 = 0;

async fn serve(listener: UnixListener, key: Arc<dyn Signer>, statuses: Statuses) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&key), Arc::clone(&statuses)));
    }
}

async fn converse(mut stream: UnixStream, key: Arc<dyn Signer>, statuses: Statuses) {
    let mut bytes = Vec::with_capacity(4096);
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        // A question is one write here, and short.
        let question = String::from_utf8(bytes.clone()).unwrap();
        bytes.clear();
        let (head, body) = question.split_once("\r\n\r\n").unwrap();
        let status = head.starts_with("POST").then(|| statuses.lock().unwrap().pop_front());
        let (status, body) = match status {
            None => (200, described("k", key.public_key())),
            Some(Some(SILENCE)) => return std::future::pending().await,
            Some(Some(status)) => (status, "{}".to_owned()),
            Some(None) => {
                let asked = read(body.as_bytes()).unwrap();
                (200, signed(&key.sign(asked.asked.content()).await.unwrap()))
            }
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_signer_answers_is_what_a_request_sees() {
    let home = TempDir::new().unwrap();
    let socket = home.path().join("socket");
    let key = PrivateKey::generate(Algorithm::ED25519);
    let (listener, statuses) = (UnixListener::bind(&socket).unwrap(), Statuses::default());
    tokio::spawn(serve(listener, key.signer().unwrap(), Arc::clone(&statuses)));
    let url = format!("unix:{}", socket.display());
    let store = (KIND.open)(&StoreSettings::new([(URL, url.into())]));
    let spec = KeySpec::of("k", None);
    let signer = store.open(&spec).await.unwrap();
    assert_eq!(*signer.public_key(), key.public_key());
    let content = Content::Message(b"text");
    let right = |answer: &Result<Signature, SignError>| {
        answer.as_ref().is_ok_and(|signature| key.public_key().verifies(content, signature))
    };
    for (status, what) in [
        (403, "the signer gives this key to this caller for other uses"),
        (404, "the signer has no such key any more, or not for this caller"),
        (413, "the signer takes no message of this length"),
        (500, "the signer signed nothing; its log says why"),
        (200, "the signer's answer holds no signature of the key"),
    ] {
        statuses.lock().unwrap().push_back(status);
        assert_eq!(signer.sign(content).await, Err(SignError::Failed(what)), "{status}");
    }
    statuses.lock().unwrap().push_back(429);
    assert_eq!(signer.sign(content).await, Err(SignError::Busy));
    // Not ready is not gone for good: it is asked again.
    statuses.lock().unwrap().extend([503, 503]);
    assert!(right(&signer.sign(content).await) && signer.away().is_none());
    statuses.lock().unwrap().extend([503; 1000]);
    let patience = Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, signer.sign(content)).await.is_err());
    assert!(signer.away().is_some());
    statuses.lock().unwrap().clear();
    // A slow one is there, and keeps nobody else waiting.
    assert!(right(&signer.sign(content).await));
    statuses.lock().unwrap().push_back(SILENCE);
    assert!(tokio::time::timeout(patience, signer.sign(content)).await.is_err());
    assert!(signer.away().is_none() && right(&signer.sign(content).await));
}
