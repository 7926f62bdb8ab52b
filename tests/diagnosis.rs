//! Why a signature does not hold: `verify` against programs that sign wrongly, one mistake each, and
//! against those that do not. The table of mistakes, its keys and its arithmetic are Python
//! (`tests/programs/mistakes`), which shares nothing with the program.

mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::run;
use crate::support::proxy::countersign;

/// A row of the table.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    route: String,
    files: Vec<String>,
    /// Codes of causes that are right; none for a request that holds.
    codes: Vec<String>,
    words: String,
    certainty: Option<String>,
    at: Option<u64>,
    earlier: Option<String>,
}

#[test]
fn the_first_cause_is_right_in_95_of_100() {
    let home = TempDir::new().expect("a directory can be made");
    let rows = table(home.path());
    let verdicts = judge(home.path(), &rows);
    assert_eq!(verdicts.len(), rows.len(), "each row is judged");
    let mut wrong = Vec::new();
    let (mut mistakes, mut controls) = (0, 0);
    for row in &rows {
        let verdict = &verdicts[&row.name];
        let valid = verdict["valid"] == true;
        // Worse than a wrong cause: these have no margin.
        assert_eq!(valid, row.codes.is_empty(), "{}: {verdict:#}", row.name);
        if row.codes.is_empty() {
            assert_eq!(verdict["causes"], Value::Array(Vec::new()), "{}", row.name);
            controls += 1;
            continue;
        }
        mistakes += 1;
        let first = &verdict["causes"][0];
        let text = |name: &str| first[name].as_str().unwrap_or_default();
        let code = row.codes.iter().any(|code| text("code") == code);
        let said = text("cause").to_lowercase().contains(&row.words.to_lowercase());
        let sure = row.certainty.as_ref().is_none_or(|wanted| text("certainty") == wanted);
        if !(code && said && sure) {
            wrong.push(format!("{}: {} is none of {:?}", row.name, text("cause"), row.codes));
        }
    }
    let schemes: BTreeSet<&str> =
        rows.iter().filter_map(|row| row.name.split(':').next()).collect();
    assert!(mistakes >= 200 && controls >= 20 && schemes.len() >= 14, "{mistakes} {controls}");
    let share = 100 * (mistakes - wrong.len()) / mistakes;
    assert!(share >= 95, "{share} of 100: {wrong:#?}");
}

/// The table, and in the directory what it needs.
fn table(home: &Path) -> Vec<Row> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut python = Command::new("python3");
    let output = run(python.args(["-B", "-m", "mistakes"]).arg(home).current_dir(programs));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("the table is text");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let texts = |name: &str| -> Vec<String> {
            let list = row[name].as_array().expect("it is a list");
            list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        Row {
            name: text("name").expect("a row has a name"),
            route: text("route").expect("a row has a route"),
            files: texts("files"),
            codes: texts("codes"),
            words: text("words").unwrap_or_default(),
            certainty: text("certainty"),
            at: row["at"].as_u64(),
            earlier: text("earlier"),
        }
    };
    lines.lines().map(row).collect()
}

/// What `verify` says of each row, by name. Those that are asked alike are asked together.
fn judge(home: &Path, rows: &[Row]) -> BTreeMap<String, Value> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let alone = row.files.len() > 1 || row.earlier.is_some();
        let name = if alone { row.name.clone() } else { format!("{} {:?}", row.route, row.at) };
        groups.entry(name).or_default().push(row);
    }
    let groups: Vec<Vec<&Row>> = groups.into_values().collect();
    let config = home.join("proxy.toml").to_string_lossy().into_owned();
    let share = groups.len().div_ceil(4);
    thread::scope(|scope| {
        let ask = |groups: &[Vec<&Row>]| {
            groups.iter().flat_map(|group| verify(&config, group)).collect::<Vec<_>>()
        };
        let threads: Vec<_> =
            groups.chunks(share).map(|groups| scope.spawn(move || ask(groups))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    })
}

fn verify(config: &str, group: &[&Row]) -> Vec<(String, Value)> {
    let first = group.first().expect("a group has a row");
    let mut arguments = vec!["verify", config, "--route", &first.route, "--json"];
    for file in group.iter().flat_map(|row| &row.files) {
        arguments.extend(["--file", file]);
    }
    let at = first.at.map(|at| at.to_string());
    arguments.extend(at.iter().flat_map(|at| ["--at", at]));
    arguments.extend(first.earlier.iter().flat_map(|file| ["--earlier", file.as_str()]));
    let output = countersign(&arguments);
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}: {output:?}", first.name));
    let said = if let Value::Array(said) = said { said } else { vec![said] };
    let valid = said.iter().all(|verdict| verdict["valid"] == true);
    assert_eq!(output.status.code(), Some(i32::from(!valid)), "{}", first.name);
    group.iter().map(|row| row.name.clone()).zip(said).collect()
}
