//! The list of requests: those that are held, the latest first, and those that come while it is read.

use maud::{Markup, html};

use super::html::{LIST, outcome, page, took, utc};
use super::view::{Shown, View};
use crate::inspect::Seen;

pub(super) fn list(view: &View<'_>) -> Shown {
    let (all, keep) = (view.snapshot.inspect.all(), view.snapshot.keep.requests);
    let shown = all.len().min(SHOWN);
    page(
        view,
        LIST,
        &html! {
            div.bar {
                h1 { (LIST) }
                p.live role="status" data-live="/events" {
                    noscript { "Reload for what has come since: the live part needs its script." }
                }
            }
            p.note { (held(keep)) }
            @if all.is_empty() { p.empty { "None yet." } }
            // What is wider than the window is scrolled to, with the keyboard too.
            div.wide tabindex="0" role="region" aria-label="Requests, the latest first" {
                table.requests {
                    thead {
                        tr {
                            th scope="col" { "Time, UTC" }
                            th scope="col" { "Outcome" }
                            th scope="col" { "Status" }
                            th scope="col" { "Request" }
                            th.more scope="col" { "Route" }
                            th.more scope="col" { "Client" }
                            th.number.more scope="col" { "Sign" }
                            th.number.more scope="col" { "Upstream" }
                            th.number scope="col" { "Total" }
                        }
                    }
                    tbody data-rows=(SHOWN) {
                        @for seen in all.iter().take(SHOWN) { (row(seen)) }
                    }
                }
            }
            @if shown < all.len() {
                p.note { "The latest " (shown) " of " (all.len()) "; /requests has all, in JSON." }
            }
        },
    )
}

fn held(keep: usize) -> Markup {
    html! {
        @match keep {
            0 => {
                "Rejections alone are held, the last 50, and not what was signed. With "
                code { "keep = 200" } " below " code { "[inspect]" }
                " the last 200 signed requests are."
            }
            most => { "The last " (most) " signed requests are held, and the last 50 rejections." }
        }
    }
}

/// One request, as a row that events can bring anew.
pub(super) fn row(seen: &Seen) -> Markup {
    let over = seen.over.get();
    let [sign, upstream, total] = over.map_or([None; 3], |over| over.took_us);
    let (day, time) = utc(seen.unix_ms);
    let rejection = over.and_then(|over| over.rejection.as_ref());
    html! {
        tr id={ "r-" (seen.id) } {
            td.time title=(day) { (time) }
            td { (outcome(over.map(|over| over.outcome))) }
            td.status { @if let Some(over) = over { (over.status) } @else { "–" } }
            td.request {
                a href={ "/show?id=" (seen.id) } {
                    b { (seen.method) } " " (seen.host) wbr; (seen.path)
                }
                @if let Some(told) = rejection { span.cause {
                    b { (told.cause) }
                    @if let Some(code) = &told.provider_code { ", code " code { (code) } }
                    ": " (told.what)
                } }
                @if let Some(code) = over.and_then(|over| over.code) { span.cause { (code) } }
            }
            td.more { (seen.route) }
            td.more { (seen.client.as_deref().unwrap_or("–")) }
            td.number.more { (took(sign)) }
            td.number.more { (took(upstream)) }
            td.number { (took(total)) }
        }
    }
}

/// Rows of the list.
const SHOWN: usize = 200;
