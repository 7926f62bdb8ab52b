//! Questions to KMS, signed with credentials that are renewed before they end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::chain::Chain;
use super::credentials::Bearer;
use super::variables::{own_endpoint, set};
use crate::https::{Answer, Client};
use crate::keys::Fault;
use crate::problem::Problem;

/// What a session is made of.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) chain: Chain,
    pub(super) limit: Duration,
}

/// A way to KMS in a region.
pub(super) struct Session {
    client: Client,
    region: String,
    chain: Chain,
    /// Held while credentials are looked for, so that one looks for all.
    bearer: tokio::sync::Mutex<Option<Arc<Bearer>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody answers, or it is busy.
    Away(String),
    /// There is no such key.
    Missing,
    /// It does not want to: its code, and what it says.
    Refused(String, String),
    /// There is nothing to sign with.
    NoCredentials(Problem),
}

impl Failure {
    /// For a person who starts the proxy.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Away(why) => {
                let fix = "see whether region and endpoint are right, and the way there is open";
                Problem::new(format!("is out of reach: {why}"), fix)
            }
            Self::Missing => Problem::new(
                "is not there",
                "write a key's id, its ARN or alias/NAME, and the region that it is in",
            ),
            Self::Refused(code, said) => Problem::new(
                format!("is refused by the KMS: {code}{said}"),
                "allow kms:DescribeKey, and kms:GetPublicKey and kms:Sign or kms:GenerateMac, on the \
                 key; and see whether credentials and clock are right",
            ),
            Self::NoCredentials(problem) => problem.of("is out of reach:"),
        }
    }

    /// For a request.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Away(_) => Fault::Away("the KMS is out of reach, or has too much to do"),
            Self::Missing => Fault::Refused("the key is not in the KMS any more"),
            Self::Refused(code, _) if code == "AccessDeniedException" => {
                Fault::Refused("the KMS does not let these credentials sign")
            }
            Self::Refused(code, _) if is_stale(code) => {
                Fault::Refused("the KMS refused the credentials, or the clock is wrong")
            }
            Self::Refused(..) => Fault::Refused("the KMS refused to sign"),
            Self::NoCredentials(_) => Fault::Refused("there are no credentials for the KMS"),
        }
    }
}

impl Session {
    /// A session that has asked for nothing yet.
    ///
    /// # Errors
    ///
    /// There is no region, or the endpoint is wrong.
    pub(super) fn new(settings: Settings) -> Result<Self, Problem> {
        let Settings { region, endpoint, chain, limit } = settings;
        let region = region.or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| {
            Problem::new("is in no region: AWS_REGION is not set", "write region = \"…\"")
        })?;
        let named = endpoint.or_else(|| set("AWS_ENDPOINT_URL_KMS"));
        let endpoint = named.or_else(|| set("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.unwrap_or_else(|| own_endpoint("kms", &region));
        let client = Client::new(&endpoint, None, limit)
            .map_err(|error| error.of(format_args!("at {endpoint:?}")))?;
        Ok(Self { client, region, chain, bearer: tokio::sync::Mutex::default() })
    }

    /// Asks for an action. Credentials that are refused may have been replaced: it is asked once
    /// more, with those of this moment.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(super) async fn ask(&self, act: &str, question: &Value) -> Result<Value, Failure> {
        let bearer = self.bearer(None).await?;
        match self.exchange(&bearer, act, question).await {
            Err(Failure::Refused(code, _)) if is_stale(&code) => {}
            other => return other,
        }
        let bearer = self.bearer(Some(&bearer)).await?;
        self.exchange(&bearer, act, question).await
    }

    /// Credentials, or others than `refused`.
    async fn bearer(&self, refused: Option<&Arc<Bearer>>) -> Result<Arc<Bearer>, Failure> {
        let mut held = self.bearer.lock().await;
        let good = |own: &Arc<Bearer>| refused.is_none_or(|refused| !Arc::ptr_eq(own, refused));
        let known = held.clone().filter(good);
        if let Some(own) = known.as_ref().filter(|own| own.lasts(EARLY)) {
            return Ok(Arc::clone(own));
        }
        let bound = match self.chain.find(&self.region).await {
            Ok(found) => Bearer::new(found, "kms", &self.region).map(Arc::new).map_err(|what| {
                Failure::NoCredentials(Problem::new(what, "correct the credentials"))
            }),
            Err(problem) => Err(Failure::NoCredentials(problem)),
        };
        match (bound, known) {
            (Ok(bound), _) => {
                *held = Some(Arc::clone(&bound));
                Ok(bound)
            }
            // There is time to try it again.
            (Err(_), Some(known)) if known.lasts(0) => Ok(known),
            (Err(failure), _) => Err(failure),
        }
    }

    async fn exchange(
        &self,
        bearer: &Bearer,
        act: &str,
        question: &Value,
    ) -> Result<Value, Failure> {
        let away = |error: &dyn fmt::Display| Failure::Away(error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = HeaderValue::try_from(format!("TrentService.{act}"));
        let name = HeaderName::from_static("x-amz-target");
        headers.insert(name, target.map_err(|error| away(&error))?);
        let body = question.to_string().into_bytes();
        let request = bearer.signed(self.client.authority(), headers, body).await;
        let request = request.map_err(|what| {
            Failure::NoCredentials(Problem::new(what, "correct the credentials"))
        })?;
        let answer = self.client.ask(request).await.map_err(|error| away(&error))?;
        understood(&answer)
    }
}

/// What an answer says.
fn understood(answer: &Answer) -> Result<Value, Failure> {
    let read = serde_json::from_slice::<Value>(answer.body.expose());
    if answer.status == 200 {
        return read.map_err(|_| Failure::Away("its answer is no JSON".into()));
    }
    let read = read.unwrap_or_default();
    let code = read.get("__type").and_then(Value::as_str).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(100).collect();
    if answer.status >= 500 || answer.status == 429 || AGAIN.contains(&code.as_str()) {
        return Err(Failure::Away(format!("it answers {} {code}", answer.status)));
    }
    if code == "NotFoundException" {
        return Err(Failure::Missing);
    }
    // What is said of a wrong signature may repeat the session's token.
    let shown = code == "AccessDeniedException";
    let said = ["message", "Message"].iter().find_map(|name| read.get(name)?.as_str());
    let said = said.filter(|_| shown).unwrap_or_default();
    let line: String = said.chars().filter(|c| !c.is_control()).take(MOST_SAID).collect();
    let line = if line.is_empty() { line } else { format!(": {line}") };
    let code = if code.is_empty() { format!("it answers {}", answer.status) } else { code };
    Err(Failure::Refused(code, line))
}

/// Whether a refusal may be of credentials that were replaced.
fn is_stale(code: &str) -> bool {
    STALE.contains(&code)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.client)
    }
}

/// What is worth asking again.
const AGAIN: [&str; 7] = [
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "LimitExceededException",
    "KeyUnavailableException",
    "DependencyTimeoutException",
    "KMSInternalException",
];
const STALE: [&str; 7] = [
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "IncompleteSignature",
    "SignatureDoesNotMatch",
];
/// Of what KMS says.
const MOST_SAID: usize = 300;
/// So many milliseconds before they end, credentials are renewed.
const EARLY: u64 = 5 * 60 * 1000;
