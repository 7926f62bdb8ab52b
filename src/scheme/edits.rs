//! What a scheme changes, as data: the pipeline applies it, once, to what is about to leave.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Head, SchemeError};
use crate::secret::Secret;

/// What a scheme changes in a request: headers set, one of each, the target and the body replaced.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    headers: Vec<Edit>,
    target: Option<PathAndQuery>,
    body: Option<Bytes>,
    hidden: bool,
}

/// One header to set.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Its name.
    pub name: HeaderName,
    /// Its value, marked sensitive.
    pub value: HeaderValue,
    /// Whether the value contains a secret, and must not be shown to the person who asks what
    /// would be set. A signature is none.
    pub secret: bool,
}

impl Edits {
    /// Sets a header, in place of any of that name. The value is marked sensitive, so that no
    /// debug output shows it.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Broken`] when the value cannot be a header's.
    pub fn set(self, name: HeaderName, value: &[u8]) -> Result<Self, SchemeError> {
        self.push(name, value, false)
    }

    /// Sets a header whose value contains a secret.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Broken`] when the value cannot be a header's.
    pub fn set_secret(self, name: HeaderName, value: &Secret) -> Result<Self, SchemeError> {
        self.push(name, value.expose(), true)
    }

    fn push(self, name: HeaderName, value: &[u8], secret: bool) -> Result<Self, SchemeError> {
        let value = HeaderValue::from_bytes(value);
        let value = value.map_err(|_| SchemeError::Broken("a header value is not visible"))?;
        Ok(self.put(name, value, secret))
    }

    /// Sets a header to a value that is one already, and says whether a secret is in it.
    pub(super) fn put(mut self, name: HeaderName, mut value: HeaderValue, secret: bool) -> Self {
        value.set_sensitive(true);
        self.headers.push(Edit { name, value, secret });
        self
    }

    /// Sends this body in place of the client's. Only for a scheme that was given the whole one.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Asks for this target in place of the client's.
    pub fn target(self, target: PathAndQuery) -> Self {
        Self { target: Some(target), ..self }
    }

    /// Says that a secret is in the target or the body, so that nobody is shown them.
    pub fn hide(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// Whether a secret is in the target or the body.
    pub fn hides(&self) -> bool {
        self.hidden
    }

    /// The headers to set, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.headers.iter()
    }

    /// The body to send, where it is not the client's.
    pub fn new_body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// The target to ask for, where it is not the client's.
    pub fn new_target(&self) -> Option<&PathAndQuery> {
        self.target.as_ref()
    }

    /// Puts headers and target into `head` and gives the body to send, where it is not the client's.
    pub fn apply_to(mut self, head: &mut Head) -> Option<Bytes> {
        if let Some(target) = self.target.take() {
            head.target = target;
        }
        self.apply(&mut head.headers)
    }

    /// Puts the headers into `map`, for what has no target, and gives the body.
    pub fn apply(self, map: &mut HeaderMap) -> Option<Bytes> {
        for edit in self.headers {
            map.insert(edit.name, edit.value);
        }
        self.body
    }
}
