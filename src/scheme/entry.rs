//! A scheme's row in the registry: what the configuration, `init` and the documents know of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{BindError, Binding, Envelope, Policy, Scheme};
use crate::document::Table;
use crate::keys::{Algorithm, PublicKey};

/// What the configuration and the documentation know of a scheme.
#[derive(Debug)]
pub struct Entry {
    /// The value of `scheme` in a route.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Where its provider is usually found; `init` starts a route with it. For an envelope, where
    /// the service that it asks is.
    pub host: &'static str,
    /// `http`, or `ws` where only WebSocket handshakes make sense: how programs write its URLs.
    pub protocol: &'static str,
    /// Private keys it needs signatures from.
    pub keys: &'static [KeySlot],
    /// Bytes it inserts into requests.
    pub secrets: &'static [SecretSlot],
    /// Settings.
    pub params: &'static [ParamDoc],
    /// How the provider's console wants a public key; none where there are no keys.
    pub public_form: Option<PublicForm>,
    /// The lines of a provider's own refusal of a bad signature, for stand-ins; none where it
    /// is not known.
    pub refusal: Option<ProviderRefusal>,
    /// Paragraphs of Markdown on what a slot's sentence has no room for.
    pub notes: &'static [&'static str],
    /// What is doubtful about a binding that builds, at the host it is for.
    pub advise: fn(&Binding, Option<&str>) -> Vec<BindError>,
    /// What `init` writes beside slots and defaults.
    pub example: Example,
    /// Reads `[routes.NAME.decide]`, but for `mode` and `audit`: the policy that can answer in
    /// place of a service. None where nothing is answered.
    pub(crate) policy: Option<ReadPolicy>,
    /// Builds the scheme for one route.
    pub build: Build,
}

/// Reads a policy from its table; what is wrong goes to the table's report, and what is made then
/// allows nothing.
pub(crate) type ReadPolicy = fn(&mut Table<'_>) -> Arc<dyn Policy>;

impl Entry {
    /// The scheme for a route's keys, secrets and parameters.
    ///
    /// # Errors
    ///
    /// The first that does not fit.
    pub fn bind(&self, binding: &Binding) -> Result<Bound, BindError> {
        match self.build {
            Build::Scheme(build) => build(binding).map(Bound::Scheme),
            Build::Envelope(build) => build(binding).map(Bound::Envelope),
        }
    }

    /// Whether it opens requests on their way in. These come through the gateway only.
    pub fn is_envelope(&self) -> bool {
        matches!(self.build, Build::Envelope(_))
    }
}

/// A name has one entry.
impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Which of the two kinds a scheme is, and what makes one.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// Signs requests on their way out.
    Scheme(fn(&Binding) -> Result<Arc<dyn Scheme>, BindError>),
    /// Opens requests on their way in, seals the answers.
    Envelope(fn(&Binding) -> Result<Arc<dyn Envelope>, BindError>),
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

/// What `init` writes of a provider that slots and defaults do not say.
#[derive(Debug)]
pub struct Example {
    /// Parameters that are better not left to their defaults at [`Entry::host`].
    pub params: &'static [(&'static str, &'static str)],
    /// Further routes in TOML, which `init` writes as comments. The route that `init` writes, its
    /// key and its secrets have their usual names.
    pub routes: &'static str,
}

impl Example {
    /// Slots and defaults say it all.
    pub const PLAIN: Self = Self { params: &[], routes: "" };
}

/// A place for a key: `keys = { signer = "…" }`.
#[derive(Debug)]
pub struct KeySlot {
    /// The name inside `keys`.
    pub name: &'static str,
    /// What may be bound here. The first is what `init` makes.
    pub algorithms: &'static [Algorithm],
    /// Whether the route is wrong without it.
    pub required: bool,
    /// One sentence.
    pub doc: &'static str,
}

/// A place for a secret: `secrets = { token = "…" }`.
#[derive(Debug)]
pub struct SecretSlot {
    /// The name inside `secrets`.
    pub name: &'static str,
    /// Whether the route is wrong without it.
    pub required: bool,
    /// What `init` calls the file for it.
    pub file: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// A setting: `params = { remove = "space_lf" }`.
#[derive(Debug)]
pub struct ParamDoc {
    /// The name inside `params`.
    pub name: &'static str,
    /// Whether the route is wrong without it.
    pub required: bool,
    /// What its text says.
    pub kind: ParamKind,
    /// What it is when it is left out; may be empty.
    pub default: &'static str,
    /// The values it can have; empty when it is free text.
    pub values: &'static [&'static str],
    /// One sentence.
    pub doc: &'static str,
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
#[derive(Clone, Copy, Debug)]
pub struct ProviderRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; `{reason}` is replaced by a JSON string's inside.
    pub body: &'static str,
}
