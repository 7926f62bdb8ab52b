//! Header names as CGI has them: `X-Name` and `X_Name` are both `HTTP_X_NAME` to the program behind
//! it (RFC 3875, section 4.1.18), and to WSGI, Rack and PHP after it.

use std::borrow::Cow;

/// A name with hyphens in place of underscores.
pub(super) fn with_hyphens(name: &str) -> Cow<'_, str> {
    if name.contains('_') { name.replace('_', "-").into() } else { name.into() }
}

/// Whether two names, in lower case, are one to CGI.
pub(super) fn same_to_cgi(one: &str, other: &str) -> bool {
    let same =
        |(one, other): (u8, u8)| one == other || b"-_".contains(&one) && b"-_".contains(&other);
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(same)
}
