//! The last requests, in memory, for those who ask what was signed and why it was rejected.
//!
//! Off by default: then only rejections are held, without what was signed. A secret is never in
//! here; what a client sent to identify itself is taken out, and bodies are their digests unless
//! the configuration says otherwise.

mod judged;
mod live;
mod recorder;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub use self::judged::{Finding, Judged, Pasted};
use self::live::Live;
pub use self::live::{News, Watch};
pub use self::recorder::Recorder;

/// What is held.
#[derive(Debug, Default)]
pub struct Inspect {
    recent: Mutex<Ring>,
    rejected: Mutex<Ring>,
    recorder: Option<Arc<Recorder>>,
    live: Live<Arc<Seen>>,
}

type Ring = VecDeque<Arc<Seen>>;

/// How much is held: `[inspect]`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Keep {
    /// Signed requests.
    pub requests: usize,
    /// Whether their bodies are held too, up to [`LONGEST_BODY`].
    pub bodies: bool,
}

/// One request.
#[derive(Debug, Default)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// When it was signed or, of one of which only the rejection is held, when that came.
    pub unix_ms: u64,
    /// The route's name.
    pub route: String,
    /// The client's name, where it showed a token.
    pub client: Option<String>,
    /// The method.
    pub method: String,
    /// The host that it went to.
    pub host: String,
    /// The path without the query.
    pub path: String,
    /// What was signed.
    pub signed: Option<Signed>,
    /// What came of it.
    pub over: OnceLock<Over>,
}

/// What was signed and sent.
#[derive(Debug)]
pub struct Signed {
    /// The scheme's name.
    pub scheme: String,
    /// Where it went.
    pub upstream: String,
    /// The instant that was signed, in milliseconds since 1970.
    pub moment_ms: u64,
    /// Path and query as they were sent.
    pub target: String,
    /// Every header as it was sent, and whether the scheme set it.
    pub headers: Vec<(String, String, bool)>,
    /// The texts that were signed.
    pub texts: Vec<Canonical>,
    /// The body's length in bytes, where it is known before it is sent.
    pub body_length: Option<u64>,
    /// SHA-256 of the body that was signed, in hex; none of one that the scheme does not read.
    pub body_sha256: Option<String>,
    /// The body, where it is held: no more than [`LONGEST_BODY`] bytes of it.
    pub body: Option<Bytes>,
}

/// A text that was signed.
#[derive(Debug)]
pub struct Canonical {
    /// The slot of the key.
    pub slot: String,
    /// The key's fingerprint.
    pub key: Option<String>,
    /// The text; words in its place where a secret is in it.
    pub text: String,
    /// Its pieces, each with what it came from, where the scheme says so.
    pub parts: Vec<Piece>,
}

/// A piece of such a text.
#[derive(Debug)]
pub struct Piece {
    /// What it fills, as the scheme writes it.
    pub from: String,
    /// The word for what that is: `path`, `clock`.
    pub kind: &'static str,
    /// The piece; words in its place where a secret is in it.
    pub text: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Over {
    /// The outcome's word.
    pub outcome: &'static str,
    /// The refusal's code.
    pub code: Option<&'static str>,
    /// The HTTP status that the client was given.
    pub status: u16,
    /// Microseconds that canonical string and signature took, the upstream took, and all took.
    pub took_us: [Option<u64>; 3],
    /// Why the provider rejected it.
    pub rejection: Option<Told>,
}

/// A rejection, as the log has it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The provider's code.
    pub provider_code: Option<String>,
    /// The cause's word.
    pub cause: &'static str,
    /// Whether the provider says so itself.
    pub said: bool,
    /// What is so.
    pub what: String,
    /// What to do.
    pub fix: String,
    /// How far the provider's clock is before this machine's.
    pub clock_offset_ms: Option<i64>,
    /// The key's fingerprint.
    pub key: Option<String>,
    /// How the provider's answer begins, where it is held.
    pub answer: Option<String>,
    /// How long the key has been in use.
    pub in_use_s: u64,
    /// The parameters that have alternatives.
    pub params: String,
}

