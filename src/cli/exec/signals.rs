//! Signals that are for the program and reach us.

use std::fs;
use std::io;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;

/// Signals as they come, from the moment this exists: none of them ends us any more.
///
/// A signal that was ignored before stays ignored, for us and so for the program, as `nohup` and
/// shells without job control mean it.
#[derive(Debug)]
pub(in crate::cli) struct Signals {
    heard: mpsc::UnboundedReceiver<Signal>,
    /// Keeps the channel open also where every signal is ignored.
    _own: mpsc::UnboundedSender<Signal>,
}

impl Signals {
    /// Begins to listen.
    pub(in crate::cli) fn take() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let ignored = ignored();
        for signal in PASSED_ON {
            let number = signal.as_raw();
            if ignored >> (number - 1) & 1 == 1 {
                continue;
            }
            let mut stream = unix::signal(SignalKind::from_raw(number))?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() && sender.send(signal).is_ok() {}
            });
        }
        Ok(Self { heard: receiver, _own: sender })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        self.heard.recv().await.expect("the channel is open as long as this exists")
    }

    /// The next one that means to end what goes on.
    pub(in crate::cli) async fn ending(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if ![Signal::USR1, Signal::USR2].contains(&signal) {
                return signal;
            }
        }
    }
}

const PASSED_ON: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];

/// Passes a signal on to the program, unless it has got it from the terminal.
///
/// Ctrl-C and Ctrl-\ reach every process in the foreground, the program like us.
pub(super) fn pass_on(signal: Signal, program: Pid) {
    let typed = [Signal::INT, Signal::QUIT].contains(&signal) && in_foreground();
    if !typed {
        // It may have ended by itself in the meantime.
        let _gone = kill_process(program, signal);
    }
}

fn in_foreground() -> bool {
    let terminal = fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

/// The mask of signals that are ignored, signal 1 in the lowest bit. None where the system does
/// not say.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
