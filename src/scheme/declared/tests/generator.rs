//! Scheme files from the vocabulary at random: many that can be used, and many in which a key is
//! named where no key may be.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::forms::{SCALAR, TEXT};
use crate::keys::Algorithm;
use crate::scheme::declared::clock::CLOCKS;
use crate::scheme::declared::encode::ENCODINGS;
use crate::scheme::declared::function::FUNCTIONS;
use crate::scheme::declared::slot::{PUBLICS, SECRETS};
use crate::scheme::declared::text::SOURCES;

/// A file, and in how many texts it names a key.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) text: String,
    pub(super) named: usize,
}

/// What stands in a hole that means a key, or part of one.
const KEYS: &[&str] = &[
    "signer",
    "other",
    "signer.secret",
    "signer.key",
    "signer.private",
    "signer.bytes",
    "keys.signer",
    "signer.lines",
    "signer.names",
    "keys.signer.secret",
    "signer.public.secret",
    "signer | hex",
    "other | base64 | percent",
    "signer | first:4",
    "signer | sha256 | hex",
];

/// Choices, from bytes: fewer and smaller ones make a simpler file.
pub(super) struct Generator<'t> {
    tape: &'t [u8],
    at: usize,
    /// One hole in so many names a key; none where it is 0.
    keys: usize,
    named: usize,
    slots: usize,
    /// Values so far, and whether they wait for a signature.
    values: Vec<(String, bool)>,
    file: String,
    placed: String,
}

impl<'t> Generator<'t> {
    pub(super) fn file(tape: &'t [u8]) -> Made {
        let (file, placed) = (String::new(), String::new());
        let mut own =
            Self { tape, at: 0, keys: 0, named: 0, slots: 1, values: Vec::new(), file, placed };
        own.keys = [0, 0, 6, 20][own.below(4)];
        own.slots = 1 + own.below(2);
        let keys = own.slots_and_settings();
        own.values();
        own.places();
        let (request, expected) = own.request();
        let placed = &own.placed;
        let vector = format!(
            "\n[[vectors]]\nsource = \"a generator\"\nnow = \"2025-11-28T13:50:00.123Z\"\n{keys}\
             secrets = {{ a = \"a-secret\" }}\nparams = {{ p = \"a-param\" }}\n\
             request = {{ {request} }}\nexpect.headers = {{ {expected} = \"nothing\" }}\n"
        );
        Made { text: format!("{}{placed}{vector}", own.file), named: own.named }
    }

