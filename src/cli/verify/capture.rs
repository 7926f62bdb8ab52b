//! Requests and answers as people have them: raw HTTP/1.1, HAR files, the output of `curl -v`.

mod curl;
mod har;

use std::path::Path;

use super::super::raw::{RawRequest, content};
use super::super::{CliError, Exit};
use super::captured::Captured;
use crate::diagnosis::Answer;

/// The requests of a file, of which there is one at least.
pub(super) fn read(path: &Path) -> Result<Vec<Captured>, CliError> {
    let bytes = content(path)?;
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"{") {
        return har::read(text);
    }
    if let Some(captured) = curl::read(&bytes)? {
        return Ok(vec![captured]);
    }
    let (request, faults) = RawRequest::lenient(&bytes)?;
    Ok(vec![Captured { request, faults, answer: None }])
}

/// A provider's answer as it is on the wire.
pub(super) fn answer(path: &Path) -> Result<Answer, CliError> {
    let bytes = content(path)?;
    Answer::read(&bytes).ok_or_else(|| {
        let what = format!("{}: is no HTTP/1.1 answer", path.display());
        CliError::new(Exit::Usage, what)
            .fix("begin it with a line such as HTTP/1.1 401 Unauthorized: curl -i writes it so")
    })
}
