//! Requests as server-sent events (HTML Living Standard, section 9.2): rows of the list, when one is
//! signed and when it is over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::list::row;
use super::view::{Shown, View};
use crate::inspect::{News, Seen, Watch};

pub(super) fn events(view: &View<'_>) -> Shown {
    if view.draining() {
        return Shown::json(&json!({ "detail": "a stop is in progress" })).unavailable();
    }
    let watch = view.snapshot.inspect.watch();
    // What waits is in the watch's own queue, which says how much was lost.
    let (tell, told) = mpsc::channel(1);
    let leaving = view.leaving.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = write(watch, &tell) => {}
            () = leaving.cancelled() => {}
            () = tell.closed() => {}
        }
    });
    Shown::events(told)
}

/// Writes until the watcher is too slow, has watched for long, or has gone.
async fn write(mut watch: Watch<Arc<Seen>>, tell: &mpsc::Sender<Bytes>) {
    let end = Instant::now() + LONGEST;
    let mut text = format!("retry: {}\n\n", AGAIN.as_millis());
    loop {
        let Ok(Ok(())) = timeout(SLOW, tell.send(Bytes::from(text))).await else { return };
        text = tokio::select! {
            news = watch.next() => match news {
                Some(News::Of(seen)) => event("row", &row(&seen).into_string()),
                Some(News::Missed(count)) => event("missed", &count.to_string()),
                None => return,
            },
            () = sleep(BEAT) => ":\n\n".to_owned(),
            () = sleep_until(end) => return,
        };
    }
}

/// One event; each line of what it says is a field of its own.
fn event(name: &str, data: &str) -> String {
    let mut text = format!("event: {name}\n");
    for line in data.split(['\n', '\r']) {
        text.push_str(&format!("data: {line}\n"));
    }
    text.push('\n');
    text
}

/// How long a browser waits before it asks again.
const AGAIN: Duration = Duration::from_secs(3);
/// A sign of life, so that what is between does not end a silent connection.
const BEAT: Duration = Duration::from_secs(15);
/// How long a watcher may take for what it is told.
const SLOW: Duration = Duration::from_secs(30);
/// How long one is told before it has to ask again, and show again who it is.
const LONGEST: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_lines_cannot_begin_an_event_of_its_own() {
        let text = event("row", "a\n\nevent: evil\r\rdata: b");
        assert_eq!(
            text,
            "event: row\ndata: a\ndata: \ndata: event: evil\ndata: \ndata: data: b\n\n"
        );
    }
}