impl Inspect {
    /// One whose requests are written down too.
    pub fn recording(recorder: Arc<Recorder>) -> Self {
        Self { recorder: Some(recorder), ..Self::default() }
    }

    /// Holds a request that was signed; the oldest makes room.
    pub fn keep(&self, seen: Seen, most: usize) -> Arc<Seen> {
        let seen = Arc::new(seen);
        push(&self.recent, Arc::clone(&seen), most);
        self.live.tell(|| Arc::clone(&seen));
        seen
    }

    /// What came of a request that is held.
    pub fn ends(&self, seen: &Arc<Seen>, over: Over) {
        let first = seen.over.set(over).is_ok();
        let recorder = self.recorder.as_ref().filter(|_| first && seen.signed.is_some());
        if let Some(recorder) = recorder {
            recorder.put(seen);
        }
        self.live.tell(|| Arc::clone(seen));
    }

    /// Watches requests from now on, when they are signed and when they are over.
    pub fn watch(&self) -> Watch<Arc<Seen>> {
        self.live.watch()
    }

    /// Holds a rejection.
    pub fn rejected(&self, seen: Arc<Seen>) {
        push(&self.rejected, seen, REJECTIONS);
    }

    /// The request with this id.
    pub fn find(&self, id: &str) -> Option<Arc<Seen>> {
        let of = |ring| lock(ring).iter().rev().find(|seen| seen.id == id).cloned();
        of(&self.recent).or_else(|| of(&self.rejected))
    }

    /// Every request, the latest first.
    pub fn all(&self) -> Vec<Arc<Seen>> {
        let mut all: Vec<_> = lock(&self.recent).iter().cloned().collect();
        let rejected: Vec<_> = lock(&self.rejected).iter().cloned().collect();
        all.extend(rejected.into_iter().filter(|seen| seen.signed.is_none()));
        // As they came where they are of one millisecond, and only then turned round.
        all.sort_by_key(|seen| seen.unix_ms);
        all.reverse();
        all
    }
}

fn push(ring: &Mutex<Ring>, seen: Arc<Seen>, most: usize) {
    let mut ring = lock(ring);
    ring.push_back(seen);
    let much = ring.len().saturating_sub(most);
    ring.drain(..much);
}

fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// Whether its provider's answer can be held: nothing was sent with it that the answer must not say
    /// again.
    pub fn is_open(&self) -> bool {
        let hidden = |signed: &Signed| signed.headers.iter().any(|(_, value, _)| value == HIDDEN);
        self.signed.as_ref().is_some_and(|signed| signed.target != HIDDEN && !hidden(signed))
    }

    /// Everything, as JSON.
    pub fn json(&self) -> Value {
        let mut all = self.summary();
        if let Some(signed) = &self.signed {
            all["signed"] = signed.json();
        }
        all
    }

    /// One line of a list, as JSON.
    pub fn summary(&self) -> Value {
        let over = self.over.get();
        let [sign_us, upstream_us, total_us] = over.map_or([None; 3], |over| over.took_us);
        json!({
            "id": self.id,
            "unix_ms": self.unix_ms,
            "route": self.route,
            "client": self.client,
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "outcome": over.map(|over| over.outcome),
            "code": over.and_then(|over| over.code),
            "status": over.map(|over| over.status),
            "sign_us": sign_us,
            "upstream_us": upstream_us,
            "total_us": total_us,
            "rejection": over.and_then(|over| over.rejection.as_ref()).map(Told::json),
        })
    }
}

impl Signed {
    fn json(&self) -> Value {
        let text = |own: &Canonical| {
            let part =
                |own: &Piece| json!({ "from": own.from, "kind": own.kind, "text": own.text });
            json!({
                "slot": own.slot,
                "key": own.key,
                "canonical": own.text,
                "parts": own.parts.iter().map(part).collect::<Vec<_>>(),
            })
        };
        let header = |(name, value, set): &(String, String, bool)| json!([name, value, set]);
        json!({
            "scheme": self.scheme,
            "upstream": self.upstream,
            "moment_ms": self.moment_ms,
            "target": self.target,
            "headers": self.headers.iter().map(header).collect::<Vec<_>>(),
            "texts": self.texts.iter().map(text).collect::<Vec<_>>(),
            "body_length": self.body_length,
            "body_sha256": self.body_sha256,
            "body": self.shown(),
            "body_base64": self.exact().map(|body| STANDARD.encode(body)),
        })
    }
}

