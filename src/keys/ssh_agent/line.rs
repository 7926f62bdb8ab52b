//! Connections to an agent: a few, kept while they are good, made again when the agent has been
//! started again.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::keys::SignError;

/// The way to one agent.
#[derive(Debug)]
pub(super) struct Line {
    socket: PathBuf,
    /// Connections that wait for the next question.
    idle: Mutex<Vec<UnixStream>>,
    /// Taken from while a question is under way, in the order of asking.
    open: Semaphore,
    /// Taken from while a question waits or is under way.
    places: Arc<Semaphore>,
}

impl Line {
    pub(super) fn new(socket: PathBuf) -> Self {
        let (open, places) = (Semaphore::new(CONNECTIONS), Arc::new(Semaphore::new(PLACES)));
        Self { socket, idle: Mutex::default(), open, places }
    }

    pub(super) fn socket(&self) -> &PathBuf {
        &self.socket
    }

    /// Asks in turn, on a connection that is there or a new one.
    ///
    /// # Errors
    ///
    /// [`SignError::Busy`] where too many wait; else why there is no answer.
    pub(super) async fn ask(&self, question: &[u8]) -> Result<io::Result<Vec<u8>>, SignError> {
        let _place = match self.places.try_acquire() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(SignError::Busy);
            }
        };
        let _turn = self.open.acquire().await.map_err(|_| SignError::Busy)?;
        // An agent that has ended leaves connections that look good until they are used.
        while let Some(stream) = self.kept() {
            if let Ok(answer) = self.exchange(stream, question).await {
                return Ok(Ok(answer));
            }
        }
        Ok(match UnixStream::connect(&self.socket).await {
            Ok(stream) => self.exchange(stream, question).await,
            Err(error) => Err(error),
        })
    }

    fn kept(&self) -> Option<UnixStream> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// One question and its answer. Who is dropped in the middle takes the connection along.
    async fn exchange(&self, mut stream: UnixStream, question: &[u8]) -> io::Result<Vec<u8>> {
        let length = u32::try_from(question.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
        let length = stream.read_u32().await?;
        if length > MOST_ANSWERED {
            return Err(io::Error::other("the agent's answer is too long"));
        }
        let mut answer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        stream.read_exact(&mut answer).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(answer)
    }
}

/// An agent signs one after the other; more connections would only wait there.
const CONNECTIONS: usize = 4;

/// How many signatures may wait or be made.
const PLACES: usize = 64;

/// As OpenSSH has it for both directions.
const MOST_ANSWERED: u32 = 256 * 1024;
