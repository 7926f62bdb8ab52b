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
        let mut found: Vec<(usize, &[u8])> = Vec::with_capacity(names.len());
        for start in memchr::memchr_iter(b'\n', bytes).map(|end| end + 1) {
            let line = bytes.get(start..)?;
            if line.starts_with(b"\r\n") {
                let mut head = bytes.get(..start + 2)?.to_vec();
                for (start, name) in found {
                    head.get_mut(start..start + name.len())?.copy_from_slice(name);
                }
                return Some(Self { head, written: 0 });
            }
            let names = names.iter().map(|name| name.as_bytes());
            found.extend(names.filter(|name| begins(line, name)).map(|name| (start, name)));
        }
        None
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

/// Whether a line has a header of this name, however it is written. The colon is looked at first:
/// it is seldom where a name of another length has it.
fn begins(line: &[u8], name: &[u8]) -> bool {
    line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
}

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
