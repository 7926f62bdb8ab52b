//! Where AWS credentials are, in the order of AWS's own programs: variables, a web identity, the shared
//! file, a container's endpoint, the instance's metadata.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::credentials::Credentials;
use super::fetched;
use super::variables::{hidden, set};
use crate::problem::Problem;
use crate::secret::Secret;

/// The variables that hold something secret.
pub(super) const SECRET_VARIABLES: [&str; 4] =
    [KEY_ID, SECRET_KEY, SESSION_TOKEN, "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Looks for credentials, at each renewal anew.
#[derive(Debug)]
pub(super) struct Chain {
    /// The one place that is looked at.
    profile: Option<String>,
    limit: Duration,
}

impl Chain {
    /// With a profile, credentials are that profile's and no others.
    pub(super) fn found(profile: Option<String>, limit: Duration) -> Self {
        Self { profile, limit }
    }

    /// The first credentials that there are.
    ///
    /// # Errors
    ///
    /// There are none, or what is wrong with the place that has them.
    pub(super) async fn find(&self, region: &str) -> Result<Credentials, Problem> {
        if let Some(profile) = &self.profile {
            let path = shared_file();
            let none = || {
                let fix = format!(
                    "write aws_access_key_id and aws_secret_access_key below it in {}",
                    path.display()
                );
                Problem::new(format!("the profile {profile:?} has no credentials"), fix)
            };
            return in_file(&path, profile)?.ok_or_else(none);
        }
        if let (Some(id), Some(secret)) = (set(KEY_ID), hidden(SECRET_KEY)) {
            return Ok(Credentials { id, secret, token: hidden(SESSION_TOKEN), until: None });
        }
        if let (Some(file), Some(role)) = (set("AWS_WEB_IDENTITY_TOKEN_FILE"), set("AWS_ROLE_ARN"))
        {
            return fetched::by_web_identity(Path::new(&file), &role, region, self.limit).await;
        }
        let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".into());
        if let Some(found) = in_file(&shared_file(), &profile)? {
            return Ok(found);
        }
        if let Some(found) = fetched::of_container(self.limit).await? {
            return Ok(found);
        }
        if set("AWS_EC2_METADATA_DISABLED").is_none_or(|set| !set.eq_ignore_ascii_case("true"))
            && let Ok(found) = fetched::of_instance(self.limit.min(METADATA)).await
        {
            return Ok(found);
        }
        Err(Problem::new(
            "there are no AWS credentials",
            format!(
                "set {KEY_ID} and {SECRET_KEY}, or write a profile, or give the machine a role"
            ),
        ))
    }
}

/// The files that credentials may be in.
pub(super) fn files() -> impl Iterator<Item = PathBuf> {
    let named = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
    named.into_iter().filter_map(|name| set(name).map(PathBuf::from)).chain([shared_file()])
}

fn shared_file() -> PathBuf {
    let home = || PathBuf::from(set("HOME").unwrap_or_default()).join(".aws/credentials");
    set("AWS_SHARED_CREDENTIALS_FILE").map_or_else(home, PathBuf::from)
}

/// The credentials of a profile in the shared file; none where there is no such file, profile or
/// key in it.
fn in_file(path: &Path, profile: &str) -> Result<Option<Credentials>, Problem> {
    let text = match std::fs::read(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let problem = Problem::new(format!("cannot be read: {error}"), "make it readable");
            return Err(problem.of(path.display()));
        }
    };
    let text = String::from_utf8_lossy(text.expose());
    Ok(of_profile(&text, profile))
}

fn of_profile(text: &str, profile: &str) -> Option<Credentials> {
    let mut own = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            own = name.trim() == profile;
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| own) else { continue };
        let value = value.trim();
        match name.trim() {
            "aws_access_key_id" => id = Some(value.to_owned()),
            "aws_secret_access_key" => secret = Some(Secret::new(value.into())),
            "aws_session_token" => token = Some(Secret::new(value.into())),
            _ => {}
        }
    }
    Some(Credentials { id: id?, secret: secret?, token, until: None })
}

/// A machine that has no metadata does not answer at all.
const METADATA: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_section_of_the_shared_file() {
        let file = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=s+/=\n\n\
                    [other]\n aws_access_key_id=B\n aws_secret_access_key = t\n\
                    aws_session_token = u\nregion = eu-west-1\n[empty]\n";
        let found = of_profile(file, "default").unwrap();
        assert_eq!((found.id.as_str(), found.secret.expose()), ("A", &b"s+/="[..]));
        assert!(found.token.is_none());
        let found = of_profile(file, "other").unwrap();
        assert_eq!((found.id.as_str(), found.token.unwrap().expose()), ("B", &b"u"[..]));
        assert!(of_profile(file, "empty").is_none() && of_profile(file, "none").is_none());
    }
}
