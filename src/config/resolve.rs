//! From what was written to what will run: values that do not fit together are refused.
//!
//! Every check reports and goes on, so that a file is mended in one go. The result of a file
//! with problems is thrown away; it only has to exist, not to be right.

mod decide;
mod intercept;
mod listen;
mod next;
mod routes;
mod shared;
mod stores;
#[cfg(test)]
mod tests;
mod upstreams;

use std::fs;
use std::path::Path;

use super::file::{self, File};
use super::{AuditFile, Config, ConfigErrors, Problem, Process};
use crate::document::{Field, Named, Report, Written, choose, is_shown, nearest, quoted};
use crate::moment::Part;
use crate::scheme::Registry;

impl Config {
    /// Reads and resolves a file, and looks at the files it names: what others can change is not
    /// believed.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with line, column and fix.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let (config, errors) = Self::attempt(path)?;
        let mut errors = errors.map_or_else(Vec::new, |errors| errors.errors);
        errors.extend(config.distrusted());
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors::new(path.to_owned(), errors)) }
    }

    /// Reads and resolves a file as far as it goes, for those who want to find further problems:
    /// with problems, the configuration exists but is not right. Who could have written it is not
    /// looked at.
    ///
    /// # Errors
    ///
    /// When there is nothing to go on with.
    pub fn attempt(path: &Path) -> Result<(Self, Option<ConfigErrors>), ConfigErrors> {
        let whole = |what: String, fix: &str| {
            ConfigErrors::new(path.to_owned(), vec![Problem::new(what, fix)])
        };
        let bytes = fs::read(path).map_err(|error| {
            let fix = "name a file that exists and that you may read";
            whole(format!("cannot be read: {error}"), fix)
        })?;
        let text = String::from_utf8(bytes)
            .map_err(|_| whole("is not text in UTF-8".into(), "save it as UTF-8"))?;
        resolve(&text, path, &Registry::built_in())
    }

    /// Resolves a text as if it stood in `path`; relative paths start at that file.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with line, column and fix.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        Self::parse_with(text, path, &Registry::built_in())
    }

    /// The same, with these schemes for routes to name.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_with(text: &str, path: &Path, schemes: &Registry) -> Result<Self, ConfigErrors> {
        resolve(text, path, schemes).and_then(all_right)
    }
}

fn all_right((config, errors): (Config, Option<ConfigErrors>)) -> Result<Config, ConfigErrors> {
    errors.map_or(Ok(config), Err)
}

fn resolve(
    text: &str,
    path: &Path,
    schemes: &Registry,
) -> Result<(Config, Option<ConfigErrors>), ConfigErrors> {
    let report = Report::new(text);
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let config = file::read(&report, schemes, directory)
        .map(|file| Resolver { file: &file, report: &report, directory, schemes }.config(path));
    let errors = report.into_errors();
    let found = !errors.is_empty();
    let errors = ConfigErrors::new(path.to_owned(), errors);
    match config {
        Some(config) => Ok((config, found.then_some(errors))),
        None => Err(errors),
    }
}

/// What the checks look at and where they report.
pub(super) struct Resolver<'a> {
    pub(super) file: &'a File,
    pub(super) report: &'a Report<'a>,
    /// Where relative paths start.
    pub(super) directory: &'a Path,
    /// What routes can name.
    pub(super) schemes: &'a Registry,
}

impl Resolver<'_> {
    fn config(&self, path: &Path) -> Config {
        Config {
            path: path.to_owned(),
            listen: self.listen(),
            access: self.access(),
            intercept: self.intercept(),
            limits: self.file.limits.clone(),
            timeouts: self.file.timeouts.clone(),
            self_check: self.file.self_check,
            keep: self.file.keep,
            replica: *self.file.nonces.replica.holds().unwrap_or(&Part::Shared),
            shared: self.shared(),
            state: self.file.nonces.state.value().map(|state| self.directory.join(state)),
            state_at: self.file.nonces.state.get().map(|state| state.at),
            stores: self.stores(),
            keys: self.keys(),
            secrets: self.secrets(),
            upstreams: self.upstreams(),
            routes: self.routes(),
            audit: self.audit(),
            process: self.process(),
            log: self.file.log.clone(),
            schemes: self.file.schemes.texts.clone(),
            scheme_files: self.file.schemes.files.clone(),
            warnings: self.report.warnings(),
        }
    }

    fn audit(&self) -> Option<AuditFile> {
        let written = &self.file.audit;
        let file = self.directory.join(written.file.value()?);
        Some(AuditFile { file, required: written.required, at: written.at? })
    }

    fn process(&self) -> Process {
        let file::Process { sandbox, lock_memory, runtime, read, write } = &self.file.process;
        let paths = |list: &Field<Vec<Written<String>>>| {
            list.value()
                .map(|list| list.iter().map(|path| self.directory.join(&path.value)).collect())
        };
        Process {
            sandbox: *sandbox,
            lock_memory: *lock_memory,
            runtime: *runtime,
            read: paths(read),
            write: paths(write),
        }
    }

    /// Reports a reference to nothing: `subject` names an entry that `[table]` does not have.
    fn check_reference<T>(
        &self,
        subject: &str,
        reference: &Written<String>,
        table: &str,
        entries: &Named<T>,
    ) {
        let name = reference.value.as_str();
        if entries.contains_key(name) {
            return;
        }
        let names: Vec<&str> = entries.keys().map(String::as_str).collect();
        let fix = match nearest(name, names.iter().copied()) {
            _ if !is_shown(name) => choose(name, &names),
            Some(meant) => format!("write \"{meant}\", or add [{table}.{name}]"),
            None if names.is_empty() => format!("write [{table}.{name}]"),
            None => format!("write [{table}.{name}], or {}", choose(name, &names)),
        };
        let what = format!("{subject} names {}, and [{table}] has no such entry", quoted(name));
        self.report.add(reference.at, what, fix);
    }
}
