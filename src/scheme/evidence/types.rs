//! Causes, and what stands before them: evidence, suspects, hypotheses.

use std::borrow::Cow;
use std::fmt;

use crate::keys::{Hashing, PublicKey, Signature};
use crate::scheme::Preimage;

/// A row of the table of causes: docs/diagnosis.md is made of them.
#[derive(Debug)]
pub struct Known {
    /// Its code, which does not change.
    pub code: &'static str,
    /// The cause, in half a sentence.
    pub cause: &'static str,
    /// How to mend it.
    pub fix: &'static str,
}

/// A row of the table.
pub(in crate::scheme) const fn known(
    code: &'static str,
    cause: &'static str,
    fix: &'static str,
) -> Known {
    Known { code, cause, fix }
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Certainty {
    /// It is seen in the request, or a signature holds over what was signed.
    Proved,
    /// Nothing else that was tried explains it.
    Inferred,
}

impl Certainty {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Inferred => "inferred",
        }
    }
}

/// Why a signature does not hold.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The row that it is of.
    pub known: &'static Known,
    /// The cause, in half a sentence: the row's, or one that says more.
    pub cause: Cow<'static, str>,
    /// How sure it is.
    pub certainty: Certainty,
    /// The text that was signed and the one that is wanted, where both are known.
    pub texts: Option<Box<Texts>>,
    /// What shows it, where that is no text.
    pub proof: Option<String>,
    /// How to mend it: the row's, or one that says more.
    pub fix: Cow<'static, str>,
    /// What would make an inferred one certain.
    pub certain: Option<&'static str>,
}

/// What was signed, and what should have been.
#[derive(Clone, Debug)]
pub struct Texts {
    /// The text that was signed.
    pub signed: Vec<u8>,
    /// The one that is wanted.
    pub wanted: Vec<u8>,
}

impl Cause {
    /// A cause that is seen, in the words of its row.
    pub fn seen(known: &'static Known) -> Self {
        Self {
            known,
            cause: known.cause.into(),
            certainty: Certainty::Proved,
            texts: None,
            proof: None,
            fix: known.fix.into(),
            certain: None,
        }
    }

    /// The same, said with more words.
    pub fn said(self, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { cause: cause.into(), ..self }
    }

    /// With another remedy.
    pub fn fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { fix: fix.into(), ..self }
    }

    /// With what shows it.
    pub fn proof(self, proof: impl Into<String>) -> Self {
        Self { proof: Some(proof.into()), ..self }
    }

    /// One that nothing speaks against.
    pub fn inferred(self) -> Self {
        Self { certainty: Certainty::Inferred, ..self }
    }
}

/// What a request shows.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What is wrong whatever was signed, the worst first.
    pub faults: Vec<Cause>,
    /// The signatures that can be read, each with what it should be of.
    pub suspects: Vec<Suspect>,
    /// The times that it shows.
    pub stamps: Vec<Stamp>,
    /// The number that no two requests share, where there is one.
    pub nonce: Option<String>,
}

/// A signature, and what it may be of.
#[derive(Debug)]
pub struct Suspect {
    /// The slot whose key should have signed.
    pub slot: Cow<'static, str>,
    /// The key that the request presents; the bound one where it presents none.
    pub key: PublicKey,
    /// The header or field that presents it; none where the provider knows it by other means.
    pub shown_in: Option<&'static str>,
    /// The signature.
    pub signature: Signature,
    /// What it should be of.
    pub wanted: Preimage,
    /// What else it may be of, likely ones first.
    pub hypotheses: Vec<Hypothesis>,
    /// What is said where none of them holds, and no other key's; another key, where it is none.
    pub last: Option<Cause>,
}

/// Something else that may have been signed.
pub struct Hypothesis {
    /// The cause, were it so.
    pub cause: Cause,
    /// How it is found out.
    pub test: Test,
}

/// How a hypothesis is found out.
pub enum Test {
    /// The signature holds over this text.
    Text {
        /// The text.
        text: Vec<u8>,
        /// How it becomes what is signed.
        hashing: Hashing,
    },
    /// Arithmetic of a scheme's own, as dear as so many microseconds.
    Own(u32, Box<dyn Fn() -> bool + Send>),
}

impl fmt::Debug for Hypothesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hypothesis({})", self.cause.known.code)
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text(..)",
            Self::Own(..) => "Own(..)",
        })
    }
}

/// A time that a request shows.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The header or claim.
    pub part: String,
    /// The time, in milliseconds since 1970.
    pub unix_ms: i128,
    /// What it limits.
    pub limit: Limit,
}

/// What a time of a request says of when it may arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// It was signed then, and is good for so many milliseconds to both sides; none where nobody has
    /// said how long.
    Signed(Option<u32>),
    /// It is good until then.
    Until,
    /// It is good from then on.
    From,
}
