//! What is said of a request that somebody asks about, in texts.

/// What was given: a capture, and what else is known of it; empty where nothing is.
#[derive(Clone, Copy, Debug)]
pub struct Pasted<'a> {
    /// Raw HTTP/1.1, a HAR file or the output of `curl -v`.
    pub request: &'a str,
    /// The provider's answer, raw HTTP/1.1.
    pub answer: &'a str,
    /// When it arrived at the provider, as `verify --at` takes it.
    pub arrived: &'a str,
}

/// A request that was judged.
#[derive(Debug)]
pub struct Judged {
    /// Whether it holds.
    pub valid: bool,
    /// Method and target.
    pub request: String,
    /// The route that it was held against.
    pub route: String,
    /// Its scheme.
    pub scheme: String,
    /// Why it does not hold, the first cause first.
    pub findings: Vec<Finding>,
    /// What would be wrong with it, did it arrive now.
    pub doubts: Vec<String>,
    /// How many other texts and digests were tried.
    pub tried: usize,
}

/// One cause.
#[derive(Debug)]
pub struct Finding {
    /// What is so.
    pub cause: String,
    /// `proved` or `inferred`.
    pub certainty: &'static str,
    /// The text that was signed and the one that is wanted, from where they begin to differ, and how many
    /// characters are the same before.
    pub difference: Option<(String, String, usize)>,
    /// What shows it.
    pub proof: Option<String>,
    /// What to do.
    pub fix: String,
}
