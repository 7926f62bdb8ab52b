//! A client that sends exactly the bytes it is given, and curl.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::wire::{Headers, Wire, headers, invalid};

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Client(Wire<Stream>);

/// An answer as it was on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// In order, case kept.
    pub(crate) headers: Headers,
    /// The body, without framing.
    pub(crate) body: Vec<u8>,
    /// What stood behind a chunked body.
    pub(crate) trailers: Headers,
}

impl Client {
    /// Connects to `http://address:port` or `unix:/path`.
    pub(crate) fn connect(url: &str) -> Self {
        Self::try_connect(url).unwrap_or_else(|why| panic!("cannot connect to {url}: {why}"))
    }

    /// Connects to `http://address:port` from an address of this machine.
    pub(crate) fn connect_from(own: &str, url: &str) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address").into();
        socket.bind(&address(&format!("{own}:0"))).expect("the address is this machine's");
        let server = url.trim_start_matches("http://");
        socket.connect(&address(server)).unwrap_or_else(|why| panic!("{url} from {own}: {why}"));
        Self(Wire::new(Stream::tcp(socket.into()).expect("a socket can have a deadline")))
    }

    /// Connects to a server that may be gone.
    pub(crate) fn try_connect(url: &str) -> io::Result<Self> {
        let stream = match (url.strip_prefix("http://"), url.strip_prefix("unix:")) {
            (Some(address), _) => TcpStream::connect(address).and_then(Stream::tcp),
            (_, Some(path)) => UnixStream::connect(path).and_then(Stream::unix),
            (None, None) => panic!("neither http:// nor unix: {url}"),
        };
        Ok(Self(Wire::new(stream?)))
    }

    /// Opens a tunnel to `place` through the forward listener at `proxy`.
    pub(crate) fn tunnel(proxy: &str, place: &str) -> Self {
        let mut client = Self::connect(proxy);
        client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n"));
        let reply = client.bare_reply();
        assert_eq!(reply.status, 200, "CONNECT {place}");
        client
    }

    /// Begins TLS on what was plain so far, in HTTP/1.1, and finishes the handshake.
    pub(crate) fn secure(self, name: &str, ca: &str) -> io::Result<Self> {
        self.secure_in(name, ca, &[b"http/1.1"])
    }

    /// The same, offering these protocols.
    pub(crate) fn secure_in(self, name: &str, ca: &str, protocols: &[&[u8]]) -> io::Result<Self> {
        let (stream, rest) = self.0.into_parts();
        assert_eq!(rest, b"", "nothing comes before the handshake");
        let Stream::Tcp(mut tcp) = stream else { panic!("TLS over TCP only") };
        let name = ServerName::try_from(name.to_owned()).expect("a name or an address");
        let tls = trusting(ca, protocols);
        let mut tls = ClientConnection::new(tls, name).expect("the settings are right");
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Self(Wire::new(Stream::Tls(Box::new(StreamOwned::new(tls, tcp))))))
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.send(bytes.as_ref()).expect("the server takes the bytes");
    }

    /// Reads the answer to a request other than HEAD; an error when the server ends or cuts it.
    pub(crate) fn try_reply(&mut self) -> io::Result<Reply> {
        let mut reply = self.try_bare_reply()?;
        if reply.status < 200 || reply.status == 204 || reply.status == 304 {
            return Ok(reply);
        }
        let length = reply.values("Content-Length").first().map(|length| length.parse());
        match length {
            _ if reply.values("Transfer-Encoding") == ["chunked"] => {
                (reply.body, reply.trailers) = self.0.chunked()?;
            }
            Some(Ok(length)) => reply.body = self.0.take(length)?,
            Some(Err(_)) => return Err(invalid("Content-Length is not a number".to_owned())),
            None => reply.body = self.0.rest()?,
        }
        Ok(reply)
    }

    /// Reads the answer to a request other than HEAD.
    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply().expect("the server answers")
    }

    /// Reads the answer to a HEAD or CONNECT request, which has no body whatever its headers say.
    pub(crate) fn bare_reply(&mut self) -> Reply {
        self.try_bare_reply().expect("the server answers")
    }

    /// The same from a server that may end or cut it.
    pub(crate) fn try_bare_reply(&mut self) -> io::Result<Reply> {
        let head = self.0.head()?;
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer");
        parse(&head.ok_or_else(closed)?)
    }

    /// Sends bytes to a server that may be gone.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.send(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        self.0.stream().shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Everything the server still sends until it closes; an error when it resets instead.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        self.0.rest()
    }

    /// Exactly so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.0.take(count).expect("the server sends so much")
    }

    /// Exactly so many bytes, or why they do not come.
    pub(crate) fn try_take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.0.take(count)
    }

    /// What the server still sends until it ends the connection, one way or the other.
    pub(crate) fn await_end(&mut self) -> Vec<u8> {
        let rest = self.rest();
        let open = rest.as_ref().is_err_and(|why| why.kind() == io::ErrorKind::WouldBlock);
        assert!(!open, "the connection stays open");
        rest.unwrap_or_default()
    }

    /// A second hand on the connection, for writing while an answer is awaited.
    pub(crate) fn writer(&self) -> impl Write + Send + 'static {
        self.0.stream().tcp_stream().try_clone().expect("a socket can be shared")
    }

    /// The own port and the server's.
    pub(crate) fn ports(&self) -> (u16, u16) {
        let stream = self.0.stream().tcp_stream();
        let port = |address: io::Result<SocketAddr>| address.expect("it is connected").port();
        (port(stream.local_addr()), port(stream.peer_addr()))
    }

    /// Sends a whole request and reads the answer.
    pub(crate) fn exchange(&mut self, request: impl AsRef<[u8]>) -> Reply {
        self.send(request);
        self.reply()
    }
}

impl Reply {
    /// Every value of a header, whatever the case of its name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let body = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&body).unwrap_or_else(|why| panic!("{why}: {body}"))
    }
}

/// Runs curl with these arguments, without settings from the outside.
pub(crate) fn curl<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(arguments: I) -> Output {
    let mut command = Command::new("curl");
    // `--disable` has to come first: it keeps ~/.curlrc out.
    command.args(["--disable", "--silent", "--show-error", "--max-time", "60"]).args(arguments);
    run(&mut command)
}

/// Runs a program that has no proxy settings but those of `command` itself.
pub(crate) fn run(command: &mut Command) -> Output {
    let set: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        for name in [name.to_owned(), name.to_uppercase()] {
            if !set.iter().any(|given| *given == *name) {
                command.env_remove(name);
            }
        }
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    output.unwrap_or_else(|why| panic!("cannot run {program} ({why}): run scripts/setup-tests"))
}

/// A client's settings that trust the certificates of a PEM text alone.
pub(crate) fn trusting(ca: &str, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.expect("it is PEM")).expect("it is a certificate");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.expect("the provider speaks the default versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

fn parse(head: &[u8]) -> io::Result<Reply> {
    let mut fields = [httparse::EMPTY_HEADER; 300];
    let mut response = httparse::Response::new(&mut fields);
    response.parse(head).map_err(|why| invalid(format!("not a response: {why}")))?;
    let status = response.code.unwrap_or_default();
    let headers = headers(response.headers);
    Ok(Reply { status, headers, body: Vec::new(), trailers: Headers::new() })
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Tls(stream) => stream.sock.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
    }

    fn tcp_stream(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => &stream.sock,
            Self::Unix(_) => panic!("this is a Unix socket"),
        }
    }

    fn unix(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self::Unix(stream))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

const DEADLINE: Duration = Duration::from_secs(60);
