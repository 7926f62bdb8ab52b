//! `explain`: one request's way up to the signature, without a network.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::raw::RawRequest;
use super::verify::capture;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::config::Config;
use crate::moment::{Moment, Moments, NONCES, Nonce};
use crate::refusal::Refusal;
use crate::request::{Connect, Outgoing, Plan, Trail};
use crate::route::Route;
use crate::scheme::{Edits, Origin, Preimage, Scheme, ToSign};
use crate::snapshot::{Snapshot, Surroundings};

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The request's method
    #[arg(long, default_value = "GET", conflicts_with = "file")]
    method: String,
    /// The URL the program asks for; one that begins with / is the gateway's
    #[arg(long, required_unless_present = "file")]
    url: Option<String>,
    /// A header, 'Name: value'; may be given several times
    #[arg(long = "header", value_name = "HEADER", conflicts_with = "file")]
    headers: Vec<String>,
    /// The body; @FILE reads it from a file
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "file")]
    body: String,
    /// A request in place of all these: raw HTTP/1.1, a HAR file, one of exec --record; - is standard
    /// input
    #[arg(long, conflicts_with = "url")]
    file: Option<PathBuf>,
    /// When it is signed, in milliseconds since 1970; as recorded, or now, if left out
    #[arg(long, value_name = "UNIX_MS")]
    at: Option<u64>,
    /// The nonce, up to ten digits, for schemes that have one
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..NONCES))]
    nonce: Option<u64>,
    /// The client of access.tokens that it is from; who the request shows itself to be from, if left
    /// out
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let (request, signed_at) = request(args)?;
    let config = Config::load(args.config.path())?;
    let surroundings = Surroundings::default();
    let runtime = runtime()?;
    let snapshot = runtime.block_on(Snapshot::build(&config, &surroundings, None))?;
    let mut moment = Moments::new(config.replica.written()).next();
    if let Some(at) = args.at.or(signed_at) {
        moment.unix_ms = at;
    }
    if let Some(nonce) = args.nonce {
        moment.nonce = Nonce::Given(nonce);
    }
    let mut trail = Trail::default();
    let client = args.client.as_deref();
    match runtime.block_on(explain(&snapshot, &request, client, moment, &mut trail)) {
        Ok(explained) if args.json => explained.json(out),
        Ok(explained) => explained.text(out),
        Err(Stop::Refused(refusal)) if args.json => {
            let refused = json!({
                "route": trail.route.as_ref().map(|route| &*route.name),
                "refused": {
                    "code": refusal.code.name(),
                    "status": refusal.code.facts().status.as_u16(),
                    "detail": refusal.detail,
                    "remedy": refusal.advice(),
                },
            });
            writeln!(out, "{refused:#}")?;
            Err(CliError::silent(Exit::Failed))
        }
        Err(Stop::Refused(refusal)) => Err(refusal.into()),
        Err(Stop::Unsigned(error)) => Err(error),
    }
}

/// The request, and when it was signed, if it is recorded.
fn request(args: &ExplainArgs) -> Result<(RawRequest, Option<u64>), CliError> {
    if let Some(file) = &args.file {
        let captured = capture::one(file)?;
        return Ok((captured.request, captured.moment_ms));
    }
    let body = match args.body.strip_prefix('@') {
        Some(path) => {
            let path = PathBuf::from(path);
            std::fs::read(&path).map_err(|error| CliError::at(&path, &error))?
        }
        None => args.body.clone().into_bytes(),
    };
    let url = args.url.as_deref().unwrap_or_default();
    let request = RawRequest::from_parts(&args.method, url, &args.headers, Bytes::from(body))?;
    Ok((request, None))
}

/// What would happen to a request.
pub(super) struct Explained {
    route: Arc<Route>,
    moment: Moment,
    outgoing: Box<Outgoing>,
    preimages: Vec<Preimage>,
    /// The pieces of each, where the scheme says where they came from.
    origins: Vec<Vec<Origin>>,
    edits: Edits,
}

/// Why nothing would be signed.
pub(super) enum Stop {
    /// The proxy would say no.
    Refused(Refusal),
    /// It would do something else.
    Unsigned(CliError),
}

impl<E: Into<Refusal>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// The proxy's own way up to the signature, with a moment of the caller's.
async fn explain(
    snapshot: &Snapshot,
    request: &RawRequest,
    client: Option<&str>,
    moment: Moment,
    trail: &mut Trail,
) -> Result<Explained, Stop> {
    let other = |what: &str| Stop::Unsigned(CliError::new(Exit::Failed, what));
    let (view, arrival) = (snapshot.view(false), request.arrival(client));
    if arrival.is_connect() {
        return Err(match Connect::of(view, &arrival, trail)? {
            Connect::Tunnel { .. } => other("no route names this host: it would be a blind tunnel"),
            Connect::Enter(_) => other("it would be opened, and each request inside looked at"),
        });
    }
    let mut unsigned = match Plan::of(view, arrival, trail)? {
        Plan::Sign(unsigned) => unsigned,
        Plan::Pass(_) => return Err(other("no route names this host: it would pass unsigned")),
        Plan::Open(sealed) => return Err(Stop::Unsigned(opens(sealed.route))),
    };
    if unsigned.awaits_body {
        unsigned = unsigned.hold(request.body.clone());
    }
    let ToSign { preimages, rest } = unsigned.canonicalise(&moment)?;
    let signatures = unsigned.route.sign(&preimages).await?;
    let edits = unsigned.edits(&moment, rest, &signatures)?;
    let route = Arc::clone(unsigned.route);
    let scheme = signing(&route).map_err(Stop::Unsigned)?;
    let origins = scheme.origins(unsigned.outgoing.signable(), &moment)?;
    Ok(Explained { route, moment, outgoing: unsigned.outgoing, preimages, origins, edits })
}

