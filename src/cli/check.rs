//! `check`: everything `run` does before it listens, and nothing after.

use std::io::Write;
use std::path::Path;

use super::{CliError, runtime};
use crate::config::{Config, ConfigErrors};
use crate::snapshot::{Snapshot, Surroundings};

pub(super) fn run(path: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let runtime = runtime()?;
    let (config, errors) = Config::attempt(path)?;
    if let Some(mut errors) = errors {
        errors.errors.extend(runtime.block_on(Snapshot::problems(&config)));
        return Err(ConfigErrors::new(errors.path, errors.errors).into());
    }
    let surroundings = Surroundings::default();
    let snapshot = runtime.block_on(Snapshot::build(&config, &surroundings, None))?;
    for warning in &snapshot.warnings {
        let one = ConfigErrors::new(config.path.clone(), vec![warning.clone()]);
        writeln!(out, "warning: {one}")?;
    }
    let (routes, keys) = (snapshot.routes.all().count(), snapshot.keys.len());
    let path = path.display();
    let verdict = match snapshot.warnings.len() {
        0 => "all good".to_owned(),
        warnings => plural(warnings, "warning"),
    };
    writeln!(out, "{path}: {} and {}, {verdict}", plural(routes, "route"), plural(keys, "key"))?;
    for key in &snapshot.keys {
        let print = key.public_key.fingerprint();
        writeln!(out, "  {}: {} {print}, signs and verifies", key.name, key.algorithm())?;
    }
    Ok(())
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
