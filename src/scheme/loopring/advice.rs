//! What a server of a known version does not take, for `check` to say before the provider does.

use super::super::Binding;

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

/// What is wrong with a binding that builds, at the host it is for.
pub(super) fn advise(binding: &Binding, host: Option<&str>) -> Vec<String> {
    let host = host.unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    let known = HOSTS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    let Some((host, version)) = known else { return Vec::new() };
    let (api, canonical, protocol) = match version {
        Version::V2 => ("v2", "v2", "3.1.1"),
        Version::V3 => ("v3", "v3", "3.6"),
    };
    let mut advice = Vec::new();
    let given = binding.param("canonical");
    if given != canonical && given != "none" {
        advice.push(format!(
            "params.canonical is \"{given}\", and {host} serves API {api}, whose published \
             signature is \"{canonical}\""
        ));
    }
    let (body, given) = (binding.param("body"), binding.param("protocol"));
    if body != "none" && given != protocol {
        advice.push(format!(
            "params.protocol is \"{given}\", and {host} serves API {api}, whose messages are \
             those of protocol \"{protocol}\""
        ));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::super::ENTRY;
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
            let mut binding = Binding::default();
            let defaults = ENTRY.params.iter().map(|param| (param.name, param.default));
            for (name, value) in defaults.chain(params.iter().copied()) {
                binding.params.insert(name.into(), value.into());
            }
            let advice = advise(&binding, host);
            assert_eq!(advice.len(), usize::from(expected.is_some()), "{host:?} {params:?}");
            let words = expected.unwrap_or_default();
            assert!(advice.iter().all(|one| one.contains(words)), "{advice:?}");
        }
    }
}
