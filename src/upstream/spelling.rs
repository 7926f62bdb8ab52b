//! Names of headers as a provider documents them, where it goes on in HTTP/1.1: `X-API-SIG`, not
//! `X-Api-Sig`.
//!
//! hyper writes names as the client wrote them, or else with capitals, and takes no others. So a
//! head is written once more on its way out, with those names in their own letters. No byte comes
//! or goes: what is counted as written is what hyper counts.

use std::borrow::Cow;
use std::sync::Arc;

/// The names that the provider documents, for a request's extensions.
#[derive(Clone, Debug)]
pub struct Documented(pub Arc<[Cow<'static, str>]>);

/// A head on its way out.
#[derive(Debug)]
pub(super) struct Respelled {
    head: Vec<u8>,
    written: usize,
}

impl Respelled {
    /// The head at the beginning of `bytes`, respelled; none where no whole head is there.
    pub(super) fn new(bytes: &[u8], names: &[Cow<'static, str>]) -> Option<Self> {
        let end = bytes.windows(END.len()).position(|four| four == END)?;
        let mut head = bytes.get(..end + END.len())?.to_vec();
        for line in head.split_mut(|byte| *byte == b'\n').skip(1) {
            for name in names.iter().map(|name| name.as_bytes()) {
                let Some((start, rest)) = line.split_at_mut_checked(name.len()) else { continue };
                if rest.first() == Some(&b':') && start.eq_ignore_ascii_case(name) {
                    start.copy_from_slice(name);
                }
            }
        }
        Some(Self { head, written: 0 })
    }

    /// What is left of it.
    pub(super) fn rest(&self) -> &[u8] {
        self.head.get(self.written..).unwrap_or_default()
    }

    /// Notes that so many bytes were written; says whether the head is.
    pub(super) fn wrote(&mut self, count: usize) -> bool {
        self.written += count;
        self.written >= self.head.len()
    }
}

const END: &[u8] = b"\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_respelled_and_nothing_else_is() {
        let names = &["X-API-KEY".into(), "X-API-SIG".into()];
        let head = "GET /x-api-key: HTTP/1.1\r\nx-api-key: x-api-key: 1\r\nX-Api-Sig:2\r\n\
                    x-api-sign: 3\r\nsig-x-api-sig: 4\r\n\r\n";
        let spelled = "GET /x-api-key: HTTP/1.1\r\nX-API-KEY: x-api-key: 1\r\nX-API-SIG:2\r\n\
                       x-api-sign: 3\r\nsig-x-api-sig: 4\r\n\r\n";
        let whole = format!("{head}x-api-key: in a body\r\n\r\n");
        let mut respelled = Respelled::new(whole.as_bytes(), names).expect("a whole head");
        assert_eq!(respelled.rest(), spelled.as_bytes());
        assert!(!respelled.wrote(7));
        assert_eq!(respelled.rest(), &spelled.as_bytes()[7..]);
        assert!(respelled.wrote(spelled.len() - 7));
        let part = head.strip_suffix("\r\n").expect("it ends so");
        assert!(Respelled::new(part.as_bytes(), names).is_none());
    }
}
