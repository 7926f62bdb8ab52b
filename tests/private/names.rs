//! Names that lead to private networks, always or the second time they are asked for.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{FORMS, PASS, everywhere, told};
use crate::support::alone::{PUBLIC, alone};
use crate::support::config;
use crate::support::home::Home;
use crate::support::names::{asking, knowing};
use crate::support::origin::{Origin, echo};
use crate::support::wait::eventually;

#[test]
fn a_name_leads_to_its_public_addresses_alone() {
    let name = "private::names::a_name_leads_to_its_public_addresses_alone";
    let made = [PUBLIC, &["addr add 10.1.2.3/32 dev lo"]].concat();
    alone(name, &made, || {
        let at = |address: &str, port: u16| -> SocketAddr {
            format!("{address}:{port}").parse().expect("an address")
        };
        let private = Origin::start_at(at("10.1.2.3", 8000), echo());
        let public = Origin::start_at(at("9.9.9.9", 8000), echo());
        let home = || Home::new(&config::proxy(&[PASS.to_owned(), config::metasv(NOBODY, None)]));
        let only = [at("10.1.2.3", 8000)];
        let proxy = knowing(home(), &only, &[]);
        for (form, request) in FORMS {
            assert_eq!(told(&proxy, &request("two.test:8000")), "private_address", "{form}");
        }
        let both = [at("10.1.2.3", 8000), at("9.9.9.9", 8000)];
        let proxy = knowing(home(), &both, &[]);
        for (form, request) in &FORMS[..2] {
            assert_eq!(told(&proxy, &request("two.test:8000")), "200", "{form}");
        }
        eventually("both have come", || public.connections() == 2);
        assert_eq!(private.connections(), 0);
    });
}

#[test]
fn the_address_that_was_judged_is_the_one_that_is_dialled() {
    let name = "private::names::the_address_that_was_judged_is_the_one_that_is_dialled";
    alone(name, PUBLIC, || {
        let (origin, port) = everywhere();
        for (form, request) in &FORMS[..2] {
            let turns = Rebinding::start();
            let tables = [PASS.to_owned(), config::metasv(NOBODY, None)];
            let proxy = asking(Home::new(&config::proxy(&tables)));
            let request = request(&format!("turns.test:{port}"));
            // Each question is answered with another address: whoever asks twice is led astray.
            let seen = origin.connections();
            assert_eq!(told(&proxy, &request), "200", "{form}");
            eventually("it has come", || origin.connections() == seen + 1);
            assert_eq!(turns.asked(), 1, "{form}");
            // What waits in the pool is with the address that was judged.
            if *form == "CONNECT" {
                assert_eq!(told(&proxy, &request), "private_address");
                assert_eq!((turns.asked(), origin.connections()), (2, seen + 1));
            }
        }
    });
}

const NOBODY: &str = "http://127.0.0.2:9";

/// A name server: a name is at 9.9.9.9 the first time it is asked for, and then at 127.0.0.1.
struct Rebinding {
    asked: Arc<AtomicUsize>,
    at: SocketAddr,
}

impl Rebinding {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").expect("the namespace is this test's");
        let asked = Arc::new(AtomicUsize::new(0));
        let at = socket.local_addr().expect("it is bound");
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            let mut buffer = [0; 512];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { return };
                if length == 0 {
                    return;
                }
                let _gone = socket.send_to(&answer(&buffer[..length], &count), from);
            }
        });
        Self { asked, at }
    }

    /// How often it was asked for an IPv4 address.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Rebinding {
    fn drop(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket.send_to(&[], self.at).expect("it listens");
        // It is gone when its port is free.
        eventually("it ends", || UdpSocket::bind(self.at).is_ok());
    }
}

/// The answer to a question (RFC 1035, section 4): an address for those of type A, none for others.
fn answer(question: &[u8], asked: &AtomicUsize) -> Vec<u8> {
    // Behind the head of twelve bytes labels with their lengths, a zero, the type and the class.
    let mut end = 12;
    while question[end] != 0 {
        end += 1 + usize::from(question[end]);
    }
    let is_a = question[end + 1..end + 3] == [0, 1];
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(&question[12..end + 5]);
    if is_a {
        let address = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => [9, 9, 9, 9],
            _ => [127, 0, 0, 1],
        };
        // The name above, A, IN, no time to live.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address);
    }
    answer
}
