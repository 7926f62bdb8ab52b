//! What the pages show, and that bytes of requests and answers are nothing but text on them.

use crate::support::client::Client;
use crate::support::stage::get;

use super::scene::{EVIL, SECRETS, Scene};

/// Every element of a page, as its name and what stands behind it.
fn elements(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()).collect()
}

#[test]
fn the_list_has_what_came_and_a_page_for_each() {
    let scene = Scene::new();
    scene.busy();
    let list = scene.text("/");
    for word in ["okx", "metasv", "signed", "rejected", "401", "The last 20 signed requests"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    assert_eq!(list.matches("<tr id=\"r-").count(), 4, "{list}");
    let detail = scene.text(&scene.page_of("/denied"));
    // As it arrived at the provider.
    let arrived = scene.origin.arrived().into_iter().find(|one| one.method == "POST");
    let arrived = arrived.expect("it came");
    let signature = arrived.once("OK-ACCESS-SIGN").expect("it is signed");
    let moment = arrived.once("OK-ACCESS-TIMESTAMP").expect("it is signed");
    for text in [
        format!("<span class=\"k k-clock\" title=\"{{time}}\">{moment}</span>"),
        "<span class=\"k k-method\" title=\"{method}\">POST</span>".to_owned(),
        "title=\"{target}\">/denied/api/v5/trade/order?dry=1</span>".to_owned(),
        "<span class=\"k k-body\" title=\"{body}\">{&quot;instId&quot;".to_owned(),
        format!("<td class=\"bytes\">{signature}</td>"),
        "Status <code>401</code>, code <code>50113</code>".to_owned(),
        "countersign explain --method 'POST' --url 'http://www.okx.com/denied/".to_owned(),
        "curl --path-as-is --request 'POST'".to_owned(),
        "[[vectors]]\nsource = &quot;the request ".to_owned(),
        "# not held: the headers ".to_owned(),
        "Its body is not held".to_owned(),
    ] {
        assert!(detail.contains(&text), "{text}\n{detail}");
    }
    assert_eq!(detail.matches("--header 'host: www.okx.com'").count(), 1, "{detail}");
    // How the answer begins, where nothing secret was sent.
    let evil = scene.text(&scene.page_of("/evil"));
    assert!(evil.contains("{&quot;code&quot;:&quot;&lt;/pre&gt;&lt;script&gt;alert(1)"), "{evil}");
    let nonce = "<span class=\"k k-nonce\" title=\"nonce\">";
    assert!(scene.text(&scene.page_of("/v1")).contains(nonce));
    let missing = scene.ask("GET /show?id=nobody", &[], "");
    assert_eq!(missing.status, 404);
}

#[test]
fn the_state_has_keys_routes_and_clocks() {
    let scene = Scene::new();
    scene.busy();
    let page = scene.text("/status");
    let metrics = String::from_utf8(scene.proxy.probe("/metrics").body).expect("text");
    assert!(!metrics.is_empty());
    for word in [
        "ready",
        "okx",
        "metasv",
        "SHA256:",
        "usable",
        "www.okx.com",
        "hmac_sha256",
        "ecdsa_secp256k1",
        "It is the one of the start",
        "okx.secret",
        "Nothing that is used has an end",
    ] {
        assert!(page.contains(word), "{word}: {page}");
    }
}

#[test]
fn bytes_of_requests_and_answers_are_text_on_every_page() {
    let scene = Scene::new();
    scene.busy();
    let id = "/show?id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let own = [scene.page_of("/denied"), scene.page_of("/evil"), scene.page_of("/v1")];
    let mut seen = 0;
    for path in ["/", "/status", "/verify", &own[0], &own[1], &own[2], id] {
        let reply = scene.ask(&format!("GET {path}"), &[], "");
        let page = String::from_utf8(reply.body).expect("it is UTF-8");
        seen += page.matches("&lt;script&gt;alert(1)").count();
        let scripts: Vec<_> =
            elements(&page).into_iter().filter(|own| own.starts_with("script")).collect();
        assert_eq!(scripts, ["script src=\"/page.js\" defer"], "{path}");
        for element in elements(&page) {
            let name = element.split([' ', '/']).next().unwrap_or_default();
            assert!(name != "img" && name != "iframe" && name != "style", "{path}: {element}");
            let quoted = element.split('"').step_by(2).collect::<String>();
            assert!(
                !quoted.contains("onmouseover") && !quoted.contains("onerror"),
                "{path}: {element}"
            );
            assert!(!quoted.contains(" style"), "{path}: {element}");
        }
    }
    assert!(seen >= 6, "only {seen} of what was sent was seen: {EVIL}");
}

#[test]
fn no_page_has_a_secret() {
    let scene = Scene::new();
    scene.busy();
    let own = [scene.page_of("/denied"), scene.page_of("/api"), scene.page_of("/v1")];
    for path in ["/", "/status", "/verify", "/requests", &own[0], &own[1], &own[2]] {
        let page = scene.text(path);
        for secret in SECRETS.into_iter().chain(["sid=mine"]) {
            assert!(!page.contains(secret), "{path} has {secret}");
        }
    }
    let page = scene.text(&own[0]);
    assert!(page.matches("(secret)").count() >= 3, "{page}");
}

#[test]
fn without_a_setting_only_rejections_are_held_and_the_pages_say_so() {
    let scene = Scene::new();
    scene
        .proxy
        .reload(&scene.configuration("").replace("keep = 20\nbodies = true", "keep = 0"), true);
    assert!(scene.text("/").contains("None yet."));
    let mut client = Client::connect(scene.proxy.forward_url());
    assert_eq!(client.exchange(get("http://www.okx.com/denied")).status, 401);
    scene.proxy.await_line("the provider rejected the request", 0);
    assert!(scene.text("/").contains("Rejections alone are held"));
    let page = scene.text(&scene.page_of("/denied"));
    assert!(page.contains("50113") && page.contains("It is not held. With"), "{page}");
}
