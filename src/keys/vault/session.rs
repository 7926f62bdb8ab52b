//! A login that lasts: questions with a token, which is renewed before it ends, and got anew where it
//! cannot be or was taken back.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::login::{Login, question};
use crate::https::{Answer, Client};
use crate::keys::hosted::Fault;
use crate::problem::Problem;
use crate::secret::Secret;

/// A way to a Vault.
pub(super) struct Session {
    client: Client,
    namespace: Option<HeaderValue>,
    login: Login,
    /// Held while somebody logs in, so that one does for all.
    token: tokio::sync::Mutex<Option<Arc<Held>>>,
    /// What renews it.
    keeper: Mutex<Option<AbortHandle>>,
    /// For the keeper.
    own: Weak<Self>,
}

/// A token.
struct Held {
    token: Arc<Secret>,
    /// How long it lasts from when it was got; none where it has no end.
    lease: Option<Duration>,
    renewable: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody answers, or it is sealed or busy.
    Away(String),
    /// What was asked for is not there.
    Missing,
    /// It does not want to; its own words.
    Refused(u16, String),
    /// There is no way to log in.
    NoLogin(Problem),
}

impl Failure {
    /// For a person who starts the proxy.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Away(why) => Problem::new(
                format!("is out of reach: {why}"),
                "start or unseal the Vault, or mend the store's address",
            ),
            Self::Missing => Problem::new("is not there", "correct mount, or login_mount"),
            Self::Refused(status, said) => Problem::new(
                format!("is refused by the Vault ({status}): {said}"),
                "give the token's policy `read` on the key and `update` on its sign or hmac path",
            ),
            Self::NoLogin(problem) => problem.of("is out of reach:"),
        }
    }

    /// For a request.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Away(_) => Fault::Away("the Vault is out of reach, or sealed"),
            Self::Missing => Fault::Refused("the key is not in the Vault any more"),
            Self::Refused(403, _) => Fault::Refused("the Vault refused the token"),
            Self::Refused(..) => Fault::Refused("the Vault refused to sign"),
            Self::NoLogin(_) => Fault::Refused("there is nothing to log in to the Vault with"),
        }
    }
}

impl Session {
    pub(super) fn new(client: Client, namespace: Option<HeaderValue>, login: Login) -> Arc<Self> {
        let (token, keeper) = (tokio::sync::Mutex::default(), Mutex::default());
        Arc::new_cyclic(|own| Self { client, namespace, login, token, keeper, own: own.clone() })
    }

    /// Asks with a token. One that is refused may have been taken back: it is asked once more, with
    /// another.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        question: Option<&Value>,
    ) -> Result<Value, Failure> {
        let held = self.held(None).await?;
        match self.exchange(method.clone(), path, question, Some(&held.token)).await {
            Err(Failure::Refused(403, _)) => {}
            other => return other,
        }
        let held = self.held(Some(&held)).await?;
        self.exchange(method, path, question, Some(&held.token)).await
    }

    /// The token, or another than `refused`.
    async fn held(&self, refused: Option<&Arc<Held>>) -> Result<Arc<Held>, Failure> {
        let mut token = self.token.lock().await;
        let good = |held: &&Arc<Held>| refused.is_none_or(|refused| !Arc::ptr_eq(held, refused));
        if let Some(held) = token.as_ref().filter(good) {
            return Ok(Arc::clone(held));
        }
        let held = Arc::new(self.log_in().await?);
        *token = Some(Arc::clone(&held));
        drop(token);
        self.keep();
        Ok(held)
    }

    async fn log_in(&self) -> Result<Held, Failure> {
        match &self.login {
            Login::Token(source) => {
                let token = source.read().await.map_err(Failure::NoLogin)?;
                // Whether a token may look at itself is a matter of its policy.
                let path = "auth/token/lookup-self";
                let looked = match self.exchange(Method::GET, path, None, Some(&token)).await {
                    Ok(looked) => looked,
                    Err(Failure::Away(why)) => return Err(Failure::Away(why)),
                    Err(_) => Value::Null,
                };
                let data = looked.get("data").unwrap_or(&Value::Null);
                let (lease, renewable) = lease(data, "ttl");
                Ok(Held { token, lease, renewable })
            }
            Login::Asked { path, role, proof } => {
                let (member, proof) = proof.member().await.map_err(Failure::NoLogin)?;
                let question = question(role, member, &proof);
                let asked = self.exchange(Method::POST, path, Some(&question), None).await;
                let none = || {
                    let what = format!("there is no way to log in at {path}");
                    Failure::NoLogin(Problem::new(what, "correct login_mount, or namespace"))
                };
                // Not to be taken for the key that is asked for afterwards.
                let answer =
                    asked.map_err(|failure| match matches!(failure, Failure::Missing) {
                        true => none(),
                        false => failure,
                    })?;
                Held::granted(answer).ok_or_else(|| Failure::Away("it gave no token".into()))
            }
        }
    }

    /// Has the token renewed for as long as this lasts.
    fn keep(&self) {
        let kept = tokio::spawn(keep(self.own.clone())).abort_handle();
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = keeper.replace(kept) {
            before.abort();
        }
    }

    /// Renews the token, or gets another; says whether there is one.
    async fn renew(&self) -> Result<(), Failure> {
        let mut token = self.token.lock().await;
        let Some(held) = token.clone() else { return Ok(()) };
        if held.renewable {
            let path = "auth/token/renew-self";
            let question = json!({});
            let renewed =
                self.exchange(Method::POST, path, Some(&question), Some(&held.token)).await;
            let renewed = renewed.map(Held::granted);
            if let Err(Failure::Away(why)) = renewed {
                return Err(Failure::Away(why));
            }
            // Near the end of all renewals, less is given than was asked for.
            if let Ok(Some(renewed)) = renewed
                && renewed.lease.is_none_or(|lease| Some(lease) >= held.lease.map(|was| was / 2))
            {
                *token = Some(Arc::new(renewed));
                return Ok(());
            }
        }
        *token = Some(Arc::new(self.log_in().await?));
        Ok(())
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        question: Option<&Value>,
        token: Option<&Secret>,
    ) -> Result<Value, Failure> {
        let away = |error: &dyn fmt::Display| Failure::Away(error.to_string());
        let body = question.map(Value::to_string).unwrap_or_default().into_bytes();
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = format!("/v1/{path}").parse().map_err(|error| away(&error))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers
            .insert(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
        if let Some(namespace) = &self.namespace {
            headers.insert(HeaderName::from_static("x-vault-namespace"), namespace.clone());
        }
        if let Some(token) = token {
            let token = HeaderValue::from_bytes(token.expose());
            let mut token = token.map_err(|_| {
                let fix = "put the token alone there";
                Failure::NoLogin(Problem::new("the token is no text on one line", fix))
            })?;
            token.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-vault-token"), token);
        }
        let answer = self.client.ask(request).await.map_err(|error| away(&error))?;
        understood(&answer)
    }
}

