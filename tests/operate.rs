//! docs/operate: what it names is there, its alerts fire once each in an hour that is scripted, and
//! Prometheus scrapes the program with a token and evaluates them.

mod scraped;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use countersign::metrics::{LABELS, Metrics};
use countersign::refusal::Code;
use serde_json::Value;

use crate::support::home::Home;
use crate::support::root;

const FILES: &[&str] = &["README.md", "alerts.yml", "alerts_test.yml", "dashboard.json"];

fn operate(file: &str) -> PathBuf {
    root().join("docs/operate").join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(operate(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
}

/// Words of letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
}

/// A metric that is called otherwise than in the program is an alert that never fires.
#[test]
fn every_metric_that_is_named_is_one() {
    let metrics = Metrics::default();
    let mut known = BTreeSet::new();
    for row in metrics.rows() {
        known.insert(row.name.clone());
        if row.kind == "histogram" {
            known.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", row.name)));
        }
    }
    let mut seen = BTreeSet::new();
    for file in FILES {
        let text = text(file);
        let named = words(&text).filter(|word| word.starts_with("countersign_"));
        for word in named {
            assert!(known.contains(word), "{file}: {word} is no metric");
            seen.insert(word.to_owned());
        }
    }
    assert!(seen.len() > 25, "{seen:?}");
    // A metric that the dashboard leaves out is one that nobody sees.
    let dashboard = text("dashboard.json");
    let shown = |row: &&str| words(&dashboard).any(|word| word.trim_end_matches("_bucket") == *row);
    let hidden: Vec<_> =
        metrics.rows().iter().map(|row| &*row.name).filter(|row| !shown(row)).collect();
    assert_eq!(hidden, Vec::<&str>::new());
}

/// A label that no metric has matches nothing, and so does a code that no refusal has.
#[test]
fn every_label_and_every_code_that_is_named_is_one() {
    let own = ["job", "instance", "le", "outcome"];
    let labels: BTreeSet<_> = LABELS.iter().map(|(name, _)| *name).chain(own).collect();
    let codes: Vec<_> = Code::all().map(Code::name).collect();
    let mut seen = 0;
    for expression in expressions() {
        for selector in expression.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            for matcher in selector.split("\",").filter(|matcher| !matcher.trim().is_empty()) {
                let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
                let matcher = matcher.trim();
                let (label, value) = matcher.split_at(matcher.find(ends).expect(matcher));
                assert!(labels.contains(label), "{label} in {expression}");
                seen += 1;
                if label != "code" {
                    continue;
                }
                let value = value.trim_start_matches(['=', '!', '~', '"']).trim_end_matches('"');
                for code in value.split('|') {
                    let begins = |name: &&str| name.starts_with(code.trim_end_matches(".*"));
                    assert!(codes.iter().any(begins), "{code} in {expression}");
                }
            }
        }
    }
    assert!(seen > 60, "only {seen} labels");
    let readme = text("README.md");
    for code in readme.split('`').skip(1).step_by(2).filter(|word| word.contains('_')) {
        let known =
            codes.contains(&code) || !code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let others = ["total_us", "upstream_us", "last_reload", "made_room"];
        assert!(known || code.starts_with("countersign_") || others.contains(&code), "{code}");
    }
}

/// Every expression of the alerts and of the dashboard, without Grafana's variables.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("dashboard.json")).expect("it is JSON");
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().expect("it has panels") {
        for target in panel["targets"].as_array().expect("a panel has targets") {
            found.push(target["expr"].as_str().expect("a target has an expression").to_owned());
        }
    }
    let annotations = dashboard["annotations"]["list"].as_array().expect("a list");
    found.extend(annotations.iter().filter_map(|one| one["expr"].as_str()).map(str::to_owned));
    let alerts = text("alerts.yml");
    let mut lines = alerts.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(expression) = line.trim().strip_prefix("expr: ") else { continue };
        let mut whole = expression.trim_start_matches('|').to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            whole.push_str(more.trim());
        }
        found.push(whole);
    }
    assert!(found.len() > 50, "{} expressions", found.len());
    let plain = |text: String| text.replace("$__rate_interval", "5m").replace("\"$", "\".*");
    found.into_iter().map(plain).collect()
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(operate(".")).output();
    let output = output.expect("scripts/setup-tests installs it");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn promtool_takes_the_rules_and_what_the_dashboard_asks() {
    let alerts = alerts();
    let said = promtool(&["check", "rules", "alerts.yml"]);
    assert!(said.contains(&format!("SUCCESS: {} rules found", alerts.len())), "{said}");
    // A recorded rule is how promtool reads an expression.
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, expression) in expressions().iter().enumerate() {
        let quoted = serde_json::to_string(expression).expect("a text is JSON");
        rules.push_str(&format!("      - record: asked:{number}\n        expr: {quoted}\n"));
    }
    let home = Home::new("");
    home.write("dashboard.yml", &rules);
    promtool(&["check", "rules", &home.path("dashboard.yml").to_string_lossy()]);
}

/// The names of the alerts.
fn alerts() -> Vec<String> {
    let text = text("alerts.yml");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

/// promtool compares what fires, with labels and summaries, and what does not before and after.
#[test]
fn each_alert_fires_once_in_a_scripted_hour() {
    let said = promtool(&["test", "rules", "alerts_test.yml"]);
    assert!(said.contains("SUCCESS"), "{said}");
    let (alerts, script) = (alerts(), text("alerts_test.yml"));
    assert!(alerts.len() >= 15, "{alerts:?}");
    for alert in &alerts {
        let fires = format!("- alertname: {alert}\n");
        assert_eq!(script.matches(&fires).count(), 1, "{alert}");
        let silent = format!("{{alertname: {alert}, ");
        assert!(script.contains(&silent), "{alert} is seen to be silent");
    }
}

/// Who is woken at night looks the alert up.
#[test]
fn each_alert_has_a_section_that_says_what_to_do() {
    let readme = text("README.md");
    let (_, sections) = readme.split_once("## The alerts\n").expect("there are sections");
    let sections: Vec<_> = sections.split("\n### ").skip(1).collect();
    let names: Vec<_> = sections.iter().filter_map(|section| section.lines().next()).collect();
    assert_eq!(names, alerts(), "in the order of the rules");
    assert!(sections.iter().all(|section| section.len() > 200));
}
