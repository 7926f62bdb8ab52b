//! The form that carries a node's token.

use http::header::CONTENT_TYPE;

use super::super::{Head, SchemeError, Signable};

/// The media type of the form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The one field of it.
pub(super) const FIELD: &str = "TSS_JWT_MSG";

/// The token of a request: a form, posted, in which the field stands exactly once. Other fields
/// say nothing.
pub(super) fn token(request: Signable<'_>) -> Result<String, SchemeError> {
    let Signable { head, body: Some(body) } = request else {
        return Err(SchemeError::Broken("the form was not collected"));
    };
    if head.method != http::Method::POST {
        return Err(SchemeError::Token("is not posted"));
    }
    if !is_form(head) {
        return Err(SchemeError::Token("is not in a body of application/x-www-form-urlencoded"));
    }
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == FIELD);
    match (fields.next(), fields.next()) {
        (Some((_, token)), None) => Ok(token.trim().to_owned()),
        (None, _) => Err(SchemeError::Token("is missing: the form has no field TSS_JWT_MSG")),
        (Some(_), Some(_)) => Err(SchemeError::Token("is there more than once")),
    }
}

/// The body that carries a token. Nothing in a token needs an escape.
pub(super) fn body(token: &str) -> String {
    format!("{FIELD}={token}")
}

/// Whether the one `Content-Type` is a form's, whatever its parameters.
fn is_form(head: &Head) -> bool {
    let written = head.single(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = written.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(FORM)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn read(method: Method, kinds: &[&str], body: &str) -> Result<String, SchemeError> {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        }
        let target = "/v1/check".parse().unwrap();
        let head = Head { method, host: String::new(), target, headers };
        token(Signable { head: &head, body: Some(&Bytes::from(body.to_owned())) })
    }

    #[test]
    fn a_form_has_one_token() {
        let with_charset = "Application/X-WWW-Form-URLencoded ; charset=UTF-8";
        for (kind, body) in [
            (FORM, "TSS_JWT_MSG=a.b.c"),
            (with_charset, "TSS_JWT_MSG=a.b.c"),
            (FORM, "other=1&TSS_JWT_MSG=a.b.c&"),
            (FORM, "TSS_JWT_MSG=+a.b.c%0D%0A"),
            (FORM, "TSS%5fJWT_MSG=a%2eb.c"),
        ] {
            assert_eq!(read(Method::POST, &[kind], body), Ok("a.b.c".into()), "{kind} {body}");
        }
        for (method, kinds, body) in [
            (Method::GET, &[FORM][..], "TSS_JWT_MSG=a.b.c"),
            (Method::PUT, &[FORM], "TSS_JWT_MSG=a.b.c"),
            (Method::POST, &[], "TSS_JWT_MSG=a.b.c"),
            (Method::POST, &["application/json"], "TSS_JWT_MSG=a.b.c"),
            (Method::POST, &["multipart/form-data; a=application/x-www-form-urlencoded"], ""),
            (Method::POST, &[FORM, FORM], "TSS_JWT_MSG=a.b.c"),
            (Method::POST, &[FORM], ""),
            (Method::POST, &[FORM], "tss_jwt_msg=a.b.c"),
            (Method::POST, &[FORM], "TSS_JWT_MSG=a.b.c&TSS_JWT_MSG=a.b.c"),
            (Method::POST, &[FORM], "TSS_JWT_MSG=a.b.c&TSS%5FJWT%5FMSG=d.e.f"),
        ] {
            let found = read(method, kinds, body);
            assert!(matches!(found, Err(SchemeError::Token(_))), "{kinds:?} {body}: {found:?}");
        }
    }
}
