//! The state of the proxy: keys with their fingerprints and stores, routes, clocks, what expires, and
//! what came of the last reload.

use std::sync::Arc;

use maud::{Markup, html};

use super::html::{STATUS, page, span};
use super::view::{Shown, View};
use crate::moment::{rfc3339, unix_ms};
use crate::route::Route;
use crate::snapshot::Snapshot;

pub(super) fn status(view: &View<'_>) -> Shown {
    let snapshot = view.snapshot;
    let now = unix_ms();
    page(
        view,
        STATUS,
        &html! {
            h1 { (STATUS) }
            (proxy(view))
            (reload(view))
            (routes(snapshot, now))
            (keys(snapshot))
            (expiries(snapshot, now))
            @if !snapshot.warnings.is_empty() {
                section {
                    h2 { "Allowed, and worth knowing" }
                    ul { @for problem in &snapshot.warnings { li { (problem.what) " – " (problem.fix) } } }
                }
            }
        },
    )
}

fn proxy(view: &View<'_>) -> Markup {
    let state = if view.draining() { ("warn", "stopping") } else { ("good", "ready") };
    let keep = view.snapshot.keep;
    html! {
        dl.facts {
            dt { "State" } dd { span class={ "badge " (state.0) } { (state.1) } }
            dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) }
            dt { "Listens at" }
            dd { @for address in view.surroundings.dialer.own() { code { (address) } " " } }
            dt { "Configuration, SHA-256" } dd { code.long { (view.snapshot.digest) } }
            dt { "Held" }
            dd { (keep.requests) " requests, " @if keep.bodies { "with bodies" } @else { "without bodies" } }
        }
    }
}

fn reload(view: &View<'_>) -> Markup {
    let last = view.surroundings.reloads.last();
    html! {
        section {
            h2 { "Last reload" }
            @match &last {
                None => p { "It is the one of the start; nothing was reloaded." },
                Some(last) => {
                    @let (class, word, lines) = match &last.done {
                        Ok(changed) => ("good", "reloaded", changed),
                        Err(errors) => ("bad", "not reloaded: what ran before goes on", errors),
                    };
                    p { span class={ "badge " (class) } { (word) } " at " code { (rfc3339(last.unix_ms)) } }
                    @if lines.is_empty() { p.note { "Nothing changed." } }
                    @if !lines.is_empty() { pre.bytes tabindex="0" { @for line in lines { (line) "\n" } } }
                }
            }
            form method="post" action="/reload" { button type="submit" { "Reload" } }
        }
    }
}

fn routes(snapshot: &Snapshot, now: u64) -> Markup {
    html! {
        section {
            h2 { "Routes" }
            div.wide tabindex="0" role="region" aria-label="Routes" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Route" } th scope="col" { "State" } th scope="col" { "Takes" }
                            th scope="col" { "Scheme" } th scope="col" { "Keys" } th scope="col" { "Sends to" }
                            th.number scope="col" { "Provider's clock" }
                        }
                    }
                    tbody { @for route in snapshot.routes.all() { (route_row(route, now)) } }
                }
            }
        }
    }
}

fn route_row(route: &Arc<Route>, now: u64) -> Markup {
    let host =
        route.host.as_ref().map_or_else(|| format!("gateway /{}", route.name), ToString::to_string);
    let fault = route.credential(now).err().map(|error| error.to_string());
    let fault = fault.or_else(|| route.away().map(|error| error.to_string()));
    html! {
        tr {
            th scope="row" { (route.name) }
            td {
                @match &fault {
                    None => span.badge.good { "usable" },
                    Some(fault) => { span.badge.bad { "unusable" } span.cause { (fault) } }
                }
            }
            td { code { (host) } span.cause { (route.reach()) } }
            td { (route.entry.name) }
            td { @for key in route.both().flat_map(|route| &route.keys) { (key.slot) ": " b { (key.name) } br; } }
            td { @if let Some(origin) = &route.origin { code { (origin) (origin.base_path) } } @else { "its host" } }
            td.number {
                @match route.standing.offset() {
                    Some(offset) => { (offset.ms) " ms ± " (offset.within) },
                    None => "–",
                }
            }
        }
    }
}

fn keys(snapshot: &Snapshot) -> Markup {
    html! {
        section {
            h2 { "Keys" }
            div.wide tabindex="0" role="region" aria-label="Keys" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Key" } th scope="col" { "Algorithm" }
                            th scope="col" { "Fingerprint" } th scope="col" { "Store" }
                            th scope="col" { "Signs" }
                        }
                    }
                    tbody {
                        @for key in &snapshot.keys {
                            tr {
                                th scope="row" { (key.name) }
                                td { (key.algorithm()) }
                                td { code.long { (key.public_key.fingerprint()) } }
                                td { code { (key.place) } }
                                td { @if key.stays { "in its store" } @else { "in this process" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn expiries(snapshot: &Snapshot, now: u64) -> Markup {
    let now_s = i64::try_from(now / 1000).unwrap_or(i64::MAX);
    let all = snapshot.expiries(now_s);
    html! {
        section {
            h2 { "What expires" }
            @if all.is_empty() { p.note { "Nothing that is used has an end." } }
            @if !all.is_empty() {
                dl.facts {
                    @for (what, name, left) in &all {
                        dt { (what.replace('_', " ")) " " (name) }
                        dd {
                            span class={ "badge " (if *left < SOON_S { "bad" } else { "good" }) } {
                                @if *left < 0 { "expired" } @else { "in " (span(*left)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What ends within a day is to be seen to.
const SOON_S: i64 = 86_400;
