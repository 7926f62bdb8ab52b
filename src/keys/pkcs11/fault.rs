//! What a module answers when it does not do what it was asked, in one line of our own: whether the
//! token is gone and may come back, or is there and refuses.

use cryptoki::error::{Error, RvError};

use crate::keys::SignError;

/// Why there is no result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The token is out of reach, or has forgotten its sessions; asked anew, it may answer.
    Gone(&'static str),
    /// It says no, and will again.
    Refused(&'static str),
}

impl Fault {
    /// What went wrong, as the rest of a sentence about a key.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Gone(what) | Self::Refused(what) => what,
        }
    }
}

impl From<Fault> for SignError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.what())
    }
}

impl From<Error> for Fault {
    /// The library's own texts are paragraphs of the standard.
    fn from(error: Error) -> Self {
        if let Error::LibraryLoading(_) | Error::MissingSymbol(_) = error {
            return Self::Gone("the module cannot be loaded");
        }
        let Error::Pkcs11(code, _) = error else {
            return Self::Refused("the module lacks a function, or answers what makes no sense");
        };
        gone(code).map_or_else(|| Self::Refused(refused(code)), Self::Gone)
    }
}

/// Codes of a token that is not there, or is another time.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others mean that it is there")]
fn gone(code: RvError) -> Option<&'static str> {
    Some(match code {
        RvError::TokenNotPresent | RvError::TokenNotRecognized | RvError::SlotIdInvalid => {
            "the token is not there"
        }
        RvError::DeviceRemoved => "the token was taken out",
        RvError::DeviceError => "the token is out of reach (CKR_DEVICE_ERROR)",
        RvError::GeneralError => "the module fails (CKR_GENERAL_ERROR)",
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::KeyHandleInvalid
        | RvError::ObjectHandleInvalid
        | RvError::UserNotLoggedIn
        | RvError::CryptokiNotInitialized => "the token has forgotten its sessions",
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most of a hundred cannot come here")]
fn refused(code: RvError) -> &'static str {
    match code {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
            "the token refuses the PIN"
        }
        RvError::PinLocked => "the token's PIN is locked after too many wrong ones",
        RvError::PinExpired => "the token's PIN has expired",
        RvError::UserPinNotInitialized => "the token has no user PIN yet",
        RvError::DataLenRange => "the token takes nothing of this length",
        RvError::KeySizeRange => {
            "the token finds the key too short or too long for this algorithm: it may want HMAC \
             secrets padded, as `countersign keys import` does"
        }
        RvError::MechanismInvalid | RvError::MechanismParamInvalid => {
            "the token does not know the algorithm"
        }
        RvError::CurveNotSupported | RvError::DomainParamsInvalid => {
            "the token does not know the curve"
        }
        RvError::KeyTypeInconsistent | RvError::KeyFunctionNotPermitted => {
            "the token's key is not for signing"
        }
        RvError::SessionCount => "the token has no session left",
        RvError::SessionReadOnly | RvError::TokenWriteProtected => "the token cannot be written",
        RvError::TemplateInconsistent
        | RvError::TemplateIncomplete
        | RvError::AttributeValueInvalid
        | RvError::AttributeTypeInvalid
        | RvError::AttributeReadOnly => "the token does not take keys of this kind",
        RvError::FunctionNotSupported => "the module lacks a function",
        RvError::FunctionRejected | RvError::FunctionCanceled => "the token's user said no",
        RvError::DeviceMemory => "the token is full",
        RvError::HostMemory => "the module has no memory left",
        _ => "the token refuses",
    }
}
