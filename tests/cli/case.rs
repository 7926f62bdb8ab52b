//! One case: files, then commands one after another, and what each must answer.
//!
//! Expected output is compared to the letter. In it `{dir}` stands for the directory of the
//! case, `{version}` for the program's version, `{any}` for anything on that line.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::support::home::Home;
use crate::support::under_test;
use crate::support::wait::limited;

/// `[[case]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    name: String,
    /// Files, and where in `tests/cli` they are copied from.
    #[serde(default)]
    copy: BTreeMap<String, String>,
    /// Files and what is in them.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files that get another mode than 0600.
    #[serde(default)]
    modes: BTreeMap<String, u32>,
    step: Vec<Step>,
}

/// `[[case.step]]`: a command, and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    run: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    exit: i32,
    /// The whole of it; nothing, where neither this nor another expectation is written.
    stdout: Option<String>,
    #[serde(default)]
    stdout_has: Vec<String>,
    /// A JSON value, however it is laid out.
    stdout_json: Option<String>,
    stderr: Option<String>,
    #[serde(default)]
    stderr_has: Vec<String>,
    /// What must be in neither.
    #[serde(default)]
    never: Vec<String>,
    /// Files that only their owner can read afterwards.
    #[serde(default)]
    private: Vec<String>,
    /// Files that are not there afterwards.
    #[serde(default)]
    missing: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

impl Case {
    /// Reads a file of cases.
    pub(super) fn read(text: &str) -> Result<Vec<Self>, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        Ok(file.case)
    }

    /// Runs the steps; what was not as expected, each with its place.
    pub(super) fn problems(&self) -> Vec<String> {
        let copies: Vec<(&str, &str)> =
            self.copy.iter().map(|(name, from)| (name.as_str(), from.as_str())).collect();
        let home = prepare(&copies);
        for (name, content) in &self.files {
            let parent = home.path(name).parent().map(Path::to_path_buf).expect("it is a file");
            fs::create_dir_all(parent).expect("a directory can be made");
            home.write(name, content);
        }
        for (name, mode) in &self.modes {
            let set = fs::set_permissions(home.path(name), fs::Permissions::from_mode(*mode));
            set.unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        let mut problems = Vec::new();
        for (index, step) in self.step.iter().enumerate() {
            for problem in step.problems(&home) {
                problems.push(format!("- {}, step {}: {problem}", self.name, index + 1));
            }
        }
        problems
    }
}

impl Step {
    fn problems(&self, home: &Home) -> Vec<String> {
        let output = self.output(home);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut problems = Vec::new();
        if output.status.code() != Some(self.exit) {
            problems.push(format!("{}, not {}\n{stdout}{stderr}", output.status, self.exit));
        }
        let fill = |text: &str| fill(text, home);
        let free = !self.stdout_has.is_empty() || self.stdout_json.is_some();
        problems.extend(differs("stdout", self.stdout.as_deref().map(fill), free, &stdout));
        let free = !self.stderr_has.is_empty();
        problems.extend(differs("stderr", self.stderr.as_deref().map(fill), free, &stderr));
        problems.extend(lacks("stdout", &self.stdout_has, &stdout, home));
        problems.extend(lacks("stderr", &self.stderr_has, &stderr, home));
        if let Some(expected) = &self.stdout_json {
            let expected: Value = serde_json::from_str(expected).expect("the case has JSON");
            match serde_json::from_str::<Value>(&stdout) {
                Ok(found) if is_like(&expected, &found) => {}
                found => problems.push(format!("the JSON is {found:?}, not {expected:?}")),
            }
        }
        for secret in &self.never {
            if stdout.contains(secret) || stderr.contains(secret) {
                problems.push(format!("it shows {secret:?}"));
            }
        }
        problems.extend(self.private.iter().filter_map(|name| open_to_others(home, name)));
        for name in &self.missing {
            if home.path(name).exists() {
                problems.push(format!("{name} is there"));
            }
        }
        problems
    }

