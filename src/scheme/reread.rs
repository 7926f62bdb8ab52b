//! Canonical texts made anew of a signed request, held against those that were signed: the pure
//! half of the self-check before a request is sent.

use std::fmt;
use std::sync::Arc;

use super::{Head, Preimage, Scheme, SchemeError, Signable};
use crate::keys::Hashing;
use crate::moment::Moment;
use crate::secret::Secret;

/// A canonical text as a signed request has it.
#[derive(Clone, Debug)]
pub struct Reread {
    /// The text.
    pub text: Vec<u8>,
    /// How it becomes what a key signs; none where that is not made anew.
    pub hashing: Option<Hashing>,
}

impl From<Preimage> for Reread {
    fn from(preimage: Preimage) -> Self {
        Self { text: preimage.text, hashing: Some(preimage.hashing) }
    }
}

impl Reread {
    /// All of these.
    pub(super) fn all(preimages: Vec<Preimage>) -> Vec<Self> {
        preimages.into_iter().map(Self::from).collect()
    }

    /// Those of a request that shows its key in this header, and its moment.
    ///
    /// # Errors
    ///
    /// Those of [`Scheme::reread`].
    pub(super) fn under(
        scheme: &dyn Scheme,
        request: Signable<'_>,
        (part, key): (&'static str, &str),
        moment: fn(&Head) -> Result<Moment, SchemeError>,
    ) -> Result<Vec<Self>, SchemeError> {
        if request.head.single(part) != Some(key) {
            let what = "is not the key that signs, exactly once";
            return Err(SchemeError::Claim { part, what });
        }
        Ok(Self::all(scheme.canonicalise(request, &moment(request.head)?)?.preimages))
    }
}

/// How what a request says was signed differs from what was. Nothing of the texts is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Difference {
    /// There are more texts, or fewer.
    Count,
    /// A text is another from this byte on, counted from 0.
    Byte {
        /// Which of the texts, counted from 0.
        text: usize,
        /// The byte.
        at: usize,
    },
    /// A text is the same, and its digest another.
    Digest {
        /// Which of the texts, counted from 0.
        text: usize,
    },
}

impl Difference {
    /// The first there is.
    pub fn between(signed: &[Preimage], sent: &[Reread]) -> Option<Self> {
        if signed.len() != sent.len() {
            return Some(Self::Count);
        }
        signed.iter().zip(sent).enumerate().find_map(|(text, (signed, sent))| {
            if signed.text != sent.text {
                let same =
                    signed.text.iter().zip(&sent.text).take_while(|(one, other)| one == other);
                return Some(Self::Byte { text, at: same.count() });
            }
            let other = sent.hashing.as_ref().is_some_and(|hashing| !signed.hashing.is(hashing));
            other.then_some(Self::Digest { text })
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("another number of canonical strings was signed"),
            Self::Byte { text, at } => {
                write!(f, "canonical string {text} differs from what was signed at byte {at}")
            }
            Self::Digest { text } => {
                write!(f, "canonical string {text} has another digest than the one that was signed")
            }
        }
    }
}

/// The secrets of a scheme as they were at some time.
#[derive(Clone, Debug, Default)]
pub struct InUse(Vec<Arc<Secret>>);

impl InUse {
    pub(super) fn of(secrets: Vec<Arc<Secret>>) -> Self {
        Self(secrets)
    }

    /// Whether none has been replaced between the two.
    pub fn is(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs.into_iter().all(|(one, two)| Arc::ptr_eq(one, two))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preimage(text: &str) -> Preimage {
        let text = text.as_bytes().to_vec();
        let hashing = Hashing::sha256(&text);
        Preimage { slot: "signer".into(), text, hashing, secret: false }
    }

    #[test]
    fn the_first_difference_is_found() {
        let signed = [preimage("GET/a"), preimage("second")];
        let sent = |texts: &[&str]| Reread::all(texts.iter().map(|text| preimage(text)).collect());
        for (texts, expected) in [
            (&["GET/a", "second"][..], None),
            (&["GET/b", "second"], Some(Difference::Byte { text: 0, at: 4 })),
            (&["GET/a", "secon"], Some(Difference::Byte { text: 1, at: 5 })),
            (&["GET/a", "seconds"], Some(Difference::Byte { text: 1, at: 6 })),
            (&["GET/a"], Some(Difference::Count)),
            (&["GET/a", "second", ""], Some(Difference::Count)),
        ] {
            assert_eq!(Difference::between(&signed, &sent(texts)), expected, "{texts:?}");
        }
    }

    #[test]
    fn a_digest_that_is_not_the_texts_is_one() {
        let signed = Preimage { hashing: Hashing::sha256(b"other"), ..preimage("text") };
        let sent = Reread::from(preimage("text"));
        let unhashed = Reread { hashing: None, ..sent.clone() };
        for (sent, expected) in [(sent, Some(Difference::Digest { text: 0 })), (unhashed, None)] {
            assert_eq!(Difference::between(std::slice::from_ref(&signed), &[sent]), expected);
        }
    }
}
