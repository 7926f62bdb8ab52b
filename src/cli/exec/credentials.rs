//! Who the program is to a proxy that asks for tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::access::Tokens;
use crate::cli::{CliError, Exit};
use crate::config::Config;
use crate::keys::variable;
use crate::secret::Secret;

/// Where a token is found that the command line does not have.
pub(super) const VARIABLE: &str = "COUNTERSIGN_TOKEN";

/// What stood on the command line; it is not shown in errors or anywhere.
#[derive(Clone)]
pub(in crate::cli) struct Typed(String);

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed")
    }
}

impl From<&str> for Typed {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A client's name and its token.
#[derive(Debug)]
pub(in crate::cli) struct Credentials {
    name: String,
    token: Secret,
}

impl Credentials {
    /// Takes them from the command line or the environment, where the configuration wants any.
    pub(in crate::cli) fn find(
        typed: Option<&Typed>,
        config: &Config,
    ) -> Result<Option<Self>, CliError> {
        if config.access.tokens.is_none() {
            return Ok(None);
        }
        let text = typed.map(|typed| typed.0.clone());
        let found = text.or_else(|| variable(VARIABLE).and_then(|value| value.into_string().ok()));
        let Some((name, token)) = found.as_deref().and_then(|text| text.split_once(':')) else {
            let what = match found {
                Some(_) => "the token has no name before it",
                None => "access.tokens wants a token, and there is none",
            };
            let fix = format!("export {VARIABLE}=NAME:TOKEN, or write --token NAME:TOKEN");
            return Err(CliError::new(Exit::Usage, what).fix(fix));
        };
        Ok(Some(Self { name: name.to_owned(), token: Secret::new(token.as_bytes().to_vec()) }))
    }

    /// For one run: the program has them, and whom it gives them to.
    pub(in crate::cli) fn for_one_run() -> Self {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).expect("the system has random numbers");
        let token = Secret::new(base16ct::lower::encode_string(&random).into_bytes());
        Self { name: "exec".to_owned(), token }
    }

    /// What a proxy has to know to take them.
    pub(in crate::cli) fn tokens(&self) -> Tokens {
        Tokens::one(&self.name, &self.token)
    }

    /// `Proxy-Authorization`, as clients make it from a proxy's URL.
    pub(in crate::cli) fn header(&self) -> HeaderValue {
        let pair = Secret::new([self.name.as_bytes(), b":", self.token.expose()].concat());
        let basic = format!("Basic {}", STANDARD.encode(pair.expose()));
        let mut value = HeaderValue::try_from(basic).expect("base64 makes header values");
        value.set_sensitive(true);
        value
    }

    /// What stands before the `@` of a proxy's URL.
    pub(super) fn user_info(&self) -> String {
        format!("{}:{}", encoded(self.name.as_bytes()), encoded(self.token.expose()))
    }

    /// That the proxy would not take them.
    pub(super) fn refused(&self) -> CliError {
        let what = format!("the proxy does not take the token of \"{}\"", self.name.escape_debug());
        let fix = "name a client and its token as access.tokens has them, NAME:TOKEN";
        CliError::new(Exit::Usage, what).fix(fix)
    }
}

/// Percent-encodes everything a URL might read as something else (RFC 3986, section 2.3).
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_written_as_urls_and_headers_want_them() {
        let token = Secret::new(b"p@ss:w/rd%".to_vec());
        let credentials = Credentials { name: "my app".into(), token };
        assert_eq!(credentials.user_info(), "my%20app:p%40ss%3Aw%2Frd%25");
        let header = credentials.header();
        let basic = header.to_str().expect("text").strip_prefix("Basic ").expect("Basic");
        assert_eq!(STANDARD.decode(basic).expect("base64"), b"my app:p@ss:w/rd%");
        assert!(header.is_sensitive() && !format!("{credentials:?}").contains("p@ss"));
        assert_eq!(format!("{:?}", Typed::from("app:t0ken")), "Typed");
    }
}
