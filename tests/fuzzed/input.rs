//! An input, taken apart: choices in its first bytes, then lines, then a request as it is written.

use bytes::Bytes;
use countersign::scheme::Head;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What is left of an input.
#[derive(Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte; 0 at the end.
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of these.
    pub(super) fn choice<'c, T>(&mut self, of: &'c [T]) -> &'c T {
        &of[usize::from(self.byte()) % of.len()]
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        line
    }

    /// The next line as text; none where it is not UTF-8.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.line()).ok()
    }
}

/// A request: `METHOD TARGET`, headers, an empty line, and the body.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    pub(super) method: Method,
    pub(super) target: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<'a> Message<'a> {
    /// Reads it; none where no HTTP library would hand it on.
    pub(super) fn read(mut input: Input<'a>) -> Option<Self> {
        let (method, target) = input.text()?.split_once(' ')?;
        let method = method.parse().ok()?;
        let mut headers = HeaderMap::new();
        loop {
            let line = input.line();
            if line.is_empty() {
                break;
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
        }
        Some(Self { method, target, headers, body: Bytes::copy_from_slice(input.0) })
    }

    /// As it leaves for a host, where its target is one of a server.
    pub(super) fn head(self, host: &str) -> Option<(Head, Bytes)> {
        let visible = self.target.bytes().all(|byte| byte.is_ascii_graphic());
        let target = self.target.starts_with('/').then(|| self.target.parse().ok()).flatten();
        let Self { method, headers, body, .. } = self;
        let target = target.filter(|_| visible)?;
        Some((Head { method, host: host.to_owned(), target, headers }, body))
    }
}
