//! Answers of proxies on the way (`via`): a tunnel is open after one whole 2xx, or what SOCKS 5 says is
//! success, and nothing else; and no word of a proxy is taken for the upstream's.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use countersign::body::Upload;
use countersign::config::Config;
use countersign::snapshot::{Snapshot, Surroundings};
use countersign::upstream::{ForwardError, Phase};
use http::Request;
use tokio::runtime::{Builder, Runtime};

use super::Target;
use super::input::Input;
use crate::support::home::Home;

pub(super) const TARGET: Target = Target {
    name: "via",
    run,
    seeds: || {
        let long = format!(
            "\0HTTP/1.1 200 OK\r\nx: {}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "y".repeat(40)
        );
        let heads = [
            "\0HTTP/1.1 200 Connection established\r\n\r\n",
            "\0HTTP/1.0 200 OK\r\nVia: x\r\n\r\n",
            "\0HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 OK\r\n\r\n",
            "\0HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\nbody",
            "\0HTTP/1.1 200 OK\r\n\r\nSSH-2.0",
            "\0HTTP/1.1 200 OK\r\n",
            "\0SSH-2.0-OpenSSH\r\n\r\n",
            &long,
        ];
        let mut seeds: Vec<Vec<u8>> = heads.iter().map(|head| head.as_bytes().to_vec()).collect();
        seeds.push(b"\x01\x05\0\x05\0\0\x01\0\0\0\0\0\0".to_vec());
        seeds.push(b"\x01\x05\0\x05\0\0\x03\x04name\0\0".to_vec());
        seeds.push(b"\x01\x05\0\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec());
        seeds.push(b"\x01\x05\0\x05\x02\0\x01\0\0\0\0\0\0".to_vec());
        seeds.push(b"\x01\x05\xff".to_vec());
        seeds
    },
    words: &[
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 100 C\r\n\r\n",
        "HTTP/1.1 101 S\r\n\r\n",
        "HTTP/1.1 ",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "content-length: 5",
        "transfer-encoding: chunked",
        " 299",
        "\x05\0",
        "\x05\0\0\x01",
        "\0",
    ],
    tries: 2_000,
};

/// A proxy that says what it is told to, whatever it is asked.
struct Told {
    snapshot: Snapshot,
    runtime: Runtime,
}

/// What the proxies say next.
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static TOLD: LazyLock<Mutex<Told>> = LazyLock::new(|| {
    let home = Home::new("");
    let mut text = String::from(
        "[listen]\nforward = \"127.0.0.1:0\"\n[stores.files]\nkind = \"file\"\ndir = \"keys\"\n[keys.metasv]\n\
         store = \"files\"\nentry = \"metasv.wif\"\n",
    );
    for scheme in ["http", "socks5"] {
        let proxy = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let port = proxy.local_addr().expect("it listens").port();
        thread::spawn(move || serve(&proxy));
        text.push_str(&format!(
            "[upstreams.{scheme}]\nurl = \"http://internal.test:8080\"\nallow_plaintext = true\n\
             via = \"{scheme}://127.0.0.1:{port}\"\n[routes.{scheme}]\nhost = \"{scheme}.test\"\nscheme = \"metasv\"\n\
             keys = {{ signer = \"metasv\" }}\nupstream = \"{scheme}\"\n"
        ));
    }
    let config =
        Config::parse(&text, &home.path("proxy.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let runtime =
        Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let surroundings = Surroundings::default();
    let built = runtime.block_on(Snapshot::build(&config, &surroundings, None));
    Mutex::new(Told { snapshot: built.unwrap_or_else(|errors| panic!("{errors}")), runtime })
});

/// Answers at once, and says no more; an end that is not asked for closes the connection.
fn serve(proxy: &TcpListener) {
    for connection in proxy.incoming() {
        let Ok(mut connection) = connection else { continue };
        let answer = ANSWER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut asked = [0; 1024];
        let _first = connection.read(&mut asked);
        let _said =
            connection.write_all(&answer).and_then(|()| connection.shutdown(Shutdown::Write));
        // Whatever else is asked: a reset would take the answer away.
        while connection.read(&mut asked).is_ok_and(|read| read > 0) {}
    }
}

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let socks = input.byte() & 1 == 1;
    let answer = input.0;
    let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    answer.clone_into(&mut ANSWER.lock().unwrap_or_else(PoisonError::into_inner));
    let name = if socks { "socks5" } else { "http" };
    let upstream = told.snapshot.upstream(told.snapshot.routes.named(name).expect("a route"));
    let request = Request::get("http://internal.test:8080/x").body(Upload::whole(Bytes::new()));
    let sent = upstream.send(Box::new(request.expect("a request")), None, None);
    let came = told.runtime.block_on(sent);
    if let Err(ForwardError { phase: Phase::ParentProxy(_), reason, .. }) = &came {
        assert!(reason.len() < 100 && !reason.contains(char::is_control), "{reason}");
        return;
    }
    let opens = if socks { socks_opens(answer) } else { connect_opens(answer) };
    assert!(opens, "a tunnel was open after {}: {came:?}", answer.escape_ascii());
    assert!(
        socks || came.is_err(),
        "a proxy's words are the upstream's: {}",
        answer.escape_ascii()
    );
}

/// Whether this is interim heads, then one of a success, and nothing more.
fn connect_opens(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).replace("\r\n", "\n");
    let mut rest = text.trim_start_matches('\n');
    while let Some((head, behind)) = rest.split_once("\n\n") {
        let status = head.split(' ').nth(1).unwrap_or_default().get(..3).unwrap_or_default();
        match status.bytes().next() {
            Some(b'1') => rest = behind.trim_start_matches('\n'),
            Some(b'2') => return behind.is_empty(),
            _ => return false,
        }
    }
    false
}

/// Whether this is no authentication, success, and an address.
fn socks_opens(answer: &[u8]) -> bool {
    let [5, 0, 5, 0, _, kind, address @ ..] = answer else { return false };
    let length = match (kind, address.first()) {
        (1, _) => 4,
        (4, _) => 16,
        (3, Some(length)) => 1 + usize::from(*length),
        _ => return false,
    };
    address.len() >= length + 2
}
