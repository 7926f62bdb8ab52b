//! What came of a program's requests, from what its proxy has counted.

/// Requests that are over, by what came of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    signed: u64,
    passed: u64,
    refused: u64,
    abandoned: u64,
    /// CONNECTs whose inside is requests of their own.
    opened: u64,
    /// Those of the signed that the provider did not accept.
    rejected: u64,
    /// Under way: these have not been counted yet.
    pub(super) open: u64,
}

impl Tally {
    /// Reads it from metrics as `/metrics` shows them.
    pub(super) fn of(metrics: &str) -> Self {
        let mut tally = Self::default();
        for line in metrics.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let count: u64 = value.parse().unwrap_or_default();
            let labels = series.strip_prefix("countersign_requests_total{");
            let outcome = labels.and_then(|labels| labels.split_once("outcome=\""));
            let counter = match (outcome.map(|(_, outcome)| outcome), series) {
                (Some("signed\"}"), _) => &mut tally.signed,
                (Some("rejected\"}"), _) => {
                    tally.rejected += count;
                    &mut tally.signed
                }
                (Some("passed\"}"), _) => &mut tally.passed,
                (Some("refused\"}"), _) => &mut tally.refused,
                (Some("abandoned\"}"), _) => &mut tally.abandoned,
                (Some("intercepted\"}"), _) => &mut tally.opened,
                (None, "countersign_requests_open") => &mut tally.open,
                _ => continue,
            };
            *counter += count;
        }
        tally
    }

    /// What has been counted since. `None` where it is less: the proxy has begun anew.
    pub(super) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            signed: self.signed.checked_sub(before.signed)?,
            passed: self.passed.checked_sub(before.passed)?,
            refused: self.refused.checked_sub(before.refused)?,
            abandoned: self.abandoned.checked_sub(before.abandoned)?,
            opened: self.opened.checked_sub(before.opened)?,
            rejected: self.rejected.checked_sub(before.rejected)?,
            open: self.open,
        })
    }

    /// A line about them: how many and what became of them, or what may be wrong where there are
    /// none. `shared` when others may have sent them too.
    pub(super) fn line(&self, shared: bool, has_gateway: bool) -> String {
        let kinds = [
            (self.signed, "signed"),
            (self.passed, "passed on unsigned"),
            (self.refused, "refused"),
            (self.abandoned, "given up by the program"),
        ];
        let came = kinds.iter().map(|(count, _)| count).sum();
        let whose = if shared { " from this program or others" } else { "" };
        if came == 0 {
            return self.nothing(has_gateway);
        }
        let kinds: Vec<_> = kinds.iter().filter(|(count, _)| *count > 0).collect();
        let kinds: Vec<_> = kinds.iter().map(|(count, kind)| format!("{count} {kind}")).collect();
        let (requests, kinds) = (counted(came, "request"), kinds.join(", "));
        let rejected = match (self.signed, self.rejected) {
            (0, _) => String::new(),
            (_, 0) => "; the provider rejected none".to_owned(),
            (_, rejected) => format!("; the provider rejected {rejected}"),
        };
        format!("{requests} came through{whose}: {kinds}{rejected}")
    }

    fn nothing(&self, has_gateway: bool) -> String {
        let gateway = if has_gateway { "" } else { "with listen.gateway, " };
        let remedy = format!(
            "`countersign doctor` tries what is here, and {gateway}$COUNTERSIGN_GATEWAY/ROUTE/… is \
             a URL that needs no proxy"
        );
        if self.opened > 0 {
            let opened = counted(self.opened, "connection");
            return format!(
                "no request came through, though {opened} came for HTTPS: a program has to \
                 trust the proxy's authority; {remedy}"
            );
        }
        format!(
            "no request came through: a program that sets a proxy of its own, or heeds none (Node \
             before 22.21), goes past this one; {remedy}"
        )
    }
}

/// A number and what it is of.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE countersign_requests counter\n\
        countersign_requests_total{route=\"a\",outcome=\"signed\"} 2\n\
        countersign_requests_total{route=\"a\",outcome=\"rejected\"} 1\n\
        countersign_requests_total{route=\"b\",outcome=\"rejected\"} 1\n\
        countersign_requests_total{route=\"-\",outcome=\"refused\"} 2\n\
        countersign_requests_total{route=\"-\",outcome=\"intercepted\"} 5\n\
        countersign_requests_open 1\n\
        countersign_connections 9\n";

    #[test]
    fn every_route_counts_and_what_was_there_before_does_not() {
        let all =
            Tally { signed: 4, refused: 2, opened: 5, rejected: 2, open: 1, ..Tally::default() };
        assert_eq!(Tally::of(METRICS), all);
        let before = Tally { signed: 3, rejected: 2, ..Tally::default() };
        let since = Tally { signed: 1, refused: 2, opened: 5, open: 1, ..Tally::default() };
        assert_eq!(all.since(before), Some(since));
        assert_eq!(before.since(all), None);
    }

    #[test]
    fn the_line_says_what_came_or_what_may_be_wrong() {
        let nothing = Tally::default();
        for (tally, shared, says) in [
            (
                Tally { signed: 1, ..nothing },
                false,
                "1 request came through: 1 signed; the provider rejected none",
            ),
            (
                Tally { signed: 3, passed: 1, rejected: 2, ..nothing },
                false,
                "4 requests came through: 3 signed, 1 passed on unsigned; \
                 the provider rejected 2",
            ),
            (
                Tally { refused: 2, abandoned: 1, opened: 1, ..nothing },
                true,
                "3 requests came through from this program or others: 2 refused, \
                 1 given up by the program",
            ),
        ] {
            assert_eq!(tally.line(shared, true), says);
        }
        let opened = Tally { opened: 2, ..nothing };
        for (tally, gateway, says) in [
            (
                nothing,
                true,
                "goes past this one; `countersign doctor` tries what is here, and $COUNTERSIGN_GATEWAY",
            ),
            (nothing, false, "and with listen.gateway, $COUNTERSIGN_GATEWAY"),
            (opened, true, "though 2 connections came for HTTPS: a program has to trust"),
        ] {
            let line = tally.line(false, gateway);
            assert!(line.starts_with("no request came through") && line.contains(says), "{line}");
        }
    }
}
