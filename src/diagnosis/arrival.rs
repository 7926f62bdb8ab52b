//! When a request arrived: what its times make of that, and what the provider's answer says of it.

use crate::scheme::{Cause, Entry, Limit, Stamp, causes, instant};

/// What a provider answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its `Date`, in milliseconds since 1970.
    pub date_ms: Option<u64>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Header lines of an answer that are read.
const LINES: usize = 128;

impl Answer {
    /// Reads an answer as it is on the wire, lines ending in LF alone too; none where it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = [httparse::EMPTY_HEADER; LINES];
        let mut response = httparse::Response::new(&mut lines);
        // HTTP/2 has no such line, and curl writes one all the same.
        let text = String::from_utf8_lossy(bytes).replacen("HTTP/2 ", "HTTP/1.1 ", 1);
        let whole = [text.as_bytes(), b"\r\n\r\n"].concat();
        let httparse::Status::Complete(length) = response.parse(&whole).ok()? else { return None };
        let status = response.code?;
        let date = response.headers.iter().find(|line| line.name.eq_ignore_ascii_case("date"));
        let date = date.and_then(|line| str::from_utf8(line.value).ok());
        let date_ms = date.and_then(instant);
        let body = whole.get(length..).unwrap_or_default().trim_ascii_end().to_vec();
        Some(Self { status, date_ms, body })
    }

    /// What the provider's answer says, where it rejects the request.
    pub fn cause(&self, entry: &Entry) -> Option<Cause> {
        let rejected = entry.rejections.judge(self.status, &self.body)?;
        let blame = rejected.blame?;
        let code = rejected.code.unwrap_or_default();
        let said = format!("the provider answered {}, {code}: {}", self.status, blame.says());
        Some(Cause::seen(&causes::time::ANSWER_CODE).said(said).fix(blame.fix()))
    }
}

/// What is wrong with the times of a request that arrived then, in milliseconds since 1970.
pub fn time_causes(stamps: &[Stamp], arrived: u64) -> Vec<Cause> {
    stamps.iter().filter_map(|stamp| time_cause(stamp, i128::from(arrived))).collect()
}

fn time_cause(stamp: &Stamp, arrived: i128) -> Option<Cause> {
    let Stamp { part, unix_ms, limit } = stamp;
    let age = arrived - unix_ms;
    let (known, said) = match limit {
        Limit::Signed(window) => {
            let window = i128::from((*window)?);
            if age > window {
                (
                    &causes::time::CLOCK_BEHIND,
                    format!("{part} was {} old when the request arrived", span(age)),
                )
            } else if age < -window {
                (
                    &causes::time::CLOCK_AHEAD,
                    format!("{part} was {} in the future when the request arrived", span(age)),
                )
            } else {
                return None;
            }
        }
        Limit::Until if age >= 0 => (
            &causes::time::EXPIRED,
            format!("{part} had passed {} before the request arrived", span(age)),
        ),
        Limit::From if age < 0 => (
            &causes::time::NOT_YET,
            format!("{part} was {} in the future when the request arrived", span(age)),
        ),
        Limit::Until | Limit::From => return None,
    };
    Some(
        Cause::seen(known)
            .said(said)
            .proof(format!("it arrived at {arrived} ms, and {part} is {unix_ms} ms")),
    )
}

/// A length of time for people.
fn span(ms: i128) -> String {
    let seconds = ms.unsigned_abs() / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
