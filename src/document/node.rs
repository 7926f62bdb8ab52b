//! Values whose kind their reader decides: where a table has names of its author's choice, and a
//! string, a list or a further table may stand below each.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Report;
use crate::problem::Location;

/// A value, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'d> {
    report: &'d Report<'d>,
    value: &'d Spanned<DeValue<'d>>,
    /// Where the value begins.
    pub(crate) at: Location,
}

/// A name and its value.
#[derive(Clone, Debug)]
pub(crate) struct Member<'d> {
    /// The name.
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) name_at: Location,
    /// The value.
    pub(crate) node: Node<'d>,
}

impl<'d> Node<'d> {
    pub(super) fn new(report: &'d Report<'d>, value: &'d Spanned<DeValue<'d>>) -> Self {
        Self { report, value, at: report.at(value.span().start) }
    }

    /// The members of a whole document.
    pub(crate) fn root(report: &'d Report<'d>, table: &'d DeTable<'d>) -> Vec<Member<'d>> {
        in_order(report, table)
    }

    /// The string, where it is one.
    pub(crate) fn text(&self) -> Option<&'d str> {
        self.value.get_ref().as_str()
    }

    /// The flag, where it is one.
    pub(crate) fn flag(&self) -> Option<bool> {
        self.value.get_ref().as_bool()
    }

    /// The digits of a whole number, in decimal, where it is one.
    pub(crate) fn integer(&self) -> Option<i64> {
        let DeValue::Integer(integer) = self.value.get_ref() else { return None };
        i64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// The items, where it is a list.
    pub(crate) fn items(&self) -> Option<Vec<Self>> {
        let array = self.value.get_ref().as_array()?;
        Some(array.iter().map(|item| Self::new(self.report, item)).collect())
    }

    /// The members in the order they are written, where it is a table.
    pub(crate) fn members(&self) -> Option<Vec<Member<'d>>> {
        Some(in_order(self.report, self.value.get_ref().as_table()?))
    }

    /// The place of a byte of the string's text. Where the string is written with escapes, that of
    /// its beginning.
    pub(crate) fn inside(&self, offset: usize) -> Location {
        let span = self.value.span();
        let written = self.report.text().get(span.clone()).unwrap_or_default();
        let quotes = ["'''", "\"\"\"", "'", "\""];
        let quote = quotes.iter().find(|quote| written.starts_with(*quote)).map_or(0, |q| q.len());
        if written.starts_with('"') && written.contains('\\') {
            return self.at;
        }
        let behind = &written[quote..];
        // A line's end directly behind three quotes is none of the text.
        let trimmed = ["\r\n", "\n"].iter().find(|end| quote == 3 && behind.starts_with(**end));
        self.report.at(span.start + quote + trimmed.map_or(0, |end| end.len()) + offset)
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        super::table::type_of(self.value)
    }

    /// Adds a problem of this value.
    pub(crate) fn report(&self, what: impl Into<String>, fix: impl Into<String>) {
        self.report.add(self.at, what, fix);
    }

    /// Adds a problem of another place in the same file.
    pub(crate) fn report_at(&self, at: Location, what: impl Into<String>, fix: impl Into<String>) {
        self.report.add(at, what, fix);
    }
}

fn in_order<'d>(report: &'d Report<'d>, table: &'d DeTable<'d>) -> Vec<Member<'d>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let member = |(name, value): &(&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
        let (span, name): (_, &toml::de::DeString<'_>) = (name.span(), name.get_ref());
        Member {
            name: name.to_string(),
            name_at: report.at(span.start),
            node: Node::new(report, value),
        }
    };
    entries.iter().map(member).collect()
}
