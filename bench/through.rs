//! What going through the proxy costs a request: the difference between asking an origin on
//! loopback directly and asking it through the built binary, beside the CPU time that took.
//!
//! Cases take turns, round after round, so that whatever else the machine does meets all of them.

#[path = "through/endure.rs"]
mod endure;
#[path = "through/origin.rs"]
mod origin;
#[path = "through/proxy.rs"]
mod proxy;
#[path = "through/report.rs"]
mod report;
#[path = "through/wire.rs"]
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::RangedI64ValueParser;

use self::endure::Length;
use self::origin::{Origin, Seen};
use self::proxy::Proxy;
use self::report::Report;
use self::wire::Wire;

/// Measures requests through the proxy against the same requests without it.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often all cases are measured in turn
    #[arg(long, default_value_t = if QUICK { 1 } else { 5 }, value_parser = count())]
    rounds: u32,
    /// Requests in a row on one connection; with many connections, four times as many in all
    #[arg(long, default_value_t = if QUICK { 64 } else { 2000 }, value_parser = count())]
    requests: u32,
    /// How many connections the second half of each measurement keeps busy
    #[arg(long, default_value_t = 32, value_parser = count())]
    connections: u32,
    /// The proxy's log.level; each request is one line at "info", which is its default
    #[arg(long, default_value = "info")]
    log: String,
    /// In place of the cases one by one: so many requests of all kinds, and memory comes back
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    flood: Option<u32>,
    /// The same for so many seconds at --rate
    #[arg(long, conflicts_with = "flood", value_parser = clap::value_parser!(u32).range(1..))]
    steady: Option<u32>,
    /// Requests in a second
    #[arg(long, default_value_t = 500, value_parser = count())]
    rate: u32,
    /// Print JSON in place of the table
    #[arg(long)]
    json: bool,
    /// What `cargo bench` adds to every bench's arguments
    #[arg(long, hide = true)]
    bench: bool,
}

/// A debug build only shows that the bench works: its figures mean nothing.
const QUICK: bool = cfg!(debug_assertions);

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let origin = Origin::start()?;
    let proxy = Proxy::start(origin.address(), &arguments.log, 0)?;
    let crowded = Proxy::start(origin.address(), &arguments.log, ROUTES)?;
    let bench = Bench { origin, proxy, crowded, arguments };
    let steady =
        |seconds: u32| Length::Rate(Duration::from_secs(seconds.into()), bench.arguments.rate);
    let flood = bench.arguments.flood.map(Length::Requests);
    if let Some(length) = flood.or_else(|| bench.arguments.steady.map(steady)) {
        return endure::run(&bench, length, &mut io::stdout().lock());
    }
    let cases = bench.cases();
    for case in &cases {
        bench.alone(case, bench.arguments.requests.div_ceil(4))?;
    }
    let mut report = Report::new(&cases);
    for _ in 0..bench.arguments.rounds {
        for (index, case) in cases.iter().enumerate() {
            report.add(index, bench.round(case)?);
        }
    }
    let mut out = io::stdout().lock();
    if bench.arguments.json {
        report.json(&bench.arguments, &mut out)
    } else {
        report.table(&bench.arguments, &mut out)
    }
}

/// None of a bench's numbers can be 0; those beyond are mistakes.
fn count() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..1_000_000)
}

/// One kind of request.
struct Case {
    name: &'static str,
    /// The place in the list of the case without a proxy that it is compared with; its own for
    /// such a case itself.
    direct: usize,
    to: SocketAddr,
    request: Vec<u8>,
    signed: bool,
    /// The host of a CONNECT with TLS inside, which the proxy ends.
    inside: Option<&'static str>,
    /// Whether each request has a connection of its own.
    fresh: bool,
}

impl Case {
    /// How many requests this case makes where the others make so many.
    fn share(&self, requests: u32) -> u32 {
        if self.fresh { requests.div_ceil(FRESH) } else { requests }
    }
}

/// What one case gave in one round.
struct Round {
    /// Every request on one connection, shortest first.
    latencies: Vec<Duration>,
    alone: Pace,
    many: Pace,
}

/// How fast a stretch of requests went.
#[derive(Clone, Copy)]
struct Pace {
    per_second: f64,
    /// The proxy's CPU time for each; none without a proxy.
    cpu: Option<Duration>,
}

