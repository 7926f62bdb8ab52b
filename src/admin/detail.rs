//! One request in detail: what was signed and where each part of it is from, what was sent, what the
//! provider answered, and why it was rejected.

use maud::{Markup, html};

use super::copies::copies;
use super::html::{outcome, page, span, took};
use super::view::{Shown, View};
use crate::inspect::{Canonical, Seen, Signed, Told};
use crate::moment::rfc3339;

pub(super) fn detail(view: &View<'_>) -> Shown {
    let id = view.asked("id").unwrap_or_default();
    let Some(seen) = view.snapshot.inspect.find(&id) else {
        let content = html! {
            h1 { "Not held" }
            p { "No request with this id is held: it is another proxy's, or newer ones have its place." }
        };
        return page(view, "Not held", &content).missing();
    };
    let route = view.snapshot.routes.named(&seen.route).map(|route| &**route);
    let title = format!("{} {}", seen.method, seen.path);
    let rejection = seen.over.get().and_then(|over| over.rejection.as_ref());
    page(
        view,
        &title,
        &html! {
            h1.request { b { (seen.method) } " " (seen.host) wbr; (seen.path) }
            (facts(&seen))
            @if let Some(told) = rejection { (diagnosis(told, seen.over.get().map(|over| over.status))) }
            @match &seen.signed {
                Some(signed) => {
                    @for text in &signed.texts { (canonical(text)) }
                    (sent(&seen, signed))
                    (copies(&seen, signed, route))
                }
                None => {
                    h2 { "What was signed" }
                    p { "It is not held. With " code { "keep = 200" } " below " code { "[inspect]" }
                        " it is, of the last 200 requests." }
                }
            }
        },
    )
}

fn facts(seen: &Seen) -> Markup {
    let over = seen.over.get();
    let [sign, upstream, total] = over.map_or([None; 3], |over| over.took_us);
    html! {
        dl.facts {
            dt { "Outcome" }
            dd { (outcome(over.map(|over| over.outcome)))
                @if let Some(code) = over.and_then(|over| over.code) { " " code { (code) } } }
            @if let Some(over) = over { dt { "Status" } dd { (over.status) } }
            dt { "Request" } dd { code { (seen.id) } }
            dt { "Time" } dd { code { (rfc3339(seen.unix_ms)) } }
            dt { "Route" } dd { (seen.route) }
            @if let Some(client) = &seen.client { dt { "Client" } dd { (client) } }
            @if let Some(signed) = &seen.signed {
                dt { "Scheme" } dd { (signed.scheme) }
                dt { "Sent to" } dd { code { (signed.upstream) } }
                dt { "Signed for" } dd { code { (rfc3339(signed.moment_ms)) } }
            }
            dt { "Took" }
            dd { (took(total)) ", of which signing " (took(sign)) ", upstream " (took(upstream)) }
        }
    }
}

fn diagnosis(told: &Told, status: Option<u16>) -> Markup {
    let offset = told.clock_offset_ms.map_or_else(
        || "not known".to_owned(),
        |ms| {
            format!(
                "the provider's is {} ms {}",
                ms.unsigned_abs(),
                if ms < 0 { "behind" } else { "ahead" }
            )
        },
    );
    html! {
        section.diagnosis {
            h2 { "Why it was rejected" }
            p.what { b { (told.cause) } ": " (told.what) " " span.badge.open { (told.certainty()) } }
            p { b { "Fix: " } (told.fix) }
            dl.facts {
                dt { "Clocks" } dd { (offset) }
                @if let Some(key) = &told.key {
                    dt { "Key" }
                    dd { code { (key) } ", in use for " (span(i64::try_from(told.in_use_s).unwrap_or(i64::MAX))) }
                }
                @if !told.params.is_empty() { dt { "Alternatives" } dd { code { (told.params) } } }
            }
            h3 { "The provider's answer" }
            p {
                "Status " code { (status.unwrap_or_default()) }
                @if let Some(code) = &told.provider_code { ", code " code { (code) } }
            }
            @match &told.answer {
                Some(answer) => { pre.bytes tabindex="0" { (answer) } }
                None => {
                    p.note { "Its body is not held: it is with " code { "bodies = true" } " below "
                        code { "[inspect]" } ", where nothing secret was sent." }
                }
            }
        }
    }
}

/// The canonical string, each part in the colour of where it is from.
fn canonical(text: &Canonical) -> Markup {
    let mut kinds: Vec<&str> = text.parts.iter().map(|part| part.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    html! {
        section {
            h2 { "Canonical string, " code { (text.slot) } }
            @if let Some(key) = &text.key { p.note { "Signed by the key " code { (key) } } }
            @if text.parts.is_empty() {
                pre.bytes tabindex="0" { (text.text) }
            } @else {
                ul.legend aria-label="Where the parts are from" {
                    @for kind in &kinds { li { span class={ "k k-" (kind) } { (kind) } } }
                }
                pre.bytes tabindex="0" {
                    @for part in &text.parts {
                        span class={ "k k-" (part.kind) } title=(part.from) { (part.text) }
                    }
                }
                details {
                    summary { "Part by part" }
                    div.wide tabindex="0" role="region" aria-label="Parts of the canonical string" {
                        table {
                            thead { tr { th scope="col" { "From" } th scope="col" { "Kind" } th scope="col" { "Text" } } }
                            tbody {
                                @for part in &text.parts {
                                    tr {
                                        td { code { (part.from) } }
                                        td { span class={ "k k-" (part.kind) } { (part.kind) } }
                                        td.bytes { (part.text) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn sent(seen: &Seen, signed: &Signed) -> Markup {
    html! {
        section {
            h2 { "What was sent" }
            pre.bytes tabindex="0" { (seen.method) " " (signed.target) }
            div.wide tabindex="0" role="region" aria-label="Headers that were sent" {
                table {
                    thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } th scope="col" { "By" } } }
                    tbody {
                        @for (name, value, set) in &signed.headers {
                            tr.set[*set] {
                                td { code { (name) } }
                                td.bytes { (value) }
                                td { @if *set { "the scheme" } @else { "the client" } }
                            }
                        }
                    }
                }
            }
            p.note {
                "Body: " @match signed.body_length {
                    Some(length) => { (length) " bytes" },
                    None => "of a length that was not known before",
                }
                @if let Some(digest) = &signed.body_sha256 { ", SHA-256 " code.long { (digest) } }
            }
            @if let Some(body) = signed.shown().filter(|body| !body.is_empty()) {
                pre.bytes tabindex="0" { (body) }
            }
        }
    }
}
