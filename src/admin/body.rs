//! What is posted to a page: little, and soon.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::refusal::{Code, Refusal};

/// Reads all of it.
///
/// # Errors
///
/// `body_too_large`, `body_too_slow`, `body_incomplete`.
pub(super) async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let read = timeout(LONGEST, Limited::new(body, MOST).collect()).await;
    let read = read.map_err(|_| {
        let what = format!("the form has not come within {} s", LONGEST.as_secs());
        Refusal::new(Code::BodyTooSlow, what).remedy("Send it in one go.")
    })?;
    let read = read.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let what = format!("the form has more than {} KiB", MOST / 1024);
            return Refusal::new(Code::BodyTooLarge, what)
                .remedy("Send less; countersign verify takes files of any length.");
        }
        Refusal::new(Code::BodyIncomplete, error.to_string())
    })?;
    Ok(read.to_bytes())
}

/// Bytes of a form, which takes three for most signs.
const MOST: usize = 256 * 1024;
const LONGEST: Duration = Duration::from_secs(10);
