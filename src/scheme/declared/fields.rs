//! A table of a scheme file while it is read: what was asked for, and what nobody knows.

use std::cell::{Cell, RefCell};

use super::word::{Key, Row, find};
use crate::document::{Location, Member, Node, choose, quoted};

/// The members of one table.
#[derive(Debug)]
pub(super) struct Fields<'d> {
    /// As messages call it.
    title: String,
    members: Vec<Member<'d>>,
    asked: RefCell<Vec<&'static str>>,
    /// The keys of its table in the reference, where there is one.
    keys: Cell<&'static [Key]>,
    /// The table itself.
    node: Option<Node<'d>>,
}

impl<'d> Fields<'d> {
    /// The whole document.
    pub(super) fn root(members: Vec<Member<'d>>) -> Self {
        Self {
            title: "the file".into(),
            members,
            asked: RefCell::default(),
            keys: Cell::default(),
            node: None,
        }
    }

    /// The table that a node is. What is none is reported, and has no members.
    pub(super) fn of(node: Node<'d>, title: &str) -> Self {
        let members = node.members();
        if members.is_none() {
            node.report(format!("{title} is {}, and must be a table", node.kind()), "write { … }");
        }
        let title = title.to_owned();
        let members = members.unwrap_or_default();
        let (asked, keys) = (RefCell::default(), Cell::default());
        Self { title, members, asked, keys, node: Some(node) }
    }

    /// The same table, whose keys are these.
    pub(super) fn with(self, keys: &'static [Key]) -> Self {
        self.keys.set(keys);
        self
    }

    /// Says late which keys it has.
    pub(super) fn has(&self, keys: &'static [Key]) {
        self.keys.set(keys);
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &'static str) -> Option<Node<'d>> {
        self.asked.borrow_mut().push(name);
        self.members.iter().find(|member| member.name == name).map(|member| member.node)
    }

    /// The same, of one that must be there.
    pub(super) fn require(&self, name: &'static str, example: &str) -> Option<Node<'d>> {
        let found = self.get(name);
        if found.is_none() {
            let what = format!("{} has no {name}", self.title);
            self.report(what, format!("write {name} = {example}"));
        }
        found
    }

    /// A text without holes.
    pub(super) fn plain(&self, name: &'static str) -> Option<String> {
        let node = self.get(name)?;
        let text = node.text();
        if text.is_none() {
            node.report(format!("{name} is {}, and must be a text", node.kind()), "write \"…\"");
        }
        text.map(str::to_owned)
    }

    /// A flag; false where it is not there.
    pub(super) fn flag(&self, name: &'static str) -> bool {
        let Some(node) = self.get(name) else { return false };
        let flag = node.flag();
        if flag.is_none() {
            let what = format!("{name} is {}, and must be true or false", node.kind());
            node.report(what, format!("write {name} = true"));
        }
        flag.unwrap_or_default()
    }

    /// A row that a text names; the first where nothing is written.
    pub(super) fn row<R: Row>(&self, name: &'static str, rows: &'static [R]) -> &'static R {
        self.row_if_any(name, rows).unwrap_or(&rows[0])
    }

    /// A row that a text names.
    pub(super) fn row_if_any<R: Row>(
        &self,
        name: &'static str,
        rows: &'static [R],
    ) -> Option<&'static R> {
        let node = self.get(name)?;
        let text = node.text().unwrap_or_default();
        let found = find(rows, text, &format!("anything that {name} can be"));
        found.map_err(|(what, fix)| node.report(what, fix)).ok()
    }

    /// Texts in a list.
    pub(super) fn list(&self, name: &'static str) -> Option<Vec<(String, Node<'d>)>> {
        let node = self.get(name)?;
        let Some(items) = node.items() else {
            node.report(format!("{name} is {}, and must be a list", node.kind()), "write [\"…\"]");
            return None;
        };
        let item = |item: &Node<'d>| {
            if item.text().is_none() {
                item.report(format!("is {}, and must be a text", item.kind()), "write \"…\"");
            }
            Some((item.text()?.to_owned(), *item))
        };
        Some(items.iter().filter_map(item).collect())
    }

    /// A table.
    pub(super) fn table(&self, name: &'static str, title: &str) -> Option<Self> {
        self.get(name).map(|node| Self::of(node, title))
    }

    /// The members, whatever their names are.
    pub(super) fn members(&self) -> &[Member<'d>] {
        &self.members
    }

    /// Where the table begins.
    pub(super) fn at(&self) -> Location {
        self.node.map_or(Location { line: 1, column: 1 }, |node| node.at)
    }

    /// Adds a problem of the table.
    pub(super) fn report(&self, what: impl Into<String>, fix: impl Into<String>) {
        self.report_at(self.at(), what, fix);
    }

    /// Adds a problem of a place in the file.
    pub(super) fn report_at(&self, at: Location, what: impl Into<String>, fix: impl Into<String>) {
        if let Some(node) = self.node.or_else(|| self.members.first().map(|member| member.node)) {
            node.report_at(at, what, fix);
        }
    }

    /// Reports the members that nobody asked for.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        let keys: Vec<&str> = self.keys.get().iter().map(|key| key.word.name).collect();
        debug_assert!(keys.iter().all(|key| asked.contains(key)), "{} reads {keys:?}", self.title);
        let known = if keys.is_empty() { &*asked } else { &keys };
        for member in self.members.iter().filter(|member| !asked.contains(&&*member.name)) {
            let what = format!("{} has no {}", self.title, quoted(&member.name));
            member.node.report_at(member.name_at, what, choose(&member.name, known));
        }
    }
}
