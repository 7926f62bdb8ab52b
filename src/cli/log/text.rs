//! The text of a line: the same bytes as tracing-subscriber's own, with fewer steps on the way.
//!
//! Every request has a line with a dozen fields, and its own formatter sends the name, the equals
//! sign and the value of each through `fmt`, and makes the date anew. What a request's line is
//! made of is written here directly; everything else is left to its own.

use std::cell::RefCell;
use std::fmt;

use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::time::FormatTime;

use crate::moment::since_epoch;

/// The time in UTC, with microseconds (RFC 3339).
pub(super) struct Clock;

thread_local! {
    /// The last second that was written, and its text.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = since_epoch();
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != now.as_secs() {
                *second = now.as_secs();
                *text = to_the_second(*second);
            }
            writer.write_str(text)
        })?;
        // Seven digits of which the first is 1, so that zeros in front are written.
        let mut digits = Digits::default();
        let micros = digits.of(u64::from(1_000_000 + now.subsec_micros()));
        writer.write_char('.')?;
        writer.write_str(micros.get(1..).unwrap_or_default())?;
        writer.write_char('Z')
    }
}

fn to_the_second(unix: u64) -> String {
    let unix = i64::try_from(unix).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// A number in decimal.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    fn of(&mut self, mut number: u64) -> &str {
        let mut start = self.0.len();
        for digit in self.0.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            start -= 1;
            if number == 0 {
                break;
            }
        }
        let digits = self.0.get(start..).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

/// Writes an event's fields.
pub(super) struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, first: true, written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    first: bool,
    written: fmt::Result,
}

impl Line<'_> {
    /// Writes a field as `name=value`.
    fn pair(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let writer = &mut self.writer;
        let space = if std::mem::replace(&mut self.first, false) { "" } else { " " };
        let name = writer.write_str(space).and_then(|()| writer.write_str(field.name()));
        let written = name.and_then(|()| writer.write_char('=')).and_then(|()| value(writer));
        self.written = self.written.and(written);
    }

    /// Leaves a field to tracing-subscriber.
    fn other(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let first = std::mem::replace(&mut self.first, false);
        let mut visitor = DefaultVisitor::new(self.writer.by_ref(), first);
        record(&mut visitor);
        let written = visitor.finish();
        self.written = self.written.and(written);
    }
}

/// Whether a field is written under its name as it stands.
fn is_named(field: &Field) -> bool {
    field.name() != "message" && !field.name().starts_with("r#")
}

/// Whether `Debug` writes a text as it stands, between quotes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

impl Visit for Line<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if is_named(field) {
            return self.pair(field, |writer| writer.write_str(Digits::default().of(value)));
        }
        self.other(|visitor| visitor.record_u64(field, value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if is_named(field) && is_plain(value) {
            return self.pair(field, |writer| {
                writer.write_char('"')?;
                writer.write_str(value)?;
                writer.write_char('"')
            });
        }
        self.other(|visitor| visitor.record_str(field, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.other(|visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if is_named(field) {
            return self.pair(field, |writer| write!(writer, "{value:?}"));
        }
        self.other(|visitor| visitor.record_debug(field, value));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::Dispatch;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Shared {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn fields_are_written_as_tracing_subscriber_writes_them() {
        let (ours, theirs) = (Shared::default(), Shared::default());
        let of = |shared: &Shared| {
            let builder = tracing_subscriber::fmt().with_ansi(false).without_time();
            builder.with_writer(shared.clone())
        };
        let both: [Dispatch; 2] =
            [of(&theirs).finish().into(), of(&ours).fmt_fields(Fields).finish().into()];
        let error = io::Error::other(fmt::Error);
        for dispatch in &both {
            let _until_its_end = tracing::dispatcher::set_default(dispatch);
            let text = "a \"quoted\"\\\t\u{1b}[1m\u{e9}\u{301}\r\n";
            tracing::info!(id = %"a-1", none = None::<u64>, some = Some(0_u64), "{}", "signed");
            tracing::info!(plain = "as it is", empty = "", text, shown = %text, debug = ?text);
            tracing::info!(
                most = u64::MAX,
                ten = 10_u64,
                less = -1,
                half = 0.5,
                yes = true,
                "{text}"
            );
            tracing::info!(r#type = 1_u64, error = &error as &dyn std::error::Error, "x");
            tracing::info!("alone");
        }
        let text = |of: &Shared| String::from_utf8(of.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text(&ours).lines().count(), text(&theirs).lines().count());
        assert!(text(&ours).ends_with(": alone\n"));
        assert_eq!(text(&ours), text(&theirs));
    }

    #[test]
    fn times_are_written_to_the_second_and_numbers_in_decimal() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_827_696, "2000-02-29T12:34:56"),
            (4_102_444_799, "2099-12-31T23:59:59"),
        ] {
            assert_eq!(to_the_second(unix), text);
        }
        for number in [0, 9, 10, 1_000_000, u64::MAX] {
            assert_eq!(Digits::default().of(number), number.to_string());
        }
        let mut now = String::new();
        Clock.format_time(&mut Writer::new(&mut now)).unwrap();
        let (second, rest) = now.split_once('.').unwrap();
        assert_eq!((second.len(), rest.len(), rest.ends_with('Z')), (19, 7, true), "{now}");
    }
}