    fn below(&mut self, end: usize) -> usize {
        let byte = self.tape.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        usize::from(byte) % end
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    /// Slots, secrets and params; the keys as a vector has them.
    fn slots_and_settings(&mut self) -> String {
        self.file.push_str("format = 1\nsummary = \"generated\"\nhost = \"a.test\"\n");
        let mut keys = String::new();
        let quick = Algorithm::ALL.iter().filter(|own| !own.name().starts_with("rsa_"));
        let quick: Vec<Algorithm> = quick.copied().collect();
        for name in ["signer", "other"].iter().take(self.slots) {
            let algorithm = quick[self.below(quick.len())];
            let public = PUBLICS[self.below(PUBLICS.len())].0.name;
            let prefix = if algorithm == Algorithm::EDDSA_BABYJUB { "0x" } else { "" };
            let (mut secret, mut written) = ("text", format!("{prefix}{SCALAR}"));
            if algorithm.is_shared() {
                secret = SECRETS[self.below(SECRETS.len())].0.name;
                written = match secret {
                    "base64" => STANDARD.encode(TEXT),
                    "base64url" => URL_SAFE.encode(TEXT),
                    "hex" => base16ct::lower::encode_string(TEXT.as_bytes()),
                    _ => TEXT.to_owned(),
                };
            }
            let _infallible = write!(
                self.file,
                "[keys.{name}]\nalgorithms = [\"{}\"]\nsecret = \"{secret}\"\npublic = \"{public}\"\n",
                algorithm.name()
            );
            let _infallible = writeln!(keys, "keys.{name} = \"{written}\"");
        }
        // A sentence and a default are no texts: what stands there stands for itself.
        let default = self.one_of(&["x", "{signer}", "signer", "{signer.secret}"]);
        let _infallible = write!(
            self.file,
            "[secrets]\na = \"Sent as {{signer}}.\"\n[params]\np = {{ default = \"{default}\" }}\n"
        );
        keys
    }

    /// A hole; of values those that do not wait, unless `late`.
    fn hole(&mut self, late: bool) -> String {
        if self.keys > 0 && self.below(self.keys) == 0 {
            self.named += 1;
            return format!("{{{}}}", self.one_of(KEYS));
        }
        let known: Vec<String> =
            self.values.iter().filter(|own| late || !own.1).map(|own| own.0.clone()).collect();
        let source = match self.below(5) {
            0 | 1 if !known.is_empty() => known[self.below(known.len())].clone(),
            2 => self.one_of(&["a", "p", "signer.public"]).to_owned(),
            3 => self.one_of(&["header.x-note", "body.a"]).to_owned(),
            _ => SOURCES[self.below(SOURCES.len() - 2)].name.to_owned(),
        };
        let mut hole = source;
        for _ in 0..self.below(3) {
            let (functions, encodings) = (FUNCTIONS.len(), ENCODINGS.len());
            let at = self.below(functions + encodings);
            let word =
                FUNCTIONS.get(at).map_or_else(|| ENCODINGS[at - functions].word, |row| row.word);
            // What the example says of it, to its end.
            let example = word.example.trim_matches(['{', '}']);
            let call = example.split(" | ").find(|call| call.starts_with(word.name));
            let _infallible = write!(hole, " | {}", call.unwrap_or(word.name));
        }
        format!("{{{hole}}}")
    }

    /// A text, with literals between its holes.
    fn text(&mut self, late: bool) -> String {
        let mut text = self.hole(late);
        for _ in 0..self.below(3) {
            let literal = self.one_of(&["|", ":", "/", ",", ";"]);
            text = format!("{text}{literal}{}", self.hole(late));
        }
        text
    }

    fn values(&mut self) {
        self.file.push_str("[values]\n");
        for index in 0..self.below(6) {
            let (written, waits) = self.value();
            self.add(&format!("v{index}"), &written, waits);
        }
        for slot in ["signer", "other"].iter().take(self.slots) {
            let written = self.signature(slot);
            self.add(&format!("s_{slot}"), &written, true);
        }
    }

    fn add(&mut self, name: &str, written: &str, waits: bool) {
        let _infallible = writeln!(self.file, "{name} = {written}");
        if written.contains("headers = ") {
            let _infallible = writeln!(
                self.placed,
                "X-{name}-l = '{{{name}.lines | hex}}'\nX-{name}-n = '{{{name}.names | hex}}'"
            );
            return;
        }
        // What has an alphabet of its own stands as it is.
        let own = ["clock", "nonce", "sign", "jwt"]
            .iter()
            .any(|kind| written.starts_with(&format!("{{ {kind} =")));
        let hole = if own { name.to_owned() } else { format!("{name} | hex") };
        let _infallible = writeln!(self.placed, "X-{name} = '{{{hole}}}'");
        self.values.push((name.to_owned(), waits));
    }

    fn signature(&mut self, slot: &str) -> String {
        let (text, encoding) = (self.text(false), ENCODINGS[self.below(ENCODINGS.len())].word.name);
        let more = match self.below(6) {
            4 => format!(
                ", derive = {{ prefix = '{}', over = ['{}'] }}",
                self.hole(false),
                self.text(false)
            ),
            5 => format!(", suffix = '{}'", self.text(false)),
            _ => String::new(),
        };
        format!("{{ sign = '{text}', key = \"{slot}\", as = \"{encoding}\"{more} }}")
    }

    fn value(&mut self) -> (String, bool) {
        let slot = ["signer", "other"][self.below(self.slots)];
        let late = self.below(4) == 3;
        let written = match self.below(9) {
            0 => format!("'{}'", self.text(late)),
            1 => format!("{{ clock = \"{}\" }}", CLOCKS[self.below(CLOCKS.len())].word.name),
            2 => format!(
                "{{ nonce = \"{}\" }}",
                self.one_of(&["uuid", "hex32", "digits12", "alnum20", "increasing_us"])
            ),
            3 => format!("{{ pairs = [\"query\"], add = {{ k = '{}' }} }}", self.text(late)),
            4 => "{ headers = [\"host\", \"x-*\"] }".to_owned(),
            5 => format!(
                "{{ json = {{ a = '{}', b = {{ c = ['{}'] }} }} }}",
                self.text(late),
                self.hole(late)
            ),
            6 => {
                let (header, claims) = (self.hole(false), self.text(false));
                return (
                    format!(
                        "{{ jwt = {{ key = \"{slot}\", header = {{ kid = '{header}' }}, claims = {{ sub = '{claims}' }} }} }}"
                    ),
                    true,
                );
            }
            7 => return (self.signature(slot), true),
            _ => format!("{{ one_of = ['{}', '{}'] }}", self.hole(late), self.text(late)),
        };
        let waits =
            self.values.iter().any(|(name, waits)| *waits && written.contains(name.as_str()));
        (written, waits)
    }

    /// Placements besides those of every value; and what nothing else uses.
    fn places(&mut self) {
        let placed = std::mem::take(&mut self.placed);
        self.placed = format!("[place.headers]\nX-a = '{{a}}'\nX-p = '{{p}}'\n{placed}");
        if self.below(3) == 0 {
            let text = self.text(true);
            let _infallible = writeln!(self.placed, "X-Text = 'a={text}'");
        }
        let field = self.below(5);
        let Some(table) = ["query", "form", "json"].get(field) else { return };
        let hole = self.hole(true);
        let item = if field == 2 { format!("{{ n = ['{hole}'] }}") } else { format!("'{hole}'") };
        let _infallible = writeln!(self.placed, "[place.{table}]\nf = {item}");
    }

    /// A vector's request, and a header that it expects.
    fn request(&mut self) -> (&'static str, &'static str) {
        let request = self.one_of(&[
            "method = \"GET\", target = \"/v1/x?b=2&a=1\", headers = { X-Note = \"n\" }",
            "method = \"POST\", target = \"/v1/x?b=2\", headers = { X-Note = \"n\" }, body = '{\"a\": \"1\"}'",
        ]);
        (request, "X-s_signer")
    }
}
