//! What is doubtful about a file that works: what its signatures do not bind.

use super::compiled::Compiled;
use super::text::Text;
use crate::scheme::{BindError, Binds, Bounds};

/// What a signature of this file leaves open.
pub(super) fn advise(compiled: &Compiled) -> Vec<BindError> {
    let mut said = Vec::new();
    let mut say = |what: &str, fix: &str| {
        let (field, what, fix) = ("scheme".into(), what.into(), fix.into());
        said.push(BindError { field, what, fix });
    };
    let bounds = compiled.bounds().first().copied().unwrap_or(Bounds::NOTHING);
    let open = |parts: &[Binds]| parts.iter().all(|how| *how == Binds::Open);
    let parts = [bounds.method, bounds.path, bounds.query, bounds.body];
    if open(&parts) && !compiled.binds_headers() {
        say(
            "signs nothing of the request, so that a signature fits any other",
            "nothing helps but the provider's own limits: give the key no more rights than needed",
        );
    } else if open(&[bounds.path]) {
        say(
            "does not sign the path, so that a signature fits another one",
            "keep the key's rights small",
        );
    }
    if open(&[bounds.time, bounds.nonce]) {
        say(
            "signs no time and no nonce, so that a signature is good for as long as the key is",
            "keep the key's rights small, and renew it",
        );
    }
    let hashed = compiled.values.iter().filter_map(|value| value.kind.sign()?.hash.as_ref());
    for (hash, _) in hashed {
        say(
            &format!("hashes the secret with the text, in a MAC's place ({})", hash.name()),
            "use the provider's newer way where it has one; keep the key's rights small",
        );
    }
    let weak = compiled.texts().flat_map(Text::holes).flat_map(|hole| &hole.calls);
    let weak = weak.map(super::function::Call::name).find(|name| ["md5", "sha1"].contains(name));
    if let Some(name) = weak {
        say(&format!("hashes with {name}, which is broken"), "ask the provider for another way");
    }
    said
}
