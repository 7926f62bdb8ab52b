//! One long body up and one down through a proxy, and the memory that it has more of meanwhile.
//! stream --url URL [--proxy HOST:PORT --via forward|reverse] --mib N --pid P [--label TEXT]
//!
//! URL's path is answered with a few bytes for the way up; on the way down `/b/<n>` is asked for.
//! Memory is the peak of what is resident in the process and its descendants, less what was before.
//! Output: one line of key=value.
use proxybench::*;
use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::Instant;

const PART: usize = 64 * 1024;

fn ask(peer: &str, request: &str, mut up: usize) -> Result<usize> {
    let mut s = TcpStream::connect(peer)?;
    s.set_nodelay(true)?;
    s.write_all(request.as_bytes())?;
    let mut part = vec![b'{'; PART];
    while up > 0 {
        up -= s.write(&part[..up.min(PART)])?;
    }
    let mut held = Vec::new();
    let (whole, mut had) = loop {
        if let Some(h) = head(&held) {
            if !h.first.windows(4).any(|w| w == b" 200") {
                return Err(Error::other(String::from_utf8_lossy(h.first).into_owned()));
            }
            let Framing::Length(n) = h.framing else { return Err(Error::other("no length")) };
            break (n, held.len() - h.len);
        }
        match s.read(&mut part)? {
            0 => return Err(Error::other("closed early")),
            n => held.extend_from_slice(&part[..n]),
        }
    };
    while had < whole {
        match s.read(&mut part)? {
            0 => return Err(Error::other("closed early")),
            n => had += n,
        }
    }
    Ok(whole)
}

fn main() -> Result<()> {
    let a = Args::new();
    let url = a.get("--url").expect("--url");
    let rest = url.strip_prefix("http://").expect("http://");
    let (host, path) = rest.split_once('/').expect("a path");
    let peer = a.get("--proxy").unwrap_or(host);
    let base = if a.get("--via") == Some("forward") { format!("http://{host}") } else { String::new() };
    let (bytes, pid) = (a.num("--mib", 1024usize) << 20, a.num("--pid", 0i32));
    let fields = format!("Host: {host}\r\nUser-Agent: proxybench\r\nAccept: */*\r\nConnection: close\r\n");
    let up = format!("POST {base}/{path} HTTP/1.1\r\n{fields}Content-Length: {bytes}\r\n\r\n");
    let down = format!("GET {base}/b/{bytes} HTTP/1.1\r\n{fields}\r\n");
    // So that what the first request of all costs is not in it.
    ask(peer, &format!("GET {base}/{path} HTTP/1.1\r\n{fields}\r\n"), 0)?;
    let mut line = format!("label={} mib={}", a.get("--label").unwrap_or("-"), bytes >> 20);
    for (way, request, sent, expected) in [("up", up, bytes, None), ("down", down, 0, Some(bytes))] {
        forget_peak(pid)?;
        let (before, began) = (usage(pid), Instant::now());
        let got = ask(peer, &request, sent)?;
        assert!(expected.is_none_or(|n| n == got), "{got} bytes came");
        let (after, took) = (usage(pid), began.elapsed().as_secs_f64());
        line += &format!(" {way}_kb={} {way}_cpu_ms={:.0} {way}_mib_s={:.0}",
            after.peak_kb.saturating_sub(before.rss_kb), (after.cpu_us - before.cpu_us) as f64 / 1e3,
            (bytes >> 20) as f64 / took);
    }
    println!("{line}");
    Ok(())
}
