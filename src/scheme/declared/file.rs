//! A scheme file: read whole, with every problem at once, and compiled into what signs.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::bounds;
use super::check::check;
use super::compiled::{Compiled, Param, SecretName};
use super::fields::Fields;
use super::order::Order;
use super::place;
use super::readable;
use super::reads::Reads;
use super::rejects;
use super::slot::Slot;
use super::text::{SOURCES, Scope};
use super::value::Value;
use super::vector::Vector;
use crate::document::{Node, Report, quoted};
use crate::problem::Problem;

/// The form that this program reads.
const FORMAT: i64 = 1;
/// A file that is longer is none of this kind.
const MAX_FILE: usize = 256 * 1024;

impl Compiled {
    /// Reads a scheme file.
    ///
    /// # Errors
    ///
    /// Every problem, each with its place and how to mend it; vectors are not run.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let report = Report::new(text);
        if text.len() > MAX_FILE {
            let what = format!("the file has {} bytes, and {MAX_FILE} are the most", text.len());
            report.add(None, what, "keep one scheme in a file");
            return Err(report.into_errors());
        }
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.span().map(|span| report.at(span.start));
                report.add(at, format!("this is not TOML: {}", error.message()), "mend this line");
                return Err(report.into_errors());
            }
        };
        let root = Fields::root(Node::root(&report, document.get_ref()));
        if !bounds::few_enough(&root) {
            return Err(report.into_errors());
        }
        let mut compiled = Self::of(&root);
        root.finish();
        bounds::literals(&compiled, &root);
        check(&compiled, &root);
        if report.is_clean() {
            compiled.growth = bounds::growth(&compiled, &root);
        }
        if report.is_clean() {
            readable::check(&compiled, &root);
        }
        let mut errors = report.into_errors();
        if errors.is_empty() {
            return Ok(compiled);
        }
        errors.sort_by_key(|error| error.at);
        Err(errors)
    }

    fn of(root: &Fields<'_>) -> Self {
        if let Some(format) = root.require("format", "1")
            && format.integer() != Some(FORMAT)
        {
            format.report("format is not one that is known here", "write format = 1");
        }
        for (name, example) in
            [("summary", "\"Acme: HMAC in a header\""), ("host", "\"api.acme.com\"")]
        {
            root.require(name, example);
        }
        let (summary, host) = (root.plain("summary"), root.plain("host"));
        let slots = Slot::read_all(root);
        let secrets = secrets(root);
        let params = params(root);
        let values = root.table("values", "[values]");
        let members = values.iter().flat_map(|values| values.members());
        let scope = Scope {
            values: members.clone().map(|member| member.name.clone()).collect(),
            doubles: members.clone().map(|member| Value::is_double(&member.node)).collect(),
            secrets: secrets.iter().map(|secret| secret.name.clone()).collect(),
            params: params.iter().map(|param| param.name.clone()).collect(),
            slots: slots.iter().map(|slot| slot.name.clone()).collect(),
        };
        let values: Vec<Value> =
            members.map(|member| Value::read(&member.name, member.node, &scope)).collect();
        let places = place::read(root, &scope);
        let strip = place::strip(root);
        let rejections = rejects::read(root);
        let order = Order::of(&values, &places, &|at, what, fix| root.report_at(at, what, fix));
        let reads = Reads::of(&values, &places);
        let vectors = Vector::read_all(root);
        let (summary, host) = (summary.unwrap_or_default(), host.unwrap_or_default());
        let compiled = Self {
            summary,
            host,
            slots,
            secrets,
            params,
            values,
            places,
            strip,
            rejections,
            order,
            reads,
            growth: 1,
            vectors,
        };
        compiled.names(root);
        compiled
    }

    /// One name means one thing.
    fn names(&self, root: &Fields<'_>) {
        let values = self.values.iter().map(|value| (&value.name, value.at));
        let slots = self.slots.iter().map(|slot| (&slot.name, slot.at));
        let secrets = self.secrets.iter().map(|secret| (&secret.name, secret.at));
        let params = self.params.iter().map(|param| (&param.name, param.at));
        let mut seen: BTreeSet<&str> = SOURCES.iter().map(|row| row.name).collect();
        for (name, at) in slots.chain(secrets).chain(params).chain(values) {
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !plain || name.is_empty() {
                let what = format!("{} cannot be a name", quoted(name));
                root.report_at(at, what, "use letters, digits and _ only");
            }
            if !seen.insert(name) {
                root.report_at(at, format!("{name} has two meanings"), "choose another name");
            }
        }
    }
}

fn secrets(root: &Fields<'_>) -> Vec<SecretName> {
    let table = root.table("secrets", "[secrets]");
    let secret = |member: &crate::document::Member<'_>| {
        if member.node.text().is_none() {
            let what = format!("{} is {}, and must be a sentence", member.name, member.node.kind());
            member.node.report(what, "say what it is: \"Sent as X-API-KEY.\"");
        }
        let doc = member.node.text().unwrap_or_default().to_owned();
        SecretName { name: member.name.clone(), doc, at: member.name_at }
    };
    table.iter().flat_map(Fields::members).map(secret).collect()
}

fn params(root: &Fields<'_>) -> Vec<Param> {
    let table = root.table("params", "[params]");
    let param = |member: &crate::document::Member<'_>| {
        let fields = Fields::of(member.node, &format!("[params] {}", member.name));
        let values = fields.list("values").unwrap_or_default();
        let values: Vec<String> = values.into_iter().map(|(value, _)| value).collect();
        let (default, doc) = (fields.plain("default"), fields.plain("doc").unwrap_or_default());
        if default.as_ref().is_some_and(|own| !values.is_empty() && !values.contains(own)) {
            let what = format!("the default of {} is none of its values", member.name);
            fields.report(what, "add it to values");
        }
        fields.finish();
        Param { name: member.name.clone(), doc, default, values, at: member.name_at }
    };
    table.iter().flat_map(Fields::members).map(param).collect()
}
