//! What the registry has of a scheme: its name, its slots, and what makes one for a route.
//!
//! Everything in an [`Entry`] may be written here or read from a file: texts are borrowed or owned,
//! what it does is in closures. Each scheme's own file makes its entry.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{BindError, Binding, Bounds, Demo, Envelope, Policy, Rejections, Scheme};
use crate::document::Table;
use crate::keys::{Algorithm, Encoding, PublicKey};

/// A text of this program, or one that was read.
pub type Text = Cow<'static, str>;

/// What the configuration and the documentation know of a scheme.
#[derive(Clone)]
pub struct Entry {
    /// The value of `scheme` in a route.
    pub name: Text,
    /// One sentence.
    pub summary: Text,
    /// Where its provider is usually found; `init` starts a route with it. For an envelope, where
    /// the service that it asks is.
    pub host: Text,
    /// `http`, or `ws` where only WebSocket handshakes make sense: how programs write its URLs.
    pub protocol: &'static str,
    /// Private keys it needs signatures from.
    pub keys: Vec<KeySlot>,
    /// Bytes it inserts into requests.
    pub secrets: Vec<SecretSlot>,
    /// Settings.
    pub params: Vec<ParamDoc>,
    /// How the provider's console wants a public key; none where there are no keys.
    pub public_form: Option<PublicForm>,
    /// The lines of a provider's own refusal of a bad signature, for stand-ins; none where it
    /// is not known.
    pub refusal: Option<ProviderRefusal>,
    /// How the provider rejects requests.
    pub rejections: Rejections,
    /// Paragraphs of Markdown on what a slot's sentence has no room for.
    pub notes: Vec<Text>,
    /// What its signatures bind, by the kind of request; nothing where none are made.
    pub binds: Vec<Bounds>,
    /// What is doubtful about a binding that builds, at the host it is for.
    pub advise: Advise,
    /// What `init` writes beside slots and defaults.
    pub example: Example,
    /// What `demo` plays of it.
    pub demo: Demo,
    /// Reads `[routes.NAME.decide]`, but for `mode` and `audit`: the policy that can answer in
    /// place of a service. None where nothing is answered.
    pub(crate) policy: Option<ReadPolicy>,
    /// Builds the scheme for one route.
    pub build: Build,
}

/// Says what is doubtful about a binding, at a host.
pub type Advise = Arc<dyn Fn(&Binding, Option<&str>) -> Vec<BindError> + Send + Sync>;

/// Reads a policy from its table; what is wrong goes to the table's report, and what is made then
/// allows nothing.
pub(crate) type ReadPolicy = Arc<dyn Fn(&mut Table<'_>) -> Arc<dyn Policy> + Send + Sync>;

/// Makes a scheme or an envelope of a route's keys, secrets and parameters.
pub type Make<T> = Arc<dyn Fn(&Binding) -> Result<Arc<T>, BindError> + Send + Sync>;

impl Entry {
    /// The scheme for a route's keys, secrets and parameters.
    ///
    /// # Errors
    ///
    /// The first that does not fit.
    pub fn bind(&self, binding: &Binding) -> Result<Bound, BindError> {
        match &self.build {
            Build::Scheme(build) => build(binding).map(Bound::Scheme),
            Build::Envelope(build) => build(binding).map(Bound::Envelope),
        }
    }

    /// Each parameter as it is when a route leaves it out.
    pub fn defaults(&self) -> BTreeMap<String, String> {
        let default = |param: &ParamDoc| (param.name.to_string(), param.default.to_string());
        self.params.iter().map(default).collect()
    }

    /// What there is to know of a parameter that the scheme has.
    pub(super) fn param(&self, name: &str) -> &ParamDoc {
        let param = self.params.iter().find(|param| param.name == name);
        param.expect("a scheme knows its own parameters")
    }

    /// Whether it opens requests on their way in. These come through the gateway only.
    pub fn is_envelope(&self) -> bool {
        matches!(self.build, Build::Envelope(_))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name)
    }
}

/// A name has one entry.
impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Which of the two kinds a scheme is, and what makes one.
#[derive(Clone)]
pub enum Build {
    /// Signs requests on their way out.
    Scheme(Make<dyn Scheme>),
    /// Opens requests on their way in, seals the answers.
    Envelope(Make<dyn Envelope>),
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme(_) => "Scheme",
            Self::Envelope(_) => "Envelope",
        })
    }
}

