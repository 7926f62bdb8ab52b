//! Time stamps as programs write them, and what they sign in their place.

use super::causes::{form, text as causes};
use super::shape::Found;
use super::types::{Cause, Limit, Stamp};
use crate::scheme::declared::CLOCKS;

/// Seconds of years from 1990 to 2100, which no time in another unit of our days is in.
const SECONDS: std::ops::Range<u128> = 600_000_000..4_200_000_000;

/// A time stamp of milliseconds as a request shows it: the time, and what is wrong with how it is
/// written.
pub(in crate::scheme) fn stamp(
    part: &str,
    text: &str,
    window_ms: u32,
) -> (Option<Stamp>, Vec<Cause>) {
    let at = |unix_ms: u128| {
        let unix_ms = i128::try_from(unix_ms).ok()?;
        let part = part.to_owned();
        Some(Stamp { part, unix_ms, limit: Limit::Signed(Some(window_ms)) })
    };
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 30;
    let number: Option<u128> = text.parse().ok().filter(|_| plain);
    let Some(number) = number else {
        let what = what_instead(text);
        let cause = Cause::seen(&form::TIME_FORM)
            .said(format!("{part} is {what}, and whole milliseconds are wanted"));
        return (None, vec![cause]);
    };
    let off = |scale: &str| {
        Cause::seen(&form::TIME_UNIT)
            .said(format!("{part} is in {scale}, and milliseconds are wanted"))
    };
    if SECONDS.contains(&number) {
        let cause = Cause::seen(&form::TIME_SECONDS)
            .said(format!("{part} is in seconds, and milliseconds are wanted"));
        return (None, vec![cause]);
    }
    if SECONDS.contains(&(number / 1_000_000)) {
        return (None, vec![off("microseconds")]);
    }
    if SECONDS.contains(&(number / 1_000_000_000)) {
        return (None, vec![off("nanoseconds")]);
    }
    (at(number), Vec::new())
}

fn what_instead(text: &str) -> &'static str {
    let number = text.parse::<f64>().is_ok();
    let date = text.contains('T') || text.contains(':') || text.contains('-');
    match text {
        text if text.starts_with(['"', '\'']) => "in quotation marks",
        text if number && text.contains(['e', 'E']) => "a number with an exponent",
        text if number && text.contains('.') => "a number with a fraction",
        _ if number => "no whole number",
        _ if date => "a date",
        _ => "no number",
    }
}

/// What else may have been signed for a time that is shown as `text` and is `unix_ms`.
pub(super) fn times(text: &[u8], unix_ms: Option<u64>) -> Vec<Found> {
    let mut all = Vec::new();
    let Some(unix_ms) = unix_ms else { return all };
    let other = |known, text: String, cause: &str| Found::said(known, text, cause.to_owned());
    let known = &causes::TIME_SIGNED_SECONDS;
    let rounded = (unix_ms + 500) / 1000;
    for (text, unit) in [
        ((unix_ms / 1000).to_string(), "seconds"),
        (rounded.to_string(), "seconds"),
        (unix_ms.to_string(), "milliseconds"),
        ((unix_ms / 1000 * 1000).to_string(), "milliseconds, cut to whole seconds,"),
        (format!("{unix_ms}000"), "microseconds"),
        (format!("{unix_ms}000000"), "nanoseconds"),
    ] {
        all.push(other(
            known,
            text,
            &format!("the time was signed in {unit} and is sent otherwise"),
        ));
    }
    let seconds = unix_ms as f64 / 1000.0;
    let written = &causes::TIME_WRITTEN;
    let forms = [
        format!("{seconds}"),
        format!("{seconds:.1}"),
        format!("{seconds:.3}"),
        format!("{unix_ms}.0"),
        format!("{:e}", unix_ms as f64),
        format!("{:E}", unix_ms as f64),
        format!("\"{unix_ms}\""),
        format!("{unix_ms:x}"),
    ];
    all.extend(forms.into_iter().map(|text| Found::new(written, text)));
    for clock in CLOCKS {
        let text = clock.write(unix_ms);
        let cause = format!("the time was signed as {} and is sent otherwise", clock.word.example);
        all.push(Found::said(written, text, cause));
    }
    all.retain(|found| found.text != text);
    all
}

/// Times near the one that is shown, nearest first: the clock was read twice. In milliseconds up to
/// a second, then in seconds.
pub(super) fn near(text: &[u8], unix_ms: u64) -> Vec<Found> {
    let Some(clock) = CLOCKS.iter().find(|clock| clock.write(unix_ms).as_bytes() == text) else {
        return Vec::new();
    };
    let step = clock.grain.max(1);
    let most: u64 = if step == 1 { 1000 } else { 60 };
    let mut all = Vec::new();
    for off in 1..=most {
        for (sign, moved) in [
            ("before", unix_ms.checked_sub(off * step)),
            ("after", unix_ms.checked_add(off * step)),
        ] {
            let Some(moved) = moved else { continue };
            let unit = if step == 1 { "ms" } else { "s" };
            let count = if step == 1 { off } else { off * step / 1000 };
            let cause = format!(
                "the time that was signed is {count} {unit} {sign} the one that is sent: the clock was read twice"
            );
            all.push(Found::said(&causes::TIME_OTHER, clock.write(moved), cause));
        }
    }
    all
}
