//! A certificate authority for the life of this process, in its memory alone.

use super::reach::hosts_of;
use crate::cli::CliError;
use crate::config::Config;
use crate::moment::unix_ms;
use crate::tls::{Authority, CaCertificate, NewAuthority};

/// An authority that nothing but its root's certificate is ever written of.
#[derive(Debug)]
pub(in crate::cli) struct Ephemeral {
    /// The certificate that clients have to trust, in PEM.
    pub(in crate::cli) root: String,
    pub(in crate::cli) authority: Authority,
}

impl Ephemeral {
    /// One for the hosts of the routes; `None` where no route has one, as it would be for every
    /// host there is.
    pub(in crate::cli) fn of(config: &Config) -> Result<Option<Self>, CliError> {
        let hosts = hosts_of(config);
        if hosts.is_empty() {
            return Ok(None);
        }
        let new = NewAuthority { hosts: &hosts, unix_ms: unix_ms(), days: super::new::DAYS };
        let authority = new.make().and_then(|made| {
            let root = CaCertificate::read(made.root.as_bytes())?;
            Ok(Self { authority: Authority::new(root, &made.issuing)?, root: made.root })
        });
        authority.map(Some).map_err(|error| CliError::failed(error.what, error.fix))
    }
}
