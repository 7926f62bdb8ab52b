//! A lease, step by step; `model` has all the ways in which several meet.

use super::*;

const HELD: Held = Held { lane: 3, fence: 7 };

fn trip(sent: u64) -> Trip {
    Trip { sent, received: sent + 10 }
}

fn granted(trusted: bool) -> Lease {
    let mut lease = Lease::default();
    let ask = lease.ask((1_000, 50_000, 0), &TERMS);
    assert_eq!(ask, Ask::Take { now: 50_000 });
    let answer = Answer::Granted { held: HELD, begin: 50_000, last: 62_000 };
    assert_eq!(lease.told((ask, answer), trip(1_000), trusted, &TERMS), Some(50_000));
    lease
}

#[test]
fn an_owner_stops_before_its_lease_could_be_anothers() {
    let lease = granted(true);
    assert!(lease.bounds().allow(10_999, 62_000));
    assert!(!lease.bounds().allow(11_000, 50_001), "the store may give it away from 13 000 on");
    assert!(!lease.bounds().allow(1_000, 62_001), "another begins behind 62 000");
}

#[test]
fn a_renewal_counts_from_when_it_was_sent_and_not_where_its_answer_is_late() {
    let mut lease = granted(true);
    let ask = lease.ask((5_000, 54_000, 54_001), &TERMS);
    assert_eq!(ask, Ask::Renew { held: HELD, last: 66_001, valid: true });
    let late = Trip { sent: 5_000, received: 6_001 };
    assert_eq!(lease.told((ask, Answer::Done), late, true, &TERMS), None);
    assert_eq!(lease.bounds().until, 11_000);
    lease.told((ask, Answer::Done), trip(5_000), true, &TERMS);
    assert_eq!(lease.bounds(), Bounds { until: 15_000, last: 66_001 });
}

#[test]
fn what_was_lost_allows_nothing_and_is_asked_for_anew() {
    let mut lease = granted(true);
    let ask = lease.ask((20_000, 70_000, 54_001), &TERMS);
    assert_eq!(ask, Ask::Renew { held: HELD, last: 82_000, valid: false });
    lease.told((ask, Answer::Lost), trip(20_000), true, &TERMS);
    assert!(!lease.bounds().allow(0, 0));
    assert_eq!(lease.ask((20_000, 70_000, 54_001), &TERMS), Ask::Take { now: 70_000 });
    lease.give_back(1);
    assert_eq!(lease.ask((20_000, 70_000, 54_001), &TERMS), Ask::Take { now: 70_000 });
}

#[test]
fn what_is_given_back_says_where_the_next_may_begin() {
    // A draw that was refused has gone further than anything that was used.
    for (used, last) in [(54_001, 54_001), (99_000, 62_000)] {
        let mut lease = granted(true);
        lease.give_back(used);
        // A second time changes nothing.
        lease.give_back(90_000);
        assert_eq!(lease.ask((2_000, 51_000, used), &TERMS), Ask::Release { held: HELD, last });
    }
}

#[test]
fn what_is_given_back_allows_nothing_however_late_its_answer_or_that_of_a_renewal_is() {
    let mut lease = granted(true);
    let renewal = lease.ask((2_000, 51_000, 51_000), &TERMS);
    lease.give_back(51_000);
    let release = lease.ask((2_100, 51_100, 51_000), &TERMS);
    let late = Trip { sent: 2_100, received: 9_000 };
    for (ask, answer, trip) in [
        (renewal, Answer::Done, trip(2_000)),
        (renewal, Answer::Wanted, trip(2_000)),
        (release, Answer::Done, late),
    ] {
        lease.told((ask, answer), trip, true, &TERMS);
        assert!(!lease.bounds().allow(2_200, 51_001), "{ask:?}");
    }
    // Until somebody has answered.
    assert_eq!(lease.ask((9_000, 58_000, 51_000), &TERMS), release);
    lease.told((release, Answer::Lost), trip(9_000), true, &TERMS);
    assert_eq!(lease.ask((9_100, 58_100, 51_000), &TERMS), Ask::Take { now: 58_100 });
}

#[test]
fn what_replicas_did_not_confirm_grants_nothing_until_a_failover_would_show() {
    let (mut lease, mut trust) = (granted(false), Trust::default());
    assert!(!lease.bounds().allow(0, 50_001));
    assert!(!trust.extends(false, trip(1_000), &TERMS));
    for (sent, extends) in [(24_999, false), (25_000, true)] {
        assert_eq!(trust.extends(false, trip(sent), &TERMS), extends, "{sent}");
    }
    let ask = lease.ask((25_000, 74_000, 0), &TERMS);
    lease.told((ask, Answer::Done), trip(25_000), true, &TERMS);
    assert!(lease.bounds().allow(25_001, 74_001));
    trust.unanswered();
    assert!(!trust.extends(false, trip(30_000), &TERMS), "what was between is not known");
    assert!(trust.extends(true, trip(30_000), &TERMS));
}

#[test]
fn a_store_without_a_memory_is_held_off_once_for_each_name() {
    let mut trust = Trust::default();
    assert_eq!(trust.holds_off(0, &TERMS), None);
    trust.young("a", trip(990));
    trust.young("a", trip(5_000));
    assert_eq!((trust.held_off(24_999, &TERMS), trust.holds_off(24_999, &TERMS)), (None, Some(1)));
    assert_eq!(
        (trust.held_off(25_000, &TERMS), trust.holds_off(25_000, &TERMS)),
        (Some("a"), None)
    );
    trust.young("b", trip(30_000));
    assert_eq!(trust.held_off(30_000, &TERMS), None);
}
