//! From what was measured to what is read: medians over the rounds, as a table or as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Arguments, Case, Pace, Round};

/// How wide the first column is.
const NAMES: usize = 29;

/// All rounds of all cases.
pub(crate) struct Report<'a> {
    cases: &'a [Case],
    /// By case, then by round.
    rounds: Vec<Vec<Round>>,
}

/// Medians over the rounds of one case. Times are in microseconds.
struct Figures {
    p50: f64,
    p99: f64,
    /// The differences to the direct case, each taken within one round.
    added: Option<(f64, f64)>,
    alone: f64,
    alone_cpu: Option<f64>,
    many: f64,
    many_cpu: Option<f64>,
    /// Of each round, so that cases can be compared pair by pair.
    rounds_cpu: Vec<Option<f64>>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(cases: &'a [Case]) -> Self {
        Self { cases, rounds: cases.iter().map(|_| Vec::new()).collect() }
    }

    /// Adds the next round of a case.
    pub(crate) fn add(&mut self, case: usize, round: Round) {
        self.rounds[case].push(round);
    }

    fn figures(&self, case: usize) -> Figures {
        let (own, direct) = (&self.rounds[case], self.cases[case].direct);
        let over = |figure: &dyn Fn(&Round) -> f64| median(own.iter().map(figure));
        let added = |percent| {
            let pairs = own.iter().zip(&self.rounds[direct]);
            median(pairs.map(|(own, direct)| own.percentile(percent) - direct.percentile(percent)))
        };
        let cpu = |pace: &dyn Fn(&Round) -> Pace| {
            let all: Option<Vec<f64>> = own.iter().map(|r| pace(r).cpu.map(micros)).collect();
            all.map(|all| median(all.into_iter()))
        };
        Figures {
            p50: over(&|round| round.percentile(50)),
            p99: over(&|round| round.percentile(99)),
            added: (direct != case).then(|| (added(50), added(99))),
            alone: over(&|round| round.alone.per_second),
            alone_cpu: cpu(&|round| round.alone),
            many: over(&|round| round.many.per_second),
            many_cpu: cpu(&|round| round.many),
            rounds_cpu: own.iter().map(|round| round.many.cpu.map(micros)).collect(),
        }
    }

    pub(crate) fn table(&self, arguments: &Arguments, out: &mut impl Write) -> io::Result<()> {
        let Arguments { rounds, requests, connections, log, .. } = arguments;
        writeln!(
            out,
            "{rounds} rounds of {requests} requests on 1 connection and {} on {connections}; \
             log.level {log}. Times in µs, medians over the rounds.{}\n",
            requests * 4,
            if crate::QUICK { " A DEBUG BUILD: the figures mean nothing." } else { "" }
        )?;
        let many = format!("at {connections}");
        writeln!(out, "{:NAMES$}{:>53}{many:>18}", "", "at 1 connection")?;
        let names = ["p50", "p99", "+p50", "+p99", "req/s", "CPU", "req/s", "CPU"];
        write!(out, "{:NAMES$}", "")?;
        for name in names {
            write!(out, "{name:>9}")?;
        }
        writeln!(out)?;
        for (index, case) in self.cases.iter().enumerate() {
            let of = self.figures(index);
            let (p50, p99) = of.added.unzip();
            let columns = [
                Some(of.p50),
                Some(of.p99),
                p50,
                p99,
                Some(of.alone),
                of.alone_cpu,
                Some(of.many),
                of.many_cpu,
            ];
            write!(out, "{:NAMES$}", case.name)?;
            for column in columns {
                match column {
                    Some(figure) if figure >= 1e3 => write!(out, "{figure:>9.0}")?,
                    Some(figure) => write!(out, "{figure:>9.1}")?,
                    None => write!(out, "{:>9}", "-")?,
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }

    pub(crate) fn json(&self, arguments: &Arguments, out: &mut impl Write) -> io::Result<()> {
        let case = |(index, case): (usize, &Case)| {
            let of = self.figures(index);
            let (added_p50, added_p99) = of.added.unzip();
            json!({
                "case": case.name,
                "p50_us": of.p50,
                "p99_us": of.p99,
                "added_p50_us": added_p50,
                "added_p99_us": added_p99,
                "alone": { "requests_per_s": of.alone, "cpu_us": of.alone_cpu },
                "many": {
                    "requests_per_s": of.many,
                    "cpu_us": of.many_cpu,
                    "cpu_us_by_round": of.rounds_cpu,
                },
            })
        };
        let cases: Vec<Value> = self.cases.iter().enumerate().map(case).collect();
        let whole = json!({
            "rounds": arguments.rounds,
            "requests": arguments.requests,
            "connections": arguments.connections,
            "log": arguments.log,
            "debug_build": crate::QUICK,
            "cases": cases,
        });
        writeln!(out, "{whole:#}")
    }
}

impl Round {
    /// In microseconds: no more than this for `percent` of the requests.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().map_or(0.0, micros)
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The middle one, or the mean of the two in the middle.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => 0.0,
        Some(upper) if sorted.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(sorted[middle - 1], *upper),
    }
}
