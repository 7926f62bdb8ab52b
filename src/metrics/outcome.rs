//! Outcomes of requests: the label `outcome` of its counter, and the word that its line in the
//! log ends with.

/// What came of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was sent with a signature or a secret, and answered.
    Signed,
    /// It was sent with a signature or a secret, and the provider did not accept that.
    Rejected,
    /// It was sent unsigned, and answered.
    Passed,
    /// The proxy answered it itself, with this code.
    Refused(&'static str),
    /// It has no answer.
    Abandoned,
    /// Its tunnel's inside was read as requests of their own.
    Intercepted,
    /// It was answered, and the answer did not come to its end.
    Cut,
}

impl Outcome {
    /// Every outcome, with a code that stands for all of them.
    pub const ALL: [Self; 7] = [
        Self::Signed,
        Self::Rejected,
        Self::Passed,
        Self::Refused("CODE"),
        Self::Abandoned,
        Self::Intercepted,
        Self::Cut,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Its place in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Signed => 0,
            Self::Rejected => 1,
            Self::Passed => 2,
            Self::Refused(_) => 3,
            Self::Abandoned => 4,
            Self::Intercepted => 5,
            Self::Cut => 6,
        }
    }

    /// What the word says, for documents.
    pub fn help(self) -> &'static str {
        self.facts().1
    }

    fn facts(self) -> (&'static str, &'static str) {
        match self {
            Self::Signed => ("signed", "sent with a signature or a secret, and answered"),
            Self::Rejected => (
                "rejected",
                "sent with a signature or a secret, and not accepted: a 401 or 403, or a code that the \
                 scheme knows as a rejection",
            ),
            Self::Passed => ("passed", "sent unsigned, to a host without a route, and answered"),
            Self::Refused(_) => ("refused", "answered by the proxy itself, with a code"),
            Self::Abandoned => {
                ("abandoned", "before an answer its client broke the connection, or a stop came")
            }
            Self::Intercepted => {
                ("intercepted", "a CONNECT whose inside was read as requests of their own")
            }
            Self::Cut => (
                "cut",
                "in the log alone: answered, and the answer did not come to its end (the counter \
                 has it under what was answered)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_of_its_own() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), place);
        }
    }
}
