//! `replay`: a recorded request once more, signed anew, to an upstream that is named.
//!
//! What it was is asked of a proxy inside the command, so that everything holds that holds for any
//! request of a program.

use std::io::Write;
use std::path::PathBuf;

use http::header::{CONNECTION, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::exec::credentials::{Credentials, Typed};
use super::exec::proxy::on_free_ports;
use super::in_process::{Beside, InProcess};
use super::raw::RawRequest;
use super::verify::capture;
use super::{CliError, ConfigFile, Exit, log, runtime, state};
use crate::config::Config;
use crate::inspect::HIDDEN;
use crate::server::Role;

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    /// A recorded request: of exec --record, or as verify takes them
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where it goes: a name below [upstreams]. It acts there as it did where it went before
    #[arg(long, value_name = "NAME")]
    upstream: String,
    #[command(flatten)]
    config: ConfigFile,
    /// Who it is from, where access.tokens asks
    #[arg(long, value_name = "NAME:TOKEN")]
    token: Option<Typed>,
}

pub(super) fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let recorded = only(args)?;
    let config = Config::load(args.config.path())?;
    let config = towards(&config, &args.upstream)?;
    let (credentials, tokens) = match Credentials::find(args.token.as_ref(), &config)? {
        Some(given) => (given, None),
        None => {
            let own = Credentials::for_one_run();
            let tokens = own.tokens();
            (own, Some(tokens))
        }
    };
    let _lines = log::start(&config.log);
    let request = request(recorded, &credentials)?;
    runtime()?.block_on(async {
        let beside = Beside { tokens, ..Beside::default() };
        let own = on_free_ports(&config);
        let proxy = InProcess::start(&own, state::nonces(&config)?, beside).await?;
        let status = send(&proxy, request, out).await?;
        proxy.finish(std::future::pending()).await;
        match status {
            200..300 => Ok(()),
            _ => Err(CliError::silent(Exit::Failed)),
        }
    })
}

/// The one request of the file.
fn only(args: &ReplayArgs) -> Result<RawRequest, CliError> {
    let captured = capture::one(&args.file)?;
    let Some(missing) = captured.missing else { return Ok(captured.request) };
    let what = format!("{}: the request {missing}", args.file.display());
    Err(CliError::failed(what, "send it from the program that made it"))
}

/// The configuration with every route's requests going to this upstream.
fn towards(config: &Config, upstream: &str) -> Result<Config, CliError> {
    if !config.upstreams.contains_key(upstream) {
        let names: Vec<&str> = config.upstreams.keys().map(String::as_str).collect();
        let what = format!("there is no [upstreams.{}]", upstream.escape_debug());
        let fix = match names.as_slice() {
            [] => format!("write it, with its url, into {}", config.path.display()),
            names => format!("name one of these: {}", names.join(", ")),
        };
        return Err(CliError::new(Exit::Usage, what).fix(fix));
    }
    let mut own = config.clone();
    own.routes.values_mut().for_each(|route| route.upstream = Some(upstream.to_owned()));
    Ok(own)
}

/// As a program would send it: the proxy puts its own headers in place of recorded ones.
fn request(
    recorded: RawRequest,
    credentials: &Credentials,
) -> Result<Request<Full<Bytes>>, CliError> {
    let method = recorded.method.clone();
    let (head, body) = recorded.into_sent();
    let unreadable =
        |error: http::Error| CliError::new(Exit::Usage, format!("the request is none: {error}"));
    let uri = format!("http://{}{}", head.host, head.target);
    let built = Request::builder().method(method).uri(uri).body(Full::new(body));
    let mut request = built.map_err(unreadable)?;
    let known = |(name, value): &(_, _)| {
        ![HOST, CONNECTION, TRANSFER_ENCODING].contains(name) && *value != HIDDEN
    };
    let own: HeaderMap =
        head.headers.iter().map(|(n, v)| (n.clone(), v.clone())).filter(known).collect();
    *request.headers_mut() = own;
    request
        .headers_mut()
        .insert(HOST, head.host.parse().map_err(|e| unreadable(http::Error::from(e)))?);
    request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.header());
    Ok(request)
}

/// Writes the answer as it is on the wire; returns its status.
async fn send(
    proxy: &InProcess,
    request: Request<Full<Bytes>>,
    out: &mut dyn Write,
) -> Result<u16, CliError> {
    let forward = proxy.address(Role::Forward).expect("the forward listener has an address");
    let broken = |error: hyper::Error| {
        CliError::failed(
            format!("the answer broke off: {error}"),
            "see what has become of it before it is sent again",
        )
    };
    let (mut sender, connection) =
        handshake(TokioIo::new(TcpStream::connect(forward).await?)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let mut answer: Response<Incoming> = sender.send_request(request).await.map_err(broken)?;
    writeln!(out, "HTTP/1.1 {}", answer.status())?;
    for (name, value) in answer.headers() {
        writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
    }
    writeln!(out)?;
    while let Some(frame) = answer.body_mut().frame().await {
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            out.write_all(&data)?;
        }
    }
    drop(sender);
    let _closed = connection.await;
    Ok(answer.status().as_u16())
}
