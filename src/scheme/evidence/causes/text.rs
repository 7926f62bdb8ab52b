//! Causes: what else was signed, in place of the right text: query, path, body, and the parts as a whole.

use super::super::types::{Known, known};

pub(crate) static QUERY_UNSORTED: Known = known(
    "query_unsorted",
    "the query's names were not sorted before signing",
    "sort the decoded names by bytes, then join with &",
);
pub(crate) static QUERY_SORTED: Known = known(
    "query_sorted",
    "the query was sorted otherwise before signing than it is wanted",
    "keep the order that the scheme has",
);
pub(crate) static QUERY_DECODED: Known =
    known("query_decoded", "the query was signed decoded", "sign it encoded as the scheme has it");
pub(crate) static QUERY_ENCODING: Known = known(
    "query_encoding",
    "the query was signed in another percent-encoding",
    "encode as the scheme has it, before signing",
);
pub(crate) static QUERY_LOWERCASE: Known = known(
    "query_lowercase",
    "the query's escapes were signed with lower-case hex digits",
    "write escapes with capitals: %2F",
);
pub(crate) static QUERY_TWICE: Known = known(
    "query_encoded_twice",
    "the query was encoded once more before it was signed",
    "encode once",
);
pub(crate) static QUERY_ONCE: Known = known(
    "query_encoded_once",
    "the query was encoded once less than the scheme has it",
    "encode it as a part of the canonical string too",
);
pub(crate) static QUERY_AS_SENT: Known = known(
    "query_as_sent",
    "the query was signed as it is sent",
    "decode it, sort it and encode it anew as the scheme has it",
);
pub(crate) static QUERY_REPEATED: Known = known(
    "query_repeated",
    "of a name that stands in the query more than once, others were signed than the scheme takes",
    "take those that the scheme takes",
);
pub(crate) static QUERY_JOINED: Known = known(
    "query_joined",
    "the query's pairs were joined with other separators",
    "join names and values with = and pairs with &",
);
pub(crate) static QUERY_EMPTY: Known = known(
    "query_empty_values",
    "pairs without a value were signed otherwise",
    "treat empty values as the scheme has it",
);
pub(crate) static QUERY_MARK: Known = known(
    "query_mark",
    "the question mark was signed with the query, or left out",
    "sign it as the scheme has it",
);
pub(crate) static QUERY_MISSING: Known =
    known("query_missing", "the query was not signed", "sign the query too");
pub(crate) static QUERY_ADDED: Known = known(
    "query_added",
    "the query was signed, which the scheme does not sign there",
    "leave the query out of the canonical string",
);
pub(crate) static PATH_SLASH: Known = known(
    "path_slash",
    "the path was signed with another slash at its end, or without the one in front",
    "sign the path as it is sent",
);
pub(crate) static PATH_URL: Known =
    known("path_url", "the URL was signed in place of the path", "sign the path alone");
pub(crate) static PATH_HOST: Known =
    known("path_host", "the host was signed in front of the path", "sign the path alone");
pub(crate) static PATH_QUERY: Known = known(
    "path_query",
    "the query was signed behind the path",
    "sign the path without ? and query",
);
pub(crate) static PATH_DECODED: Known = known(
    "path_decoded",
    "the path was signed decoded",
    "sign the path as it is sent, escapes and all",
);
pub(crate) static PATH_ENCODED: Known = known(
    "path_encoded",
    "the path was encoded once more before it was signed",
    "sign the path as it is sent",
);
pub(crate) static PATH_PREFIX: Known = known(
    "path_prefix",
    "the path was signed without its first segments",
    "sign the whole path that is sent, the base path of the API with it",
);
pub(crate) static PATH_BASE: Known = known(
    "path_base",
    "the path was signed with segments in front that are not sent",
    "sign the path that is sent",
);
pub(crate) static PATH_CASE: Known =
    known("path_case", "the path was signed in other letters", "sign the path as it is sent");
pub(crate) static URL_SCHEME: Known =
    known("url_scheme", "the URL was signed with http:// in place of https://", "sign https://");
pub(crate) static URL_HOST: Known =
    known("url_host", "the URL was signed with another host", "sign the host that the scheme has");
pub(crate) static URL_PATH: Known =
    known("url_path", "the path alone was signed in place of the URL", "sign the whole URL");
pub(crate) static URL_QUERY: Known =
    known("url_query", "the query was signed within the URL", "sign the URL without its query");
pub(crate) static METHOD_CASE: Known =
    known("method_case", "the method was signed in lower case", "sign it in capitals");
