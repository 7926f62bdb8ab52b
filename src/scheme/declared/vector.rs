//! `[[vectors]]`: requests with what must become of them. They are run whenever the file is read.

use std::collections::BTreeMap;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::clock;
use super::fields::Fields;
use crate::document::{Location, Member, Node};
use crate::scheme::Head;
use crate::secret::Secret;

/// One vector.
#[derive(Debug)]
pub(super) struct Vector {
    pub(super) at: Location,
    /// Who made it: the provider's documents, or a library.
    pub(super) source: String,
    pub(super) now: u64,
    /// What each nonce is; under the empty name what all are.
    pub(super) nonces: BTreeMap<String, String>,
    /// Made for the purpose; hidden all the same, as somebody's may not be.
    pub(super) keys: BTreeMap<String, Secret>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) params: BTreeMap<String, String>,
    pub(super) request: Request,
    pub(super) texts: Vec<Expected>,
    pub(super) expect: Expect,
}

/// The request that is signed.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) host: Option<String>,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// A name, what it must be, and where that is written.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) at: Location,
}

/// What the request must become.
#[derive(Debug, Default)]
pub(super) struct Expect {
    pub(super) headers: Vec<Expected>,
    pub(super) query: Vec<Expected>,
    pub(super) form: Vec<Expected>,
    pub(super) json: Vec<Expected>,
    pub(super) target: Option<Expected>,
    pub(super) body: Option<Expected>,
    pub(super) refused: Option<Expected>,
    /// Tokens: the value, which of its parts, and its members as JSON.
    pub(super) jwt: Vec<(String, &'static str, serde_json::Value, Location)>,
}

impl Vector {
    pub(super) fn read_all(root: &Fields<'_>) -> Vec<Self> {
        let Some(node) = root.get("vectors") else { return Vec::new() };
        let Some(items) = node.items() else {
            node.report("vectors are a list of tables", "write [[vectors]]");
            return Vec::new();
        };
        items.into_iter().map(Self::read).collect()
    }

    fn read(node: Node<'_>) -> Self {
        let fields = Fields::of(node, "[[vectors]]");
        let source = fields.require("source", "\"the provider's documents, example 1\"");
        if source.is_some_and(|source| source.text().is_none_or(str::is_empty)) {
            fields.report("a vector without a source proves nothing", "say who made it");
        }
        let now = fields.require("now", "\"2025-11-28T13:50:00.123Z\"");
        let now = now.and_then(|node| {
            let read = node.text().and_then(clock::instant);
            if read.is_none() {
                node.report("now is no instant", "write now = \"2025-11-28T13:50:00.123Z\"");
            }
            read
        });
        let nonces = match fields.get("nonce") {
            Some(node) if node.text().is_some() => {
                BTreeMap::from([(String::new(), node.text().unwrap_or_default().to_owned())])
            }
            Some(node) => texts(&Fields::of(node, "nonce")),
            None => BTreeMap::new(),
        };
        let map = |name: &'static str| {
            fields.table(name, name).map(|table| texts(&table)).unwrap_or_default()
        };
        let (keys, secrets, params) = (map("keys"), map("secrets"), map("params"));
        let hidden = |(name, key): (String, String)| (name, Secret::new(key.into_bytes()));
        let keys = keys.into_iter().map(hidden).collect();
        let request = fields.require("request", "{ method = \"GET\", target = \"/\" }");
        let request = request.map(|node| Request::read(&Fields::of(node, "request")));
        let texts = fields.table("texts", "texts").map(|table| expected(&table));
        let expect = fields.require("expect", "{ headers = { X-SIGN = \"…\" } }");
        let expect = expect.map(|node| Expect::read(&Fields::of(node, "expect")));
        fields.finish();
        Self {
            at: node.at,
            source: source.and_then(|source| source.text()).unwrap_or_default().to_owned(),
            now: now.unwrap_or_default(),
            nonces,
            keys,
            secrets,
            params,
            request: request.unwrap_or_default(),
            texts: texts.unwrap_or_default(),
            expect: expect.unwrap_or_default(),
        }
    }
}