impl Held {
    /// The token of an answer, in `auth`.
    fn granted(mut answer: Value) -> Option<Self> {
        let auth = answer.get_mut("auth")?;
        let (lease, renewable) = lease(auth, "lease_duration");
        let Value::String(token) = auth.get_mut("client_token")?.take() else { return None };
        Some(Self { token: Arc::new(Secret::new(token.into_bytes())), lease, renewable })
    }
}

/// How long, and whether it can be longer.
fn lease(of: &Value, member: &str) -> (Option<Duration>, bool) {
    let seconds = of.get(member).and_then(Value::as_u64).filter(|seconds| *seconds > 0);
    let renewable = of.get("renewable").and_then(Value::as_bool).unwrap_or_default();
    (seconds.map(Duration::from_secs), renewable)
}

/// Renews a session's token when two thirds of its time are over, again and again.
async fn keep(session: Weak<Session>) {
    loop {
        let Some(lease) = lease_of(&session).await else { return };
        tokio::time::sleep((lease * 2 / 3).max(SOONEST)).await;
        loop {
            let Some(session) = session.upgrade() else { return };
            // What cannot be mended by waiting, the next request finds out for itself.
            let Err(Failure::Away(_)) = session.renew().await else { break };
            drop(session);
            tokio::time::sleep((lease / 30).max(SOONEST)).await;
        }
    }
}

async fn lease_of(session: &Weak<Session>) -> Option<Duration> {
    let session = session.upgrade()?;
    let token = session.token.lock().await;
    token.as_ref().and_then(|held| held.lease)
}

/// What an answer says.
fn understood(answer: &Answer) -> Result<Value, Failure> {
    let read = serde_json::from_slice::<Value>(answer.body.expose());
    match answer.status {
        200 => read.map_err(|_| Failure::Away("its answer is no JSON".into())),
        204 => Ok(Value::Null),
        404 => Err(Failure::Missing),
        // Rate limits, standbys, replicas that lag behind, sealed, and what is broken.
        412 | 429 | 472 | 473 | 500.. => {
            Err(Failure::Away(format!("it answers {}", answer.status)))
        }
        status => Err(Failure::Refused(status, said(&read.unwrap_or_default()))),
    }
}

/// The errors of an answer, in one line of printable characters.
fn said(answer: &Value) -> String {
    let errors = answer.get("errors").and_then(Value::as_array);
    let errors: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
    let said = errors.join("; ");
    let words = said.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.is_empty() { "it says no more".into() } else { line.chars().take(MOST_SAID).collect() }
}

impl Drop for Session {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.client)
    }
}

/// A token is not renewed more often.
const SOONEST: Duration = Duration::from_secs(1);
/// Of what a Vault says.
const MOST_SAID: usize = 300;
