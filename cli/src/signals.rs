//! Ctrl-C, and other requests of the surroundings to end.

use pactolus::Stop;

/// Hears requests to end from now on: the first is passed on to `stop`, the next ends the process at
/// once. `becomes` says what becomes of the job. A command that never calls this ends by the signal
/// itself, as a loop in a shell wants it.
///
/// Without it Ctrl-C ends the process at once, which is no reason not to work: a failure is no error.
#[cfg(unix)]
pub(crate) fn listen(stop: &Stop, becomes: &'static str) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use std::time::Instant;

    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    if !hangup_is_ignored() {
        let _ = signals.add_signal(SIGHUP);
    }
    let stop = stop.clone();
    let hear = move || {
        let mut first = None;
        for signal in signals.forever() {
            if stop.is_asked() {
                // `timeout` sends its signal twice, to the process and to its group.
                if first.get_or_insert_with(Instant::now).elapsed() > TWICE {
                    // Without the courtesies of an orderly exit, which may wait for whoever reads
                    // standard output.
                    signal_hook::low_level::exit(crate::STOPPED.into());
                }
                continue;
            }
            let again = if signal == SIGINT { "press Ctrl-C again" } else { "signal again" };
            let (done, told) = std::sync::mpsc::sync_channel(1);
            let tell = move || {
                tell(becomes, again);
                let _ = done.send(());
            };
            // First, since the job may end at once. Nobody may read it, and then it lasts.
            let _ = std::thread::Builder::new().name("stopping".into()).spawn(tell);
            let _ = told.recv_timeout(TOLD);
            stop.ask();
            // Now: the second of two that came together has waited while this was told.
            first = Some(Instant::now());
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(hear);
}

/// Who does not take a line within this time does not read it.
#[cfg(unix)]
const TOLD: std::time::Duration = std::time::Duration::from_millis(100);

/// Signals that come closer are one.
#[cfg(unix)]
const TWICE: std::time::Duration = std::time::Duration::from_millis(50);

#[cfg(not(unix))]
pub(crate) fn listen(stop: &Stop, becomes: &'static str) {
    let stop = stop.clone();
    let _ = ctrlc::set_handler(move || {
        if stop.is_asked() {
            std::process::exit(crate::STOPPED.into());
        }
        stop.ask();
        tell(becomes, "press Ctrl-C again");
    });
}

fn tell(becomes: &str, again: &str) {
    use std::io::Write;

    let mut err = std::io::stderr();
    // On a terminal, what stands in the line is of a moment ago, and perhaps `^C`.
    let before = if is_screen(&err) { "\r\x1b[K" } else { "\n" };
    let _ = err.write_all(format!("{before}stopping: {becomes}; {again} to stop at once\n").as_bytes());
}

/// Whether this is a terminal on which a line can be written over.
pub(crate) fn is_screen(stream: &impl std::io::IsTerminal) -> bool {
    let is_able = std::env::var_os("TERM").map_or(cfg!(windows), |term| term != "dumb");
    is_able && stream.is_terminal()
}

/// Whether the process was started by `nohup`: the end of its terminal is nothing to it.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    // Bit 0 is signal 1. Where there is no such file, it may be.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_none_or(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0))
}
