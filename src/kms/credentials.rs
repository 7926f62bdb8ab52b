//! AWS credentials at work: a request signed with them by the declared scheme.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request};

use crate::keys::{Algorithm, Encoding, PrivateKey, Signer};
use crate::moment::{Moment, Nonce, unix_ms};
use crate::scheme::{Binding, Bound, Head, Registry, Scheme, Signable, Signatures, ToSign};
use crate::secret::{Secret, SecretCell};

/// Credentials as they are found.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: Secret,
    /// Of temporary ones.
    pub(super) token: Option<Secret>,
    /// When they end, in milliseconds since 1970; none where they do not.
    pub(super) until: Option<u64>,
}

/// Credentials bound to a service and a region.
pub(super) struct Bearer {
    scheme: Arc<dyn Scheme>,
    signer: Arc<dyn Signer>,
    until: Option<u64>,
}

impl Bearer {
    /// Credentials for a service in a region.
    ///
    /// # Errors
    ///
    /// What is wrong with them; nothing of them is in it.
    pub(super) fn new(found: Credentials, service: &str, region: &str) -> Result<Self, String> {
        let Credentials { id, secret, token, until } = found;
        let algorithm = Some(Algorithm::HMAC_SHA256);
        let key = PrivateKey::parse_encoded(secret.expose(), Encoding::Text, algorithm, None);
        let key = key.map_err(|error| format!("the secret access key {}", error.what))?;
        let signer = key.signer().map_err(|error| error.to_string())?;
        let name = if token.is_some() { "aws_sigv4_session" } else { "aws_sigv4" };
        let mut binding = Binding {
            keys: BTreeMap::from([("signer".to_owned(), signer.public_key().clone())]),
            params: [("service", service), ("region", region)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Binding::default()
        };
        let id = SecretCell::fixed(Secret::new(id.into_bytes()));
        binding.secrets.insert("access_key".into(), id);
        if let Some(token) = token {
            binding.secrets.insert("session_token".into(), SecretCell::fixed(token));
        }
        let registry = Registry::built_in();
        let entry = registry.find(name).expect("it is in the catalogue");
        let scheme = match entry.bind(&binding) {
            Ok(Bound::Scheme(scheme)) => scheme,
            Ok(Bound::Envelope(_)) => return Err("the scheme opens requests".into()),
            Err(error) => return Err(error.to_string()),
        };
        Ok(Self { scheme, signer, until })
    }

    /// Whether they are good for so many milliseconds more.
    pub(super) fn lasts(&self, more: u64) -> bool {
        self.until.is_none_or(|until| until > unix_ms() + more)
    }

    /// A POST to `/` of the host, signed.
    ///
    /// # Errors
    ///
    /// What the scheme has against it.
    pub(super) async fn signed(
        &self,
        host: &HeaderValue,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, String> {
        headers.insert(HOST, host.clone());
        let named = host.to_str().unwrap_or_default().to_owned();
        let target = http::uri::PathAndQuery::from_static("/");
        let mut head = Head { method: Method::POST, host: named, target, headers };
        let body = Bytes::from(body);
        let shown = Signable { head: &head, body: Some(&body) };
        let moment = Moment { unix_ms: unix_ms(), nonce: Nonce::Placed(0) };
        let failed = |error: &dyn fmt::Display| error.to_string();
        let mut signatures = Signatures::default();
        let to_sign = self.scheme.canonicalise(shown, &moment).map_err(|error| failed(&error))?;
        let ToSign { preimages, rest } = to_sign;
        for text in &preimages {
            let signature = self.signer.sign(text.content()).await;
            signatures.insert(text.slot.clone(), signature.map_err(|error| failed(&error))?);
        }
        let edits = self.scheme.assemble(shown, &moment, rest, &signatures);
        edits.map_err(|error| failed(&error))?.apply_to(&mut head);
        let mut request = Request::new(body.into());
        *request.method_mut() = head.method;
        *request.headers_mut() = head.headers;
        Ok(request)
    }
}
