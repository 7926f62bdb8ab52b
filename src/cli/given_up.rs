//! What `run` and `signer` say of what they have given up.

use super::CliError;
use crate::config::Sandbox;
use crate::sandbox::Measure;

/// Says what was given up, and what could not be. `table` is where the settings are.
///
/// # Errors
///
/// Something could not be, and the configuration asks for it.
pub(super) fn tell(measures: &[Measure], wanted: Sandbox, table: &str) -> Result<(), CliError> {
    let mut done = Vec::new();
    for measure in measures {
        match &measure.done {
            Ok(how) => done.push(format!("{}, {how}", measure.name)),
            Err(why) => not_given_up(measure, why, wanted, table)?,
        }
    }
    if !done.is_empty() {
        tracing::info!("given up: {}", done.join("; "));
    }
    Ok(())
}

fn not_given_up(
    measure: &Measure,
    why: &str,
    wanted: Sandbox,
    table: &str,
) -> Result<(), CliError> {
    let what = format!("{} could not be given up: {why}", measure.name);
    if measure.asked {
        let fix = format!(
            "set LimitMEMLOCK=infinity, or `ulimit -l unlimited`, or take lock_memory out of {table}"
        );
        return Err(CliError::failed(what, fix));
    }
    if wanted == Sandbox::Require {
        let fix = format!("use a newer kernel, or write sandbox = \"warn\" below {table}");
        return Err(CliError::failed(what, fix));
    }
    tracing::warn!("{what}");
    Ok(())
}
