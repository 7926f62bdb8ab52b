//! Every guard on every listener: what triggers it, what is answered on each way by which a request
//! can come in, and why where a way has none. Each way is seen to lead somewhere without the trigger.

mod rows;

use std::collections::BTreeSet;

use countersign::refusal::Code;
use rows::{GUARDS, Guard, HELD_ELSEWHERE};

use crate::support::cited;
use crate::support::client::Client;
use crate::support::doors::{Doors, WAYS, WAYS_2};

#[test]
fn every_guard_is_on_every_listener() {
    let (mut cells, mut open, mut wrong) = (0, 0, Vec::new());
    for guard in GUARDS {
        let doors = (guard.scene)();
        let before = doors.origin.begun();
        for way in WAYS.into_iter().chain(WAYS_2) {
            let expected = match guard.but.iter().find(|(ways, _)| ways.contains(&way)) {
                Some((_, Err(reason))) => {
                    assert!(reason.len() > 20, "{}: {way}: {reason}", guard.name);
                    continue;
                }
                Some((_, Ok(code))) => code,
                None => guard.code,
            };
            let told = told(guard, &doors, way);
            if told != *expected {
                wrong.push(format!("{}: {way}: {told} and not {expected}", guard.name));
            }
            cells += 1;
        }
        if doors.origin.begun() != before {
            wrong.push(format!("{}: something was sent", guard.name));
        }
        if guard.opens {
            for way in WAYS.into_iter().filter(|way| *way != "CONNECT") {
                let (mut client, head) = doors.begin(way, "GET", "/v1/x");
                let reply = client.exchange(head + "Countersign-Token: t0ken\r\n\r\n");
                assert_eq!(reply.status, 200, "{}: {way} is open", guard.name);
                open += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cells >= 100 && open >= 60, "{cells} cells, {open} open ways");
}

/// A refusal's code, or its status where it has no body.
fn told(guard: &Guard, doors: &Doors, way: &str) -> String {
    let (method, path, rest) = guard.asked;
    let rest =
        rest.replace("{LONG}", &"x".repeat(40 << 10)).replace("{MANY}", &"X: 1\r\n".repeat(98));
    if WAYS_2.contains(&way) {
        return doors.ask_2(way, method, path, &rest);
    }
    let (mut client, head) = doors.begin(way, method, path);
    let head = match guard.instead {
        Some((from, to)) => head.replacen(from, to, 1),
        None => head,
    };
    client.send(format!("{head}{rest}"));
    code(&mut client)
}

fn code(client: &mut Client) -> String {
    let reply = client.reply();
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    said["code"].as_str().map_or_else(|| reply.status.to_string(), str::to_owned)
}

#[test]
fn every_refusal_of_a_request_is_in_the_table_or_held_elsewhere() {
    let mut listed: BTreeSet<&str> = GUARDS.iter().map(|guard| guard.code).collect();
    listed.extend(GUARDS.iter().flat_map(|guard| guard.but).filter_map(|(_, cell)| cell.ok()));
    let mut wrong = Vec::new();
    for (code, why, tests) in HELD_ELSEWHERE {
        assert!(why.len() > 10 && !tests.is_empty(), "{code}: {why}");
        wrong.extend(tests.iter().filter_map(|name| cited::test(name).err()));
        assert!(listed.insert(code), "{code} is in the table");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut asked = Code::all().filter(|code| code.facts().status.is_client_error());
    let missing: Vec<_> =
        asked.by_ref().map(Code::name).filter(|code| !listed.contains(code)).collect();
    assert!(missing.is_empty(), "no guard and no test is named for {missing:?}");
}
