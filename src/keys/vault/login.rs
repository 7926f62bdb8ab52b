//! Ways to a token: one that somebody has made, AppRole, a Kubernetes service account.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::keys::store::Needed;
use crate::problem::Problem;
use crate::secret::Secret;

/// How a token is come by.
#[derive(Debug)]
pub(super) enum Login {
    /// It is there, and is read again when it is no good any more.
    Token(Needed),
    /// It is given for something else.
    Asked {
        /// Where it is asked for.
        path: String,
        /// The member of the question that is public, and its value.
        role: (&'static str, String),
        /// What proves it.
        proof: Proof,
    },
}

/// What a login shows.
#[derive(Debug)]
pub(super) enum Proof {
    /// An AppRole's secret id.
    SecretId(Needed),
    /// A file with a JSON Web Token, which the cluster writes anew now and then.
    Jwt(PathBuf),
}

impl Login {
    /// By AppRole.
    pub(super) fn app_role(
        mount: Option<String>,
        role: String,
        secret_id: Option<Needed>,
    ) -> Result<Self, Problem> {
        let fix = "write secret_id = \"file:…\", or another URI";
        let secret_id =
            secret_id.ok_or_else(|| Problem::new("has a role_id and no secret_id", fix))?;
        let path = format!("auth/{}/login", mount.as_deref().unwrap_or("approle"));
        let proof = Proof::SecretId(secret_id);
        Ok(Self::Asked { path, role: ("role_id", role), proof })
    }

    /// By a Kubernetes service account.
    pub(super) fn kubernetes(mount: Option<String>, role: String, jwt: PathBuf) -> Self {
        let path = format!("auth/{}/login", mount.as_deref().unwrap_or("kubernetes"));
        Self::Asked { path, role: ("role", role), proof: Proof::Jwt(jwt) }
    }
}

impl Proof {
    /// The member of the question that is the proof, and its value.
    ///
    /// # Errors
    ///
    /// Why it cannot be had.
    pub(super) async fn member(&self) -> Result<(&'static str, Arc<Secret>), Problem> {
        match self {
            Self::SecretId(needed) => Ok(("secret_id", needed.read().await?)),
            Self::Jwt(path) => {
                let read = std::fs::read(path).map_err(|error| {
                    let fix = "run it in a pod with a service account, or name the token with jwt";
                    let place = format!("the service account's token {}", path.display());
                    Problem::new(format!("cannot be read: {error}"), fix).of(place)
                })?;
                Ok(("jwt", Arc::new(Secret::new(read).trimmed())))
            }
        }
    }
}

/// The question of a login.
pub(super) fn question(role: &(&'static str, String), member: &str, proof: &Secret) -> Value {
    let proof = String::from_utf8_lossy(proof.expose());
    json!({ role.0: role.1, member: proof })
}