impl Signed {
    /// The body as text, and that it is longer, where it is; none where it is not held.
    pub fn shown(&self) -> Option<String> {
        let body = self.body.as_ref()?;
        let more = self.body_length.filter(|all| *all > body.len() as u64);
        let more = more.map(|all| format!("… ({all} bytes in all)")).unwrap_or_default();
        Some(format!("{}{more}", String::from_utf8_lossy(body)))
    }

    /// The body where all of it is held.
    pub fn whole(&self) -> Option<&Bytes> {
        self.body.as_ref().filter(|body| self.body_length == Some(body.len() as u64))
    }

    /// A whole body that is no text.
    fn exact(&self) -> Option<&Bytes> {
        self.whole().filter(|body| std::str::from_utf8(body).is_err())
    }
}

impl Told {
    fn json(&self) -> Value {
        let mut told = Map::new();
        for (name, value) in [
            ("cause", self.cause.into()),
            ("certainty", self.certainty().into()),
            ("what", self.what.clone().into()),
            ("fix", self.fix.clone().into()),
            ("provider_code", self.provider_code.clone().into()),
            ("answer", self.answer.clone().into()),
            ("clock_offset_ms", self.clock_offset_ms.into()),
            ("fingerprint", self.key.clone().into()),
            ("in_use_s", self.in_use_s.into()),
            ("params", self.params.clone().into()),
        ] {
            told.insert(name.to_owned(), value);
        }
        told.into()
    }

    /// `said` by the provider, or `inferred`.
    pub fn certainty(&self) -> &'static str {
        if self.said { "said" } else { "inferred" }
    }
}

/// A text as it is held: without what is no text, and no longer than this.
pub fn shown(text: &[u8], most: usize) -> String {
    let cut = text.get(..most).unwrap_or(text);
    let mut shown = String::from_utf8_lossy(cut).into_owned();
    if cut.len() < text.len() {
        shown.push_str(&format!("… ({} bytes in all)", text.len()));
    }
    shown
}

/// Whether a header's name says that its value identifies a client.
pub fn is_private(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PRIVATE.iter().any(|part| name.contains(part))
}

const PRIVATE: [&str; 9] =
    ["authorization", "cookie", "key", "secret", "token", "pass", "credential", "session", "sign"];
/// What stands in the place of a secret.
pub const HIDDEN: &str = "(secret)";
/// Bytes of a provider's answer.
pub const LONGEST_ANSWER: usize = 1024;
/// Rejections that are held.
const REJECTIONS: usize = 50;
/// Bytes of a canonical string or a header.
pub const LONGEST_TEXT: usize = 16 * 1024;
/// Bytes of a body.
pub const LONGEST_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(id: &str, unix_ms: u64) -> Seen {
        Seen { id: id.into(), unix_ms, ..Seen::default() }
    }

    #[test]
    fn the_oldest_makes_room_and_a_rejection_stays() {
        let inspect = Inspect::default();
        inspect.rejected(Arc::new(seen("no", 1)));
        for number in 2..6 {
            inspect.keep(seen(&number.to_string(), number), 2);
        }
        let ids: Vec<_> = inspect.all().iter().map(|seen| seen.id.clone()).collect();
        assert_eq!(ids, ["5", "4", "no"]);
        assert!(inspect.find("2").is_none() && inspect.find("no").is_some());
    }

    #[test]
    fn a_long_text_says_that_it_was_cut() {
        assert_eq!(shown(b"abc", 3), "abc");
        assert_eq!(shown(b"abcd", 3), "abc… (4 bytes in all)");
        assert_eq!(shown(b"a\xffb", 9), "a\u{fffd}b");
    }
}
