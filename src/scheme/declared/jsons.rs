//! JSON texts of a file's own: objects whose members are texts, numbers, lists and further objects,
//! in the order they are written.

use super::fields::Fields;
use super::text::{Scope, Text};
use super::word::Key;
use crate::document::{Member, Node};
use crate::scheme::json::quote;

/// The keys of its table.
pub(crate) static KEYS: &[Key] = &[
    Key::new(
        "json",
        "The members: texts, `{ number = \"…\" }`, flags, whole numbers, lists and objects.",
        "{ id = 1, time = { number = \"{time}\" } }",
    ),
    Key::new(
        "with_body",
        "Whether the members of the request's JSON body follow, but for those of the same names; \
         `\"base64\"` where the program may send the base64 of it.",
        "true",
    ),
    Key::new("omit_empty", "Whether members that are empty texts are left out.", "true"),
];

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Json {
    pub(super) members: Vec<(String, Item)>,
    /// Whether the members of the request's JSON body follow, and how that may be written.
    pub(super) with_body: Option<Body>,
    /// Whether members whose text is empty are left out.
    pub(super) omit_empty: bool,
}

/// How a body is written whose members follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    Json,
    /// JSON, or the base64 of it.
    Base64,
}

/// A value in it.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Text(Text),
    /// A text that is a number.
    Number(Text),
    /// Anything without holes, as JSON.
    Fixed(String),
    List(Vec<Self>),
    Object(Json),
}

/// Gives the bytes of a text.
pub(super) type Fill<'f, E> = &'f dyn Fn(&Text) -> Result<Vec<u8>, E>;

impl Json {
    pub(super) fn read(fields: &Fields<'_>, node: Node<'_>, scope: &Scope) -> Self {
        let with_body = fields.get("with_body").and_then(|node| match (node.flag(), node.text()) {
            (Some(flag), _) => flag.then_some(Body::Json),
            (_, Some("base64")) => Some(Body::Base64),
            _ => {
                node.report("with_body is neither true nor base64", "write with_body = true");
                None
            }
        });
        let omit = fields.flag("omit_empty");
        Self { with_body, ..Self::members(node, omit, scope) }
    }

    pub(super) fn members(node: Node<'_>, omit_empty: bool, scope: &Scope) -> Self {
        let fields = Fields::of(node, "the object");
        let member =
            |member: &Member<'_>| (member.name.clone(), Item::read(member.node, omit_empty, scope));
        let members = fields.members().iter().map(member).collect();
        Self { members, with_body: None, omit_empty }
    }

    pub(super) fn texts(&self) -> Vec<&Text> {
        self.members.iter().flat_map(|(_, item)| item.texts()).collect()
    }

    /// Writes the object, compact.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `wrong` makes one of what cannot be JSON.
    pub(super) fn write<E>(
        &self,
        fill: Fill<'_, E>,
        wrong: &dyn Fn(&'static str) -> E,
        out: &mut String,
    ) -> Result<(), E> {
        out.push('{');
        let mut first = true;
        for (name, item) in &self.members {
            let mut value = String::new();
            let empty = item.write(fill, wrong, &mut value)?;
            if self.omit_empty && empty {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            quote(name, out);
            out.push(':');
            out.push_str(&value);
        }
        out.push('}');
        Ok(())
    }
}

impl Item {
    pub(super) fn read(node: Node<'_>, omit_empty: bool, scope: &Scope) -> Self {
        if node.text().is_some() {
            return Self::Text(Text::read(&node, scope));
        }
        if let Some(flag) = node.flag() {
            return Self::Fixed(flag.to_string());
        }
        if let Some(integer) = node.integer() {
            return Self::Fixed(integer.to_string());
        }
        if let Some(items) = node.items() {
            let items = items.into_iter().map(|item| Self::read(item, omit_empty, scope));
            return Self::List(items.collect());
        }
        let Some(members) = node.members() else {
            let what = format!("is {}, which cannot stand in JSON here", node.kind());
            node.report(what, "write a text, a whole number, a flag, a list or { … }");
            return Self::Fixed("null".into());
        };
        match &members[..] {
            [only] if only.name == "number" => Self::Number(Text::read(&only.node, scope)),
            _ => Self::Object(Json::members(node, omit_empty, scope)),
        }
    }

    pub(super) fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Text(text) | Self::Number(text) => vec![text],
            Self::Fixed(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::texts).collect(),
            Self::Object(json) => json.texts(),
        }
    }

    /// Writes the value, and says whether it is an empty text.
    ///
    /// # Errors
    ///
    /// As [`Json::write`].
    pub(super) fn write<E>(
        &self,
        fill: Fill<'_, E>,
        wrong: &dyn Fn(&'static str) -> E,
        out: &mut String,
    ) -> Result<bool, E> {
        match self {
            Self::Text(text) => {
                let bytes = fill(text)?;
                let text = str::from_utf8(&bytes).map_err(|_| wrong("is not UTF-8"))?;
                quote(text, out);
                Ok(text.is_empty())
            }
            Self::Number(text) => {
                let bytes = fill(text)?;
                let text = str::from_utf8(&bytes).unwrap_or_default();
                let number = serde_json::from_str::<serde_json::Number>(text);
                number.map_err(|_| wrong("is not a number"))?;
                out.push_str(text);
                Ok(false)
            }
            Self::Fixed(json) => {
                out.push_str(json);
                Ok(false)
            }
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    item.write(fill, wrong, out)?;
                }
                out.push(']');
                Ok(false)
            }
            Self::Object(json) => {
                json.write(fill, wrong, out)?;
                Ok(false)
            }
        }
    }
}
