//! One answer for each id in all replicas: whoever asks first claims the id in the store that they share,
//! and leaves what was concluded there.
//!
//! Who can write in the store must not be able to approve anything. So what is left there is signed with
//! the key that seals answers, together with the route, the digest of the request and a time; and what is
//! found there counts if it is signed so, for this very request. A claim is not signed: who writes one, or
//! changes it, has a request refused; who deletes one can have the service asked again, and its answer
//! counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use crate::cost::Cost;
use crate::keys::Signature;
use crate::moment::unix_ms;
use crate::problem::Problem;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::scheme::{Bound, Conclusion, Decision, Envelope, Opened};
use crate::shared::Answers;
use crate::snapshot::Snapshot;
use crate::workers::in_place;

/// A request as all replicas know it.
pub(super) struct Replicas {
    answers: Arc<Answers>,
    snapshot: Arc<Snapshot>,
    route: Arc<Route>,
    /// Where it stands: the route, the key that seals, and the id.
    name: String,
    /// SHA-256 of the request.
    digest: String,
    /// How long it is kept, and how long an answer may take.
    keep: Duration,
    deadline: Duration,
}

/// What other replicas have made of an id.
#[derive(Debug)]
pub(super) enum Elsewhere {
    /// Nothing, and now they leave it to this one.
    Nowhere,
    /// This.
    Answered(Conclusion),
    /// One was asked, and what came of it is not known.
    Unknown,
    /// It is another request's.
    Other,
    /// Something stands there that none of them has written.
    Unsealed,
}

impl Replicas {
    /// A request with an id, where there are others.
    pub(super) fn of(
        snapshot: &Arc<Snapshot>,
        route: &Arc<Route>,
        envelope: &dyn Envelope,
        opened: &Opened,
    ) -> Option<Self> {
        let answers = snapshot.answers.as_ref().filter(|_| !opened.id.is_empty())?;
        let slot = envelope.vouched(Vec::new()).slot;
        let key = route.keys.iter().find(|key| key.slot == slot)?.signer.public_key().fingerprint();
        Some(Self {
            answers: Arc::clone(answers),
            snapshot: Arc::clone(snapshot),
            route: Arc::clone(route),
            name: hex(&Sha256::digest(format!("{}\n{key}\n{}", route.name, opened.id))),
            digest: hex(&Sha256::digest(&opened.request)),
            keep: envelope.remembered(),
            deadline: envelope.deadline(),
        })
    }

    /// Claims the id, or waits for what another one is answered.
    ///
    /// # Errors
    ///
    /// `answers_unavailable`: nobody may be asked now.
    pub(super) async fn claim(&self) -> Result<Elsewhere, Refusal> {
        let claimant = self.answers.claimant().map_err(unavailable)?;
        let own = format!("{ASKED}{} {claimant}", self.digest);
        let until = Instant::now() + self.deadline + GRACE;
        let mut found = self.answers.claim(self.kept_as(), &own).await.map_err(unavailable)?;
        if found == own.as_bytes() {
            return Ok(Elsewhere::Nowhere);
        }
        let mut pause = FIRST;
        loop {
            let Some(asked) = str::from_utf8(&found).ok().and_then(|it| it.strip_prefix(ASKED))
            else {
                return Ok(self.believed(&found));
            };
            if asked.split(' ').next() != Some(&self.digest) {
                return Ok(Elsewhere::Other);
            }
            if Instant::now() > until {
                return Ok(Elsewhere::Unknown);
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST);
            match self.answers.read(&self.name).await {
                Ok(Some(now)) => found = now,
                // It is not to be asked again because the store has lost it.
                Ok(None) => return Ok(Elsewhere::Unknown),
                Err(problem) if Instant::now() > until => return Err(unavailable(problem)),
                Err(_) => {}
            }
        }
    }

