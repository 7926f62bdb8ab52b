//! How a provider rejects a signed request: the statuses and codes of its answers, and what each
//! of them lays the blame on. A row of a scheme's entry, or `[rejects]` of its file.

use std::borrow::Cow;

use serde_json::Value;

/// What a provider's answer says of its requests.
#[derive(Clone, Debug)]
pub struct Rejections {
    /// Statuses beside 400, 401 and 403 whose answers can be a rejection.
    pub statuses: Vec<u16>,
    /// Where its JSON has the code: names of members and numbers of items, with points between.
    pub member: Cow<'static, str>,
    /// Its codes, and what each means.
    pub codes: Vec<(Cow<'static, str>, Blame)>,
    /// How far a time stamp may be from its clock, in milliseconds, where that is documented.
    pub window_ms: Option<u64>,
}

impl Default for Rejections {
    fn default() -> Self {
        let member = Cow::Borrowed("code");
        Self { statuses: Vec::new(), member, codes: Vec::new(), window_ms: None }
    }
}

/// What a provider says is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// The time stamp.
    Clock,
    /// The signature itself.
    Signature,
    /// The key, or what names it.
    Key,
    /// The address that the request came from.
    Address,
    /// A right that the key does not have.
    Permission,
    /// A nonce that was used, or is below another.
    Nonce,
}

impl Blame {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Clock, Self::Signature, Self::Key, Self::Address, Self::Permission, Self::Nonce];

    /// The word for it: in scheme files, the log and the label of a metric.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// What the provider says, for people.
    pub fn says(self) -> &'static str {
        self.facts().1
    }

    /// What to look at.
    pub fn fix(self) -> &'static str {
        self.facts().2
    }

    fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Clock => (
                "clock",
                "the time stamp is outside the provider's window",
                "set this machine's clock by NTP, or write clock = \"provider\" on the route",
            ),
            Self::Signature => (
                "signature",
                "the signature does not verify over the request that arrived",
                "compare with countersign explain what is signed, and look at what stands between \
                 here and the provider",
            ),
            Self::Key => (
                "key",
                "the provider does not know the key, or what names it",
                "compare the fingerprint and the id of the key with the provider's console",
            ),
            Self::Address => (
                "address",
                "the address that requests come from is not on the key's list",
                "put the address that this machine leaves by on the list in the provider's console",
            ),
            Self::Permission => (
                "permission",
                "the key may not do this",
                "give the key the right in the provider's console",
            ),
            Self::Nonce => (
                "nonce",
                "the nonce was used, or is below one that was",
                "let one state directory serve all processes with this key, and use the key nowhere \
                 else",
            ),
        }
    }
}

/// That an answer is a rejection, and what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejected {
    /// The provider's own code, cut and without control characters.
    pub code: Option<String>,
    /// What that code means.
    pub blame: Option<Blame>,
}

impl Rejections {
    /// Those of a provider that documents no window.
    pub(super) fn new(
        statuses: &[u16],
        member: &'static str,
        codes: &[(&'static str, Blame)],
    ) -> Self {
        Self {
            statuses: statuses.to_vec(),
            member: Cow::Borrowed(member),
            codes: codes.iter().map(|(code, blame)| (Cow::Borrowed(*code), *blame)).collect(),
            window_ms: None,
        }
    }

    /// Whether the body of an answer with this status is to be looked into. Most have nothing to say:
    /// then no byte of them is.
    pub fn may_be(&self, status: u16) -> bool {
        matches!(status, 400 | 401 | 403) || self.statuses.contains(&status)
    }

    /// Whether an answer is a rejection, by its status and by as much of its body as was seen.
    pub fn judge(&self, status: u16, body: &[u8]) -> Option<Rejected> {
        let code = self.code(body);
        let row = self.codes.iter().find(|(known, _)| Some(known.as_ref()) == code.as_deref());
        let blame = row.map(|(_, blame)| *blame);
        let rejected = blame.is_some() || matches!(status, 401 | 403);
        rejected.then(|| Rejected { code: code.map(|code| shown(&code)), blame })
    }

    fn code(&self, body: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let step = |value: &Value, name: &str| match value {
            Value::Object(members) => members.get(name).cloned(),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?).cloned(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        match self.member.split('.').try_fold(body, |value, name| step(&value, name))? {
            Value::String(code) => Some(code),
            Value::Number(code) => Some(code.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A code as it may stand in a line of the log.
fn shown(code: &str) -> String {
    code.chars().filter(|character| !character.is_control()).take(LONGEST).collect()
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_rejection_by_its_code_or_by_its_status() {
        let plain = Rejections::new(&[], "code", &[("-1021", Blame::Clock)]);
        let listed = Rejections::new(&[200], "error.0", &[("EAPI:Invalid key", Blame::Key)]);
        let deep = Rejections::new(&[], "result.code", &[("7", Blame::Address)]);
        // Rows, status, body → the code that is shown, and the blame; nothing where none.
        type Case<'a> = (&'a Rejections, u16, &'a str, Option<(&'a str, Option<Blame>)>);
        let table: &[Case<'_>] = &[
            (&plain, 400, r#"{"code":-1021,"msg":"x"}"#, Some(("-1021", Some(Blame::Clock)))),
            (&plain, 400, r#"{"code":"-1021"}"#, Some(("-1021", Some(Blame::Clock)))),
            (&plain, 400, r#"{"code":-1100}"#, None),
            (&plain, 400, "", None),
            (&plain, 401, r#"{"code":-1100}"#, Some(("-1100", None))),
            (&plain, 403, "<html>", Some(("", None))),
            (&plain, 401, r#"{"code":"a\nb"}"#, Some(("ab", None))),
            (
                &listed,
                200,
                r#"{"error":["EAPI:Invalid key"]}"#,
                Some(("EAPI:Invalid key", Some(Blame::Key))),
            ),
            (&listed, 200, r#"{"error":[],"result":{}}"#, None),
            (&deep, 400, r#"{"result":{"code":7}}"#, Some(("7", Some(Blame::Address)))),
            (&deep, 400, r#"{"result":7}"#, None),
        ];
        for (rows, status, body, wanted) in table {
            let found = rows.judge(*status, body.as_bytes());
            let found = found.map(|found| (found.code.unwrap_or_default(), found.blame));
            let wanted = wanted.map(|(code, blame)| (code.to_owned(), blame));
            assert_eq!(found, wanted, "{status} {body}");
        }
        assert!(listed.may_be(200) && !plain.may_be(200) && !plain.may_be(404));
    }
}
