//! What is said of a file: which parts of a request its signatures bind.

use super::problems;
use crate::scheme::Binds;
use crate::scheme::declared::Compiled;

/// A file that signs pairs and places the signature as `s` of the query.
fn of_pairs(pairs: &str) -> Vec<(String, Binds)> {
    let text = format!(
        "format = 1\nsummary = \"\"\nhost = \"a.test\"\n[keys.k]\nalgorithms = [\"hmac_sha256\"]\n\
         [values]\npairs = {{ pairs = [\"query\"]{pairs} }}\n\
         signed = {{ sign = \"{{pairs}}\", key = \"k\", as = \"hex\" }}\n\
         [place.query]\ns = \"{{signed}}\"\n"
    );
    Compiled::read(&text).expect("every word is known").bound()
}

/// Said to be bound whole, a query's own names would be changed on the way and nobody would look.
#[test]
fn a_query_without_some_names_is_bound_in_part() {
    for (pairs, bound) in [
        ("", Binds::Bound),
        (", except = [\"s\"]", Binds::Bound),
        (", except = [\"s\", \"other\"]", Binds::Partly),
        (", only = [\"amount\"]", Binds::Partly),
        (", empty = \"skip\"", Binds::Partly),
        (", names = \"lower\"", Binds::Partly),
        (", repeat = \"first\"", Binds::Partly),
    ] {
        let rows = of_pairs(pairs);
        let query = rows.iter().find(|(part, _)| part == "query").expect("it is said");
        assert_eq!(query.1, bound, "{pairs}");
    }
}

#[test]
fn headers_are_said_to_be_bound_where_they_are() {
    for (name, bound) in [("aws_sigv4", true), ("okx", false)] {
        let rows = super::catalogue(name).bound();
        let said = rows.iter().any(|(part, _)| part == "headers that are listed");
        assert_eq!(said, bound, "{name}");
    }
}

#[test]
fn a_file_that_places_nothing_is_none() {
    let found = problems("format = 1\nsummary = \"\"\nhost = \"a.test\"\n").join("\n");
    assert!(found.contains("nothing is placed, so nothing would be signed"), "{found}");
}
