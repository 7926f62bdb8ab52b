//! How a program ends, how we end with it, and what is left.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use super::run::{Desk, err, out};
use crate::clients::{installed, program};
use crate::support::wait::{accepted, eventually, leash};

#[test]
fn the_exit_code_is_the_programs_or_what_a_shell_says() {
    let desk = Desk::new("");
    desk.home.write("text", "no program\n");
    for (program, code, says) in [
        (&["true"] as &[&str], 0, ""),
        (&["sh", "-c", "exit 3"], 3, ""),
        (&["sh", "-c", "exit 255"], 255, ""),
        (&["sh", "-c", "kill -TERM $$"], 143, ""),
        (&["sh", "-c", "kill -KILL $$"], 137, ""),
        (&["no-such-program"], 127, "countersign: no-such-program: "),
        (&["./no/such/program"], 127, "countersign: ./no/such/program: "),
        (&["./text"], 126, "countersign: ./text: "),
        (&["."], 126, "countersign: .: "),
    ] {
        let output = desk.run(&[&["--quiet", "--"], program].concat());
        assert_eq!(output.status.code(), Some(code), "{program:?}: {}", err(&output));
        assert!(err(&output).starts_with(says), "{program:?}: {}", err(&output));
        assert_eq!((out(&output).as_str(), says.is_empty()), ("", err(&output).is_empty()));
        assert!(desk.left().is_empty(), "{program:?} left {:?}", desk.left());
    }
}

#[test]
fn standard_input_and_output_are_the_programs_own() {
    let desk = Desk::new("");
    let mut command = desk.exec(&["--", "cat", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be run");
    let _leash = leash(&child);
    let mut input = child.stdin.take().expect("it is piped");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads");
    assert!(output.stdout == bytes, "{} bytes came back", output.stdout.len());
    assert_eq!(err(&output).lines().count(), 2, "{}", err(&output));
}

#[test]
fn signals_reach_the_program_and_nothing_is_left() {
    for (signal, number) in [("HUP", 1), ("INT", 2), ("QUIT", 3), ("TERM", 15), ("USR1", 10)] {
        let desk = Desk::new("");
        let script = format!("trap 'echo got {signal}; exit 7' {signal}; echo up; {WAIT}");
        let mut child = desk.start(&["--quiet", "--", "sh", "-c", &script]);
        let _leash = leash(&child);
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("up"));
        assert_eq!(desk.left().len(), 1, "a directory while it runs");
        send(signal, child.id());
        assert_eq!(lines.next().and_then(Result::ok), Some(format!("got {signal}")));
        let status = child.wait().expect("it can be waited for");
        assert_eq!(status.code(), Some(7), "{signal}");
        assert!(desk.left().is_empty(), "{signal} left {:?}", desk.left());
        // And without a trap, where the signal ends the program.
        let mut child = desk.start(&["--quiet", "--", "sh", "-c", &format!("echo up; {WAIT}")]);
        let _leash = leash(&child);
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("up"));
        send(signal, child.id());
        let status = child.wait().expect("it can be waited for");
        assert_eq!(status.code(), Some(128 + number), "{signal}");
        assert!(desk.left().is_empty(), "{signal} left {:?}", desk.left());
    }
}

#[test]
fn what_is_typed_at_a_terminal_reaches_the_program_once() {
    let desk = Desk::new("");
    // Not a shell: it takes two signals during one command for one.
    let program_text = "import signal, sys\n\
        signal.signal(signal.SIGINT, lambda *_: print('INT', flush=True))\n\
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n\
        print('up', flush=True)\n\
        while True: signal.pause()";
    let interpreter = installed("venv/bin/python");
    let arguments = ["--quiet", "--", &interpreter.to_string_lossy(), "-c", program_text];
    let inner = desk.exec(&arguments);
    let mut python = Command::new(&interpreter);
    python.arg(program("terminal.py")).arg(inner.get_program()).args(inner.get_args());
    python.current_dir(desk.home.path("."));
    // One that came twice would now and then come too late to be seen.
    for _ in 0..5 {
        let output = python.output().expect("python can be run");
        assert_eq!(output.status.code(), Some(9), "{output:?}");
        assert_eq!(out(&output).matches("INT\r\n").count(), 1, "{output:?}");
    }
}

#[test]
fn what_was_ignored_stays_ignored() {
    let desk = Desk::new("");
    let inner = desk.exec(&["--quiet", "--", "grep", "SigIgn", "/proc/self/status"]);
    let script = "trap '' HUP USR2; exec \"$@\"";
    let output = Command::new(inner.get_program())
        .args(["--default-signal", "sh", "-c", script, "sh"])
        .args(inner.get_args().skip(1))
        .current_dir(desk.home.path("."))
        .output()
        .expect("the shell can be run");
    let mask = out(&output).trim().rsplit('\t').next().map(|mask| u64::from_str_radix(mask, 16));
    let mask = mask.and_then(Result::ok).expect("a mask");
    let ignored = |number: u32| mask >> (number - 1) & 1 == 1;
    assert!(ignored(1) && ignored(12), "HUP and USR2 are ignored: {mask:x}");
    assert!(!ignored(2) && !ignored(15), "others are not: {mask:x}");
}

#[test]
fn a_signal_before_the_program_has_started_ends_everything() {
    let desk = Desk::new("");
    // The admin listener takes the question and does not answer, so that the start waits.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    desk.home.write(
        "slow.toml",
        &desk.listening(&format!("\nforward = \"127.0.0.1:0\"\nadmin = \"{address}\"\n")),
    );
    let mut child = desk.start(&["--config", "slow.toml", "--", "echo", "started"]);
    let _leash = leash(&child);
    let asked = accepted(&listener);
    eventually("the directory is made", || desk.left().len() == 1);
    send("TERM", child.id());
    let status = child.wait().expect("it can be waited for");
    drop(asked);
    let mut said = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    assert_eq!((status.code(), said.as_str()), (Some(143), ""));
    assert!(desk.left().is_empty(), "left {:?}", desk.left());
}

/// Sleeps in small pieces: a shell runs its traps between commands.
const WAIT: &str = "while :; do sleep 0.05; done";

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(sent.expect("kill can be run").success());
}
