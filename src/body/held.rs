//! Bodies held whole, out of one budget: what one takes of it comes back when the last of its bytes is
//! let go, whatever becomes of its request.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use crate::shares::{Full, Share, Shares};

/// Why a body could not be had whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CollectError {
    /// It is, or grew, larger than the limit.
    TooLarge,
    /// It was not there in time.
    TooSlow,
    /// The client went away or broke its framing.
    Broken,
    /// The budget has no room for it.
    NoRoom(Full),
}

/// Whose body it is, and what there is for all.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// What is taken of the budget.
    pub held: &'a Arc<Shares>,
    /// The budget in bytes.
    pub budget: u64,
    /// The client.
    pub holder: &'a str,
}

/// Reads a body whole, out of a budget where there is one.
///
/// A declared length over `limit` is refused before a byte is read, and so is one that the budget
/// has no room for; a body of unknown length takes its room as it grows. Nobody waits for room: two
/// halves would wait for each other.
///
/// # Errors
///
/// See [`CollectError`]. Nothing is ever truncated.
pub async fn collect(
    body: Incoming,
    limit: u64,
    deadline: Duration,
    holding: Option<Holding<'_>>,
) -> Result<Bytes, CollectError> {
    let declared = body.size_hint().exact();
    if declared.is_some_and(|length| length > limit) {
        return Err(CollectError::TooLarge);
    }
    let take = |Holding { held, budget, holder }: Holding<'_>| {
        Ok((held.take(budget, holder, declared.unwrap_or_default())?, budget))
    };
    let mut share = holding.map(take).transpose().map_err(CollectError::NoRoom)?;
    let grow = |length: usize| match &mut share {
        Some((share, budget)) if declared.is_none() => share.grow(*budget, length as u64),
        _ => Ok(()),
    };
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let whole = tokio::time::timeout(deadline, gather(Limited::new(body, room), declared, grow));
    let bytes = whole.await.map_err(|_| CollectError::TooSlow)??;
    Ok(match share {
        Some((share, _)) => Bytes::from_owner(Held { bytes, _share: share }),
        None => bytes,
    })
}

/// A body and its share of the budget.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

async fn gather(
    mut body: Limited<Incoming>,
    declared: Option<u64>,
    mut grow: impl FnMut(usize) -> Result<(), Full>,
) -> Result<Bytes, CollectError> {
    let mut whole = BytesMut::new();
    let mut first = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let grew = error.is::<http_body_util::LengthLimitError>();
            if grew { CollectError::TooLarge } else { CollectError::Broken }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        grow(data.len()).map_err(CollectError::NoRoom)?;
        // Most bodies arrive in one piece and need no copy.
        if whole.is_empty() && first.is_none() {
            first = Some(data);
            continue;
        }
        if let Some(first) = first.take() {
            let length = declared.and_then(|length| usize::try_from(length).ok());
            whole.reserve(length.unwrap_or(first.len() + data.len()));
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}
