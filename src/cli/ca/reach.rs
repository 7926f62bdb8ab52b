//! For which hosts a CA is, and what it may vouch for.

use std::io::Write;

use crate::cli::CliError;
use crate::config::Config;
use crate::tls::CaCertificate;

/// The hosts of the routes as certificates have them, each once.
pub(super) fn hosts_of(config: &Config) -> Vec<String> {
    let hosts = config.routes.values().filter_map(|route| route.host.as_ref());
    let mut hosts: Vec<String> = hosts.map(|host| host.name()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// What it may vouch for, a line for each constraint.
pub(super) fn write_reach(ca: &CaCertificate, out: &mut dyn Write) -> Result<(), CliError> {
    for (permitted, names) in ca.constraints() {
        let word = if permitted { "permitted" } else { "excluded" };
        writeln!(out, "{word:<12} {names}")?;
    }
    if let Some(all) = ca.unlimited() {
        writeln!(out, "unlimited    it may vouch for {all}")?;
    }
    Ok(())
}