/// The scheme of a route that signs requests.
pub(super) fn signing(route: &Route) -> Result<&Arc<dyn Scheme>, CliError> {
    route.scheme.signing().ok_or_else(|| opens(route))
}

fn opens(route: &Route) -> CliError {
    let name = &route.name;
    let what = format!("routes.{name} opens requests that others have sealed; it signs none");
    let fix = "try it with a request of the provider's: countersign callback send";
    CliError::failed(what, fix)
}

impl Explained {
    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edits.iter().map(|edit| {
            let value = edit.value.to_str().unwrap_or("(not text)");
            (edit.name.as_str(), if edit.secret { "(secret)" } else { value })
        })
    }

    /// The target that is sent: some signatures stand in it.
    fn target(&self) -> &str {
        if self.edits.hides() {
            return "(secret)";
        }
        self.edits.new_target().unwrap_or_else(|| &self.outgoing.signable().head.target).as_str()
    }

    /// The body that is sent, where it is not the client's.
    fn body(&self) -> Option<&[u8]> {
        let body = self.edits.new_body()?;
        Some(if self.edits.hides() { b"(secret)" } else { body })
    }

    fn text(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let head = self.outgoing.signable().head;
        let origin = self.outgoing.origin();
        writeln!(out, "route      {} (scheme {})", self.route.name, self.route.entry.name)?;
        writeln!(out, "sends      {} {}", head.method, self.target())?;
        writeln!(out, "host       {}", head.host)?;
        writeln!(out, "upstream   {origin}")?;
        writeln!(out, "moment     {} ms", self.moment.unix_ms)?;
        for (index, preimage) in self.preimages.iter().enumerate() {
            writeln!(out, "canonical  {}", shown(preimage.shown().as_bytes()))?;
            let pieces = self.origins.get(index).into_iter().flatten();
            let wide = pieces.clone().map(|piece| piece.from.len()).max().unwrap_or_default();
            for piece in pieces {
                let text = Some(said(piece)).filter(|text| !text.is_empty());
                let text = text.as_deref().unwrap_or("(empty)");
                writeln!(out, "  {:<wide$}  {text}", piece.from)?;
            }
            if let Some(digest) = digest(preimage) {
                writeln!(out, "{:<10} {digest}", preimage.hashing.name())?;
            }
            if let Some(key) = self.route.public_key(&preimage.slot) {
                writeln!(out, "key        {} {}", key.algorithm(), key.fingerprint())?;
            }
        }
        if self.preimages.is_empty() {
            writeln!(out, "canonical  (nothing is signed; a secret is inserted)")?;
        }
        for (name, value) in self.headers() {
            writeln!(out, "sets       {name}: {value}")?;
        }
        if let Some(body) = self.body() {
            writeln!(out, "body       {}", shown(body))?;
        }
        Ok(())
    }

    fn json(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let head = self.outgoing.signable().head;
        let origin = self.outgoing.origin();
        let preimages: Vec<_> = self
            .preimages
            .iter()
            .enumerate()
            .map(|(index, preimage)| {
                // Of a text with a secret in it not even the hash is shown: it could be searched for.
                let open = Some(&preimage.text).filter(|_| !preimage.secret);
                let mut member = json!({
                    "slot": preimage.slot,
                    "canonical": preimage.shown(),
                    "canonical_hex": open.map(|text| base16ct::lower::encode_string(text)),
                    "sha256": open.map(|text| base16ct::lower::encode_string(&sha256(text))),
                    "digest": digest(preimage),
                    "key": self.route.public_key(&preimage.slot).map(|key| key.fingerprint()),
                });
                if let Some(pieces) = self.origins.get(index) {
                    let piece = |own: &Origin| json!({ "from": own.from, "text": said(own) });
                    member["parts"] = pieces.iter().map(piece).collect();
                }
                member
            })
            .collect();
        let headers: serde_json::Map<_, _> =
            self.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let explained = json!({
            "route": self.route.name.as_ref(),
            "scheme": self.route.entry.name,
            "method": head.method.as_str(),
            "target": self.target(),
            "host": head.host,
            "upstream": origin.to_string(),
            "unix_ms": self.moment.unix_ms,
            "preimages": preimages,
            "headers": headers,
            "body": self.body().map(|body| String::from_utf8_lossy(body)),
        });
        Ok(writeln!(out, "{explained:#}")?)
    }
}

/// What is signed of a text, in hex; none where the key hashes, or a secret is in the text.
fn digest(preimage: &Preimage) -> Option<String> {
    preimage
        .hashing
        .digest()
        .filter(|_| !preimage.secret)
        .map(|digest| base16ct::lower::encode_string(&digest.0))
}

/// A piece of a canonical string for people.
fn said(piece: &Origin) -> String {
    if piece.secret { "(secret)".into() } else { shown(&piece.text) }
}

fn sha256(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// A canonical text on one line, with anything that is not text escaped.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] })
        .collect()
}