    /// Leaves there what was concluded. Where that fails, others refuse the id.
    pub(super) async fn tell(&self, conclusion: &Conclusion) {
        let Ok(package) = str::from_utf8(&conclusion.package) else { return };
        let until = unix_ms().saturating_add(self.keep.as_millis() as u64);
        let record = json!({
            "route": *self.route.name,
            "request": self.digest,
            "until_ms": until,
            "approves": conclusion.approves,
            "said": conclusion.said.map(Decision::word),
            "reason": conclusion.reason,
            "package": package,
        });
        let text = format!("{FORM}{record}");
        let told = match self.sealed(&text).await {
            Ok(seal) => {
                let kept = format!("{seal} {text}");
                self.answers.write(self.kept_as(), &kept).await.map_err(|problem| problem.what)
            }
            Err(refusal) => Err(refusal.detail),
        };
        if let Err(what) = told {
            tracing::warn!(route = %self.route.name, "other replicas are not told what was answered: {what}");
        }
    }

    /// Keeps what stands there as long as it is kept here, where it was asked for again.
    pub(super) async fn kept(self) {
        if let Err(problem) = self.answers.keep(&self.name, self.keep).await {
            tracing::warn!(route = %self.route.name, "an answer may end early in other replicas: {problem}");
        }
    }

    fn kept_as(&self) -> (&str, Duration) {
        (&self.name, self.keep)
    }

    /// The signature of the key that seals answers.
    async fn sealed(&self, text: &str) -> Result<String, Refusal> {
        let Bound::Envelope(envelope) = &self.route.scheme else { return Ok(String::new()) };
        let preimage = envelope.vouched(text.as_bytes().to_vec());
        let slot = preimage.slot.clone();
        let signatures = super::signed(&self.snapshot, &self.route, &[preimage]).await?;
        Ok(STANDARD.encode(signatures.octets(&slot)?))
    }

    /// What counts of something that is no claim.
    fn believed(&self, found: &[u8]) -> Elsewhere {
        let cost = match &self.route.scheme {
            Bound::Envelope(envelope) => envelope.cost(found.len()),
            Bound::Scheme(_) => Cost::NOTHING,
        };
        let believed =
            in_place(cost, || self.vouched(found).ok_or("not signed with the route's key"));
        match believed.and_then(|text| self.read(text)) {
            Ok(elsewhere) => elsewhere,
            Err(what) => {
                let (route, key) = (&self.route.name, &self.name);
                tracing::warn!(%route, key, "what shared.redis has of a callback is {what}: who has written it?");
                Elsewhere::Unsealed
            }
        }
    }

    /// The text of a record, if the route's key has signed it.
    fn vouched<'a>(&self, found: &'a [u8]) -> Option<&'a str> {
        let (seal, text) = str::from_utf8(found).ok()?.split_once(' ')?;
        let Bound::Envelope(envelope) = &self.route.scheme else { return None };
        let preimage = envelope.vouched(text.as_bytes().to_vec());
        let key = self.route.keys.iter().find(|key| key.slot == preimage.slot)?;
        let signature = Signature::Octets(STANDARD.decode(seal).ok()?);
        key.signer.public_key().verifies(preimage.content(), &signature).then_some(text)
    }

    /// What a record says that one of the replicas has left.
    fn read(&self, text: &str) -> Result<Elsewhere, &'static str> {
        let record = text.strip_prefix(FORM).and_then(|record| serde_json::from_str(record).ok());
        let record: Value = record.ok_or("of another form")?;
        if record["route"].as_str() != Some(&self.route.name) {
            return Err("another route's");
        }
        if record["request"].as_str() != Some(&self.digest) {
            return Ok(Elsewhere::Other);
        }
        if record["until_ms"].as_u64().is_none_or(|until| until < unix_ms()) {
            return Err("older than it is kept");
        }
        let said = [Decision::Approve, Decision::Reject];
        let said = said.into_iter().find(|said| record["said"].as_str() == Some(said.word()));
        let text = |name: &str| record[name].as_str().map(str::to_owned).ok_or("of another form");
        Ok(Elsewhere::Answered(Conclusion {
            package: Bytes::from(text("package")?),
            approves: record["approves"] == true,
            said,
            reason: text("reason")?,
        }))
    }
}

fn unavailable(problem: Problem) -> Refusal {
    Refusal::new(Code::AnswersUnavailable, problem.what)
}

/// Begins a claim.
const ASKED: &str = "asked ";
/// Begins what is signed of an answer: no token has a space or the end of a line before its signature.
const FORM: &str = "countersign answer\n";
/// How much longer than a service may take its answer is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// Between two looks: the first time, and at most.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);
