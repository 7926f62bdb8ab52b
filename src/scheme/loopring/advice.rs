//! What a server of a known version does not take, for `check` to say before the provider does.

use super::super::{BindError, Binding};

/// The provider's public hosts and the version of the API they serve.
const HOSTS: &[(&str, Version)] = &[
    ("api.loopring.io", Version::V2),
    ("api3.loopring.io", Version::V3),
    ("api.uat.loopring.pro", Version::V3),
];

#[derive(Clone, Copy, PartialEq)]
enum Version {
    V2,
    V3,
}

/// What is doubtful about a binding that builds, at the host it is for.
pub(super) fn advise(binding: &Binding, host: Option<&str>) -> Vec<BindError> {
    let host = host.unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    let known = HOSTS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    let Some((host, version)) = known else { return Vec::new() };
    let (api, canonical, protocol) = match version {
        Version::V2 => ("v2", "v2", "3.1.1"),
        Version::V3 => ("v3", "v3", "3.6"),
    };
    let doubt = |param: &str, wanted: &str, why: String| BindError {
        field: format!("params.{param}"),
        what: format!("is \"{}\", and {host} serves API {api}, {why}", binding.param(param)),
        fix: format!("write {param} = \"{wanted}\" in params"),
    };
    let mut doubts = Vec::new();
    if ![canonical, "none"].contains(&binding.param("canonical")) {
        let why = format!("whose published signature is \"{canonical}\"");
        doubts.push(doubt("canonical", canonical, why));
    }
    if binding.param("body") != "none" && binding.param("protocol") != protocol {
        let why = format!("whose messages are those of protocol \"{protocol}\"");
        doubts.push(doubt("protocol", protocol, why));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::super::entry;
    use super::*;

    #[test]
    fn each_version_is_told_from_the_other_and_strangers_are_left_alone() {
        for (host, params, expected) in [
            (Some("api.loopring.io"), &[("canonical", "v2")][..], None),
            (Some("api.loopring.io"), &[], Some("canonical is \"kv_objects\"")),
            (Some("api.loopring.io"), &[("canonical", "v3")], Some("signature is \"v2\"")),
            (Some("API3.loopring.io:443"), &[("canonical", "v2")], Some("signature is \"v3\"")),
            (Some("api.uat.loopring.pro"), &[("canonical", "v3")], None),
            (Some("api3.loopring.io"), &[("canonical", "none")], None),
            (
                Some("api3.loopring.io"),
                &[("canonical", "none"), ("body", "order")],
                Some("protocol is \"3.1.1\""),
            ),
            (
                Some("api.loopring.io"),
                &[("canonical", "none"), ("body", "order"), ("protocol", "3.6")],
                Some("of protocol \"3.1.1\""),
            ),
            (Some("api.loopring.io"), &[("canonical", "none"), ("body", "order")], None),
            (Some("localhost"), &[("canonical", "v3")], None),
            (None, &[("canonical", "v3")], None),
        ] {
            let mut binding = Binding { params: entry().defaults(), ..Binding::default() };
            for (name, value) in params.iter().copied() {
                binding.params.insert(name.into(), value.into());
            }
            let advice = advise(&binding, host);
            assert_eq!(advice.len(), usize::from(expected.is_some()), "{host:?} {params:?}");
            let words = expected.unwrap_or_default();
            assert!(advice.iter().all(|one| one.to_string().contains(words)), "{advice:?}");
        }
    }
}
