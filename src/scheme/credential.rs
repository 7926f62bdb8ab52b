//! Secrets that are inserted as they are, bearer tokens and API keys: what can be said against one
//! before it is sent. What is wrong is said in fixed sentences that contain nothing of the secret.

use super::SchemeError;
use super::jwt::JwtFault;

/// Bytes of a token. Servers refuse heads that are longer as a whole.
pub(super) const MAX_TOKEN: usize = 16 * 1024;

/// Why a secret is not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CredentialFault {
    /// Whether all that is wrong is the time.
    pub(super) dated: bool,
    /// What is wrong, said of the secret.
    pub(super) what: &'static str,
    /// How to mend it.
    pub(super) fix: &'static str,
}

impl CredentialFault {
    /// One that time does not change.
    pub(super) const fn lasting(what: &'static str, fix: &'static str) -> Self {
        Self { dated: false, what, fix }
    }

    /// A token is no JWT that can be believed; `renew` says where a better one comes from.
    pub(super) fn of_jwt(fault: JwtFault, renew: &'static str) -> Self {
        Self::lasting(fault.what(), renew)
    }

    /// The same, said of a slot of a route.
    pub(super) fn of(self, slot: &'static str) -> SchemeError {
        let Self { dated, what, fix } = self;
        SchemeError::Credential { slot, dated, what, fix }
    }
}

/// Checks that a token is there, alone, and can be sent in a header.
pub(super) fn alone(token: &[u8], renew: &'static str) -> Result<(), CredentialFault> {
    const ALONE: &str = "store the token alone";
    if token.is_empty() {
        return Err(CredentialFault::lasting("is empty", renew));
    }
    if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer ")) {
        return Err(CredentialFault::lasting("starts with \"Bearer \"", ALONE));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(CredentialFault::lasting("contains white space or bytes outside ASCII", ALONE));
    }
    if token.len() > MAX_TOKEN {
        return Err(CredentialFault::of_jwt(JwtFault::Long, renew));
    }
    Ok(())
}

/// Checks that a moment is within a token's `exp` and `nbf` (RFC 7519, sections 4.1.4 and 4.1.5),
/// in seconds; where it has none, nothing speaks against it.
pub(super) fn in_time(
    expiry: Option<f64>,
    beginning: Option<f64>,
    unix_ms: u64,
    renew: &'static str,
) -> Result<(), CredentialFault> {
    // Milliseconds are exact in 53 bits for another quarter of a million years.
    let now = unix_ms as f64 / 1000.0;
    if expiry.is_some_and(|expiry| expiry <= now) {
        return Err(CredentialFault { dated: true, what: "has expired", fix: renew });
    }
    if beginning.is_some_and(|beginning| beginning > now) {
        let fix = "wait, or set this machine's clock";
        return Err(CredentialFault { dated: true, what: "is not valid yet (nbf)", fix });
    }
    Ok(())
}
