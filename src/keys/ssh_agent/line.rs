//! Connections to an agent: a few, kept while they are good, made again when the agent has been
//! started again.

use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::keys::SignError;
use crate::keys::turns::{Turn, Turns};

/// The way to one agent.
#[derive(Debug)]
pub(super) struct Line {
    socket: PathBuf,
    turns: Turns<UnixStream>,
}

impl Line {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket, turns: Turns::new(CONNECTIONS, PLACES) }
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
        let turn = self.turns.turn().await?;
        while let Some(stream) = turn.kept() {
            if let Ok(answer) = exchange(&turn, stream, question).await {
                return Ok(Ok(answer));
            }
        }
        Ok(match UnixStream::connect(&self.socket).await {
            Ok(stream) => exchange(&turn, stream, question).await,
            Err(error) => Err(error),
        })
    }
}

/// One question and its answer. Who is dropped in the middle takes the connection along.
async fn exchange(
    turn: &Turn<'_, UnixStream>,
    mut stream: UnixStream,
    question: &[u8],
) -> io::Result<Vec<u8>> {
    let length = u32::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u32().await?;
    if length > MOST_ANSWERED {
        return Err(io::Error::other("the agent's answer is too long"));
    }
    let mut answer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut answer).await?;
    turn.keep(stream);
    Ok(answer)
}

/// An agent signs one after the other; more connections would only wait there.
const CONNECTIONS: usize = 4;

/// How many signatures may wait or be made.
const PLACES: usize = 64;

/// As OpenSSH has it for both directions.
const MOST_ANSWERED: u32 = 256 * 1024;
