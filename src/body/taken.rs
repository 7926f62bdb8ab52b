//! What of an answer the connection to the client took, byte by byte.
//!
//! The HTTP library asks for more of a body than it can write, so that a body which was asked for
//! to its end may still be in its buffers when the client leaves. So each piece tells when bytes of
//! it go into the connection, and the request's record is closed when the last piece is gone, one
//! way or the other.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Buf, Bytes};

use super::progress::Progress;
use crate::record::{LOOKED_INTO, Record};

/// A request that is being answered, from its head to the last byte of the answer: over when it
/// is dropped.
#[derive(Debug)]
pub struct Answering(pub(super) Progress);

impl Answering {
    /// Begins, with the end that watches it. Until there is an answer, nobody is late.
    pub fn begin() -> (Self, Progress) {
        let progress = Progress::new();
        progress.asked();
        (Self(progress.clone()), progress)
    }

    /// The client took something of what it was given.
    fn moved(&self) {
        self.0.moved();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.over();
    }
}

/// One answer's account. Its drop writes the record's line.
#[derive(Debug)]
pub(super) struct Account {
    record: Option<Box<Record>>,
    /// For those who watch whether the client takes it.
    answering: Option<Answering>,
    given: AtomicU64,
    taken: AtomicU64,
    /// Nothing more will be given.
    whole: AtomicBool,
    broken: OnceLock<String>,
    /// How the body begins, where the record wants to know.
    heard: Option<Mutex<Vec<u8>>>,
}

impl Account {
    pub(super) fn open(record: Option<Box<Record>>) -> Arc<Self> {
        let listens = record.as_ref().is_some_and(|record| record.listens());
        Arc::new(Self {
            heard: listens.then(Mutex::default),
            record,
            answering: None,
            given: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            whole: AtomicBool::new(false),
            broken: OnceLock::new(),
        })
    }

    pub(super) fn note(&mut self, answering: Answering) {
        self.answering = Some(answering);
    }

    pub(super) fn answering(&self) -> Option<&Answering> {
        self.answering.as_ref()
    }

    /// The piece as it is given to the HTTP library.
    pub(super) fn give(self: &Arc<Self>, bytes: Bytes) -> Piece {
        let before = self.given.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Some(heard) = self.heard.as_ref().filter(|_| before < LOOKED_INTO as u64) {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes.get(..LOOKED_INTO).unwrap_or(&bytes));
        }
        Piece { bytes, account: Arc::clone(self) }
    }

    pub(super) fn close(&self) {
        self.whole.store(true, Ordering::Relaxed);
    }

    /// The body ended in an error.
    pub(super) fn broken(&self, error: &dyn fmt::Display) {
        let _first_counts = self.broken.set(error.to_string());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let Some(record) = &mut self.record else { return };
        let taken = *self.taken.get_mut();
        record.sent(taken);
        if let Some(heard) = &mut self.heard {
            record.heard(heard.get_mut().unwrap_or_else(PoisonError::into_inner));
        }
        match self.broken.get() {
            Some(why) => record.cut(why),
            None if *self.whole.get_mut() && taken == *self.given.get_mut() => {}
            None => record.cut(&"the client's connection ended first"),
        }
    }
}

/// A piece of an answer on its way into the connection.
#[derive(Debug)]
pub struct Piece {
    bytes: Bytes,
    account: Arc<Account>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.account.taken.fetch_add(count as u64, Ordering::Relaxed);
        if let Some(answering) = &self.account.answering {
            answering.moved();
        }
    }
}
