//! An event as a line, written at once: byte for byte what tracing-subscriber makes of it, without the
//! way through its values, visitors and formatters. Every request has one, with a dozen fields.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::net::IpAddr;

use time::OffsetDateTime;
use tracing::Level;

use crate::moment::since_epoch;

/// How lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// For people: `2026-11-30T12:00:00.000000Z  INFO target: message name=value`.
    Text,
    /// An object.
    Json,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Between quotes, in both forms.
    Quoted(&'a str),
    /// As it stands, for people.
    Bare(&'a str),
    /// An address, as it is usually written.
    Address(IpAddr),
    /// A number.
    Number(u64),
}

/// A field; one without a value is not written.
pub type Field<'a> = (&'static str, Option<Value<'a>>);

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
    /// The last second that was written, and its text.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Makes a line of an event, with its end, and hands it on.
pub(super) fn with_line<R>(
    form: Form,
    (level, target, message): (Level, &str, &str),
    fields: &[Field<'_>],
    take: impl FnOnce(&[u8]) -> R,
) -> R {
    LINE.with_borrow_mut(|line| {
        line.clear();
        // Writing to a string fails for no value that has a text.
        let _always = match form {
            Form::Text => text(line, (level, target, message), fields),
            Form::Json => json(line, (level, target, message), fields),
        };
        take(line.as_bytes())
    })
}

fn text(
    line: &mut String,
    (level, target, message): (Level, &str, &str),
    fields: &[Field<'_>],
) -> fmt::Result {
    stamp(line)?;
    line.push(' ');
    if level.as_str().len() < 5 {
        line.push(' ');
    }
    for part in [level.as_str(), " ", target, ": ", message] {
        line.push_str(part);
    }
    for (name, value) in fields {
        let Some(value) = value else { continue };
        line.push(' ');
        line.push_str(name);
        line.push('=');
        match value {
            Value::Quoted(text) => quoted(line, text)?,
            Value::Bare(text) => line.push_str(text),
            Value::Address(own) => address(line, *own)?,
            Value::Number(number) => line.push_str(itoa::Buffer::new().format(*number)),
        }
    }
    line.push('\n');
    Ok(())
}

fn json(
    line: &mut String,
    (level, target, message): (Level, &str, &str),
    fields: &[Field<'_>],
) -> fmt::Result {
    line.push_str("{\"timestamp\":\"");
    stamp(line)?;
    for part in ["\",\"level\":\"", level.as_str(), "\",\"message\":\"", message] {
        line.push_str(part);
    }
    line.push('"');
    for (name, value) in fields {
        let Some(value) = value else { continue };
        for part in [",\"", name, "\":"] {
            line.push_str(part);
        }
        let string = |text: &str| serde_json::Value::from(text);
        match value {
            Value::Quoted(text) | Value::Bare(text) if is_plain(text) => quoted(line, text)?,
            Value::Quoted(text) | Value::Bare(text) => write!(line, "{}", string(text))?,
            Value::Address(own) => {
                line.push('"');
                address(line, *own)?;
                line.push('"');
            }
            Value::Number(number) => line.push_str(itoa::Buffer::new().format(*number)),
        }
    }
    for part in [",\"target\":\"", target, "\"}\n"] {
        line.push_str(part);
    }
    Ok(())
}

/// A text between quotes, as `Debug` writes it.
fn quoted(line: &mut String, text: &str) -> fmt::Result {
    if !is_plain(text) {
        return write!(line, "{text:?}");
    }
    for part in ["\"", text, "\""] {
        line.push_str(part);
    }
    Ok(())
}

/// Most are IPv4, whose numbers take `fmt` a thousand instructions.
fn address(line: &mut String, address: IpAddr) -> fmt::Result {
    let IpAddr::V4(address) = address else { return write!(line, "{address}") };
    for (place, octet) in address.octets().into_iter().enumerate() {
        line.push_str(if place == 0 { "" } else { "." });
        line.push_str(itoa::Buffer::new().format(octet));
    }
    Ok(())
}

/// Whether a text stands between quotes as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// The present in UTC, with microseconds (RFC 3339).
///
/// # Errors
///
/// Those of the writer.
pub fn stamp(out: &mut dyn Write) -> fmt::Result {
    let now = since_epoch();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() {
            *second = now.as_secs();
            *text = to_the_second(*second);
        }
        out.write_str(text)
    })?;
    // Seven digits of which the first is 1, so that zeros in front are written.
    let mut digits = itoa::Buffer::new();
    let micros = digits.format(1_000_000 + now.subsec_micros());
    out.write_char('.')?;
    out.write_str(micros.get(1..).unwrap_or_default())?;
    out.write_char('Z')
}

fn to_the_second(unix: u64) -> String {
    let unix = i64::try_from(unix).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::Writer;
    use tracing_subscriber::fmt::time::FormatTime;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// A time as long as one that is written.
    struct Always;

    const ALWAYS: &str = "2026-11-30T00:00:00.000000Z";

    impl FormatTime for Always {
        fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
            writer.write_str(ALWAYS)
        }
    }

    /// What tracing-subscriber writes.
    fn theirs(form: Form, log: fn()) -> String {
        let written = Written::default();
        let builder = tracing_subscriber::fmt().with_ansi(false).with_timer(Always);
        let builder = builder.with_writer(written.clone());
        match form {
            Form::Text => tracing::subscriber::with_default(builder.finish(), log),
            Form::Json => {
                tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), log);
            }
        }
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn ours(form: Form, level: Level, message: &str, fields: &[Field<'_>]) -> String {
        let (mut now, mut line) = (String::new(), String::new());
        with_line(form, (level, "countersign::x", message), fields, |bytes| {
            line = String::from_utf8(bytes.to_vec()).unwrap();
        });
        stamp(&mut now).unwrap();
        let at = if form == Form::Json { line.find(':').unwrap() + 2 } else { 0 };
        line.replace_range(at..at + now.len(), ALWAYS);
        line
    }

    #[test]
    fn an_event_is_written_as_tracing_subscriber_writes_it() {
        use Value::{Address, Bare, Number, Quoted};
        const ODD: &str = "a \"q\"\\\t\u{1b}[1m\u{e9}\u{301}\r\n\u{7f}";
        for form in [Form::Text, Form::Json] {
            let plain = theirs(form, || {
                tracing::info!(
                    target: "countersign::x",
                    id = %"a-1",
                    none = None::<&str>,
                    peer = %std::net::IpAddr::from([127, 0, 0, 1]),
                    other = %std::net::IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
                    route = "okx",
                    status = 200_u16,
                    most = u64::MAX,
                    "{}", "signed"
                );
            });
            let fields = [
                ("id", Some(Bare("a-1"))),
                ("none", None),
                ("peer", Some(Address([127, 0, 0, 1].into()))),
                ("other", Some(Address([0, 0, 0, 0, 0, 0, 0, 1].into()))),
                ("route", Some(Quoted("okx"))),
                ("status", Some(Number(200))),
                ("most", Some(Number(u64::MAX))),
            ];
            assert_eq!(ours(form, Level::INFO, "signed", &fields), plain);
            let odd = theirs(form, || {
                tracing::warn!(target: "countersign::x", detail = ODD, path = %"\u{e9}\"", "refused");
            });
            let fields = [("detail", Some(Quoted(ODD))), ("path", Some(Bare("\u{e9}\"")))];
            assert_eq!(ours(form, Level::WARN, "refused", &fields), odd);
            let alone = theirs(form, || tracing::error!(target: "countersign::x", "alone"));
            assert_eq!(ours(form, Level::ERROR, "alone", &[]), alone);
        }
    }

    #[test]
    fn times_are_written_to_the_microsecond() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_827_696, "2000-02-29T12:34:56"),
            (4_102_444_799, "2099-12-31T23:59:59"),
        ] {
            assert_eq!(to_the_second(unix), text);
        }
        let mut now = String::new();
        stamp(&mut now).unwrap();
        let (second, rest) = now.split_once('.').unwrap();
        assert_eq!((second.len(), rest.len(), rest.ends_with('Z')), (19, 7, true), "{now}");
    }
}
