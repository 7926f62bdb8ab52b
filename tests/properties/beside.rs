//! A property that holds for everything may hold because nothing was looked at: beside each there is a
//! value that is known, in a test of its own.

use std::path::{Path, PathBuf};

use crate::documents::read;
use crate::support::cited;

#[test]
fn beside_every_property_there_is_a_value_that_is_known() {
    let (mut properties, mut wrong) = (0, Vec::new());
    for file in files() {
        let text = read(&file);
        let (inside, outside) = parted(&text);
        if inside == 0 {
            continue;
        }
        properties += inside;
        let path = file.strip_prefix(root()).expect("it was found below").display().to_string();
        let elsewhere = ELSEWHERE.iter().find(|(own, _)| *own == path);
        match elsewhere {
            Some((_, tests)) => {
                wrong.extend(tests.iter().filter_map(|name| cited::test(name).err()))
            }
            None if outside == 0 => wrong.push(format!("{path} has properties and nothing else")),
            None => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(properties >= 45, "only {properties} properties were found");
}

/// Files whose known values are the vectors', and the tests that hold them.
const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        "tests/properties.rs",
        &[
            "dialects::every_request_of_the_vectors_is_signed_with_every_form_of_its_key",
            "dialects::signatures_of_others_are_judged_as_the_vectors_say",
            "dialects::the_get_sample_that_sinohope_prints_is_valid",
            "dialects::the_sample_that_metasv_prints_is_valid",
        ],
    ),
    (
        "tests/properties/loopring.rs",
        &[
            "loopring::every_request_of_the_vectors_is_signed_to_the_byte_and_accepted_by_the_second_opinion",
            "loopring::what_the_vectors_refuse_is_refused_by_both",
        ],
    ),
    (
        "tests/callbacks/verdicts.rs",
        &[
            "callbacks::answers::what_the_service_said_is_sealed_and_nothing_else",
            "callbacks::given::every_answer_is_sealed_as_the_vectors_have_it",
        ],
    ),
    (
        "src/scheme/declared/nonce.rs",
        &[
            "countersign::scheme::declared::tests::every_file_of_the_catalogue_loads_and_its_vectors_hold",
        ],
    ),
    (
        "src/nonces/placer.rs",
        &["wiring::a_replica_takes_its_nonces_from_its_share_of_each_millisecond"],
    ),
];

/// How many properties a text has, and how many tests beside them.
fn parted(text: &str) -> (usize, usize) {
    let (mut inside, mut outside, mut block) = (0, 0, None);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if block.is_none() && line.trim_start() == "proptest! {" {
            block = Some(indent);
        } else if block == Some(indent) && line.trim_start() == "}" {
            block = None;
        } else if line.trim_start().starts_with("#[test]") {
            *(if block.is_some() { &mut inside } else { &mut outside }) += 1;
        }
    }
    (inside, outside)
}

fn root() -> &'static Path {
    crate::documents::root()
}

/// Every file of Rust in `src` and `tests`.
fn files() -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![root().join("src"), root().join("tests")]);
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found
}
