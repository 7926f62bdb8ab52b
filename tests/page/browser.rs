//! The pages in Chromium itself: how they look, with the keyboard, without script, and what axe-core
//! finds. Screenshots are left in the build directory, below `tmp/pages`, for people to look at.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::scene::{Scene, TOKEN};
use crate::clients::installed;
use crate::support::alone::alone;
use crate::support::client::{Client, run};
use crate::support::config;
use crate::support::stage::{METASV, get};

/// Runs the steps of `browser.mjs` in a browser, and says what came of each.
fn steps(scene: &Scene, steps: &Value) -> Vec<Value> {
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&shots).expect("a directory can be made");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/browser.mjs");
    let mut node = Command::new(installed("bin/node"));
    node.arg(script).arg(scene.proxy.admin_url()).arg(scene.proxy.forward_url());
    node.arg(shots).arg(installed("node/node_modules/axe-core/axe.min.js")).arg(steps.to_string());
    let output = run(&mut node);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{why}");
    let all = said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    all.collect()
}

/// Nothing is wrong with a page: no finding of axe-core that is serious, no error or violation of the
/// policy, nothing asked for elsewhere, nothing wider than the window.
fn assert_well(seen: &Value) {
    for what in ["findings", "errors", "elsewhere"] {
        assert_eq!(seen[what], serde_json::json!([]), "{}: {what}: {seen:#}", seen["name"]);
    }
    assert_eq!(seen["overflow"], 0, "{}: it is wider than the window", seen["name"]);
}

#[test]
fn the_pages_are_well_in_a_browser() {
    let name = "page::browser::the_pages_are_well_in_a_browser";
    alone(name, &[], || {
        let scene = Scene::new();
        scene.busy();
        let mut client = Client::connect(scene.proxy.forward_url());
        for number in 0..6 {
            let path = format!("{METASV}/v1/block/{number}/header?verbose=true&page={number}");
            assert_eq!(client.exchange(get(&path)).status, 200);
        }
        let (ok, rejected) = (scene.page_of("/api"), scene.page_of("/denied"));
        let (plain, fingerprint) = (scene.page_of("/v1/block/5"), scene.page_of("/evil"));
        let pages = serde_json::json!([
            { "name": "list", "path": "/" },
            { "name": "list-narrow", "path": "/", "width": 360 },
            { "name": "list-dark", "path": "/", "dark": true },
            { "name": "list-wide", "path": "/", "width": 1920 },
            { "name": "list-without-script", "path": "/", "script": false },
            { "name": "detail", "path": ok },
            { "name": "detail-metasv", "path": plain },
            { "name": "rejected", "path": rejected },
            { "name": "rejected-narrow", "path": rejected, "width": 360 },
            { "name": "rejected-metasv-narrow", "path": fingerprint, "width": 360 },
            { "name": "rejected-dark", "path": rejected, "dark": true },
            { "name": "status", "path": "/status" },
            { "name": "status-narrow", "path": "/status", "width": 360 },
            { "name": "status-dark", "path": "/status", "dark": true },
            { "name": "paste", "path": "/verify" },
            { "name": "missing", "path": "/show?id=x" },
            { "name": "live", "path": "/", "do": "live" },
            { "name": "keyboard", "path": "/", "do": "keyboard" },
            { "name": "copy", "path": rejected, "do": "copy" },
            { "name": "reload", "path": "/status", "do": "reload" },
            { "name": "pasted", "path": "/verify", "do": "paste" },
            { "name": "pasted-narrow", "path": "/verify", "do": "paste", "width": 360 },
        ]);
        let seen = steps(&scene, &pages);
        assert_eq!(seen.len(), 22);
        seen.iter().for_each(assert_well);
        let of = |name: &str| seen.iter().find(|own| own["name"] == name).expect("it was seen");
        // What each step saw.
        assert_eq!(of("list-without-script")["rows"], 10);
        assert_eq!(of("live")["said"], "live: one row more, over: signed 200");
        let said = of("keyboard")["said"].as_str().expect("text");
        assert_eq!(said, "#main, /, /status, /verify, Pause, Requests, the latest first, /show");
        let copied = of("copy")["said"].as_str().expect("text");
        assert!(copied.starts_with("Copied: # not held: the headers"), "{copied}");
        assert_eq!(of("reload")["said"], "/status: reloaded");
        assert_eq!(of("pasted")["said"], "/verify: not valid");
    });
}

#[test]
fn people_sign_in_by_a_form_and_out_again() {
    let name = "page::browser::people_sign_in_by_a_form_and_out_again";
    alone(name, &[], || {
        let scene = Scene::with(config::TOKENS);
        let pages = serde_json::json!([
            { "name": "sign-in", "path": "/" },
            { "name": "sign-in-wrong", "path": "/status", "do": "sign-in", "token": "wrong" },
            { "name": "signed-in", "path": "/status", "do": "sign-in", "token": TOKEN },
            { "name": "signed-in-list", "path": "/" },
            { "name": "signed-out", "path": "/", "do": "sign-out" },
        ]);
        let seen = steps(&scene, &pages);
        let said: Vec<_> = seen.iter().map(|own| own["said"].as_str().unwrap_or("")).collect();
        let cookie = "cookies for scripts: 0";
        assert_eq!(
            said,
            [
                "/sign-in",
                "/sign-in: This is not one of the tokens.",
                &format!("/: as app, {cookie}"),
                "/",
                &format!("/sign-in: {cookie}"),
            ]
        );
        // The browser itself says that one of them was refused.
        for own in seen.iter().filter(|own| own["name"] != "sign-in-wrong") {
            assert_well(own);
        }
    });
}
