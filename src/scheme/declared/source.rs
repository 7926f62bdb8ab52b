//! What holes name: parts of a request, as they are signed, and what was made of it.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::eval::{Prepared, is_form};
use super::made::{Asked, Fault, Made, fault, with_query};
use super::place::To;
use super::text::{Hole, Source};
use crate::scheme::json::{Object, document, string};

impl Source {
    /// The part of a request that is to blame where something is wrong with it.
    pub(super) fn part(&self) -> Asked {
        if matches!(self, Self::Body | Self::Member(_)) {
            return Asked::Body;
        }
        let target = matches!(self, Self::Path | Self::Query | Self::Target | Self::Url);
        if target { Asked::Query } else { Asked::Rest }
    }
}

impl Prepared<'_> {
    pub(super) fn source(&self, hole: &Hole) -> Made<Cow<'_, [u8]>> {
        let head = self.head;
        Ok(match &hole.source {
            Source::Method => head.method.as_str().as_bytes().into(),
            Source::Scheme => b"https"[..].into(),
            Source::Host => head.host.as_bytes().into(),
            Source::Path => head.path().as_bytes().into(),
            Source::Query => self.query().into(),
            Source::Target => self.target(),
            Source::Url => [b"https://", head.host.as_bytes(), &self.target()].concat().into(),
            Source::Body => self.body()?.into(),
            Source::Header(name) => {
                let mut values = self.header(name);
                match (values.next(), values.next()) {
                    (Some(value), None) => value.as_bytes().into(),
                    _ => return fault(Asked::Rest, format!("lacks {name}, once")),
                }
            }
            Source::Member(name) => self.member(name)?.into(),
            Source::Value(index) => self.made(*index).unwrap_or_default().into(),
            Source::Names(index) => {
                let names = self.filled.names.iter().find(|(value, _)| value == index);
                names.map_or(&b""[..], |(_, names)| names).into()
            }
            Source::Secret(index) => self.filled.secrets[*index].expose().into(),
            Source::Param(index) => self.inputs.params[*index].as_bytes().into(),
            Source::Public(index) => self.inputs.publics[*index].as_bytes().into(),
            Source::Unknown => Cow::Borrowed(b""),
        })
    }

    pub(super) fn query(&self) -> &[u8] {
        self.filled.signed_query.as_deref().unwrap_or_else(|| self.head.query().as_bytes())
    }

    pub(super) fn target(&self) -> Cow<'_, [u8]> {
        match &self.filled.signed_query {
            None => self.head.target.as_str().as_bytes().into(),
            Some(query) => with_query(self.head.path(), query).into(),
        }
    }

    pub(super) fn body(&self) -> Made<&[u8]> {
        match &self.filled.signed_body {
            Some(body) => Ok(body),
            None => self.whole_body(),
        }
    }

    pub(super) fn member(&self, name: &str) -> Made<Vec<u8>> {
        let wrong = |what: String| Fault { part: Asked::Body, what };
        let text = document(self.body()?).map_err(|error| wrong(error.to_string()))?;
        let object = Object::whole(text).map_err(|error| wrong(error.to_string()))?;
        let mut found = object.members.iter().filter(|member| member.name == name);
        match (found.next(), found.next()) {
            (Some(member), None) => {
                let text = string(member.value);
                Ok(text.map_or_else(|| member.value.as_bytes().to_vec(), String::into_bytes))
            }
            _ => fault(Asked::Body, format!("lacks the member {name}, once")),
        }
    }

    /// A header's values as they are signed: the file's own in place of the program's.
    pub(super) fn header(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        let is_kind = *name == CONTENT_TYPE;
        let sent = (!self.compiled().is_owned(name)).then(|| self.head.headers.get_all(name));
        let placed = self.placed_headers().find(|(own, _)| *own == name).map(|(_, value)| value);
        let added = self.filled.content_type.as_ref().filter(|_| is_kind);
        sent.into_iter().flatten().chain(placed).chain(added)
    }

    /// Names and values of the headers that are placed so far.
    fn placed_headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let places = self.compiled().places.iter().zip(&self.filled.headers);
        places.filter_map(|(place, value)| match &place.to {
            To::Header(name) => Some((name, value.as_ref()?)),
            To::Query | To::Form | To::Json | To::Body => None,
        })
    }

    /// All headers as they are signed.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = self.head.headers.clone();
        for name in self.compiled().owned() {
            headers.remove(name);
        }
        let added = self.filled.content_type.iter().map(|kind| (&CONTENT_TYPE, kind));
        for (name, value) in self.placed_headers().chain(added) {
            headers.insert(name, value.clone());
        }
        headers
    }

    pub(super) fn has_form(&self) -> bool {
        is_form(self.compiled(), self.header(&CONTENT_TYPE).next())
    }
}
