//! Requests and answers as people have them: raw HTTP/1.1, HAR files, the output of `curl -v`.

mod curl;
mod har;

use std::path::Path;

use super::super::raw::{RawRequest, content, no_request};
use super::super::{CliError, Exit};
use super::captured::Captured;
use crate::diagnosis::Answer;

/// The requests of a file, of which there is one at least.
pub(in crate::cli) fn read(path: &Path) -> Result<Vec<Captured>, CliError> {
    parse(&content(path)?)
}

/// The same of what was read already.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Captured>, CliError> {
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"{") {
        return har::read(text);
    }
    if let Some(captured) = curl::read(bytes)? {
        return Ok(vec![captured]);
    }
    Ok(vec![Captured::of(RawRequest::lenient(bytes)?)])
}

/// The one request of a file.
pub(in crate::cli) fn one(path: &Path) -> Result<Captured, CliError> {
    let mut all = read(path)?;
    let captured = all.pop().filter(|_| all.is_empty()).ok_or_else(|| {
        let what = format!("{}: has several requests", path.display());
        CliError::new(Exit::Usage, what).fix("write a file with one of them")
    })?;
    match captured.faults.first() {
        Some(fault) => Err(no_request(fault.cause.clone().into_owned())),
        None => Ok(captured),
    }
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
