//! Where the state of nonces is kept: as the configuration says, or the environment.

use std::path::PathBuf;
use std::sync::Arc;

use super::CliError;
use crate::config::{Config, ConfigErrors};
use crate::keys::variable;
use crate::moment::Part;
use crate::nonces::{Keeping, Leases, Nonces};

/// The nonces of a process that sends requests.
///
/// # Errors
///
/// When this machine's name does not say which share is this process's.
pub(super) fn nonces(config: &Config) -> Result<Arc<Nonces>, CliError> {
    let keeping = match &config.state {
        Some(path) => Keeping::In { path: path.clone(), named: true },
        None => found(|name| Some(PathBuf::from(variable(name)?)))
            .map_or(Keeping::Unknown, |path| Keeping::In { path, named: false }),
    };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let replica = config.replica.on(host.trim()).map_err(|problem| {
        ConfigErrors::new(config.path.clone(), vec![problem.of("nonces.replica")])
    })?;
    let nonces = Nonces::new(keeping, replica);
    Ok(Arc::new(match config.replica {
        Part::Shared => nonces.leasing(Leases::of_nobody_else()),
        Part::Written(_) | Part::Ordinal(_) => nonces,
    }))
}

/// The directory that the environment names: systemd's, or one of the user's by the XDG Base
/// Directory Specification, by which a relative path is none.
fn found(path: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let path = |name| path(name).filter(|path| path.is_absolute());
    let of_systemd = path("STATE_DIRECTORY").map(|list| {
        let list = list.into_os_string().into_encoded_bytes();
        let first = list.split(|byte| *byte == b':').next().unwrap_or_default();
        PathBuf::from(String::from_utf8_lossy(first).into_owned())
    });
    let of_user = || {
        let home = path("XDG_STATE_HOME").or_else(|| Some(path("HOME")?.join(".local/state")));
        home.map(|home| home.join("countersign"))
    };
    of_systemd.or_else(of_user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_where_systemd_says_or_else_the_user() {
        let all = [("STATE_DIRECTORY", "/s:/t"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
        for (given, expected) in [
            (&all[..], Some("/s")),
            (&all[1..], Some("/x/countersign")),
            (&all[2..], Some("/h/.local/state/countersign")),
            (&[("XDG_STATE_HOME", "x"), ("HOME", "")], None),
            (&[], None),
        ] {
            let named = |name: &str| {
                given.iter().find(|(own, _)| *own == name).map(|(_, path)| PathBuf::from(path))
            };
            assert_eq!(found(named), expected.map(PathBuf::from), "{given:?}");
        }
    }
}
