//! The next steps: what is left to do by hand, and how programs then call.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::required::{hosted, required_params, required_secrets, service};
use crate::cli::CliError;
use crate::scheme::Entry;

/// What is known of the configuration that was written.
pub(super) struct Next<'a> {
    pub(super) config: &'a Path,
    /// The directory where secrets are looked for.
    pub(super) secrets: &'a Path,
    /// The certificate that programs have to trust to write `https://`.
    pub(super) ca: Option<&'a Path>,
    /// The forward listener, where there is one.
    pub(super) forward: Option<String>,
    /// What has to be done before it is right, beside what the providers want.
    pub(super) steps: Vec<String>,
    /// The gateway, where it has an address.
    pub(super) gateway: Option<String>,
}

impl Next<'_> {
    pub(super) fn say(
        &self,
        providers: &[Arc<Entry>],
        out: &mut dyn Write,
    ) -> Result<(), CliError> {
        let config = self.config.display();
        writeln!(out, "\nnext:")?;
        for entry in providers {
            for slot in required_secrets(entry) {
                let path = self.secrets.join(slot.file.as_ref());
                let (slot, name, path) = (&slot.name, &entry.name, path.display());
                writeln!(out, "  put the {slot} for {name} into {path}, mode 0600")?;
            }
            for param in required_params(entry) {
                writeln!(out, "  write {} in [routes.{}]: {}", param.name, entry.name, param.doc)?;
            }
        }
        self.steps.iter().try_for_each(|step| writeln!(out, "  {step}"))?;
        writeln!(out, "  countersign check {config}")?;
        let called: Vec<_> = hosted(providers)
            .map(|entry| format!("{}s://{}/…", entry.protocol, entry.host))
            .collect();
        if !called.is_empty() && self.forward.is_some() && self.ca.is_some() {
            let called = called.join(", ");
            writeln!(
                out,
                "  countersign exec --config {config} -- your-program   # calls {called}"
            )?;
        }
        writeln!(out, "or, for many programs:\n  countersign run {config}")?;
        providers.iter().try_for_each(|entry| self.calls(entry, out))
    }

    /// The ways in which programs ask for this provider.
    fn calls(&self, entry: &Entry, out: &mut dyn Write) -> Result<(), CliError> {
        let (name, host) = (&entry.name, &entry.host);
        if let Some(gateway) = &self.gateway {
            if entry.is_envelope() {
                let service = service(entry, self.config);
                writeln!(out, "  callers ask http://{gateway}/{name}/…; {service} answers")?;
            } else if entry.protocol == "ws" {
                writeln!(out, "  your-program   # calls ws://{gateway}/{name}/…")?;
            }
        }
        if entry.is_envelope() || entry.protocol == "ws" {
            return Ok(());
        }
        if let Some(forward) = &self.forward {
            writeln!(out, "  http_proxy=http://{forward} your-program   # calls http://{host}/…")?;
        }
        if let Some(gateway) = &self.gateway {
            writeln!(out, "  curl http://{gateway}/{name}/…")?;
        }
        if let (Some(forward), Some(ca)) = (&self.forward, self.ca) {
            let ca = ca.display();
            writeln!(out, "  curl --cacert {ca} --proxy http://{forward} https://{host}/…")?;
        }
        Ok(())
    }
}
