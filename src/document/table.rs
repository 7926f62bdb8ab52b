//! Takes a parsed document apart, table by table and key by key.
//!
//! serde would stop at the first problem. A [`Table`] remembers which keys were asked for and
//! goes on: a key that is there and cannot be used is reported and becomes
//! [`Field::Unreadable`], a key nobody asked for is reported with the nearest one that exists.

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use super::fault::{ValueFault, quoted};
use super::field::{Field, Key, Named, Pair, Written};
use super::nearest::choose;
use super::report::Report;
use crate::problem::Location;

/// A table being read.
#[derive(Debug)]
pub(crate) struct Table<'d> {
    report: &'d Report<'d>,
    /// As messages call it: `[keys.metasv]`; empty for the whole file.
    title: String,
    /// What messages put before a key's name: `limits.`, or nothing where the table is one of
    /// several and the line says which.
    prefix: String,
    at: Option<Location>,
    entries: Entries<'d>,
    asked: Vec<&'static str>,
    /// Names that keys had before.
    old: Vec<&'static str>,
}

/// What is in a table.
#[derive(Clone, Copy, Debug)]
enum Entries<'d> {
    /// The table is not there.
    Missing,
    /// What stands in its place is no table, which is reported; so nothing in it is missing.
    Unreadable,
    Here(&'d DeTable<'d>),
}

impl<'d> Entries<'d> {
    fn iter(self) -> impl Iterator<Item = (&'d Name<'d>, &'d Value<'d>)> {
        let table = match self {
            Self::Here(table) => Some(table),
            Self::Missing | Self::Unreadable => None,
        };
        table.into_iter().flat_map(DeTable::iter)
    }
}

/// What reads a text, or a list of them, that is called like this.
pub(crate) type Short<'s, R> = &'s dyn Fn(&Report<'_>, &str, Written<Vec<String>>) -> R;

/// A string, or a list of strings.
fn words(value: &Value<'_>) -> Option<Vec<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(vec![text.to_string()]),
        DeValue::Array(list) => {
            list.iter().map(|word| Some(word.get_ref().as_str()?.to_owned())).collect()
        }
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => None,
    }
}

type Name<'d> = Spanned<DeString<'d>>;
type Value<'d> = Spanned<DeValue<'d>>;

impl<'d> Table<'d> {
    /// Reads a whole document.
    pub(crate) fn root<R>(
        report: &'d Report<'d>,
        entries: &'d DeTable<'d>,
        read: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let (title, prefix) = (String::new(), String::new());
        let root = Self {
            report,
            title,
            prefix,
            at: None,
            entries: Entries::Here(entries),
            asked: vec![],
            old: vec![],
        };
        root.read(read)
    }

    fn read<R>(mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let result = read(&mut self);
        self.refuse_the_rest();
        result
    }

    /// Where the table's header is; `None` when there is no such table.
    pub(crate) fn at(&self) -> Option<Location> {
        self.at
    }

