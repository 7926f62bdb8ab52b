//! A request as it was captured, with its signature.

use bytes::Bytes;

use crate::scheme::Head;

/// A request as it was sent, with its signature.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// The head.
    pub(crate) head: Head,
    /// The body.
    pub(crate) body: Bytes,
    /// The names of its headers, as they are written.
    pub(crate) spelled: Vec<String>,
}

impl Captured {
    /// The body, where it is a form.
    pub(super) fn form(&self) -> &[u8] {
        let kind = self.head.single("content-type").unwrap_or_default();
        let json = self.body.first().is_some_and(|byte| b"{[".contains(byte));
        let plain = kind.is_empty() && !json && self.body.contains(&b'=');
        let form = kind.starts_with("application/x-www-form-urlencoded");
        if form || plain { &self.body } else { b"" }
    }
}
