//! A scheme file as the registry has it: the same [`Entry`] as that of a built-in scheme.

use std::sync::Arc;

use super::advice::advise;
use super::compiled::Compiled;
use super::scheme::Declared;
use super::slot::Slot;
use crate::problem::Problem;
use crate::scheme::{
    Build, Entry, Example, KeySlot, ParamDoc, ParamKind, PublicForm, Scheme, SecretSlot, Text,
};

impl Entry {
    /// A scheme that is declared in a file of this text, whose vectors hold.
    ///
    /// # Errors
    ///
    /// Every problem, each with its place and how to mend it; those of vectors only where there are
    /// no others.
    pub fn declared(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        Ok(Compiled::load(text)?.entry(name))
    }
}

impl Compiled {
    /// The entry that routes name it by.
    pub(crate) fn entry(self, name: &str) -> Entry {
        let compiled = Arc::new(self);
        let key = |slot: &Slot| KeySlot {
            name: slot.name.clone().into(),
            algorithms: slot.algorithms.clone(),
            encoding: slot.secret,
            required: true,
            doc: slot.doc.clone().into(),
        };
        let secrets = compiled.secrets.iter().map(|secret| SecretSlot {
            name: secret.name.clone().into(),
            required: true,
            file: format!("{name}.{}", secret.name).into(),
            doc: secret.doc.clone().into(),
        });
        let params = compiled.params.iter().map(|param| ParamDoc {
            name: param.name.clone().into(),
            required: param.default.is_none(),
            kind: ParamKind::Text,
            default: param.default.clone().unwrap_or_default().into(),
            values: param.values.iter().cloned().map(Text::from).collect(),
            doc: param.doc.clone().into(),
        });
        let form = compiled.slots.iter().map(|slot| slot.public).next();
        let demo = compiled.played(name);
        let (build, advice) = (Arc::clone(&compiled), Arc::clone(&compiled));
        Entry {
            name: name.to_owned().into(),
            summary: compiled.summary.clone().into(),
            host: compiled.host.clone().into(),
            protocol: "http",
            keys: compiled.slots.iter().map(key).collect(),
            secrets: secrets.collect(),
            params: params.collect(),
            public_form: form.map(|form| PublicForm { name: form.name, write: form.write }),
            refusal: None,
            rejections: compiled.rejections.clone(),
            notes: Vec::new(),
            binds: compiled.bounds(),
            advise: Arc::new(move |_, _| advise(&advice)),
            example: Example::default(),
            demo,
            policy: None,
            build: Build::Scheme(Arc::new(move |binding| {
                let bound = Declared::bind(&build, binding)?;
                Ok(Arc::new(bound) as Arc<dyn Scheme>)
            })),
        }
    }
}
