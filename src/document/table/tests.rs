//! What a table says of keys that are wrong, missing, old or unknown.

use super::*;
use crate::problem::Problem;

/// Reads a text and gives back what was made of it, and each problem on a line.
fn read<R>(text: &str, read: impl FnOnce(&mut Table<'_>) -> R) -> (R, Vec<String>) {
    let document = DeTable::parse(text).expect("TOML");
    let report = Report::new(text);
    let result = Table::root(&report, document.get_ref(), read);
    let errors = report.into_errors();
    (result, errors.iter().map(Problem::in_full).collect())
}

#[test]
fn scalars_become_text() {
    let text = "p = { a = \"x\", b = 1_000, c = 0xff, d = true, e = -5 }";
    let key = Key::table("p", "{}");
    let (pairs, errors) = read(text, |table| table.pairs(key, true));
    let pairs = pairs.value().expect("a table").iter();
    let texts: Vec<&str> = pairs.filter_map(|p| Some(p.value.as_ref()?.value.as_str())).collect();
    assert_eq!(texts, ["x", "1000", "255", "true", "-5"]);
    assert_eq!(errors, [""; 0]);
    let (pairs, errors) = read(text, |table| table.pairs(key, false));
    assert_eq!(pairs.value().map_or(0, Vec::len), 5);
    assert_eq!(errors.len(), 4);
}

#[test]
fn what_is_no_table_lacks_nothing() {
    let key = Key::string("a", "\"b\"");
    let required = |table: &mut Table<'_>| {
        let field = table.parsed(key, |text| Ok(text.to_owned()));
        table.require(key, field).is_absent()
    };
    let (absent, errors) = read("t = 5", |file| file.table("t", required));
    assert!(!absent);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (_, errors) = read("[t]", |file| file.table("t", required));
    assert_eq!(errors, ["1:1: [t] has no a\n  fix: write a = \"b\" below it"]);
}

#[test]
fn keys_nobody_asked_for_are_reported() {
    let text = "[t]\nknwon = 1\nother = 2\nknown = 3";
    let key = Key::count("known", "1");
    let (field, errors) = read(text, |file| file.table("t", |table| table.count(key, Ok)));
    assert_eq!(field.value(), Some(&3));
    let expected = [
        "2:1: [t] has no key \"knwon\"\n  fix: write known",
        "3:1: [t] has no key \"other\"\n  fix: use known",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn an_old_name_is_read_with_a_warning_and_refused_beside_the_new_one() {
    let key = Key { was: &["old"], ..Key::count("new", "1") };
    let read_t = |text: &str| {
        let document = DeTable::parse(text).expect("TOML");
        let report = Report::new(text);
        let field = Table::root(&report, document.get_ref(), |file| {
            file.table("t", |table| table.count(key, Ok))
        });
        let lines =
            |all: Vec<Problem>| -> Vec<String> { all.iter().map(Problem::in_full).collect() };
        (field.into_value(), lines(report.warnings()), lines(report.into_errors()))
    };
    let none = Vec::<String>::new;
    assert_eq!(read_t("[t]\nnew = 2"), (Some(2), none(), none()));
    let warned = "3:3: t.old is called new now\n  fix: write new".to_owned();
    assert_eq!(read_t("[t]\n\n  old = 2"), (Some(2), vec![warned], none()));
    let refused = "2:1: t.old is the name that new had before, and both are written\n  \
                   fix: remove one of the two";
    assert_eq!(read_t("[t]\nold = 2\nnew = 3"), (None, none(), vec![refused.to_owned()]));
    // What is wrong is said of the name to write, and the old one is not recommended.
    let (_, _, errors) = read_t("[t]\nold = \"x\"\nolt = 1");
    assert!(errors[0].contains("write new = 1") && errors[1].contains("use new"), "{errors:?}");
}

#[test]
fn one_bad_item_spoils_a_list_and_hides_no_other() {
    let parse = |text: &str| text.parse::<u8>().map_err(|_| ValueFault::new("is no byte", ""));
    let key = Key::list("l", "[\"1\"]");
    let (field, errors) = read("l = [\"1\", \"x\", 5]", |file| file.list(key, parse));
    assert!(matches!(field, Field::Unreadable));
    assert_eq!(errors.len(), 2, "{errors:?}");
    let (field, errors) = read("l = [\"1\", \"2\"]", |file| file.list(key, parse));
    assert_eq!((field.value().map(Vec::len), errors.len()), (Some(2), 0));
}
