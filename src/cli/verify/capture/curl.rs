//! The output of `curl -v`: lines of the request behind `>`, of the answer behind `<`.

use super::super::super::CliError;
use super::super::super::raw::RawRequest;
use super::super::captured::Captured;
use crate::diagnosis::Answer;

/// The last request of curl's output, where it is that. Its body is not in it; what stands behind an
/// empty line at the end is taken for one.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Captured>, CliError> {
    let text = String::from_utf8_lossy(bytes);
    let is_curl = text
        .lines()
        .any(|line| line.strip_prefix("> ").is_some_and(|line| line.trim_end().contains(" HTTP/")));
    if !is_curl {
        return Ok(None);
    }
    let (mut request, mut answer) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(line) = line.strip_prefix('>') {
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            if line.contains(" HTTP/") && !line.contains(": ") {
                // A redirect or a retry is a request of its own.
                request.clear();
                answer.clear();
            }
            request.push_str(&line.replace(" HTTP/2", " HTTP/1.1"));
            request.push_str("\r\n");
        } else if let Some(line) = line.strip_prefix('<') {
            answer.push_str(line.trim());
            answer.push_str("\r\n");
        }
    }
    let body = text.rsplit_once("\n\n").map_or("", |(_, body)| body);
    let body = if body.starts_with(['<', '>', '*']) { "" } else { body.trim_end() };
    if !request.ends_with("\r\n\r\n") {
        request.push_str("\r\n");
    }
    request.push_str(body);
    let captured = Captured::of(RawRequest::lenient(request.as_bytes())?);
    Ok(Some(Captured { answer: Answer::read(answer.as_bytes()), ..captured }))
}
