//! A box for a request that was rejected: `verify` for those who have no shell where the proxy is.

use maud::{Markup, html};
use tokio::sync::Semaphore;

use super::html::{PASTE, page};
use super::view::{Shown, View};
use crate::cost::Cost;
use crate::inspect::{Finding, Judged, Pasted};
use crate::workers::in_place;

pub(super) fn paste(view: &View<'_>) -> Shown {
    if view.posted.is_none() {
        return page(view, PASTE, &form(["", "", ""], &html! {}));
    }
    // A form's lines end in CRLF, whatever they ended in where they were copied.
    let [request, answer, arrived] =
        ["request", "answer", "arrived"].map(|name| view.filled(name).replace("\r\n", "\n"));
    let given = [request.as_str(), &answer, arrived.trim()];
    let (Some(judge), Ok(_turn)) = (view.surroundings.judge, ONE.try_acquire()) else {
        let busy = html! { p.problem role="alert" { "Another request is being looked at: send it again." } };
        return page(view, PASTE, &form(given, &busy)).unavailable();
    };
    let pasted = Pasted { request: &request, answer: &answer, arrived: arrived.trim() };
    match in_place(LOOKED_AT, || judge(view.snapshot, &pasted)) {
        Ok(all) => page(view, PASTE, &form(given, &html! { @for one in &all { (judged(one)) } })),
        Err(problem) => {
            let said = html! { p.problem role="alert" { (problem.what) @if !problem.fix.is_empty() { " – " (problem.fix) } } };
            page(view, PASTE, &form(given, &said)).unprocessable()
        }
    }
}

fn form([request, answer, arrived]: [&str; 3], said: &Markup) -> Markup {
    html! {
        h1 { (PASTE) }
        (said)
        p { "Paste a request that a provider rejects, as it reached it: raw HTTP/1.1, a HAR file or the output of "
            code { "curl -v" } ". It is held against the route of its Host, with the keys of this proxy; nothing of \
            it is kept. Lines of a body are taken to end in LF; " code { "countersign verify --file" }
            " reads every byte." }
        form.fields method="post" action="/verify" {
            label for="request" { "Request" }
            textarea #request name="request" spellcheck="false" autocapitalize="none" required {
                // The first newline of a textarea is not one of its text.
                "\n" (request)
            }
            label for="answer" { "The provider's answer, if you have it" }
            textarea.low #answer name="answer" spellcheck="false" autocapitalize="none" { "\n" (answer) }
            label for="arrived" { "When it arrived, if you know" }
            input #arrived name="arrived" value=(arrived) placeholder="2025-11-28T13:50:00Z" spellcheck="false";
            button type="submit" { "Why?" }
        }
    }
}

fn judged(one: &Judged) -> Markup {
    html! {
        section.diagnosis.valid[one.valid] aria-live="polite" {
            h2 {
                @if one.valid { span.badge.good { "valid" } } @else { span.badge.bad { "not valid" } }
                " " code { (one.request) }
            }
            p.note { "Route " b { (one.route) } ", scheme " b { (one.scheme) }
                @if one.tried > 0 { "; " (one.tried) " other texts and digests were tried" } }
            @for finding in &one.findings { (cause(finding)) }
            @for doubt in &one.doubts { p { "But " (doubt) ", were it sent now." } }
        }
    }
}

fn cause(finding: &Finding) -> Markup {
    html! {
        p.what { b { (finding.cause) } " " span.badge.open { (finding.certainty) } }
        @if let Some((signed, wanted, at)) = &finding.difference {
            dl.facts {
                dt { "Signed" } dd { (marked(signed, *at)) }
                dt { "Wanted" } dd { (marked(wanted, *at)) }
            }
        }
        @if let Some(proof) = &finding.proof { p.note { (proof) } }
        p { b { "Fix: " } (finding.fix) }
    }
}

/// A text with what differs marked.
fn marked(text: &str, at: usize) -> Markup {
    let end = text.char_indices().nth(at).map_or(text.len(), |(end, _)| end);
    let (same, other) = text.split_at(end);
    html! { code { (same) mark { @if other.is_empty() { "(ends here)" } @else { (other) } } } }
}

/// One at a time: each takes up to two seconds of a core.
static ONE: Semaphore = Semaphore::const_new(1);
const LOOKED_AT: Cost = Cost::micros(2_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_marked_between_characters() {
        for (text, at, html) in [
            ("a<b", 1, "<code>a<mark>&lt;b</mark></code>"),
            ("éx", 1, "<code>é<mark>x</mark></code>"),
            ("ab", 2, "<code>ab<mark>(ends here)</mark></code>"),
        ] {
            assert_eq!(marked(text, at).into_string(), html);
        }
    }
}
