//! Temporary credentials: those that STS gives for a web identity, a container's, an instance's.

use std::path::Path;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;

use super::credentials::Credentials;
use super::variables::{hidden, own_endpoint, set};
use crate::https::{Answer, Client};
use crate::problem::Problem;
use crate::secret::Secret;

/// What STS gives for the token that a cluster has written into a file (`AssumeRoleWithWebIdentity`).
pub(super) async fn by_web_identity(
    file: &Path,
    role: &str,
    region: &str,
    limit: Duration,
) -> Result<Credentials, Problem> {
    let token = std::fs::read(file).map(|token| Secret::new(token).trimmed());
    let token = token.map_err(|error| {
        let problem = Problem::new(format!("cannot be read: {error}"), "make it readable");
        problem.of(format_args!("the web identity's token {}", file.display()))
    })?;
    let endpoint = set("AWS_ENDPOINT_URL_STS").or_else(|| set("AWS_ENDPOINT_URL"));
    let endpoint = endpoint.unwrap_or_else(|| own_endpoint("sts", region));
    let session = set("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "countersign".into());
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRoleWithWebIdentity")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", role)
        .append_pair("RoleSessionName", &session)
        .append_pair("WebIdentityToken", &String::from_utf8_lossy(token.expose()))
        .finish();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let asked = ask(&endpoint, "/", Method::POST, &[(CONTENT_TYPE, kind)], form, limit).await;
    let failed = |what: String| {
        let fix = "see whether AWS_ROLE_ARN trusts the cluster's issuer, and STS can be reached";
        Problem::new(what, fix).of("the web identity")
    };
    let answer = asked.map_err(|why| failed(format!("is of no use: {why}")))?;
    let text = String::from_utf8_lossy(answer.body.expose());
    of_xml(&text).ok_or_else(|| failed("gets no credentials of STS".into()))
}