/// A scheme bound to a route's keys, secrets and parameters.
#[derive(Clone, Debug)]
pub enum Bound {
    /// As [`Build::Scheme`].
    Scheme(Arc<dyn Scheme>),
    /// As [`Build::Envelope`].
    Envelope(Arc<dyn Envelope>),
}

impl Bound {
    /// The scheme that signs requests, where it is one.
    pub fn signing(&self) -> Option<&Arc<dyn Scheme>> {
        match self {
            Self::Scheme(scheme) => Some(scheme),
            Self::Envelope(_) => None,
        }
    }
}

/// The `advise` of a scheme whose every binding that builds makes sense.
pub(super) fn nothing_doubtful(_: &Binding, _: Option<&str>) -> Vec<BindError> {
    Vec::new()
}

/// Texts of this program.
pub(super) fn texts(of: &[&'static str]) -> Vec<Text> {
    of.iter().map(|text| Text::Borrowed(text)).collect()
}

/// What `init` writes of a provider that slots and defaults do not say.
#[derive(Clone, Debug, Default)]
pub struct Example {
    /// Parameters that are better not left to their defaults at [`Entry::host`].
    pub params: Vec<(Text, Text)>,
    /// Further routes in TOML, which `init` writes as comments. The route that `init` writes, its
    /// key and its secrets have their usual names.
    pub routes: Text,
}

/// A place for a key: `keys = { signer = "…" }`.
#[derive(Clone, Debug)]
pub struct KeySlot {
    /// The name inside `keys`.
    pub name: Text,
    /// What may be bound here. The first is what `init` makes.
    pub algorithms: Vec<Algorithm>,
    /// How the provider writes the secrets that it issues, where `[keys]` says nothing.
    pub encoding: Encoding,
    /// Whether the route is wrong without it.
    pub required: bool,
    /// One sentence.
    pub doc: Text,
}

/// A place for a secret: `secrets = { token = "…" }`.
#[derive(Clone, Debug)]
pub struct SecretSlot {
    /// The name inside `secrets`.
    pub name: Text,
    /// Whether the route is wrong without it.
    pub required: bool,
    /// What `init` calls the file for it.
    pub file: Text,
    /// One sentence.
    pub doc: Text,
}

/// A setting: `params = { remove = "space_lf" }`.
#[derive(Clone, Debug)]
pub struct ParamDoc {
    /// The name inside `params`.
    pub name: Text,
    /// Whether the route is wrong without it.
    pub required: bool,
    /// What its text says.
    pub kind: ParamKind,
    /// What it is when it is left out; may be empty.
    pub default: Text,
    /// The values it can have; empty when it is free text.
    pub values: Vec<Text>,
    /// One sentence.
    pub doc: Text,
}

impl ParamDoc {
    /// A parameter that is any text.
    pub(super) fn text(
        name: impl Into<Text>,
        default: impl Into<Text>,
        doc: impl Into<Text>,
    ) -> Self {
        let (name, default, doc) = (name.into(), default.into(), doc.into());
        Self { name, required: false, kind: ParamKind::Text, default, values: Vec::new(), doc }
    }

    /// A parameter that is one of a few words.
    pub(super) fn one_of(
        name: impl Into<Text>,
        default: impl Into<Text>,
        values: &[&'static str],
        doc: impl Into<Text>,
    ) -> Self {
        Self { values: texts(values), ..Self::text(name, default, doc) }
    }
}

impl ParamDoc {
    /// This parameter is none of its values.
    pub(super) fn refused(&self, found: &str) -> BindError {
        BindError {
            field: format!("params.{}", self.name),
            what: format!("is \"{found}\", which it cannot be"),
            fix: format!("use one of: {}", self.values.join(", ")),
        }
    }
}

/// What the text of a setting says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParamKind {
    /// What it is.
    Text,
    /// The path of a file, from the configuration's directory, whose content the scheme wants.
    /// An empty text names no file.
    File,
    /// The paths of files with commas between them. Their contents come one after the other.
    Files,
}

/// A public key as a provider's console takes it.
#[derive(Clone, Copy, Debug)]
pub struct PublicForm {
    /// What it is called.
    pub name: &'static str,
    /// Writes it.
    pub write: fn(&PublicKey) -> String,
}

/// How a provider refuses a request whose signature it does not accept.
#[derive(Clone, Debug)]
pub struct ProviderRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; `{reason}` is replaced by a JSON string's inside.
    pub body: Text,
}
