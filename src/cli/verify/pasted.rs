//! The same for a request that was pasted into the running proxy's page.

use super::capture;
use super::captured::Captured;
use super::difference::Difference;
use super::{Ask, Asking, instant, keys, report, sent_by_host};
use crate::cli::CliError;
use crate::diagnosis::Answer;
use crate::inspect::{Finding, HIDDEN, Judged, Pasted};
use crate::problem::Problem;
use crate::scheme::{Cause, Certainty};
use crate::snapshot::Snapshot;

/// Judges it, with the keys of the running proxy; stores are not asked for anything.
///
/// # Errors
///
/// What cannot be read, or has no route.
pub(in crate::cli) fn pasted(
    snapshot: &Snapshot,
    pasted: &Pasted<'_>,
) -> Result<Vec<Judged>, Problem> {
    let problem = |error: CliError| Problem::new(error.what, error.fix.unwrap_or_default());
    let at = match pasted.arrived {
        "" => None,
        text => Some(instant(text).map_err(|fix| Problem::new(format!("{text} is no time"), fix))?),
    };
    let answer = Some(pasted.answer.trim()).filter(|answer| !answer.is_empty());
    let answer = answer.map(|answer| {
        let fix = "begin it with a line such as HTTP/1.1 401 Unauthorized: curl -i writes it so";
        Answer::read(answer.as_bytes()).ok_or_else(|| Problem::new("the answer is none", fix))
    });
    let answer = answer.transpose()?;
    let (keys, ask): (_, &Ask<'_>) = (keys(snapshot), &|_, _| None);
    let asking = Asking { keys: &keys, at, answer: answer.as_ref(), ask };
    let mut all = Vec::new();
    for captured in
        capture::parse(pasted.request.as_bytes()).map_err(problem)?.into_iter().take(MOST)
    {
        let routes = sent_by_host(snapshot, &captured.request).ok_or_else(|| {
            Problem::new("no route matches the request's Host and path", "add the Host header")
        })?;
        let Captured { request, faults, answer, moment_ms, .. } = captured;
        let (head, body) = request.into_sent();
        if moment_ms.is_some() && head.headers.values().any(|value| value == HIDDEN) {
            let fix = "countersign verify --file puts the route's own in their place";
            return Err(Problem::new("the record leaves secrets out", fix));
        }
        let judged = asking.judged(&routes, (&head, &body), faults, answer.as_ref());
        let report::Judged { route, verdict, doubts, .. } = judged;
        let first = verdict.causes.first();
        let proved = first.is_some_and(|first| first.certainty == Certainty::Proved);
        all.push(Judged {
            valid: verdict.valid,
            request: format!("{} {}", head.method, head.target),
            route: route.name.to_string(),
            scheme: route.entry.name.to_string(),
            findings: verdict.causes.iter().map(finding).collect(),
            doubts: doubts
                .iter()
                .filter(|_| verdict.valid)
                .map(|doubt| doubt.cause.to_string())
                .collect(),
            // What was tried in vain is in the cause itself.
            tried: if proved { verdict.tried } else { 0 },
        });
    }
    Ok(all)
}

fn finding(cause: &Cause) -> Finding {
    let difference = cause.texts.as_ref().map(|texts| Difference::of(&texts.signed, &texts.wanted));
    Finding {
        cause: cause.cause.to_string(),
        certainty: cause.certainty.word(),
        difference: difference.map(|own| (own.signed, own.wanted, own.at)),
        proof: cause.proof.clone(),
        fix: cause.fix.to_string(),
    }
}

/// Requests of one capture: each takes up to half a second.
const MOST: usize = 4;