/// A container's (ECS, EKS Pod Identity); none where it has no such variables.
pub(super) async fn of_container(limit: Duration) -> Result<Option<Credentials>, Problem> {
    let relative = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let url = relative.map(|path| format!("http://169.254.170.2{path}"));
    let Some(url) = url.or_else(|| set("AWS_CONTAINER_CREDENTIALS_FULL_URI")) else {
        return Ok(None);
    };
    let failed = |what: &str| {
        Problem::new(what, "correct AWS_CONTAINER_CREDENTIALS_FULL_URI, or its token")
            .of("the container's endpoint for credentials")
    };
    let uri: http::Uri = url.parse().map_err(|_| failed("is no URL"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let base = url.strip_suffix(path.as_str()).unwrap_or(&url);
    let file = set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        .map(|file| std::fs::read(file).map(|token| Secret::new(token).trimmed()));
    let token = match file {
        Some(read) => Some(read.map_err(|_| failed("has a token that cannot be read"))?),
        None => hidden("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let mut headers = Vec::new();
    if let Some(token) = token {
        let value = HeaderValue::from_bytes(token.expose());
        let mut value = value.map_err(|_| failed("has a token that no header can carry"))?;
        value.set_sensitive(true);
        headers.push((AUTHORIZATION, value));
    }
    let asked = ask(base, &path, Method::GET, &headers, String::new(), limit).await;
    let answer = asked.map_err(|why| failed(&format!("is of no use: {why}")))?;
    of_json(&answer).map(Some).ok_or_else(|| failed("gives no credentials"))
}

/// The instance's role, by its metadata service, version 2.
pub(super) async fn of_instance(limit: Duration) -> Result<Credentials, String> {
    let named = set("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let base = named.unwrap_or_else(|| "http://169.254.169.254".into());
    let base = base.trim_end_matches('/');
    let name = |name| HeaderName::from_static(name);
    let lasts = (name("x-aws-ec2-metadata-token-ttl-seconds"), HeaderValue::from_static("21600"));
    let path = "/latest/api/token";
    let token = ask(base, path, Method::PUT, &[lasts], String::new(), limit).await?;
    let token = HeaderValue::from_bytes(token.body.trimmed().expose());
    let mut token = token.map_err(|_| "its token is none".to_owned())?;
    token.set_sensitive(true);
    let headers = [(name("x-aws-ec2-metadata-token"), token)];
    let path = "/latest/meta-data/iam/security-credentials/";
    let roles = ask(base, path, Method::GET, &headers, String::new(), limit).await?;
    let roles = String::from_utf8_lossy(roles.body.expose()).into_owned();
    let role = roles.lines().next().ok_or_else(|| "it has no role".to_owned())?;
    let path = format!("{path}{}", role.trim());
    let answer = ask(base, &path, Method::GET, &headers, String::new(), limit).await?;
    of_json(&answer).ok_or_else(|| "it gives no credentials".into())
}

/// Asks once; the answer is 200.
async fn ask(
    base: &str,
    path: &str,
    method: Method,
    headers: &[(HeaderName, HeaderValue)],
    body: String,
    limit: Duration,
) -> Result<Answer, String> {
    let client = Client::new(base, None, limit).map_err(|problem| problem.what)?;
    let mut request = Request::new(body.into_bytes());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|_| "its path is none".to_owned())?;
    request.headers_mut().extend(headers.iter().cloned());
    let answer = client.ask(request).await.map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(format!("it answers {}", answer.status));
    }
    Ok(answer)
}

/// As containers' and instances' endpoints write it.
fn of_json(answer: &Answer) -> Option<Credentials> {
    let read: Value = serde_json::from_slice(answer.body.expose()).ok()?;
    let text = |name: &str| Some(read.get(name)?.as_str()?.to_owned());
    Some(Credentials {
        id: text("AccessKeyId")?,
        secret: Secret::new(text("SecretAccessKey")?.into_bytes()),
        token: text("Token").map(|token| Secret::new(token.into_bytes())),
        until: text("Expiration").and_then(|text| instant(&text)),
    })
}

/// As STS writes it: none of the values has anything that XML would write in another way.
fn of_xml(text: &str) -> Option<Credentials> {
    let (_, text) = text.split_once("<Credentials>")?;
    let of = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim().to_owned())
    };
    Some(Credentials {
        id: of("AccessKeyId")?,
        secret: Secret::new(of("SecretAccessKey")?.into_bytes()),
        token: Some(Secret::new(of("SessionToken")?.into_bytes())),
        until: of("Expiration").and_then(|text| instant(&text)),
    })
}

/// `2026-11-29T10:00:00Z`, with or without a part of a second, in milliseconds since 1970.
fn instant(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once('T')?;
    let numbers = |text: &str, by: char| -> Option<Vec<u8>> {
        text.split(by).map(|part| part.parse().ok()).collect()
    };
    let (year, date) = date.split_once('-')?;
    let clock = rest.trim_end_matches('Z').split('.').next()?;
    let ([month, day], [hour, minute, second]) =
        (numbers(date, '-')?.try_into().ok()?, numbers(clock, ':')?.try_into().ok()?);
    let month = time::Month::try_from(month).ok()?;
    let date = time::Date::from_calendar_date(year.parse().ok()?, month, day).ok()?;
    let seconds = date.with_hms(hour, minute, second).ok()?.assume_utc().unix_timestamp();
    Some(u64::try_from(seconds).ok()? * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_aws() {
        for (text, expected) in [
            ("2026-11-29T10:00:00Z", Some(1_795_946_400_000)),
            ("2026-11-29T10:00:00.123Z", Some(1_795_946_400_000)),
            ("1970-01-01T00:00:01Z", Some(1000)),
            ("2026-02-30T10:00:00Z", None),
            ("tomorrow", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn what_sts_gives_is_read() {
        let text = "<R><Credentials>\n<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s+/=\
                    </SecretAccessKey><SessionToken>t</SessionToken>\
                    <Expiration>2026-11-29T10:00:00Z</Expiration></Credentials></R>";
        let found = of_xml(text).unwrap();
        assert_eq!((found.id.as_str(), found.secret.expose()), ("ASIA", &b"s+/="[..]));
        assert!(found.until.is_some() && of_xml("<Error>").is_none());
    }
}
