//! Finding the key in a PEM text that has other blocks before it.

use zeroize::Zeroizing;

use super::der::reencrypt;
use super::error::FormatError;
use crate::pem::{Block, blocks};

/// The contents of the first block that holds a key, or of the first block; `None` if the bytes
/// are no PEM at all.
pub(super) fn find(bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, FormatError> {
    let mut first = None;
    for block in blocks(bytes) {
        let block = block.map_err(|_| {
            FormatError::new(
                "begins like PEM and does not end like it: the END line is missing or differs",
                "copy the whole text, from -----BEGIN to the last -----",
            )
        })?;
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

fn contents(block: &Block<'_>) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    if block.label == b"OPENSSH PRIVATE KEY" {
        return Err(FormatError::new(
            "is in OpenSSH's own format",
            "convert a copy, if it is an ecdsa-sha2-nistp256 key: ssh-keygen -p -m PKCS8 -f FILE",
        ));
    }
    let encrypted = b"Proc-Type: 4,ENCRYPTED";
    if block.body.windows(encrypted.len()).any(|bytes| bytes == encrypted) {
        return Err(reencrypt("is encrypted in OpenSSL's old PEM format (Proc-Type)"));
    }
    block.decode().ok_or_else(|| {
        FormatError::new(
            "has broken base64 between its BEGIN and END lines",
            "copy the file again, with its line ends; into a variable: export X=\"$(cat FILE)\"",
        )
    })
}