impl Request {
    fn read(fields: &Fields<'_>) -> Self {
        fields.require("method", "\"GET\"");
        fields.require("target", "\"/\"");
        let (method, target) = (fields.plain("method"), fields.plain("target"));
        let headers = fields.table("headers", "headers").map(|table| expected(&table));
        let headers = headers.unwrap_or_default().into_iter().map(|own| (own.name, own.value));
        let request = Self {
            method: method.unwrap_or_default(),
            host: fields.plain("host"),
            target: target.unwrap_or_default(),
            headers: headers.collect(),
            body: fields.plain("body").unwrap_or_default(),
        };
        fields.finish();
        if request.head("localhost").is_none() {
            fields.report("the request is none that can be sent", "mend method, target or headers");
        }
        request
    }

    /// The request's head; at this host, where it names none.
    pub(super) fn head(&self, host: &str) -> Option<Head> {
        let host = self.host.as_deref().unwrap_or(host);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).ok()?);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_str(value).ok()?);
        }
        let target = self.target.parse().ok().filter(|_| self.target.starts_with('/'))?;
        let method = Method::from_bytes(self.method.as_bytes()).ok()?;
        Some(Head { method, host: host.to_owned(), target, headers })
    }
}

impl Expect {
    fn read(fields: &Fields<'_>) -> Self {
        let table = |name: &'static str| {
            fields.table(name, name).map(|table| expected(&table)).unwrap_or_default()
        };
        let one = |name: &'static str| {
            let node = fields.get(name)?;
            let value = fields.plain(name)?;
            Some(Expected { name: name.into(), value, at: node.at })
        };
        let jwt = fields.table("jwt", "jwt");
        let mut tokens = Vec::new();
        for member in jwt.iter().flat_map(Fields::members) {
            let parts = Fields::of(member.node, "a token");
            for part in ["header", "claims"] {
                if let Some(node) = parts.get(part) {
                    tokens.push((member.name.clone(), part, json(&node), node.at));
                }
            }
            parts.finish();
        }
        let expect = Self {
            headers: table("headers"),
            query: table("query"),
            form: table("form"),
            json: table("json"),
            target: one("target"),
            body: one("body"),
            refused: one("refused"),
            jwt: tokens,
        };
        fields.finish();
        if expect.is_empty() {
            fields.report(
                "the vector expects nothing",
                "write expect.headers, query, body or refused",
            );
        }
        expect
    }

    fn is_empty(&self) -> bool {
        let lists = [&self.headers, &self.query, &self.form, &self.json];
        let one = [&self.target, &self.body, &self.refused];
        lists.iter().all(|list| list.is_empty())
            && one.iter().all(|one| one.is_none())
            && self.jwt.is_empty()
    }
}

/// Names and texts in the order of the file.
fn expected(fields: &Fields<'_>) -> Vec<Expected> {
    let one = |member: &Member<'_>| {
        let Some(text) = member.node.text() else {
            member.node.report(format!("{} must be a text", member.name), "write \"…\"");
            return None;
        };
        Some(Expected { name: member.name.clone(), value: text.to_owned(), at: member.node.at })
    };
    fields.members().iter().filter_map(one).collect()
}

fn texts(fields: &Fields<'_>) -> BTreeMap<String, String> {
    expected(fields).into_iter().map(|own| (own.name, own.value)).collect()
}

/// A value of the file as JSON.
fn json(node: &Node<'_>) -> serde_json::Value {
    if let Some(text) = node.text() {
        return text.into();
    }
    if let Some(flag) = node.flag() {
        return flag.into();
    }
    if let Some(integer) = node.integer() {
        return integer.into();
    }
    if let Some(items) = node.items() {
        return items.iter().map(json).collect();
    }
    let members = node.members().unwrap_or_default();
    members.iter().map(|member| (member.name.clone(), json(&member.node))).collect()
}
