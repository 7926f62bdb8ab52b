//! What `verify` prints: a verdict, one cause, its proof as a difference, the fix.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::CliError;
use super::super::explain::shown;
use super::difference::Difference;
use crate::diagnosis::Verdict;
use crate::route::Route;
use crate::scheme::{Cause, Certainty};

/// A request that was judged.
pub(super) struct Judged {
    pub(super) route: Arc<Route>,
    pub(super) verdict: Verdict,
    /// What would be wrong with it, did it arrive now.
    pub(super) doubts: Vec<Cause>,
    /// How old its time stamp is now, in milliseconds.
    pub(super) age: Option<i128>,
}

pub(super) fn report(as_json: bool, all: &[Judged], out: &mut dyn Write) -> Result<(), CliError> {
    if as_json {
        let values: Vec<Value> = all.iter().map(Judged::json).collect();
        match &values[..] {
            [one] => writeln!(out, "{one:#}")?,
            several => writeln!(out, "{:#}", Value::from(several))?,
        }
        return Ok(());
    }
    for judged in all {
        judged.text(out)?;
    }
    Ok(())
}

impl Judged {
    fn json(&self) -> Value {
        let Self { route, verdict, doubts, age } = self;
        json!({
            "valid": verdict.valid,
            "route": route.name.as_ref(),
            "scheme": route.entry.name,
            "age_ms": age.and_then(|age| i64::try_from(age).ok()),
            "causes": verdict.causes.iter().map(cause_json).collect::<Vec<_>>(),
            "doubts": doubts.iter().map(cause_json).collect::<Vec<_>>(),
            "tried": verdict.tried,
        })
    }

    fn text(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let Self { route, verdict, doubts, age } = self;
        let said = if verdict.valid { "valid" } else { "NOT valid" };
        writeln!(out, "{said}: route {}, scheme {}", route.name, route.entry.name)?;
        for cause in &verdict.causes {
            write_cause(cause, out)?;
        }
        let proved =
            verdict.causes.first().is_some_and(|first| first.certainty == Certainty::Proved);
        if proved && verdict.tried > 0 {
            writeln!(out, "  tried   {} other texts and digests", verdict.tried)?;
        }
        // A time stamp's age says it already.
        for doubt in doubts.iter().filter(|_| age.is_none() && verdict.valid) {
            writeln!(out, "  but     {}, were it sent now; --at says when it was", doubt.cause)?;
        }
        if let Some(age) = age {
            writeln!(out, "  signed {}", ago(*age))?;
        }
        Ok(())
    }
}

fn write_cause(cause: &Cause, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "  cause   {}     ({})", cause.cause, cause.certainty.word())?;
    if let Some(texts) = &cause.texts {
        let Difference { signed, wanted, at } = Difference::of(&texts.signed, &texts.wanted);
        writeln!(out, "  signed  {signed}")?;
        writeln!(out, "  wanted  {wanted}")?;
        writeln!(out, "          {}^ differs from here", " ".repeat(at))?;
    }
    if let Some(proof) = &cause.proof {
        let label = if cause.certainty == Certainty::Proved { "proof" } else { "tried" };
        writeln!(out, "  {label}   {proof}")?;
    }
    writeln!(out, "  fix     {}", cause.fix)?;
    if let Some(certain) = cause.certain {
        writeln!(out, "  certain {certain}")?;
    }
    Ok(())
}

fn cause_json(cause: &Cause) -> Value {
    let texts = cause.texts.as_deref();
    json!({
        "code": cause.known.code,
        "cause": cause.cause,
        "certainty": cause.certainty.word(),
        "signed": texts.map(|texts| shown(&texts.signed)),
        "wanted": texts.map(|texts| shown(&texts.wanted)),
        "proof": cause.proof,
        "fix": cause.fix,
    })
}

/// How long ago, with a remark where a provider would no longer take it.
fn ago(age_ms: i128) -> String {
    let seconds = age_ms.unsigned_abs() / 1000;
    let distance = match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    let direction = if age_ms < 0 { "in the future" } else { "ago" };
    let late = if seconds > 300 { "; providers take a request for about five minutes" } else { "" };
    format!("{distance} {direction}{late}")
}
