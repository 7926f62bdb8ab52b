//! `explain`: one request's way up to the signature, without a network.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::raw::RawRequest;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::config::Config;
use crate::moment::{Moment, Moments, NONCES, Nonce};
use crate::outbound::{Outbound, Payload};
use crate::route::Route;
use crate::scheme::{Edits, Preimage, Scheme};
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
    /// A file with a raw HTTP request in place of all these; - is standard input
    #[arg(long, conflicts_with = "url")]
    file: Option<PathBuf>,
    /// When it is signed, in milliseconds since 1970; now, if left out
    #[arg(long, value_name = "UNIX_MS")]
    at: Option<u64>,
    /// The nonce, up to ten digits, for schemes that have one
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..NONCES))]
    nonce: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let request = request(args)?;
    let config = Config::load(args.config.path())?;
    let surroundings = Surroundings::default();
    let runtime = runtime()?;
    let snapshot = runtime.block_on(Snapshot::build(&config, &surroundings, None))?;
    let mut moment = Moments::new(config.replica).next();
    if let Some(at) = args.at {
        moment.unix_ms = at;
    }
    if let Some(nonce) = args.nonce {
        moment.nonce = Nonce::Given(nonce);
    }
    let explained = runtime.block_on(explain(&snapshot, request, moment))?;
    if args.json { explained.json(out) } else { explained.text(out) }
}

fn request(args: &ExplainArgs) -> Result<RawRequest, CliError> {
    if let Some(file) = &args.file {
        return RawRequest::read(file);
    }
    let body = match args.body.strip_prefix('@') {
        Some(path) => {
            let path = PathBuf::from(path);
            std::fs::read(&path).map_err(|error| CliError::at(&path, &error))?
        }
        None => args.body.clone().into_bytes(),
    };
    let url = args.url.as_deref().unwrap_or_default();
    RawRequest::from_parts(&args.method, url, &args.headers, Bytes::from(body))
}

/// What would happen to a request.
pub(super) struct Explained {
    route: Arc<Route>,
    moment: Moment,
    outbound: Outbound,
    preimages: Vec<Preimage>,
    edits: Edits,
}

/// The pipeline up to the signature, with a moment of the caller's.
pub(super) async fn explain(
    snapshot: &Snapshot,
    request: RawRequest,
    moment: Moment,
) -> Result<Explained, CliError> {
    let RawRequest { method, destination, target, headers, body } = request;
    let route = destination.route(snapshot, target.path(), &method)?;
    let Some(route) = route else {
        return Err(CliError::new(
            Exit::Failed,
            "no route names this host: it would pass unsigned",
        ));
    };
    let scheme = signing(route)?;
    let (host, origin) = destination.place(route)?;
    let payload = if body.is_empty() { Payload::Empty } else { Payload::Whole(body) };
    let dressed =
        Outbound::dress(method, &target, headers, payload, host, origin, Some(scheme.as_ref()));
    let outbound = dressed.map_err(crate::refusal::Refusal::from)?;
    let preimages =
        scheme.canonicalise(outbound.signable(), &moment).map_err(crate::refusal::Refusal::from)?;
    let signatures = route.sign(&preimages).await.map_err(crate::refusal::Refusal::from)?;
    let edits = scheme
        .assemble(outbound.signable(), &moment, &signatures)
        .map_err(crate::refusal::Refusal::from)?;
    Ok(Explained { route: Arc::clone(route), moment, outbound, preimages, edits })
}

/// The scheme of a route that signs requests.
pub(super) fn signing(route: &Route) -> Result<&Arc<dyn Scheme>, CliError> {
    route.scheme.signing().ok_or_else(|| {
        let name = &route.name;
        let what = format!("routes.{name} opens requests that others have sealed; it signs none");
        CliError::new(Exit::Failed, what)
            .fix("try it with a request of the provider's: countersign callback send")
    })
}

impl Explained {
    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edits.iter().map(|edit| {
            let value = edit.value.to_str().unwrap_or("(not text)");
            (edit.name.as_str(), if edit.secret { "(secret)" } else { value })
        })
    }

    fn text(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let head = self.outbound.signable().head;
        let origin = self.outbound.origin();
        writeln!(out, "route      {} (scheme {})", self.route.name, self.route.entry.name)?;
        writeln!(out, "sends      {} {}", head.method, head.target)?;
        writeln!(out, "host       {}", head.host)?;
        writeln!(out, "upstream   {}://{}", origin.scheme, origin.authority)?;
        writeln!(out, "moment     {} ms", self.moment.unix_ms)?;
        for preimage in &self.preimages {
            writeln!(out, "canonical  {}", shown(&preimage.text))?;
            if let Some(digest) = digest(preimage) {
                writeln!(out, "{:<10} {digest}", preimage.hashing.name())?;
            }
            if let Some(key) = self.route.public_key(preimage.slot) {
                writeln!(out, "key        {} {}", key.algorithm(), key.fingerprint())?;
            }
        }
        if self.preimages.is_empty() {
            writeln!(out, "canonical  (nothing is signed; a secret is inserted)")?;
        }
        for (name, value) in self.headers() {
            writeln!(out, "sets       {name}: {value}")?;
        }
        if let Some(body) = self.edits.new_body() {
            writeln!(out, "body       {}", shown(body))?;
        }
        Ok(())
    }

    fn json(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let head = self.outbound.signable().head;
        let origin = self.outbound.origin();
        let preimages: Vec<_> = self
            .preimages
            .iter()
            .map(|preimage| {
                json!({
                    "slot": preimage.slot,
                    "canonical": String::from_utf8_lossy(&preimage.text),
                    "canonical_hex": base16ct::lower::encode_string(&preimage.text),
                    "sha256": base16ct::lower::encode_string(&sha256(&preimage.text)),
                    "digest": digest(preimage),
                    "key": self.route.public_key(preimage.slot).map(|key| key.fingerprint()),
                })
            })
            .collect();
        let headers: serde_json::Map<_, _> =
            self.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let explained = json!({
            "route": self.route.name.as_ref(),
            "scheme": self.route.entry.name,
            "method": head.method.as_str(),
            "target": head.target.as_str(),
            "host": head.host,
            "upstream": format!("{}://{}", origin.scheme, origin.authority),
            "unix_ms": self.moment.unix_ms,
            "preimages": preimages,
            "headers": headers,
            "body": self.edits.new_body().map(|body| String::from_utf8_lossy(body)),
        });
        Ok(writeln!(out, "{explained:#}")?)
    }
}

/// What is signed of a text, in hex; none where the key hashes.
fn digest(preimage: &Preimage) -> Option<String> {
    preimage.hashing.digest().map(|digest| base16ct::lower::encode_string(&digest.0))
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