    fn output(&self, home: &Home) -> Output {
        let mut child = limited(under_test())
            .args(&self.run)
            .current_dir(home.path("."))
            // Nothing of the tester's own: no passphrase, no width of a terminal.
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A command that does not read may be gone already.
        let _taken = stdin.write_all(self.stdin.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the binary ends")
    }
}

/// A directory with keys and these files from `tests/cli`.
pub(super) fn prepare(copies: &[(&str, &str)]) -> Home {
    let home = Home::new("");
    for (name, from) in copies {
        let from = directory().join(from);
        let text = fs::read_to_string(&from);
        home.write(name, &text.unwrap_or_else(|why| panic!("{}: {why}", from.display())));
    }
    home.write("keys/metasv.jwt", "canary-token\n");
    home
}

/// `tests/cli`.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

fn fill(text: &str, home: &Home) -> String {
    let dir = fs::canonicalize(home.path(".")).expect("the directory is there");
    text.replace("{dir}", &dir.display().to_string())
        .replace("{version}", env!("CARGO_PKG_VERSION"))
}

fn differs(what: &str, expected: Option<String>, free: bool, found: &str) -> Option<String> {
    if expected.is_none() && free {
        return None;
    }
    let expected = expected.unwrap_or_default();
    let same = expected.lines().count() == found.lines().count()
        && expected.ends_with('\n') == found.ends_with('\n')
        && expected.lines().zip(found.lines()).all(|(expected, found)| fits(expected, found));
    (!same).then(|| format!("{what} is\n{found}---- and not\n{expected}----"))
}

/// Whether JSON is the expected one, in which the text `{any}` stands for any value.
fn is_like(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), _) if any == "{any}" => true,
        (Value::Array(expected), Value::Array(found)) => {
            let mut both = expected.iter().zip(found);
            expected.len() == found.len() && both.all(|(expected, found)| is_like(expected, found))
        }
        (Value::Object(expected), Value::Object(found)) => {
            let has = |name, value| found.get(name).is_some_and(|found| is_like(value, found));
            expected.len() == found.len() && expected.iter().all(|(name, value)| has(name, value))
        }
        _ => expected == found,
    }
}

/// Whether a line is the expected one, in which `{any}` may stand for anything once.
fn fits(expected: &str, found: &str) -> bool {
    match expected.split_once("{any}") {
        None => expected == found,
        Some((before, after)) => {
            let rest = found.strip_prefix(before);
            rest.is_some_and(|rest| rest.len() > after.len() && rest.ends_with(after))
        }
    }
}

fn lacks(what: &str, wanted: &[String], found: &str, home: &Home) -> Option<String> {
    let missing: Vec<String> = wanted
        .iter()
        .map(|text| fill(text, home))
        .filter(|text| !found.contains(text.as_str()))
        .collect();
    (!missing.is_empty()).then(|| format!("{what} lacks {missing:?}; it is\n{found}"))
}

fn open_to_others(home: &Home, name: &str) -> Option<String> {
    match fs::metadata(home.path(name)) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => None,
        Ok(found) => Some(format!("{name} has mode {:o}", found.permissions().mode())),
        Err(why) => Some(format!("{name}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_is_not_met_says_so() {
        let text = r#"
[[case]]
name = "wrong in every way"
[[case.step]]
run = ["--version"]
exit = 1
stdout = "countersign {version} and more\n"
stderr_has = ["words"]
never = ["countersign"]
private = ["nowhere"]
missing = ["keys"]
stdout_json = "{}"
"#;
        let problems = Case::read(text).unwrap()[0].problems();
        assert_eq!(problems.len(), 7, "{problems:#?}");
    }

    #[test]
    fn any_stands_for_something_on_one_line() {
        let table = [
            ("a {any} c\n", "a b c\n", true),
            ("a {any} c\n", "a  c\n", false),
            ("a {any}\n", "a b\nc\n", false),
            ("", "a\n", false),
            ("a\n", "a", false),
        ];
        for (expected, found, same) in table {
            let differs = differs("x", Some(expected.to_owned()), false, found);
            assert_eq!(differs.is_none(), same, "{expected:?} {found:?}");
        }
    }
}
