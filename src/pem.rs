//! PEM blocks (RFC 7468), and what is in them, wiped when dropped.
//!
//! More lenient than the standard, as people's files are: text around the blocks, lines of any
//! length and either ending.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A block: its label, and what is between its lines.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    /// `PRIVATE KEY`, for one.
    pub(crate) label: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Block<'_> {
    /// The contents; `None` where they are no base64.
    pub(crate) fn decode(&self) -> Option<Zeroizing<Vec<u8>>> {
        // Both buffers have their final size at once, so that no copy is left behind by growing.
        let mut base64 = Zeroizing::new(Vec::with_capacity(self.body.len()));
        base64.extend(self.body.iter().filter(|b| !b.is_ascii_whitespace()));
        let mut der = Zeroizing::new(vec![0; base64.len() / 4 * 3 + 3]);
        let length = STANDARD.decode_slice(&base64[..], &mut der).ok()?;
        der.truncate(length);
        Some(der)
    }
}

/// A block begins, and its END line is missing or has another label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutShort;

/// The blocks of a text, in order, up to one that is cut short.
pub(crate) fn blocks(text: &[u8]) -> impl Iterator<Item = Result<Block<'_>, CutShort>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let next = next_block(rest);
        rest = match &next {
            Ok(Some((_, after))) => after,
            Ok(None) | Err(CutShort) => &[],
        };
        next.map(|found| found.map(|(block, _)| block)).transpose()
    })
}

fn next_block(text: &[u8]) -> Result<Option<(Block<'_>, &[u8])>, CutShort> {
    let Some((_, after)) = split(text, BEGIN) else { return Ok(None) };
    let (label, after) = split(after, b"-----").ok_or(CutShort)?;
    let end = [b"-----END ", label, b"-----"].concat();
    let (body, rest) = split(after, &end).ok_or(CutShort)?;
    Ok(Some((Block { label, body }, rest)))
}

/// Whether a block begins somewhere.
pub(crate) fn is_pem(text: &[u8]) -> bool {
    split(text, BEGIN).is_some()
}

/// What is before and after the first `mark`.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

const BEGIN: &[u8] = b"-----BEGIN ";
