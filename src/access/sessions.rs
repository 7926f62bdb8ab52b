//! Sessions of people at the admin listener: for a while a cookie stands in the place of a token.
//!
//! The cookie's value is drawn and says nothing of the token. It is worth nothing to another address or
//! user than signed in, as browsers show a cookie to every port of a host, and nothing from the moment on
//! that the token is no longer one of `access.tokens`.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest as _, Sha256};

use super::tokens::Ticket;
use crate::peer::Peer;

/// Those that are open.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Mutex<VecDeque<Session>>>);

/// Who is at the other end: a client's address, and its user where that is known.
pub type Whose = (Option<IpAddr>, Peer);

struct Session {
    /// SHA-256 of the cookie's value.
    id: [u8; 32],
    ticket: Ticket,
    whose: Whose,
    until: Instant,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.ticket.name())
    }
}

impl Sessions {
    /// Opens one for whoever has shown a token, and says what `Set-Cookie` shall be. The oldest makes
    /// room.
    pub fn open(&self, ticket: Ticket, whose: Whose) -> String {
        let mut random = [0; 32];
        rand::fill(&mut random).expect("the system has random numbers");
        let value = base16ct::lower::encode_string(&random);
        let (id, until) = (digest(&value), Instant::now() + LONGEST);
        let mut open = self.state();
        open.retain(|session| session.until > Instant::now());
        let much = (open.len() + 1).saturating_sub(MOST);
        open.drain(..much);
        open.push_back(Session { id, ticket, whose, until });
        format!("{NAME}={value}; {ATTRIBUTES}; Max-Age={}", LONGEST.as_secs())
    }

    /// The ticket of the session that a request's cookies name.
    pub fn find(&self, headers: &HeaderMap, whose: Whose) -> Option<Ticket> {
        let shown: Vec<_> = shown(headers).collect();
        let (open, now) = (self.state(), Instant::now());
        let mut own = open.iter().filter(|own| own.whose == whose && own.until > now);
        let own = own.find(|own| shown.iter().any(|id| is_same(id, &own.id)));
        own.map(|own| own.ticket.clone())
    }

    /// Closes the session that a request's cookies name, and says what `Set-Cookie` shall be.
    pub fn close(&self, headers: &HeaderMap) -> String {
        let shown: Vec<_> = shown(headers).collect();
        self.state().retain(|own| !shown.iter().any(|id| is_same(id, &own.id)));
        format!("{NAME}=; {ATTRIBUTES}; Max-Age=0")
    }

    fn state(&self) -> MutexGuard<'_, VecDeque<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

/// The digests of what a request's cookies of our name are; of a few, as there is no need of more.
fn shown(headers: &HeaderMap) -> impl Iterator<Item = [u8; 32]> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == NAME).take(4).map(|(_, value)| digest(value))
}

fn digest(value: &str) -> [u8; 32] {
    Sha256::digest(value).into()
}

const NAME: &str = "countersign-session";
/// No script reads it, and no page of another site sends it (RFC 6265bis, section 5.6.7). It is no
/// `Secure` one, as the listener speaks plain HTTP.
const ATTRIBUTES: &str = "Path=/; HttpOnly; SameSite=Strict";
/// Sessions at a time.
const MOST: usize = 64;
/// How long one lasts.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::access::Tokens;
    use crate::secret::Secret;

    fn ticket() -> Ticket {
        let tokens = Tokens::one("app", &Secret::new(b"t0ken".to_vec()));
        tokens.ticket(Some(b"app"), b"t0ken").expect("it is the token")
    }

    fn cookies(set: &str) -> HeaderMap {
        let pair = set.split(';').next().expect("a pair");
        let mut headers = HeaderMap::new();
        let line = HeaderValue::try_from(format!("a=b; {pair}")).expect("a value");
        headers.insert(COOKIE, line);
        headers
    }

    #[test]
    fn a_session_is_of_whom_it_was_opened_for_until_it_is_closed() {
        let (sessions, whose) = (Sessions::default(), (None, Peer::User(7)));
        let set = sessions.open(ticket(), whose);
        assert!(set.contains("HttpOnly; SameSite=Strict") && !set.contains("t0ken"), "{set}");
        let shown = cookies(&set);
        assert_eq!(sessions.find(&shown, whose).expect("it is open").name(), "app");
        assert!(sessions.find(&shown, (None, Peer::User(8))).is_none(), "another user's");
        assert!(sessions.find(&cookies("countersign-session=00"), whose).is_none());
        assert!(sessions.find(&HeaderMap::new(), whose).is_none());
        assert!(sessions.close(&shown).contains("Max-Age=0"));
        assert!(sessions.find(&shown, whose).is_none());
    }

    #[test]
    fn the_oldest_session_makes_room() {
        let (sessions, whose) = (Sessions::default(), (None, Peer::Gone));
        let all: Vec<_> = (0..=MOST).map(|_| cookies(&sessions.open(ticket(), whose))).collect();
        assert!(sessions.find(&all[0], whose).is_none());
        assert!(all[1..].iter().all(|shown| sessions.find(shown, whose).is_some()));
    }
}
