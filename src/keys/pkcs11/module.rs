//! The modules of this process. Each is loaded once and stays: it has threads of its own, since calls
//! of it block; and sessions, which are logged in and wait for use.
//!
//! A module that has lost its token may have to be initialised again, which ends every session of it.
//! So each call holds the module as a reader does, and who initialises holds it alone.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;

use super::fault::Fault;
use crate::cost::Cost;
use crate::secret::Secret;
use crate::workers::{Pool, Queue};

/// A vendor's library.
pub(super) struct Module {
    path: PathBuf,
    pool: Arc<Pool>,
    state: RwLock<State>,
    /// PINs that tokens have refused, by serial number: no token sees one twice, since some lock
    /// themselves after three.
    refused: Mutex<Vec<(String, Arc<Secret>)>>,
}

/// What ends when a module is initialised again.
#[derive(Default)]
struct State {
    /// The library, once it is loaded. It is never unloaded: it may have left threads behind.
    context: Option<Pkcs11>,
    /// Whether it is initialised.
    up: bool,
    /// Why it cannot be loaded.
    unloadable: Option<String>,
    /// Counts initialisations: what was learned before the last one is forgotten.
    epoch: u64,
    /// When it was last initialised, or tried to be.
    tried: Option<Instant>,
    /// Sessions that wait for the next signature, by the token they are with.
    idle: Mutex<BTreeMap<String, Vec<Session>>>,
}

/// A module in use.
pub(super) struct Entered<'m>(RwLockReadGuard<'m, State>);

impl Module {
    /// The one at this path. It is loaded by its first use.
    pub(super) fn at(path: &Path) -> io::Result<Arc<Self>> {
        static ALL: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());
        // Two names of one library are one library.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut all = locked(&ALL);
        if let Some(module) = all.get(&path) {
            return Ok(Arc::clone(module));
        }
        let pool = Pool::of(threads(&path))?;
        let module = Arc::new(Self {
            path: path.clone(),
            pool,
            state: RwLock::default(),
            refused: Mutex::default(),
        });
        all.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// A key's way to its threads. How long a device takes is not known; the threads wait for it.
    pub(super) fn queue(&self) -> Queue {
        Queue::new(Arc::clone(&self.pool), Cost::NOTHING)
    }

    /// Loads and initialises it, if it is not, and keeps it so until the guard goes.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub(super) fn enter(&self) -> Result<Entered<'_>, Fault> {
        loop {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            if state.up {
                return Ok(Entered(state));
            }
            drop(state);
            self.write(|state| match (state.up, state.is_early()) {
                (true, _) => Ok(()),
                (false, true) => Err(UNREACHED),
                (false, false) => self.initialise(state),
            })?;
        }
    }

    /// Initialises it again, unless that has been done since `epoch`, or a moment ago.
    ///
    /// # Errors
    ///
    /// Why it cannot be: its token is out of reach.
    pub(super) fn renew(&self, epoch: u64) -> Result<(), Fault> {
        self.write(|state| {
            if state.epoch != epoch || state.is_early() || !state.up {
                return Ok(());
            }
            // Before they belong to nobody: their numbers are given out again.
            locked(&state.idle).clear();
            state.up = false;
            if let Some(context) = state.context.clone() {
                // It has nothing to end where it has lost what it was connected to.
                let _ended = context.finalize();
            }
            self.initialise(state)
        })
    }

    fn initialise(&self, state: &mut State) -> Result<(), Fault> {
        state.tried = Some(Instant::now());
        let context = match state.context.take() {
            Some(context) => context,
            None => Pkcs11::new(&self.path).inspect_err(|error| {
                let text = if let Error::LibraryLoading(error) = error {
                    error.to_string()
                } else {
                    "it is no PKCS#11 module".into()
                };
                state.unloadable = Some(text);
            })?,
        };
        let begun = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        state.context = Some(context);
        match begun {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {
                state.up = true;
                state.epoch += 1;
                Ok(())
            }
            Err(_) => Err(UNREACHED),
        }
    }

    /// Why it cannot be loaded, where it cannot.
    pub(super) fn unloadable(&self) -> Option<String> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).unloadable.clone()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> Result<T, Fault>) -> Result<T, Fault> {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the token has refused this PIN before.
    pub(super) fn has_refused(&self, serial: &str, pin: &Secret) -> bool {
        locked(&self.refused).iter().any(|(of, refused)| {
            of == serial && verify_slices_are_equal(refused.expose(), pin.expose()).is_ok()
        })
    }

    /// Remembers that it has.
    pub(super) fn refuse(&self, serial: String, pin: &Arc<Secret>) {
        locked(&self.refused).push((serial, Arc::clone(pin)));
    }
}

impl State {
    /// Whether it was tried a moment ago.
    fn is_early(&self) -> bool {
        self.tried.is_some_and(|tried| tried.elapsed() < PAUSE)
    }
}

impl Entered<'_> {
    pub(super) fn context(&self) -> &Pkcs11 {
        self.0.context.as_ref().expect("who enters finds it initialised")
    }

    pub(super) fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// A session with this token that waits.
    pub(super) fn idle(&self, token: &str) -> Option<Session> {
        locked(&self.0.idle).get_mut(token)?.pop()
    }

    /// Has a session wait for its next use.
    pub(super) fn keep(&self, token: &str, session: Session) {
        locked(&self.0.idle).entry(token.to_owned()).or_default().push(session);
    }

    /// Closes the sessions with a token that has lost one.
    pub(super) fn forget(&self, token: &str) {
        let forgotten = locked(&self.0.idle).remove(token);
        drop(forgotten);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({})", self.path.display())
    }
}

/// Threads of a module, and so the most sessions that it has with a token.
fn threads(module: &Path) -> usize {
    let alone = module.file_name().is_some_and(|name| name == ALONE);
    if alone { 1 } else { THREADS }
}

/// They wait for the token far more than they compute; small devices have 16 sessions for all programs.
const THREADS: usize = 8;

/// The client of `p11-kit server` has one connection, on which it is served one call after the other.
/// When the server ends in the middle of an answer to one call, others that wait for theirs wait for
/// ever (seen in 0.24.1), and the module can then not be initialised again. One thread has no others.
const ALONE: &str = "p11-kit-client.so";

const UNREACHED: Fault = Fault::Gone("the module cannot reach its tokens");

/// How often a module without its token is initialised again. It ends the sessions of its other
/// tokens, if it has any.
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_p11_kit_has_one_thread() {
        for (name, expected) in [("p11-kit-client.so", 1), ("libsofthsm2.so", 8)] {
            assert_eq!(threads(&Path::new("/usr/lib").join(name)), expected, "{name}");
        }
    }
}
