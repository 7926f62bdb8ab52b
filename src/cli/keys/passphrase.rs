//! Where a command gets passphrases: a variable, or the person at the terminal.

use std::io;

use crate::cli::error::CliError;
use crate::keys::Lookup;
use crate::secret::Secret;

/// Asks the variable first and the terminal then.
pub(super) struct Passphrases<'a> {
    pub(super) variable: &'a str,
    pub(super) lookup: Lookup,
    pub(super) prompt: &'a dyn Fn(&str) -> io::Result<String>,
}

impl Passphrases<'_> {
    /// The passphrase of a key that is encrypted already.
    pub(super) fn of(&self, name: &str) -> Result<Secret, CliError> {
        match self.in_variable() {
            Some(passphrase) => Ok(passphrase),
            None => self.ask(&format!("Passphrase of {name}: ")),
        }
    }

    /// The passphrase to encrypt a key with: typed twice, as nothing else would notice a slip.
    pub(super) fn new_one(&self) -> Result<Secret, CliError> {
        if let Some(passphrase) = self.in_variable() {
            return Ok(passphrase);
        }
        let first = self.ask("New passphrase: ")?;
        let second = self.ask("The same again: ")?;
        if first.expose() != second.expose() {
            return Err(CliError::failed("the two passphrases differ", "run it again"));
        }
        Ok(first)
    }

    fn in_variable(&self) -> Option<Secret> {
        let value = (self.lookup)(self.variable)?;
        (!value.is_empty()).then(|| Secret::new(value.into_encoded_bytes()))
    }

    fn ask(&self, text: &str) -> Result<Secret, CliError> {
        let typed = (self.prompt)(text).map_err(|error| {
            CliError::failed(
                format!(
                    "a passphrase is needed: the variable {} is not set, and there is no \
                     terminal to ask at ({error})",
                    self.variable
                ),
                format!("set {}, or name another with --passphrase-env", self.variable),
            )
        })?;
        if typed.is_empty() {
            return Err(CliError::failed("the passphrase is empty", "type one"));
        }
        Ok(Secret::new(typed.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn lookup(name: &str) -> Option<OsString> {
        match name {
            "SET" => Some(" from the variable ".into()),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        }
    }

    fn ask(
        variable: &str,
        prompt: &dyn Fn(&str) -> io::Result<String>,
    ) -> [Result<Secret, CliError>; 2] {
        let passphrases = Passphrases { variable, lookup, prompt };
        [passphrases.of("a.pem"), passphrases.new_one()]
    }

    #[test]
    fn the_variable_goes_before_the_terminal() {
        let typed = |_: &str| Ok("typed".to_owned());
        for (variable, expected) in
            [("SET", " from the variable "), ("EMPTY", "typed"), ("NONE", "typed")]
        {
            for passphrase in ask(variable, &typed) {
                assert_eq!(passphrase.unwrap().expose(), expected.as_bytes());
            }
        }
    }

    #[test]
    fn what_cannot_be_a_passphrase_is_refused() {
        let [empty, new_empty] = ask("NONE", &|_| Ok(String::new()));
        assert_eq!(empty.unwrap_err().what, "the passphrase is empty");
        assert_eq!(new_empty.unwrap_err().what, "the passphrase is empty");
        let [_, differs] = ask("NONE", &|text| Ok(text.to_owned()));
        assert_eq!(differs.unwrap_err().what, "the two passphrases differ");
        let [none, new_none] = ask("NONE", &|_| Err(io::ErrorKind::NotFound.into()));
        for error in [none.unwrap_err(), new_none.unwrap_err()] {
            assert!(error.what.contains("the variable NONE is not set"), "{error}");
            assert_eq!(error.fix.unwrap(), "set NONE, or name another with --passphrase-env");
        }
    }
}
