//! Cobo's part of the scene: a plain service that approves, a second proxy that plays the node, keys
//! for both, and somebody between them who changes what is asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::cli::CliError;
use crate::cli::directory::Directory;
use crate::cli::in_process::{Beside, InProcess};
use crate::cli::keys::create_private;
use crate::config::Config;
use crate::keys::{Algorithm, PrivateKey};

use crate::scheme::Registry;
use crate::socket_file;

/// The node's configuration: it reaches the server straight, and through somebody else's hands.
const NODE: &str = r#"[listen]
gateway = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "."

[keys.cobo_node]
store = "files"
entry = "cobo_node.pem"

[routes.node]
scheme = "cobo_client"
keys = { signer = "cobo_node" }
params = { verify_with = "cobo_server.public.pem" }
upstream = "server"

[routes.tampered]
scheme = "cobo_client"
keys = { signer = "cobo_node" }
params = { verify_with = "cobo_server.public.pem" }
upstream = "tamperer"
"#;

/// Makes the keys of both, and public files of them.
pub(super) fn make_keys(directory: &Directory) -> Result<(), CliError> {
    let schemes = Registry::built_in();
    let form = schemes.find("cobo_callback").and_then(|entry| entry.public_form);
    let form = form.expect("the scheme has keys");
    for name in ["cobo_server", "cobo_node"] {
        let key = PrivateKey::generate_sized(Algorithm::RSA_PKCS1_SHA256, 2048);
        let key = key.expect("RSA keys have this size");
        create_private(&directory.join(format!("{name}.pem")), key.to_text().as_bytes())?;
        let public = (form.write)(&key.public_key());
        create_private(&directory.join(format!("{name}.public.pem")), public.as_bytes())?;
    }
    Ok(())
}

/// Starts the second proxy, which asks the first at `gateway`.
pub(super) async fn node(directory: &Directory, gateway: &str) -> Result<InProcess, CliError> {
    let server = gateway.trim_start_matches("http://");
    let tamperer = tamperer(server.to_owned()).await?;
    // By this name the server is called, whoever stands between.
    let config = format!(
        "{NODE}host = \"{server}\"\n\n[upstreams.server]\nurl = \"{gateway}/cobo\"\n\
         [upstreams.tamperer]\nurl = \"http://{tamperer}/cobo\"\n"
    );
    let config = Config::parse(&config, &directory.join("node.toml"))?;
    InProcess::start(&config, Arc::default(), Beside::default()).await
}

/// Starts a relay to `server` that changes one character of what each token says.
async fn tamperer(server: String) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(server.clone());
            tokio::spawn(async move { tamper(client, server.await?).await });
        }
    });
    Ok(address)
}

async fn tamper(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let changed = loop {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        if let Some(at) = inside_the_token(&request) {
            break at;
        }
    };
    request[changed] = if request[changed] == b'A' { b'B' } else { b'A' };
    server.write_all(&request).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// A place in the second part of the token, once so much of it is there.
fn inside_the_token(request: &[u8]) -> Option<usize> {
    const FIELD: &[u8] = b"TSS_JWT_MSG=";
    let field = request.windows(FIELD.len()).position(|window| window == FIELD)?;
    let dot = request[field..].iter().position(|byte| *byte == b'.')?;
    let place = field + dot + 40;
    (place < request.len()).then_some(place)
}

/// Starts a service at a socket that knows JSON and approves whatever it is asked; its URL.
pub(super) fn service(path: &Path) -> io::Result<String> {
    let listener = UnixListener::from_std(socket_file::bind(path, 0o600)?)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(approve));
            tokio::spawn(connection);
        }
    });
    Ok(format!("unix:{}", path.display()))
}

async fn approve(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(br#"{"status":0,"action":"APPROVE"}"#))))
}
