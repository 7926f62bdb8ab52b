//! The audit of signatures: an entry before a signed request is sent, and one for what came of it.
//!
//! The first says whom, by which route and with which key something was signed for, and the digest of
//! what. An end of the process between the two leaves the first alone, which says that it may have been
//! sent. Where the audit is required, nothing is sent before the first is on the disk.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::appender::Audit;
use super::entry::Members;
use crate::problem::Problem;

/// The audit of a proxy's signatures.
#[derive(Clone, Debug)]
pub struct Signatures {
    /// None in a program that serves nobody.
    audit: Option<Audit>,
    required: bool,
}

impl Signatures {
    /// Into a file; with `required`, nothing is to be sent that is not in it.
    pub fn new(audit: Option<Audit>, required: bool) -> Self {
        Self { audit, required }
    }

    /// The file.
    pub fn audit(&self) -> Option<&Audit> {
        self.audit.as_ref()
    }

    /// Writes down what is about to be sent; what comes of it is to be said by what is returned, where
    /// that is something: also where the entry was not written in time, as it may be written later.
    ///
    /// # Errors
    ///
    /// Why it must not be sent. Where the audit is not required, nothing is waited for and what is not
    /// written is counted.
    pub async fn sending(
        &self,
        entry: Sending,
        limit: Duration,
    ) -> (Option<Sent>, Result<(), Problem>) {
        let Some(audit) = &self.audit else { return (None, Ok(())) };
        let sent = Sent { audit: audit.clone(), id: entry.id.clone() };
        let (taken, done) = match self.required {
            true => audit.append_within(limit, entry).await,
            false => (audit.offer(entry), Ok(())),
        };
        (taken.then_some(sent), done)
    }
}

/// A request that is written down, and of which it is to be said what came of it.
#[derive(Debug)]
pub struct Sent {
    audit: Audit,
    id: Arc<str>,
}

impl Sent {
    /// Writes down what came of it, without waiting: its place is certain, as only what was written
    /// down before has one.
    pub fn over(self, outcome: &'static str, code: Option<&'static str>, status: u16) {
        let Self { audit, id } = self;
        audit.follow_up(Over { id, outcome, code, status });
    }
}

/// A request that is signed and about to be sent.
#[derive(Clone, Debug)]
pub struct Sending {
    /// Its id, which its line in the log has too.
    pub id: Arc<str>,
    /// The route's name.
    pub route: Arc<str>,
    /// The name of the client's token.
    pub client: Option<String>,
    /// The client's address.
    pub peer: Option<IpAddr>,
    /// Its signatures; none where a secret alone was put in.
    pub signatures: Vec<Signed>,
}

/// One signature of a request.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The key's name.
    pub key: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The digest that was signed, or the SHA-256 of the canonical string, in lower-case hex; none
    /// where a secret is part of the string, which whoever has its hash could guess.
    pub digest: Option<String>,
}

impl Members for Sending {
    fn members(&self) -> Value {
        let signed = |one: &Signed| json!({ "key": one.key, "fingerprint": one.fingerprint, "digest": one.digest });
        json!({
            "event": "sending",
            "id": *self.id,
            "route": *self.route,
            "client": self.client,
            "peer": self.peer.map(|peer| peer.to_string()),
            "signatures": self.signatures.iter().map(signed).collect::<Vec<_>>(),
        })
    }
}

/// What came of a request.
#[derive(Debug)]
struct Over {
    id: Arc<str>,
    outcome: &'static str,
    code: Option<&'static str>,
    status: u16,
}

impl Members for Over {
    fn members(&self) -> Value {
        json!({
            "event": "outcome",
            "id": *self.id,
            "outcome": self.outcome,
            "code": self.code,
            "status": self.status,
        })
    }
}