struct Bench {
    origin: Origin,
    proxy: Proxy,
    /// The same with many more routes.
    crowded: Proxy,
    arguments: Arguments,
}

impl Bench {
    fn cases(&self) -> Vec<Case> {
        let (origin, forward) = (self.origin.address(), self.proxy.forward);
        let gateway = self.proxy.gateway;
        let here = origin.to_string();
        let (metasv, sinohope) = ("apiv2.metasv.com", "api.sinohope.com");
        let (okx, declared) = ("www.okx.com", "declared.metasv.com");
        let case = |name, direct, to, request, signed| {
            let (inside, fresh) = (None, false);
            Case { name, direct, to, request, signed, inside, fresh }
        };
        let signed = || get(&format!("http://{metasv}"), metasv, BLOCK);
        let fresh = |case| Case { fresh: true, ..case };
        let inside = |name, direct| {
            let request = get("", metasv, BLOCK);
            Case { inside: Some(metasv), ..case(name, direct, forward, request, true) }
        };
        let balance = || get(&format!("http://{okx}"), okx, BALANCE);
        vec![
            case("direct GET", 0, origin, get("", &here, BLOCK), false),
            case("direct POST 10 KiB", 1, origin, post("", &here, TRANSFER, 10), false),
            case("unsigned GET", 0, forward, get(&format!("http://{here}"), &here, BLOCK), false),
            case("metasv GET", 0, forward, signed(), true),
            case(
                "metasv GET, gateway",
                0,
                gateway,
                get("/metasv", &gateway.to_string(), BLOCK),
                true,
            ),
            case(
                "sinohope GET",
                0,
                forward,
                get(&format!("http://{sinohope}"), sinohope, WALLETS),
                true,
            ),
            case(
                "sinohope POST 10 KiB",
                1,
                forward,
                post(&format!("http://{sinohope}"), sinohope, TRANSFER, 10),
                true,
            ),
            inside("metasv GET, intercepted", 0),
            fresh(case("direct GET, new", 8, origin, get("", &here, BLOCK), false)),
            fresh(case("metasv GET, new", 8, forward, signed(), true)),
            fresh(inside("metasv GET, intercepted, new", 8)),
            case("direct POST 1 KiB", 11, origin, post("", &here, ORDER, 1), false),
            case(
                "unsigned POST 1 KiB",
                11,
                forward,
                post(&format!("http://{here}"), &here, ORDER, 1),
                false,
            ),
            case(
                "okx POST 1 KiB",
                11,
                forward,
                post(&format!("http://{okx}"), okx, ORDER, 1),
                true,
            ),
            case("okx GET", 0, forward, balance(), true),
            case("okx GET, 10 000 routes", 0, self.crowded.forward, balance(), true),
            case(
                "metasv GET, declared",
                0,
                forward,
                get(&format!("http://{declared}"), declared, BLOCK),
                true,
            ),
        ]
    }

    fn round(&self, case: &Case) -> io::Result<Round> {
        let (mut latencies, alone) = self.alone(case, self.arguments.requests)?;
        latencies.sort_unstable();
        Ok(Round { latencies, alone, many: self.many(case)? })
    }

    /// One request after the other on one connection.
    fn alone(&self, case: &Case, requests: u32) -> io::Result<(Vec<Duration>, Pace)> {
        let requests = case.share(requests);
        let mut wire = self.warm(case)?;
        let mut latencies = Vec::new();
        let pace = self.timed(case, requests, || {
            for _ in 0..requests {
                let started = Instant::now();
                self.ask(&mut wire, case)?;
                latencies.push(started.elapsed());
            }
            Ok(())
        })?;
        Ok((latencies, pace))
    }

    /// A connection that has been used.
    fn warm(&self, case: &Case) -> io::Result<Wire> {
        let mut wire = self.connect(case)?;
        (0..WARM_UP).try_for_each(|_| ask(&mut wire, case))?;
        Ok(wire)
    }

    fn connect(&self, case: &Case) -> io::Result<Wire> {
        match case.inside {
            None => Wire::connect(case.to),
            Some(host) => Wire::connect_inside(case.to, host, &self.proxy.tls),
        }
    }

