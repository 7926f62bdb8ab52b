//! A public key in every form a provider's console asks for.

use std::io::Write;

use serde_json::json;

use crate::cli::error::CliError;
use crate::keys::PublicKey;

/// Writes the forms for people, each with what it is for.
pub(super) fn write_public_forms(key: &PublicKey, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "algorithm    {}", key.algorithm())?;
    writeln!(out, "fingerprint  {}", key.fingerprint())?;
    if let Some(bits) = key.bits() {
        writeln!(out, "size         {bits} bits")?;
    }
    for form in key.forms().iter().filter(|form| !form.heading.is_empty()) {
        writeln!(out, "\n{}:", form.heading)?;
        for (_, text) in &form.members {
            writeln!(out, "{}", text.trim_end())?;
        }
    }
    Ok(())
}

/// Writes the forms for programs: one JSON object, with the same members for every key of an
/// algorithm.
pub(super) fn write_json(key: &PublicKey, out: &mut dyn Write) -> Result<(), CliError> {
    let mut object = json!({
        "algorithm": key.algorithm().name(),
        "fingerprint": key.fingerprint(),
    });
    if let Some(bits) = key.bits() {
        object["bits"] = bits.into();
    }
    for (member, text) in key.forms().into_iter().flat_map(|form| form.members) {
        object[member] = text.into();
    }
    writeln!(out, "{object:#}")?;
    Ok(())
}
