//! The table of algorithms, for people and for the documentation.

use std::fmt::Write as _;
use std::io::Write;

use crate::cli::error::CliError;
use crate::keys::Algorithm;

/// Writes every algorithm with what it is and the forms that its keys are read in.
pub(super) fn write(markdown: bool, out: &mut dyn Write) -> Result<(), CliError> {
    if markdown {
        return Ok(out.write_all(self::markdown().as_bytes())?);
    }
    for algorithm in Algorithm::ALL {
        let (summary, forms) = (algorithm.summary(), algorithm.forms());
        writeln!(out, "{algorithm:<17} {summary}\n{:<17} from {forms}", "")?;
    }
    Ok(())
}

/// docs/algorithms.md.
pub(in crate::cli) fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for algorithm in Algorithm::ALL {
        let (summary, forms) = (algorithm.summary(), algorithm.forms());
        let _infallible = writeln!(text, "| `{algorithm}` | {summary} | {forms} |");
    }
    text
}

const HEAD: &str = "\
# Algorithms

<!-- Written by `countersign documents algorithms`; a test holds it against the program. -->

What `algorithm` can be beside a key in the configuration, and `--algorithm` on the command line.
Which of them a route's slot takes is in [schemes.md](schemes.md). A key whose form says its
algorithm needs no `algorithm`; where several algorithms have keys of the same form it is the first
of them.

| `algorithm` | what it is | forms that keys are read in |
|---|---|---|
";