    /// One request, on a connection of its own where the case wants that.
    fn ask(&self, wire: &mut Wire, case: &Case) -> io::Result<()> {
        if case.fresh {
            *wire = self.connect(case)?;
        }
        ask(wire, case)
    }

    /// The same on many connections at once, each with a thread of its own.
    fn many(&self, case: &Case) -> io::Result<Pace> {
        let connections = self.arguments.connections;
        let each = case.share(self.arguments.requests * 4).div_ceil(connections);
        let meeting = || Barrier::new(connections as usize + 1);
        let (warm, go) = (meeting(), meeting());
        thread::scope(|scope| {
            let client = || {
                let wire = self.warm(case);
                // Whoever fails meets the barriers all the same: the others wait there.
                warm.wait();
                go.wait();
                let mut wire = wire?;
                (0..each).try_for_each(|_| self.ask(&mut wire, case))
            };
            let clients: Vec<_> = (0..connections).map(|_| scope.spawn(client)).collect();
            warm.wait();
            self.timed(case, each * connections, || {
                go.wait();
                clients.into_iter().try_for_each(|client| client.join().expect("no panic"))
            })
        })
    }

    /// Runs `work`, which makes that many requests, and checks that it was what it says.
    fn timed(
        &self,
        case: &Case,
        requests: u32,
        work: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Pace> {
        let crowded = case.to == self.crowded.forward;
        let proxy = if crowded { &self.crowded } else { &self.proxy };
        let (seen, cpu, started) = (self.origin.seen(), proxy.cpu(), Instant::now());
        work()?;
        let (took, after) = (started.elapsed(), proxy.cpu());
        let expected = Seen {
            requests: seen.requests + u64::from(requests),
            signed: seen.signed + if case.signed { u64::from(requests) } else { 0 },
        };
        if self.origin.seen() != expected {
            let what = format!("{}: {:?} arrived, not {expected:?}", case.name, self.origin.seen());
            return Err(io::Error::other(what));
        }
        let cpu = cpu.zip(after).map(|(before, after)| (after - before) / requests);
        let proxied = case.to != self.origin.address();
        let per_second = f64::from(requests) / took.as_secs_f64();
        Ok(Pace { per_second, cpu: cpu.filter(|_| proxied) })
    }
}

fn ask(wire: &mut Wire, case: &Case) -> io::Result<()> {
    wire.write(&case.request)?;
    let answer = wire.read()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if !answer.head.starts_with("HTTP/1.1 200 ") {
        let body = String::from_utf8_lossy(answer.body);
        return Err(io::Error::other(format!("{}: {}{body}", case.name, answer.head)));
    }
    Ok(())
}

/// `before` is what stands in front of the path: nothing, a scheme and host, or a route's name.
fn get(before: &str, host: &str, path: &str) -> Vec<u8> {
    format!("GET {before}{path} HTTP/1.1\r\nhost: {host}\r\n{CLIENT}\r\n").into_bytes()
}

fn post(before: &str, host: &str, path: &str, kib: usize) -> Vec<u8> {
    const ENTRY: &str = "{\"to\":\"0x52908400098527886E0F7030069857D2E4169EE7\",\"amount\":1}, ";
    let body: String = ENTRY.chars().cycle().take(kib << 10).collect();
    let head = format!("POST {before}{path} HTTP/1.1\r\nhost: {host}\r\n{CLIENT}");
    let framed = "content-type: application/json\r\ncontent-length";
    format!("{head}{framed}: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What a client library says of itself.
const CLIENT: &str = "user-agent: bench/1.0\r\naccept: application/json\r\n";
const BLOCK: &str = "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330";
const WALLETS: &str = "/v1/waas/mpc/wallet/list?pageIndex=1&pageSize=50&vaultId=395531&asset=ETH";
const TRANSFER: &str = "/v1/waas/mpc/transfer";
const BALANCE: &str = "/api/v5/account/balance?ccy=BTC%2CETH";
const ORDER: &str = "/api/v5/trade/batch-orders";

/// Routes of the crowded proxy, beside those that are measured.
const ROUTES: usize = if QUICK { 100 } else { 10_000 };

/// Of so many requests, one is made where each has a connection of its own.
const FRESH: u32 = 8;

/// Requests on a new connection that are not counted: the proxy's own connections are made then.
const WARM_UP: u32 = 16;
