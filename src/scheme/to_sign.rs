//! What a scheme's first half gives: the texts to sign, and what it has made for the second.

use std::any::Any;

use super::{Preimage, SchemeError};

/// A request in its canonical form, before its keys have signed.
#[derive(Debug, Default)]
pub struct ToSign {
    /// The texts to sign, each for the key in its slot.
    pub preimages: Vec<Preimage>,
    /// What else was made of the request.
    pub rest: Rest,
}

/// What was made of a request before it is signed, and is placed afterwards: secrets, clocks and
/// fields are read once, so that what is sent is what was signed. Of many schemes it is nothing.
#[derive(Debug, Default)]
pub struct Rest(Option<Box<dyn Any + Send>>);

impl ToSign {
    /// Texts to sign, and what only the scheme that made it can read.
    pub(super) fn with(preimages: Vec<Preimage>, rest: impl Any + Send) -> Self {
        Self { preimages, rest: Rest(Some(Box::new(rest))) }
    }
}

impl Rest {
    /// What was handed to [`ToSign::with`].
    ///
    /// # Errors
    ///
    /// [`SchemeError::Broken`] when it is another scheme's.
    pub(super) fn take<T: Any>(self) -> Result<T, SchemeError> {
        let own = self.0.and_then(|rest| rest.downcast().ok());
        own.map(|own| *own).ok_or(SchemeError::Broken("the request is another scheme's"))
    }
}

impl From<Vec<Preimage>> for ToSign {
    fn from(preimages: Vec<Preimage>) -> Self {
        Self { preimages, rest: Rest::default() }
    }
}