    /// Reads the table `name` of this one, empty when it is not there.
    pub(crate) fn table<R>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> R) -> R {
        let value = self.find::<()>(name).ok();
        let entries = value.map_or(Entries::Missing, |value| self.entries_of(name, value));
        let at = value.map(|value| self.place(value));
        let (title, prefix) = (format!("[{name}]"), format!("{name}."));
        let (asked, old) = (vec![], vec![]);
        Self { report: self.report, title, prefix, at, entries, asked, old }.read(read)
    }

    /// Reads the table `name` inside one that has a name of the user's choice; `None` when it is
    /// not there.
    pub(crate) fn inner<R>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, Location) -> R,
    ) -> Option<R> {
        let value = self.find::<()>(name).ok()?;
        let full = format!("{}.{name}", self.title.trim_matches(['[', ']']));
        let (entries, at) = (self.entries_of(&full, value), self.place(value));
        let (title, prefix) = (format!("[{full}]"), format!("{}{name}.", self.prefix));
        let (asked, old) = (vec![], vec![]);
        let table = Self { report: self.report, title, prefix, at: Some(at), entries, asked, old };
        Some(table.read(|table| read(table, at)))
    }

    /// Whether there is a string under `name`, where a list may be as well.
    pub(crate) fn has_text(&self, name: &str) -> bool {
        self.peek(name).is_some_and(|value| value.get_ref().is_str())
    }

    /// Whether there is a list under `name`, where a string may be as well.
    pub(crate) fn has_list(&self, name: &str) -> bool {
        self.peek(name).is_some_and(|value| value.get_ref().is_array())
    }

    /// Whether there is a table under `name`, where a string may be as well.
    pub(crate) fn has_table(&self, name: &str) -> bool {
        self.peek(name).is_some_and(|value| value.get_ref().is_table())
    }

    fn peek(&self, name: &str) -> Option<&'d Value<'d>> {
        match self.entries {
            Entries::Here(table) => table.get(name),
            Entries::Missing | Entries::Unreadable => None,
        }
    }

    /// Reads every table under `name`, each with a name of the user's choice.
    pub(crate) fn tables<R>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Self, Location) -> R,
    ) -> Named<R> {
        self.tables_or_texts(name, read, None)
    }

    /// The same where a string or a list of strings may stand in a table's place, which `short`
    /// reads.
    pub(crate) fn tables_or_texts<R>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Self, Location) -> R,
        short: Option<Short<'_, R>>,
    ) -> Named<R> {
        let value = self.find::<()>(name).ok();
        let found = value.map_or(Entries::Missing, |value| self.entries_of(name, value));
        let mut tables = Named::new();
        for (key, value) in found.iter() {
            self.check_name(key);
            let label = key.get_ref();
            if let (Some(short), Some(words)) = (short, words(value)) {
                let full = format!("{name}.{}", label.escape_debug());
                let read = short(self.report, &full, self.written(words, value));
                tables.insert(label.to_string(), read);
                continue;
            }
            let full = format!("{name}.{}", label.escape_debug());
            let (entries, at) = (self.entries_of(&full, value), self.place(value));
            let (title, prefix) = (format!("[{full}]"), String::new());
            let (asked, old) = (vec![], vec![]);
            let table =
                Self { report: self.report, title, prefix, at: Some(at), entries, asked, old };
            tables.insert(label.to_string(), table.read(|table| read(table, at)));
        }
        tables
    }

    /// Reads a string by `parse`.
    pub(crate) fn parsed<T>(
        &mut self,
        key: Key,
        parse: impl FnOnce(&str) -> Result<T, ValueFault>,
    ) -> Field<T> {
        let value = match self.value_of(key) {
            Ok(value) => value,
            Err(field) => return field,
        };
        let Some(text) = value.get_ref().as_str() else {
            return self.wrong_type(key, value);
        };
        match parse(text) {
            Ok(parsed) => Field::Is(self.written(parsed, value)),
            Err(fault) => self.faulty(key, &fault, value),
        }
    }

    /// Reads a list of strings, each by `parse`. One bad string makes the list unreadable, but
    /// all are looked at.
    pub(crate) fn list<T>(
        &mut self,
        key: Key,
        parse: impl Fn(&str) -> Result<T, ValueFault>,
    ) -> Field<Vec<Written<T>>> {
        let value = match self.value_of(key) {
            Ok(value) => value,
            Err(field) => return field,
        };
        let Some(array) = value.get_ref().as_array() else {
            return self.wrong_type(key, value);
        };
        let items = array.iter().map(|item| self.item(key, item, &parse));
        let items: Vec<Option<Written<T>>> = items.collect();
        match items.into_iter().collect() {
            Some(items) => Field::Is(self.written(items, value)),
            None => Field::Unreadable,
        }
    }

    fn item<T>(
        &self,
        key: Key,
        item: &Value<'_>,
        parse: impl Fn(&str) -> Result<T, ValueFault>,
    ) -> Option<Written<T>> {
        let subject = format!("an entry of {}{}", self.prefix, key.name);
        let Some(text) = item.get_ref().as_str() else {
            let what = format!("{subject} is {}, and must be a string", type_of(item));
            let fix = format!("write {} = {}", key.name, key.example);
            self.report.add(self.place(item), what, fix);
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(self.written(parsed, item)),
            Err(fault) => {
                let fix = match &fault.value {
                    Some(meant) => format!("write \"{}\" in its place", meant.escape_debug()),
                    None => format!("write {} = {}", key.name, key.example),
                };
                let what = format!("{subject} {}", fault.what);
                self.report.add(self.place(item), what, with_note(fix, &fault));
                None
            }
        }
    }

    /// Reads a whole number that is not negative by `check`.
    pub(crate) fn count<T>(
        &mut self,
        key: Key,
        check: impl FnOnce(u64) -> Result<T, ValueFault>,
    ) -> Field<T> {
        let value = match self.value_of(key) {
            Ok(value) => value,
            Err(field) => return field,
        };
        let DeValue::Integer(integer) = value.get_ref() else {
            return self.wrong_type(key, value);
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix());
        let number =
            number.map_err(|_| ValueFault::new(format!("is {integer}, which is no count"), ""));
        match number.and_then(check) {
            Ok(number) => Field::Is(self.written(number, value)),
            Err(fault) => self.faulty(key, &fault, value),
        }
    }

    /// Reads `true` or `false`.
    pub(crate) fn flag(&mut self, key: Key) -> Field<bool> {
        let value = match self.value_of(key) {
            Ok(value) => value,
            Err(field) => return field,
        };
        match value.get_ref().as_bool() {
            Some(flag) => Field::Is(self.written(flag, value)),
            None => self.wrong_type(key, value),
        }
    }

    /// Reads names and values, such as `{ signer = "metasv" }`. Only with `scalars` a value may
    /// also be a whole number or a flag, which become text.
    pub(crate) fn pairs(&mut self, key: Key, scalars: bool) -> Field<Vec<Pair>> {
        let value = match self.value_of(key) {
            Ok(value) => value,
            Err(field) => return field,
        };
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong_type(key, value);
        };
        let pairs = table.iter().map(|(name, value)| self.pair(key, name, value, scalars));
        Field::Is(self.written(pairs.collect(), value))
    }

    fn pair(&self, key: Key, name: &Name<'_>, value: &Value<'_>, scalars: bool) -> Pair {
        let text = match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(integer) if scalars => decimal(integer),
            DeValue::Boolean(flag) if scalars => Some(flag.to_string()),
            DeValue::Integer(_)
            | DeValue::Boolean(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        if text.is_none() {
            let kind = if scalars { "a string, a whole number or a flag" } else { "a string" };
            let full = format!("{}{}.{}", self.prefix, key.name, name.get_ref().escape_debug());
            let what = format!("{full} is {}, and must be {kind}", type_of(value));
            let fix = format!("write {} = \"…\"", name.get_ref().escape_debug());
            self.report.add(self.place(value), what, fix);
        }
        Pair {
            name: name.get_ref().to_string(),
            name_at: self.report.at(name.span().start),
            value: text.map(|text| self.written(text, value)),
        }
    }

    /// What `read` makes of a value as it is written in a file: a default, that is known to be right.
    pub(crate) fn of_value<T>(
        key: Key,
        value: &str,
        read: impl FnOnce(&mut Table<'_>, Key) -> Field<T>,
    ) -> T {
        let text = format!("{} = {value}", key.name);
        let document = DeTable::parse(&text).expect("a default is TOML");
        let report = Report::new(&text);
        let field = Table::root(&report, document.get_ref(), |table| read(table, key));
        field.into_value().expect("a default can be read")
    }

    /// Adds a problem of what the table holds.
    pub(crate) fn report(
        &self,
        at: impl Into<Option<Location>>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.report.add(at, what, fix);
    }

    /// Leaves what is in the table unread, and unreported: the table itself is the problem.
    pub(crate) fn pass_over(&mut self) {
        self.entries = Entries::Unreadable;
    }

    /// Reports that a key is missing. Called on an absent field only.
    pub(crate) fn require<T>(&self, key: Key, field: Field<T>) -> Field<T> {
        if field.is_absent() {
            let what = format!("{} has no {}", self.title, key.name);
            self.report.add(
                self.at,
                what,
                format!("write {} = {} below it", key.name, key.example),
            );
            return Field::Unreadable;
        }
        field
    }

    /// The value of a key, or what its field is without one.
    fn find<T>(&mut self, name: &'static str) -> Result<&'d Value<'d>, Field<T>> {
        self.asked.push(name);
        match self.entries {
            Entries::Here(table) => table.get(name).ok_or(Field::Absent(None)),
            Entries::Missing => Err(Field::Absent(None)),
            Entries::Unreadable => Err(Field::Unreadable),
        }
    }

    /// The same under the name that a key has or had before. Old names are read with a warning.
    fn value_of<T>(&mut self, key: Key) -> Result<&'d Value<'d>, Field<T>> {
        let mut value = self.find(key.name);
        for old in key.was {
            self.old.push(old);
            let mut here = self.entries.iter();
            let Some((name, before)) = here.find(|(name, _)| name.get_ref().as_ref() == *old)
            else {
                continue;
            };
            let (at, new) = (self.report.at(name.span().start), key.name);
            let old = format!("{}{old}", self.prefix);
            if value.is_ok() {
                let what = format!("{old} is the name that {new} had before, and both are written");
                self.report.add(at, what, "remove one of the two");
                return Err(Field::Unreadable);
            }
            self.report.warn(at, format!("{old} is called {new} now"), format!("write {new}"));
            value = Ok(before);
        }
        value
    }

    fn entries_of(&self, name: &str, value: &'d Value<'d>) -> Entries<'d> {
        if let Some(table) = value.get_ref().as_table() {
            return Entries::Here(table);
        }
        let what = format!("{}{name} is {}, and must be a table", self.prefix, type_of(value));
        let fix = format!("write [{name}] on a line of its own, and what it holds below it");
        self.report.add(self.place(value), what, fix);
        Entries::Unreadable
    }

    fn check_name(&self, key: &Name<'_>) {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let name = key.get_ref();
        if name.is_empty() || !name.bytes().all(allowed) {
            let what =
                format!("{} cannot be a name: names stand in URLs and in metrics", quoted(name));
            let at = self.report.at(key.span().start);
            self.report.add(at, what, "use letters, digits, _ and - only");
        }
    }

    fn refuse_the_rest(&mut self) {
        for (key, _) in self.entries.iter() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) || self.old.contains(&name) {
                continue;
            }
            let what = match self.title.as_str() {
                "" => format!("there is no table {}", quoted(name)),
                title => format!("{title} has no key {}", quoted(name)),
            };
            self.report.add(self.report.at(key.span().start), what, choose(name, &self.asked));
        }
    }

    fn wrong_type<T>(&self, key: Key, value: &Value<'_>) -> Field<T> {
        let Key { name, kind, example, .. } = key;
        let what = format!("{}{name} is {}, and must be {kind}", self.prefix, type_of(value));
        self.report.add(self.place(value), what, format!("write {name} = {example}"));
        Field::Unreadable
    }

    fn faulty<T>(&self, key: Key, fault: &ValueFault, value: &Value<'_>) -> Field<T> {
        let fix = match &fault.value {
            Some(meant) => format!("write {} = \"{}\"", key.name, meant.escape_debug()),
            None => format!("write {} = {}", key.name, key.example),
        };
        let what = format!("{}{} {}", self.prefix, key.name, fault.what);
        self.report.add(self.place(value), what, with_note(fix, fault));
        Field::Unreadable
    }

    fn written<T>(&self, parsed: T, value: &Value<'_>) -> Written<T> {
        Written { value: parsed, at: self.place(value) }
    }

    fn place(&self, value: &Value<'_>) -> Location {
        self.report.at(value.span().start)
    }
}

fn with_note(fix: String, fault: &ValueFault) -> String {
    if fault.note.is_empty() {
        return fix;
    }
    format!("{fix}, {}", fault.note)
}

fn decimal(integer: &DeInteger<'_>) -> Option<String> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number.to_string())
}

pub(super) fn type_of(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "a flag",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests;
