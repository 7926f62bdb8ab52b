//! A token: how it is found, sessions with it, and the login.

use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::fault::Fault;
use super::module::{Entered, Module};
use crate::secret::Secret;

/// A token, whether it is there or not.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) module: Arc<Module>,
    pub(super) label: Option<String>,
    pub(super) serial: Option<String>,
    /// Kept, since a login ends with the token's last session.
    pub(super) pin: Option<Arc<Secret>>,
}

/// A session in use.
pub(super) struct Opened<'m> {
    pub(super) session: Session,
    /// The initialisation of the module that it is of, and so are handles that it gives.
    pub(super) epoch: u64,
    entered: Entered<'m>,
}

impl Token {
    /// Does something in a session that is logged in. Where the token has lost its sessions it is done
    /// again in a new one, once.
    ///
    /// # Errors
    ///
    /// What the token, the module or `work` says.
    pub(super) fn with<T>(
        &self,
        work: impl Fn(&Opened<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut last = Fault::Gone("the token is out of reach");
        for _ in 0..2 {
            let epoch = match self.once(&work) {
                Err((Fault::Gone(what), epoch)) => {
                    last = Fault::Gone(what);
                    epoch
                }
                other => return other.map_err(|(fault, _)| fault),
            };
            // A token that is back has other sessions; a module may not see that it is.
            match epoch {
                Some(epoch) => self.module.renew(epoch)?,
                None => return Err(last),
            }
        }
        Err(last)
    }

    /// The same, in one session that waits or one that is new.
    fn once<T>(
        &self,
        work: &impl Fn(&Opened<'_>) -> Result<T, Fault>,
    ) -> Result<T, (Fault, Option<u64>)> {
        loop {
            let entered = self.module.enter().map_err(|fault| (fault, None))?;
            let (name, epoch) = (self.name(), entered.epoch());
            let failed = |fault| (fault, Some(epoch));
            let kept = entered.idle(&name);
            let was_kept = kept.is_some();
            let session = kept.map_or_else(|| self.session(entered.context(), false), Ok);
            let opened = Opened { session: session.map_err(failed)?, epoch, entered };
            match work(&opened) {
                Ok(done) => {
                    opened.entered.keep(&name, opened.session);
                    return Ok(done);
                }
                // Whatever it was in the middle of ends with it.
                Err(Fault::Gone(_)) if was_kept => opened.entered.forget(&name),
                Err(fault) => return Err(failed(fault)),
            }
        }
    }

    /// Does something in a session that may write.
    ///
    /// # Errors
    ///
    /// As [`Self::with`].
    pub(super) fn writing<T>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let entered = self.module.enter()?;
        work(&self.session(entered.context(), true)?)
    }

    /// A new session, logged in where there is a PIN.
    fn session(&self, context: &Pkcs11, writes: bool) -> Result<Session, Fault> {
        let (slot, info) = self.find(context)?;
        let session = match writes {
            true => context.open_rw_session(slot),
            false => context.open_ro_session(slot),
        }?;
        let Some(pin) = &self.pin else { return Ok(session) };
        let serial = info.serial_number();
        if self.module.has_refused(serial, pin) {
            return Err(Fault::Refused(NOT_AGAIN));
        }
        if info.user_pin_final_try() {
            return Err(Fault::Refused(LAST_TRY));
        }
        let text = str::from_utf8(pin.expose())
            .map_err(|_| Fault::Refused("the token's PIN is to be UTF-8"))?;
        match session.login(UserType::User, Some(&AuthPin::from(text))) {
            // A login is the process's, not the session's.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => {
                if let Error::Pkcs11(RvError::PinIncorrect, _) = error {
                    self.module.refuse(serial.to_owned(), pin);
                }
                Err(error.into())
            }
        }
    }

    fn find(&self, context: &Pkcs11) -> Result<(Slot, TokenInfo), Fault> {
        let mut found = Vec::new();
        for slot in context.get_slots_with_token()? {
            // One that was taken out in between is not there.
            let Ok(info) = context.get_token_info(slot) else { continue };
            if info.token_initialized() && self.is(&info) {
                found.push((slot, info));
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(_), false) => Err(Fault::Refused(SEVERAL)),
            (None, _) => Err(Fault::Gone("the token is not there")),
        }
    }

    fn is(&self, info: &TokenInfo) -> bool {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        fits(&self.label, info.label()) && fits(&self.serial, info.serial_number())
    }

    /// What its sessions wait under.
    fn name(&self) -> String {
        format!("{:?} {:?}", self.label, self.serial)
    }
}

const SEVERAL: &str = "there are several tokens that may be meant";
const NOT_AGAIN: &str = "the token has refused this PIN, which is not tried again before a restart";
const LAST_TRY: &str = "the token's PIN has one try left, which is left to you";