pub(crate) static METHOD_OTHER: Known = known(
    "method_other",
    "another method was signed than the one that is sent",
    "sign the method that is sent",
);
pub(crate) static METHOD_ADDED: Known = known(
    "method_added",
    "the method was signed, which is no part of the canonical string",
    "leave it out",
);
pub(crate) static HOST_ADDED: Known = known(
    "host_added",
    "the host was signed, which is no part of the canonical string",
    "leave it out",
);
pub(crate) static PIECE_MISSING: Known = known(
    "piece_missing",
    "a part of the canonical string was left out",
    "put it in, where the scheme has it",
);
pub(crate) static PIECES_SWAPPED: Known = known(
    "pieces_swapped",
    "two parts of the canonical string were exchanged",
    "put them in the order that the scheme has",
);
pub(crate) static SEPARATOR: Known = known(
    "separator",
    "the parts were joined with other separators",
    "join them as the scheme has it",
);
pub(crate) static NEWLINE: Known = known(
    "newline",
    "a line end was signed behind the canonical string",
    "sign the text without it; echo -n, or printf",
);
pub(crate) static LINE_ENDS: Known =
    known("line_ends", "the lines were joined with CR LF", "join them with LF");
pub(crate) static TEXT_CASE: Known =
    known("text_case", "the canonical string was signed in other letters", "sign it as it is");
pub(crate) static TEXT_QUOTED: Known = known(
    "text_quoted",
    "the canonical string was signed as a JSON string or in quotation marks",
    "sign its bytes",
);
pub(crate) static TEXT_ENCODED: Known = known(
    "text_encoded",
    "the canonical string was encoded before it was signed",
    "sign its bytes as they are",
);
pub(crate) static TEXT_CHARSET: Known = known(
    "text_charset",
    "the canonical string was signed in another character set than UTF-8",
    "encode it as UTF-8",
);
pub(crate) static TIME_SIGNED_SECONDS: Known = known(
    "time_signed_seconds",
    "the time stamp was signed in another unit than the one that is sent",
    "sign and send the same digits",
);
pub(crate) static TIME_OTHER: Known = known(
    "time_other",
    "another time was signed than the one that is sent: the clock was read twice",
    "read the clock once, and use the same text in both places",
);
pub(crate) static TIME_WRITTEN: Known = known(
    "time_written",
    "the time stamp was signed in another form than the one that is sent",
    "sign and send the same text",
);
pub(crate) static NONCE_WRITTEN: Known = known(
    "nonce_written",
    "the nonce was signed in another form than the one that is sent",
    "sign and send the same text, zeros in front and all",
);
pub(crate) static KEY_SIGNED: Known = known(
    "key_signed",
    "the public key was signed in another form than the one that is wanted in the text",
    "sign it as it is sent",
);
pub(crate) static VALUE_SIGNED: Known = known(
    "value_signed",
    "a part of the canonical string was signed in another form",
    "sign it as the scheme has it",
);

/// All of them.
pub(super) static ALL: &[&Known] = &[
    &QUERY_UNSORTED,
    &QUERY_SORTED,
    &QUERY_DECODED,
    &QUERY_ENCODING,
    &QUERY_LOWERCASE,
    &QUERY_TWICE,
    &QUERY_ONCE,
    &QUERY_AS_SENT,
    &QUERY_REPEATED,
    &QUERY_JOINED,
    &QUERY_EMPTY,
    &QUERY_MARK,
    &QUERY_MISSING,
    &QUERY_ADDED,
    &PATH_SLASH,
    &PATH_URL,
    &PATH_HOST,
    &PATH_QUERY,
    &PATH_DECODED,
    &PATH_ENCODED,
    &PATH_PREFIX,
    &PATH_BASE,
    &PATH_CASE,
    &URL_SCHEME,
    &URL_HOST,
    &URL_PATH,
    &URL_QUERY,
    &METHOD_CASE,
    &METHOD_OTHER,
    &METHOD_ADDED,
    &HOST_ADDED,
    &PIECE_MISSING,
    &PIECES_SWAPPED,
    &SEPARATOR,
    &NEWLINE,
    &LINE_ENDS,
    &TEXT_CASE,
    &TEXT_QUOTED,
    &TEXT_ENCODED,
    &TEXT_CHARSET,
    &TIME_SIGNED_SECONDS,
    &TIME_OTHER,
    &TIME_WRITTEN,
    &NONCE_WRITTEN,
    &KEY_SIGNED,
    &VALUE_SIGNED,
];
