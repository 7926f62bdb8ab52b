//! What the store runs, its arguments, and its answers as they are read.

use redis::{Cmd, cmd};

use crate::nonces::{Answer, Ask, Held, Question, Reply, Round, TERMS};

/// The one key that everything is in.
pub(super) const KEY: &str = "countersign:nonces";
/// Its slot in a cluster.
pub(super) const SLOT: u16 = 15_844;
const LANES: &str = include_str!("lanes.lua");
/// Tries everything that the other does, and leaves nothing behind.
const LOOK: &str = "redis.call('TIME') redis.call('HGET', KEYS[1], 'epoch') \
     redis.call('HINCRBY', KEYS[1], 'look', 1) redis.call('HMGET', KEYS[1], 'look') \
     redis.call('HSET', KEYS[1], 'look', '1') redis.call('HDEL', KEYS[1], 'look') return 'ok'";

/// The commands that a user needs.
pub(super) const COMMANDS: &str = "+eval +time +hget +hmget +hset +hdel +hincrby +wait +info \
     +set +get +pexpire +del";

/// Leases, all at once.
pub(super) fn lanes(round: &Round) -> Cmd {
    let mut script = cmd("EVAL");
    script.arg(LANES).arg(1).arg(KEY).arg(&round.owner).arg(TERMS.lease);
    // The owner's name will do for a memory that it begins: who begins two has not kept the first.
    script
        .arg(format!("{}-{}", round.owner, round.sent()))
        .arg(round.held_off.as_deref().unwrap_or(""));
    for Question { key, lanes, ask } in &round.questions {
        let nobody = Held { lane: 0, fence: 0 };
        let (word, held, last, valid) = match *ask {
            Ask::Take { now } => ("take", nobody, now, false),
            Ask::Renew { held, last, valid } => ("renew", held, last, valid),
            Ask::Release { held, last } => ("release", held, last, false),
        };
        script
            .arg(key)
            .arg(lanes)
            .arg(word)
            .arg(held.lane)
            .arg(held.fence)
            .arg(last)
            .arg(u8::from(valid));
    }
    script
}

/// What came back, without whether it is confirmed; nothing where it is not ours.
pub(super) fn read(words: &[String], questions: &[Question]) -> Option<Reply> {
    let (young, answers) = words.split_first()?;
    if answers.len() != questions.len() {
        return None;
    }
    let answers = answers.iter().zip(questions).map(|(own, asked)| answer_of(own, asked.lanes));
    let answers = answers.collect::<Option<Vec<_>>>()?;
    let young = Some(young.clone()).filter(|name| !name.is_empty());
    Some(Reply { answers, young, confirmed: true })
}

fn answer_of(text: &str, lanes: u64) -> Option<Answer> {
    let numbers: Option<Vec<u64>> = text.split(' ').skip(1).map(|n| n.parse().ok()).collect();
    Some(match (text.split(' ').next()?, numbers?.as_slice()) {
        ("done", []) => Answer::Done,
        ("wanted", []) => Answer::Wanted,
        ("lost", []) => Answer::Lost,
        ("none", []) => Answer::None,
        ("granted", [lane, fence, begin, last]) if *lane < lanes => {
            let held = Held { lane: *lane, fence: *fence };
            Answer::Granted { held, begin: *begin, last: *last }
        }
        _ => return None,
    })
}

/// Whether a user may do what is needed.
pub(super) fn look() -> Cmd {
    let mut script = cmd("EVAL");
    script.arg(LOOK).arg(1).arg(KEY);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_others_are_not() {
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let key = String::new();
        let asked = [Question { key, lanes: 16, ask: Ask::Take { now: 0 } }];
        let asked = |count| asked.iter().cycle().take(count).cloned().collect::<Vec<_>>();
        let all = words(&["", "granted 3 7 50 62", "done", "wanted", "lost", "none"]);
        let reply = read(&all, &asked(5)).unwrap();
        let granted = Answer::Granted { held: Held { lane: 3, fence: 7 }, begin: 50, last: 62 };
        assert_eq!(
            reply.answers,
            [granted, Answer::Done, Answer::Wanted, Answer::Lost, Answer::None]
        );
        assert_eq!(reply.young, None);
        assert_eq!(read(&words(&["a"]), &[]).unwrap().young.as_deref(), Some("a"));
        for bad in [
            &[][..],
            &["", "done"],
            &["", "granted 3 7 50", "done"],
            &["", "ok", "done"],
            &["", "granted 16 7 50 62", "done"],
            &["", "done 1", "done"],
        ] {
            assert!(read(&words(bad), &asked(2)).is_none(), "{bad:?}");
        }
    }
}
