//! Who may ask for a reload beside the signal, and what came of the last one.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::moment::unix_ms;

/// Between the admin listener and whoever reads the configuration.
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// None where nothing can be reloaded.
    ask: Option<mpsc::Sender<Asked>>,
    last: Option<Last>,
}

/// Somebody who waits for what comes of a reload.
pub type Asked = oneshot::Sender<Last>;

/// What came of a reload.
#[derive(Clone, Debug)]
pub struct Last {
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// What was taken up: what changed; or why nothing was, in lines.
    pub done: Result<Vec<String>, Vec<String>>,
}

impl Last {
    /// Of a reload that ends now.
    pub fn now(done: Result<Vec<String>, Vec<String>>) -> Self {
        Self { unix_ms: unix_ms(), done }
    }

    /// As pages show it.
    pub fn json(&self) -> Value {
        let (changed, errors) = match &self.done {
            Ok(changed) => (changed.as_slice(), [].as_slice()),
            Err(errors) => ([].as_slice(), errors.as_slice()),
        };
        json!({
            "unix_ms": self.unix_ms,
            "reloaded": self.done.is_ok(),
            "changed": changed,
            "errors": errors,
        })
    }
}

impl Reloads {
    /// From now on reloads can be asked for: each of them comes out here.
    pub fn listen(&self) -> mpsc::Receiver<Asked> {
        let (ask, asked) = mpsc::channel(WAITING);
        self.state().ask = Some(ask);
        asked
    }

    /// Asks for a reload and waits for it; nothing where none can be had, or too many wait.
    pub async fn ask(&self) -> Option<Last> {
        let (tell, told) = oneshot::channel();
        let ask = self.state().ask.clone()?;
        ask.try_send(tell).ok()?;
        told.await.ok()
    }

    /// Notes what came of one.
    pub fn over(&self, last: Last) {
        self.state().last = Some(last);
    }

    /// What came of the last.
    pub fn last(&self) -> Option<Last> {
        self.state().last.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who ask while one is under way.
const WAITING: usize = 8;
