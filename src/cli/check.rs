//! `check`: everything `run` does before it listens, and nothing after.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::config_file::ConfigFile;
use super::{CliError, Exit, runtime};
use crate::config::{Config, ConfigErrors, Location, Problem};
use crate::snapshot::{LiveKey, Snapshot, Surroundings};

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Open no key and no secret, as where they are not: the rest is checked with stand-ins
    #[arg(long)]
    without_keys: bool,
    /// Print JSON, whatever is found
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let path = args.config.path();
    let found = Found::of(path, args.without_keys)?;
    if args.json {
        writeln!(out, "{:#}", found.json(path))?;
        return if found.errors.is_empty() { Ok(()) } else { Err(CliError::silent(Exit::Config)) };
    }
    let problems = |list: &[Judged]| {
        let list = list.iter().map(|problem| problem.error.clone()).collect();
        ConfigErrors::new(path.to_owned(), list)
    };
    if !found.errors.is_empty() {
        return Err(problems(&found.errors).into());
    }
    for warning in &found.warnings {
        writeln!(out, "warning: {}", problems(std::slice::from_ref(warning)))?;
    }
    found.text(path, out)
}

/// What there is to say about a configuration.
#[derive(Default)]
struct Found {
    errors: Vec<Judged>,
    warnings: Vec<Judged>,
    routes: usize,
    /// How many keys it names, and those that were opened.
    keys: (usize, Option<Vec<LiveKey>>),
    /// What replicas share, where it was looked at: its version.
    shared: Option<String>,
}

/// A problem, and a stable word for what kind it is.
struct Judged {
    code: &'static str,
    error: Problem,
}

impl Found {
    fn of(path: &Path, without_keys: bool) -> Result<Self, CliError> {
        let mut found = Self::default();
        let (config, written) = match Config::attempt(path) {
            Ok(both) => both,
            Err(errors) => {
                found.errors = all(errors.errors, |_| WRITTEN);
                return Ok(found);
            }
        };
        (found.routes, found.keys.0) = (config.routes.len(), config.keys.len());
        let right = written.is_none();
        let distrusted = config.distrusted();
        // Without a line of its own it is the file itself, which may name commands of others'.
        let whose = distrusted.iter().any(|problem| problem.at.is_none());
        found.errors = all(written.map(|errors| errors.errors).unwrap_or_default(), |_| WRITTEN);
        let (errors, mut warnings) = match (without_keys, right) {
            (true, _) => Snapshot::unopened(&config, right),
            (false, _) if whose => (Vec::new(), Vec::new()),
            (false, false) => (runtime()?.block_on(Snapshot::problems(&config)), Vec::new()),
            (false, true) => {
                let surroundings = Surroundings { looks: true, ..Surroundings::default() };
                let built = runtime()?.block_on(Snapshot::build(&config, &surroundings, None));
                match built {
                    Ok(snapshot) => {
                        found.keys.1 = Some(snapshot.keys);
                        found.shared = snapshot.shared.map(|shared| shared.version);
                        (Vec::new(), snapshot.warnings)
                    }
                    Err(errors) => (errors.errors, Vec::new()),
                }
            }
        };
        found.errors.extend(all(errors, |error| of_table(&error.what)));
        if without_keys {
            // It is not here that they will be believed.
            warnings.extend(distrusted);
        } else {
            found.errors.extend(all(distrusted, |_| DISTRUSTED));
        }
        found.errors.sort_by(|one, other| {
            (&one.error.file, one.error.at).cmp(&(&other.error.file, other.error.at))
        });
        found.warnings = all(warnings, |_| "doubtful");
        Ok(found)
    }

    fn text(&self, path: &Path, out: &mut dyn Write) -> Result<(), CliError> {
        let (path, (named, opened)) = (path.display(), &self.keys);
        let verdict = match self.warnings.len() {
            0 => "all good".to_owned(),
            warnings => plural(warnings, "warning"),
        };
        let (routes, keys) = (plural(self.routes, "route"), plural(*named, "key"));
        let unopened = if opened.is_none() { "; no key and no secret was opened" } else { "" };
        writeln!(out, "{path}: {routes} and {keys}, {verdict}{unopened}")?;
        if let Some(version) = &self.shared {
            writeln!(out, "  shared: {version}, and the user may do what is needed")?;
        }
        for key in opened.iter().flatten() {
            let print = key.public_key.fingerprint();
            let ms = key.took.as_secs_f64() * 1000.0;
            let kept = if key.stays { "does not leave its store," } else { "in memory, from" };
            let (name, algorithm, place) = (&key.name, key.algorithm(), &key.place);
            writeln!(
                out,
                "  {name}: {algorithm} {print}, signs and verifies in {ms:.1} ms; {kept} {place}"
            )?;
        }
        Ok(())
    }

    fn json(&self, path: &Path) -> Value {
        let list = |problems: &[Judged]| -> Vec<Value> {
            problems.iter().map(|problem| problem.json(path)).collect()
        };
        let key = |key: &LiveKey| {
            json!({
                "name": key.name,
                "algorithm": key.algorithm().name(),
                "fingerprint": key.public_key.fingerprint(),
                "place": key.place,
                "stays_in_store": key.stays,
                "sign_us": u64::try_from(key.took.as_micros()).unwrap_or(u64::MAX),
            })
        };
        json!({
            "file": path.display().to_string(),
            "good": self.errors.is_empty(),
            "errors": list(&self.errors),
            "warnings": list(&self.warnings),
            "routes": self.routes,
            "shared": self.shared,
            "keys": self.keys.1.as_ref().map(|keys| keys.iter().map(key).collect::<Vec<_>>()),
        })
    }
}

impl Judged {
    fn json(&self, path: &Path) -> Value {
        let Problem { file, at, what, fix } = &self.error;
        let path = file.as_deref().unwrap_or(path);
        json!({
            "code": self.code,
            "file": path.display().to_string(),
            "line": at.map(|Location { line, .. }| line),
            "column": at.map(|Location { column, .. }| column),
            "what": what,
            "fix": fix,
        })
    }
}

/// The file itself is wrong: it cannot be read, or says what cannot be.
const WRITTEN: &str = "configuration_invalid";

/// Others can change it, or a file that it names.
const DISTRUSTED: &str = "file_distrusted";

/// What the file names cannot be used: the code by the table that a message begins with.
fn of_table(what: &str) -> &'static str {
    let codes = [
        ("keys.", "key_unusable"),
        ("secrets.", "secret_unusable"),
        ("upstreams.", "upstream_unusable"),
        ("intercept.", "authority_unusable"),
        ("access.", "tokens_unusable"),
        ("nonces.", "state_unusable"),
        ("shared.", "shared_unusable"),
    ];
    codes.iter().find(|(table, _)| what.starts_with(table)).map_or("route_unusable", |(_, c)| c)
}

fn all(errors: Vec<Problem>, code: fn(&Problem) -> &'static str) -> Vec<Judged> {
    errors.into_iter().map(|error| Judged { code: code(&error), error }).collect()
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
