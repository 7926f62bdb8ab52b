//! What the log says of an answer that its client did not take to the end: that it was cut, and
//! how much of it was taken.

use crate::support::client::Client;
use crate::support::h2_client::{self, Http2, INITIAL_WINDOW_SIZE};
use crate::support::stage::{METASV, Stage, get};

#[test]
fn an_answer_whose_client_leaves_or_stops_reading_is_cut_at_what_it_took() {
    let stage = Stage::new("[timeouts]\nbody_idle = \"300ms\"\n");
    for leaves in [true, false] {
        let mut client = stage.client();
        client.send(get(&format!("{METASV}/big/1000000000")));
        assert_eq!(client.take(100_000).len(), 100_000);
        let client = (!leaves).then_some(client);
        let (number, cut) = (u8::from(!leaves), "the client's connection ended first");
        let line = stage.proxy.await_line(&format!("cut=\"{cut}\""), number.into());
        let bytes = number_in(&line, " bytes=");
        assert!((1..1_000_000_000).contains(&bytes), "{line}");
        assert!(line.contains(": cut id="), "{line}");
        drop(client);
    }
}

#[test]
fn of_an_answer_in_http_2_what_was_taken_is_what_the_window_let_through() {
    let stage = Stage::new("[timeouts]\nrequest_head = \"200ms\"\nbody_idle = \"300ms\"\n");
    let url = stage.proxy.gateway_url();
    // One that is asked for to its end at once, and one that is not.
    for (number, (path, window)) in
        [("/metasv/x", 1), ("/metasv/big/1000000", 1000)].into_iter().enumerate()
    {
        let settings = [(INITIAL_WINDOW_SIZE, window)];
        let mut client = Http2::begin(Client::connect(url), &settings);
        client.head(1, &h2_client::get(url, path), true);
        client.await_end();
        let line = stage.proxy.await_line(" path=", number);
        assert_eq!(number_in(&line, " bytes="), u64::from(window), "{line}");
        assert!(line.contains(": cut id="), "{line}");
    }
}

/// The number behind a name in a line of the log.
fn number_in(line: &str, name: &str) -> u64 {
    let rest = line.split_once(name).map(|(_, rest)| rest).unwrap_or_default();
    let number = rest.split_whitespace().next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number behind {name:?}: {line}"))
}
