//! Finding the key in a PEM text.
//!
//! More lenient than the standard, as people's files are: text around the blocks, lines of any
//! length and either ending, other blocks before the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::der::reencrypt;
use super::error::FormatError;

/// The contents of the first block that holds a key, or of the first block; `None` if the bytes
/// are no PEM at all.
pub(super) fn find(bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, FormatError> {
    let mut first = None;
    let mut rest = bytes;
    while let Some((block, after)) = next_block(rest)? {
        rest = after;
        // OpenSSL writes the name of the curve before the key, which says it again.
        if block.label.ends_with(b"PARAMETERS") {
            continue;
        }
        if block.label.ends_with(b"PRIVATE KEY") {
            return contents(&block).map(Some);
        }
        first.get_or_insert(block);
    }
    first.map(|block| contents(&block)).transpose()
}

/// Whether a block begins somewhere.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    split(bytes, BEGIN).is_some()
}

struct Block<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

fn next_block(bytes: &[u8]) -> Result<Option<(Block<'_>, &[u8])>, FormatError> {
    let Some((_, after)) = split(bytes, BEGIN) else {
        return Ok(None);
    };
    let cut_short = || {
        FormatError::new(
            "begins like PEM and does not end like it: the END line is missing or differs",
            "copy the whole text, from -----BEGIN to the last -----",
        )
    };
    let (label, after) = split(after, b"-----").ok_or_else(cut_short)?;
    let end = [b"-----END ", label, b"-----"].concat();
    let (body, rest) = split(after, &end).ok_or_else(cut_short)?;
    Ok(Some((Block { label, body }, rest)))
}

fn contents(block: &Block<'_>) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    if block.label == b"OPENSSH PRIVATE KEY" {
        return Err(FormatError::new(
            "is in OpenSSH's own format",
            "convert a copy, if it is an ecdsa-sha2-nistp256 key: ssh-keygen -p -m PKCS8 -f FILE",
        ));
    }
    if split(block.body, b"Proc-Type: 4,ENCRYPTED").is_some() {
        return Err(reencrypt("is encrypted in OpenSSL's old PEM format (Proc-Type)"));
    }
    decode(block.body).ok_or_else(|| {
        FormatError::new(
            "has broken base64 between its BEGIN and END lines",
            "copy the file again, with its line ends; into a variable: export X=\"$(cat FILE)\"",
        )
    })
}

fn decode(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // Both buffers have their final size at once, so that no copy is left behind by growing.
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    base64.extend(body.iter().filter(|b| !b.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; base64.len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(&base64[..], &mut der).ok()?;
    der.truncate(length);
    Some(der)
}

/// What is before and after the first `mark`.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

const BEGIN: &[u8] = b"-----BEGIN ";
