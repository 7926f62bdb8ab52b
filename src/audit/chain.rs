//! Verifying the hash chain: whether the lines of a file follow from each other, read in one go and
//! in bounded memory.

use std::io::{self, BufRead as _, BufReader, Read};

use super::line::{self, LONGEST, LineHash};

/// A chain without a break.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chain {
    /// How many whole lines there are.
    pub lines: u64,
    /// The `seq` of the last one; 0 without any.
    pub seq: u64,
    /// Its hash. Without lines, what the first one has to begin with.
    pub last: LineHash,
    /// Bytes up to its end.
    pub bytes: u64,
    /// Bytes after it: a line that a crash has torn off.
    pub torn: u64,
}

/// What the first line of a file has to follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum After {
    /// The line with this hash, the last of another file; or, with [`LineHash::START`], none.
    Line(LineHash),
    /// Whatever it says. The writer itself takes files that a rotation has begun.
    Any,
}

/// Why there is no chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The file could not be read to its end.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line does not follow from the one before.
    #[error("line {line}: {what}")]
    Broken {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// Follows a chain from its first line to its last whole one.
///
/// # Errors
///
/// The first line that does not follow.
pub fn follow(file: impl Read, after: After) -> Result<Chain, ChainError> {
    walk(file, after, |_, _| {})
}

/// The same, showing each whole line that follows, and its hash.
///
/// # Errors
///
/// As [`follow`].
pub fn walk(
    file: impl Read,
    after: After,
    mut show: impl FnMut(&[u8], LineHash),
) -> Result<Chain, ChainError> {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let start = if let After::Line(hash) = after { hash } else { LineHash::START };
    let mut chain = Chain { lines: 0, seq: 0, last: start, bytes: 0, torn: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut reader).take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
        if length > LONGEST {
            return Err(broken(chain.lines + 1, "it is longer than any line that is written here"));
        }
        if line.last() != Some(&b'\n') {
            chain.torn = length as u64;
            return Ok(chain);
        }
        chain.bytes += length as u64;
        line.pop();
        extend(&mut chain, &line, after)?;
        show(&line, chain.last);
    }
}

/// Takes one more line, without its newline.
fn extend(chain: &mut Chain, text: &[u8], after: After) -> Result<(), ChainError> {
    let number = chain.lines + 1;
    let (seq, previous) = line::read(text)
        .ok_or_else(|| broken(number, "it does not have the form of the lines of this file"))?;
    let first = chain.lines == 0;
    let expected = chain.last;
    if previous != expected && !(first && after == After::Any) {
        return Err(broken(number, &misfit(first, previous, expected)));
    }
    // A file that goes on with another's chain goes on with its numbers, which are not known here.
    let known = !first || previous == LineHash::START;
    let wanted = chain.seq.checked_add(1);
    if known && wanted != Some(seq) {
        let wanted = wanted.map_or_else(|| "none".to_owned(), |wanted| wanted.to_string());
        return Err(broken(number, &format!("its seq is {seq}, and {wanted} was to come")));
    }
    *chain = Chain { lines: number, seq, last: LineHash::of(text), ..*chain };
    Ok(())
}

fn misfit(first: bool, previous: LineHash, expected: LineHash) -> String {
    if first && expected == LineHash::START {
        return format!("it goes on with the chain of another file, whose last hash is {previous}");
    }
    let before = if first { "the line it was to follow" } else { "the line before" };
    format!(
        "its previous is {previous}, and the hash of {before} is {expected}: a line was changed, \
         added or removed"
    )
}

fn broken(line: u64, what: &str) -> ChainError {
    ChainError::Broken { line, what: what.to_owned() }
}

const BUFFER: usize = 1 << 20;
