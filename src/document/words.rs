//! Values that are words: any text, or one of a few.

use super::fault::{ValueFault, quoted};
use super::nearest::nearest;

/// A text that says something.
pub(crate) fn text(text: &str) -> Result<String, ValueFault> {
    if text.is_empty() {
        return Err(ValueFault::new("is empty", ""));
    }
    Ok(text.to_owned())
}

/// One of a few words.
pub(crate) fn one_of<T: Copy>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, ValueFault> {
    move |text| {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(unknown(text, "it cannot be", &names))
    }
}

/// A word that is none of `names`: the nearest is meant, or else any of them.
fn unknown(text: &str, what: &str, names: &[&str]) -> ValueFault {
    let what = format!("is {}, which {what}", quoted(text));
    let meant = nearest(text, names.iter().copied()).unwrap_or(names[0]);
    let others = names.iter().filter(|name| **name != meant);
    let others: Vec<String> = others.map(|name| format!("\"{name}\"")).collect();
    let note = if others.is_empty() { String::new() } else { format!("or {}", others.join(", ")) };
    ValueFault::meant(what, meant, note)
}
