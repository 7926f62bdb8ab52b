//! Whether a request shows what it takes to verify it: checked of a file, before any request.

use super::compiled::Compiled;
use super::fields::Fields;
use super::function::Call;
use super::jsons::{Item, Json};
use super::nonce::Nonce;
use super::pattern::Piece;
use super::place::Place;
use super::text::Text;
use super::value::{ClockValue, Kind, Value};

/// What placements show, while they are looked at.
struct Reader<'c> {
    compiled: &'c Compiled,
    shown: Vec<bool>,
    /// Why a text cannot be read back.
    wrong: Vec<String>,
}

/// Reports placements that cannot be read back, and values that no placement shows.
pub(super) fn check(compiled: &Compiled, root: &Fields<'_>) {
    let (shown, wrong) = (vec![false; compiled.values.len()], Vec::new());
    let mut reader = Reader { compiled, shown, wrong };
    for place in &compiled.places {
        reader.place(place);
        for what in reader.wrong.drain(..) {
            let what = format!("{} cannot be read back: {what}", place.name);
            let fix = "put a character between them that the first cannot contain";
            root.report_at(place.at, what, fix);
        }
    }
    for (index, value) in compiled.values.iter().enumerate() {
        if !reader.shown[index] && reader.is_needed(value) {
            let what =
                format!("no placement shows {}, so nobody could verify a request", value.name);
            let fix = format!("place {{{}}}, alone or between other texts", value.name);
            root.report_at(value.at, what, fix);
        }
    }
}

impl<'c> Reader<'c> {
    fn place(&mut self, place: &'c Place) {
        self.item(&place.item);
    }

    fn item(&mut self, item: &'c Item) {
        match item {
            Item::Text(text) | Item::Number(text) => self.text(text),
            Item::Fixed(_) => {}
            Item::List(items) => items.iter().for_each(|item| self.item(item)),
            Item::Object(json) => self.json(json),
        }
    }

    fn json(&mut self, json: &'c Json) {
        json.members.iter().for_each(|(_, item)| self.item(item));
    }

    fn text(&mut self, text: &'c Text) {
        let pieces = self.compiled.pattern(text);
        for pair in pieces.windows(2) {
            let [first, next] = pair else { continue };
            match (first, next) {
                (Piece::Value(..) | Piece::Made, Piece::Value(..) | Piece::Made) => {
                    self.wrong.push("two holes stand side by side".into());
                }
                (Piece::Value(value, calls), Piece::Literal(literal)) => {
                    let value = &self.compiled.values[*value];
                    if may_contain(&value.kind, calls, literal) {
                        let literal = String::from_utf8_lossy(literal);
                        self.wrong.push(format!("{} may itself contain {literal:?}", value.name));
                    }
                }
                _ => {}
            }
        }
        for piece in &pieces {
            let Piece::Value(index, _) = piece else { continue };
            if std::mem::replace(&mut self.shown[*index], true) {
                continue;
            }
            match &self.compiled.values[*index].kind {
                Kind::Text(text) => self.text(text),
                Kind::Json(json) => self.json(json),
                Kind::Jwt(jwt) => {
                    jwt.header.iter().for_each(|json| self.json(json));
                    self.json(&jwt.claims);
                }
                Kind::Clock(_)
                | Kind::Nonce(_)
                | Kind::Pairs(_)
                | Kind::Headers(_)
                | Kind::Sign(_)
                | Kind::OneOf(_)
                | Kind::Unreadable => {}
            }
        }
    }

    /// Whether a verifier needs to be shown this value: signatures, nonces, and clocks that do not
    /// follow from a finer one.
    fn is_needed(&self, value: &Value) -> bool {
        match &value.kind {
            Kind::Sign(_) | Kind::Jwt(_) | Kind::Nonce(_) => true,
            Kind::Clock(own) => {
                let mut values = self.compiled.values.iter().zip(&self.shown);
                !values.any(|(other, shown)| {
                    let finer = |other: ClockValue| other.clock.grain <= own.clock.grain;
                    *shown && other.kind.clock().is_some_and(finer)
                })
            }
            Kind::Text(_)
            | Kind::Pairs(_)
            | Kind::Headers(_)
            | Kind::Json(_)
            | Kind::OneOf(_)
            | Kind::Unreadable => false,
        }
    }
}

/// Whether a value, as it is placed, can contain a literal. Of what has no alphabet of its own
/// nothing is known, and the first place where the literal stands counts.
fn may_contain(kind: &Kind, calls: &[Call], literal: &[u8]) -> bool {
    let encoding = kind.sign().and_then(|sign| sign.encoding).map(|row| row.word.name);
    let extra: &[u8] = match (calls.last().map(Call::name).or(encoding), kind) {
        (Some("hex" | "hex_upper" | "base58"), _) => b"",
        (Some("base64"), _) => b"+/=",
        (Some("base64url" | "base64url_pad"), _) => b"-_=",
        (Some("percent" | "percent_form"), _) => b"%-_.~+*",
        (None, Kind::Jwt(_)) => b"-_.",
        (None, Kind::Nonce(Nonce::Uuid)) => b"-",
        (None, Kind::Nonce(_)) => b"",
        (None, Kind::Clock(own)) => own.clock.word.example.as_bytes(),
        _ => return false,
    };
    literal.iter().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(byte))
}
