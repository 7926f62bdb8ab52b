//! The audit log of policy decisions and of signatures, a proxy's or a signer's, tamper-evident by a
//! hash chain.
//!
//! Each entry is a line of JSON that carries the hash of the line before. A line that is
//! altered, added or removed later breaks the chain at that place, unless everything after it
//! is made anew; who keeps the last hash elsewhere sees that too, and that lines were cut off at the
//! end. So the head of the chain is logged: at the start, every ten seconds while it grows, at the end.
//!
//! An approval must not leave before its line is on the disk, so [`Audit::append`] returns only
//! then. A thread of its own writes; lines that wait together share one fdatasync.
//!
//! **Rotation.** Move the file away and reload: the thread goes on in the moved file until
//! [`Audit::reopen`], then in a new one at the path, whose first line follows the last of the old.
//! Or stop, move, start: the new file begins a chain. Copying and emptying the file is refused.

mod appender;
mod chain;
mod entry;
mod file;
mod line;
mod signatures;
#[cfg(test)]
mod tests;
mod writer;

pub use appender::Audit;
pub use chain::{After, Chain, ChainError, follow, walk};
pub use entry::{Entry, Members, Mode, SignatureEntry};
pub(crate) use file::placed;
pub use line::LineHash;
pub use signatures::{Sending, Sent, Signatures, Signed};
