//! The slots and params of a scheme, a line each.

use crate::scheme::Entry;

/// One line of an entry: what it is, its name, whether it must be there, and its sentence.
pub(super) fn lines(entry: &Entry) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for slot in &entry.keys {
        let algorithms: Vec<_> = slot.algorithms.iter().map(|a| a.name()).collect();
        let need = if slot.required { "" } else { ", optional" };
        let name = format!("keys.{}", slot.name);
        lines.push((name, format!("{} ({}{need})", slot.doc, algorithms.join(" or "))));
    }
    for slot in &entry.secrets {
        let need = if slot.required { "" } else { " (optional)" };
        lines.push((format!("secrets.{}", slot.name), format!("{}{need}", slot.doc)));
    }
    for param in &entry.params {
        let values = match &param.values[..] {
            [] => String::new(),
            values => format!(" One of {}.", values.join(", ")),
        };
        let default = match (param.required, param.default.as_ref()) {
            (true, _) => " It must be written.".to_owned(),
            (false, "") => String::new(),
            (false, default) => format!(" Default {default}."),
        };
        let text = format!("{}{default}{values}", param.doc);
        lines.push((format!("params.{}", param.name), text));
    }
    lines
}
