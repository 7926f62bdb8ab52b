//! PKCS#11 URIs (RFC 7512): which token, which key in it, which module, and the PIN or where it is.

use crate::keys::store::{GIVEN, Parts};

/// The settings of a store.
pub(super) const MODULE: &str = "module";
pub(super) const TOKEN: &str = "token";
pub(super) const SERIAL: &str = "serial";
pub(super) const PIN: &str = "pin";

/// Reads what stands behind `pkcs11:`. What is wrong is said without repeating it: it may be a PIN.
pub(super) fn locate(rest: &str) -> Result<Parts, &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut settings, mut object) = (Vec::new(), Vec::new());
    let mut put = |name: &'static str, value: String| match settings.iter().any(|(n, _)| *n == name)
    {
        true => Err("has an attribute twice"),
        false => {
            settings.push((name, value));
            Ok(())
        }
    };
    for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
        let (name, value) = attribute.split_once('=').ok_or(NO_VALUE)?;
        match name {
            "token" => put(TOKEN, text(value)?)?,
            "serial" => put(SERIAL, text(value)?)?,
            "object" | "id" => object.push(attribute),
            // Which of the two it is follows from what the key is for.
            "type" if matches!(value, "private" | "secret-key") => {}
            "type" => return Err("has a type other than private and secret-key"),
            _ => return Err(UNKNOWN),
        }
    }
    for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
        let (name, value) = attribute.split_once('=').ok_or(NO_VALUE)?;
        match name {
            "module-path" => put(MODULE, text(value)?)?,
            "pin-source" => put(PIN, source(&text(value)?))?,
            "pin-value" => put(PIN, format!("{GIVEN}{}", text(value)?))?,
            _ => return Err(UNKNOWN),
        }
    }
    if object.is_empty() {
        return Err("names no key: add object=… or id=…");
    }
    if !settings.iter().any(|(name, _)| *name == MODULE) {
        return Err("names no module: add ?module-path=/usr/lib/…");
    }
    let entry = object.join(";");
    Wanted::read(&entry)?;
    Ok((settings, entry))
}

/// The store and entry that a `pin-source` means: a path, `file:` and one, a command behind `|`, or
/// a key URI of another kind.
fn source(text: &str) -> String {
    if let Some(command) = text.strip_prefix('|') {
        return format!("exec:{}", command.trim_start());
    }
    if let Some(path) = text.strip_prefix("file://") {
        return format!("file:{}", path.strip_prefix("localhost").unwrap_or(path));
    }
    if text.starts_with(['/', '.']) { format!("file:{text}") } else { text.to_owned() }
}

/// Where a key is, for messages.
pub(super) fn place(token: &str, entry: &str) -> String {
    match token {
        "" => format!("the token's key {entry:?}"),
        token => format!("the key {entry:?} of the token {token:?}"),
    }
}

/// Which key of a token: by label, by id, or by both.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Wanted {
    pub(super) label: Option<String>,
    pub(super) id: Option<Vec<u8>>,
}

impl Wanted {
    /// Reads an entry: a label, or the attributes `object` and `id` as a URI writes them.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(entry: &str) -> Result<Self, &'static str> {
        let mut wanted = Self::default();
        if !entry.starts_with("object=") && !entry.starts_with("id=") {
            wanted.label = Some(entry.to_owned());
            return Ok(wanted);
        }
        for attribute in entry.split(';') {
            match attribute.split_once('=') {
                Some(("object", value)) if wanted.label.is_none() && !value.is_empty() => {
                    wanted.label = Some(text(value)?);
                }
                Some(("id", value)) if wanted.id.is_none() && !value.is_empty() => {
                    wanted.id = Some(bytes(value)?);
                }
                _ => return Err("names a key by something else than one object=… and one id=…"),
            }
        }
        Ok(wanted)
    }
}

fn text(value: &str) -> Result<String, &'static str> {
    String::from_utf8(bytes(value)?).map_err(|_| "has text that is not UTF-8")
}

/// Percent-decoded.
fn bytes(value: &str) -> Result<Vec<u8>, &'static str> {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = after.split_at_checked(2).ok_or(BAD_PERCENT)?;
        bytes.extend(base16ct::mixed::decode_vec(digits.0).map_err(|_| BAD_PERCENT)?);
        rest = digits.1;
    }
    Ok(bytes)
}

const NO_VALUE: &str = "has an attribute without a value";
const UNKNOWN: &str = "has an attribute that means nothing here: token, serial, object, id and type \
                       are known, and behind the ? module-path, pin-source and pin-value";
const BAD_PERCENT: &str = "has a % without two hex digits behind it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_token_key_module_and_pin() {
        let module = (MODULE, "/m.so".to_owned());
        for (uri, settings, entry) in [
            ("object=okx?module-path=/m.so", vec![], "object=okx"),
            (
                "token=my%20hsm;serial=0f;object=a;id=%01%ff;type=private?module-path=%2Fm.so",
                vec![(TOKEN, "my hsm"), (SERIAL, "0f")],
                "object=a;id=%01%ff",
            ),
            ("id=%01?pin-value=12%2634&module-path=/m.so", vec![(PIN, "given:12&34")], "id=%01"),
            (
                "id=%01?pin-source=/etc/pin&module-path=/m.so",
                vec![(PIN, "file:/etc/pin")],
                "id=%01",
            ),
            (
                "id=%01?pin-source=file:///etc/pin&module-path=/m.so",
                vec![(PIN, "file:/etc/pin")],
                "id=%01",
            ),
            (
                "id=%01?pin-source=%7C/bin/pinomatic%20x&module-path=/m.so",
                vec![(PIN, "exec:/bin/pinomatic x")],
                "id=%01",
            ),
            ("id=%01?pin-source=env:PIN&module-path=/m.so", vec![(PIN, "env:PIN")], "id=%01"),
        ] {
            let (found, key) = locate(uri).unwrap();
            let mut wanted: Vec<_> = settings.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
            wanted.push(module.clone());
            wanted.sort_unstable();
            let mut found = found;
            found.sort_unstable();
            assert_eq!((found, key.as_str()), (wanted, entry), "{uri}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_uri_is_said_without_it() {
        for (uri, what) in [
            ("token=t?module-path=/m.so&pin-value=83", "names no key"),
            ("object=a?pin-value=83", "names no module"),
            ("object=a;colour=red?module-path=/m.so", "means nothing here"),
            ("object=a?module-path=/m.so&pin-value=83&pin-source=/p", "twice"),
            ("object=a?module-path=/m.so&pin-value=83%4", "two hex digits"),
            ("object=a?module-path=/m.so&pin-value", "without a value"),
            ("object=a;object=b?module-path=/m.so", "by something else"),
            ("object=a;type=cert?module-path=/m.so", "a type other than"),
        ] {
            let said = locate(uri).unwrap_err();
            assert!(said.contains(what) && !said.contains("83"), "{uri}: {said}");
        }
    }

    #[test]
    fn an_entry_is_a_label_or_attributes() {
        let label = |text: &str| Some(text.to_owned());
        assert_eq!(Wanted::read("a=b").unwrap(), Wanted { label: label("a=b"), id: None });
        let both = Wanted { label: label("a b"), id: Some(vec![1, 0xab]) };
        assert_eq!(Wanted::read("id=%01%AB;object=a%20b").unwrap(), both);
    }
}
