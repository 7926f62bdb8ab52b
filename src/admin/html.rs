//! What the pages for people have in common: the frame, words for outcomes, times.

use maud::{DOCTYPE, Markup, html};

use super::view::{Shown, View};
use crate::moment::rfc3339;

/// A page of these contents.
pub(super) fn page(view: &View<'_>, title: &str, content: &Markup) -> Shown {
    Shown::html(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · countersign" }
                link rel="icon" href="/page.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    span.name { "countersign" }
                    @if view.admitted { (menu(title)) }
                    (person(view))
                }
                main #main { (content) }
            }
        }
    })
}

/// Titles and paths of the pages that a menu leads to.
const MENU: [(&str, &str); 3] = [(LIST, "/"), (STATUS, "/status"), (PASTE, "/verify")];
pub(super) const LIST: &str = "Requests";
pub(super) const STATUS: &str = "Status";
pub(super) const PASTE: &str = "Why invalid?";

fn menu(title: &str) -> Markup {
    html! {
        nav aria-label="Pages" {
            @for (name, path) in MENU {
                a href=(path) aria-current=[(name == title).then_some("page")] { (name) }
            }
        }
    }
}

/// Whose page it is, and the way out where there is one.
fn person(view: &View<'_>) -> Markup {
    html! {
        @if view.draining() { span.badge.warn { "stopping" } }
        @if let Some(name) = view.client { span.who { "as " b { (name) } } }
        @if view.signed_in {
            form method="post" action="/sign-out" { button type="submit" { "Sign out" } }
        }
    }
}

/// The word for an outcome, which is not said by its colour alone.
pub(super) fn outcome(word: Option<&str>) -> Markup {
    let class = match word {
        Some("signed" | "passed") => "good",
        Some("rejected" | "refused") => "bad",
        Some(_) => "warn",
        None => "open",
    };
    html! { span class={ "badge " (class) } { (word.unwrap_or("under way")) } }
}

/// A time in UTC: day, and time of day with milliseconds.
pub(super) fn utc(unix_ms: u64) -> (String, String) {
    let text = rfc3339(unix_ms);
    let (day, time) = text.split_once('T').unwrap_or_default();
    (day.to_owned(), time.trim_end_matches('Z').to_owned())
}

/// A length of time.
pub(super) fn took(micros: Option<u64>) -> String {
    match micros {
        None => "–".to_owned(),
        Some(us @ 0..1000) => format!("{us} µs"),
        Some(us @ 1000..10_000_000) => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        Some(us) => format!("{} s", us / 1_000_000),
    }
}

/// A length of time in seconds, before or behind now.
pub(super) fn span(seconds: i64) -> String {
    let length = seconds.unsigned_abs();
    match length {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(utc(1_764_337_800_123), ("2025-11-28".into(), "13:50:00.123".into()));
        for (us, text) in [
            (None, "–"),
            (Some(999), "999 µs"),
            (Some(1_000), "1.0 ms"),
            (Some(1_234_567), "1234.5 ms"),
            (Some(12_345_678), "12 s"),
        ] {
            assert_eq!(took(us), text);
        }
        assert_eq!((span(-90), span(86_400 * 3)), ("-90 s".into(), "3 days".into()));
    }
}
