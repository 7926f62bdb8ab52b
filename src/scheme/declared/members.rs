//! JSON texts of a file's own for one request: the file's members, and those of the request's body
//! behind them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::eval::Prepared;
use super::jsons::{Body as Form, Json};
use super::made::{Asked, Fault, Made, fault};
use super::place::To;
use crate::scheme::json::{Object, compact, document, quote};

impl Prepared<'_> {
    /// The text.
    pub(super) fn json(&self, json: &Json) -> Made<String> {
        let mut out = String::new();
        self.write_json(json, &mut out)?;
        let body = match json.with_body {
            None => return Ok(out),
            Some(form) => self.members_of(form)?,
        };
        if body.is_empty() {
            return Ok(out);
        }
        let wrong = |what: String| Fault { part: Asked::Body, what };
        let text = document(&body).map_err(|error| wrong(error.to_string()))?;
        let object = Object::whole(text).map_err(|error| wrong(error.to_string()))?;
        out.truncate(out.len() - 1);
        let own = |name: &str| json.members.iter().any(|(own, _)| own == name);
        for member in object.members.iter().filter(|member| !own(&member.name)) {
            out.push_str(if out.len() > 1 { "," } else { "" });
            quote(&member.name, &mut out);
            out.push(':');
            compact(member.value, &mut out);
        }
        out.push('}');
        Ok(out)
    }

    /// The JSON whose members follow in a text: of the body as it is signed, or as the program sent
    /// it where the text is made to be the body.
    fn members_of(&self, form: Form) -> Made<Cow<'_, [u8]>> {
        let whole = self.compiled().places_in(&[To::Body]);
        let body = if whole { self.whole_body()? } else { self.body()? };
        if form == Form::Json || body.trim_ascii_start().starts_with(b"{") {
            return Ok(body.into());
        }
        let read = str::from_utf8(body).ok().and_then(|text| STANDARD.decode(text).ok());
        read.map_or_else(
            || fault(Asked::Body, "is neither JSON nor base64"),
            |read| Ok(read.into()),
        )
    }
}
