//! The table of causes, in groups. Codes do not change.

pub(crate) mod content;
pub(crate) mod fields;
pub(crate) mod form;
pub(crate) mod keyed;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod token;

use super::types::Known;

/// Every row of the table of causes.
pub fn all_causes() -> impl Iterator<Item = &'static Known> {
    let groups =
        [form::ALL, token::ALL, time::ALL, text::ALL, content::ALL, fields::ALL, keyed::ALL];
    groups.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_is_in_the_table_once() {
        let files = [
            include_str!("causes/content.rs"),
            include_str!("causes/fields.rs"),
            include_str!("causes/form.rs"),
            include_str!("causes/keyed.rs"),
            include_str!("causes/text.rs"),
            include_str!("causes/time.rs"),
            include_str!("causes/token.rs"),
        ];
        let written: usize = files.iter().map(|file| file.matches(": Known =").count()).sum();
        let codes: BTreeSet<_> = all_causes().map(|known| known.code).collect();
        assert_eq!((codes.len(), all_causes().count()), (written, written));
        assert!(written > 100);
    }
}
