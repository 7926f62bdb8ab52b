//! The live part of the list.

use crate::support::client::Client;
use crate::support::proxy::Signal;
use crate::support::stage::{METASV, get};
use crate::support::wait::DEADLINE;

use super::scene::{SECRETS, Scene};

/// A watcher, whose answer ends with its connection.
fn watch(scene: &Scene) -> Client {
    let mut client = Client::connect(scene.proxy.admin_url());
    let request = scene.request("GET /events", &["Accept: text/event-stream"], "");
    client.send(request.replace(" HTTP/1.1", " HTTP/1.0"));
    let head = client.bare_reply();
    assert_eq!((head.status, head.values("Content-Type")), (200, vec!["text/event-stream"]));
    assert_eq!(told(&mut client), "retry: 3000");
    client
}

/// The next event.
fn told(client: &mut Client) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        text.extend(client.take(1));
    }
    String::from_utf8(text).expect("it is UTF-8").trim_end().to_owned()
}

#[test]
fn watchers_see_a_request_when_it_is_signed_and_when_it_is_over() {
    let scene = Scene::new();
    let mut watchers = [watch(&scene), watch(&scene)];
    let mut client = Client::connect(scene.proxy.forward_url());
    client.send(get(&format!("{METASV}/held")));
    let signed: Vec<_> = watchers.iter_mut().map(told).collect();
    assert!(signed[0].starts_with("event: row\ndata: <tr id=\"r-"), "{}", signed[0]);
    assert!(signed[0].contains("under way") && signed[0].contains("/held"), "{}", signed[0]);
    assert_eq!(signed[0], signed[1]);
    scene.origin.release();
    assert_eq!(client.reply().status, 200);
    let over = told(&mut watchers[0]);
    let row = |text: &str| text.split('"').nth(1).expect("an id").to_owned();
    assert!(over.contains(">signed<") && over.contains(">200<"), "{over}");
    assert_eq!(row(&over), row(&signed[0]), "it takes the same row");
    // Bytes of a request are text here too, and secrets in none.
    scene.busy();
    let mut all = String::new();
    for _ in 0..8 {
        all.push_str(&told(&mut watchers[0]));
    }
    assert!(all.contains("&lt;script&gt;alert(1)") && !all.contains("<script"), "{all}");
    assert!(SECRETS.iter().all(|secret| !all.contains(secret)), "{all}");
}

#[test]
fn the_oldest_watcher_makes_room_and_a_stop_ends_all() {
    let mut scene = Scene::new();
    let mut watchers: Vec<_> = (0..9).map(|_| watch(&scene)).collect();
    watchers.remove(0).await_end();
    let mut client = Client::connect(scene.proxy.forward_url());
    client.send(get(&format!("{METASV}/held")));
    for watcher in &mut watchers {
        assert!(told(watcher).contains("under way"));
    }
    scene.proxy.signal(Signal::Terminate);
    // While a request is still served.
    for watcher in &mut watchers {
        watcher.await_end();
    }
    scene.origin.release();
    assert_eq!(client.reply().status, 200);
    drop(client);
    assert_eq!(scene.proxy.wait_exit(DEADLINE).code(), Some(0));
}
