//! Events into a stream in shared memory: a thread publishes them, and this one tells how it goes.

mod publisher;
mod telling;

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clap::Args;
use pactolus::shm::{self, Options, Producer, StreamName};
use pactolus::{Ended, Error, Stop};

use crate::lines::Lines;
use crate::telling::{How, left_out};
use crate::{App, DAMAGED, ENDED, OK, Outcome, STOPPED, UNWRITTEN, args};

pub(crate) use publisher::Publisher;
use telling::Watch;

/// What stands before the name of a stream.
pub(crate) const SCHEME: &str = "shm:";

/// How often it is looked whether there is something to tell.
const GLANCE: Duration = Duration::from_millis(50);

/// How a stream is made.
#[derive(Args)]
#[command(next_help_heading = "The stream in shared memory")]
pub(crate) struct StreamArgs {
    /// Bytes of events that it holds, as 32M or 1G: how far a consumer may fall behind
    #[arg(long, value_name = "SIZE", value_parser = args::size)]
    size: Option<usize>,

    /// Who may read it: 600 this user only, 660 the group of the file, too, 666 all users of this computer
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<u32>,

    /// Begin when so many consumers are there
    #[arg(long, value_name = "N")]
    wait_for: Option<usize>,
}

/// The name of a stream on a command line.
pub(crate) fn stream(text: &str) -> Result<StreamName, String> {
    if !text.starts_with(SCHEME) {
        return Err("a stream in shared memory wanted, as shm:lxe".into());
    }
    StreamName::new(text).map_err(|error| error.to_string())
}

/// The mode of a file. Who reads events must be able to write, too: a consumer says how far it is.
fn mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    match u32::from_str_radix(digits, 8) {
        Ok(mode @ (0o600 | 0o660 | 0o666 | 0o606)) => Ok(mode),
        _ => Err("600, 660 or 666 wanted: who reads events must be able to write, too, to say how far he is"
            .into()),
    }
}

impl StreamArgs {
    /// A flag that has no meaning without a stream.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        let StreamArgs { size, mode, wait_for } = self;
        let given =
            [("--size", size.is_some()), ("--mode", mode.is_some()), ("--wait-for", wait_for.is_some())];
        given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    fn options(&self, program: &str, stop: &Stop) -> Options {
        let mut options = Options::default();
        if let Some(size) = self.size {
            options.size = size as u64;
        }
        if let Some(mode) = self.mode {
            options.mode = mode;
        }
        program.clone_into(&mut options.program);
        options.stop = stop.clone();
        options
    }
}

/// What is published, and to where.
pub(crate) struct Plan<'p> {
    pub(crate) to: &'p StreamName,
    pub(crate) stream: &'p StreamArgs,
    /// The command, as others see it.
    pub(crate) program: &'static str,
    /// Where events come from; nothing if they are made here.
    pub(crate) from: Option<String>,
    /// Each run is told when it ends.
    pub(crate) tells_runs: bool,
    pub(crate) how: How,
    pub(crate) stop: &'p Stop,
}

/// How a source of events has ended.
#[derive(Default)]
pub(crate) struct Over {
    /// It was live, and gives nothing more, other than because the runs that were asked for are complete.
    pub(crate) ended: Option<Ended>,
    /// Something was broken.
    pub(crate) is_damaged: bool,
}

/// Publishes what `work` gives, on a thread of its own.
pub(crate) fn publish(
    app: &App,
    plan: &Plan<'_>,
    (out, err): (&mut dyn Write, &mut dyn Write),
    work: impl FnOnce(&mut Publisher<'_>) -> Result<Over, Error> + Send,
) -> Outcome {
    let Plan { to, stream, program, stop, .. } = *plan;
    let named = |source| Error::Shm { name: to.to_string(), source: Box::new(source) };
    let producer = Producer::create(to, stream.options(program, stop)).map_err(named)?;
    // On a terminal, text takes its turn with the line.
    let lines = match app.process && !io::stdout().is_terminal() {
        true => Lines::stdout(stop, left_out(plan.how.json))?,
        false => Lines::here(out),
    };
    let mut watch = Watch::new(plan, producer.observer(), (lines, err));
    let (tell, told) = channel();
    let desk = watch.desk();
    let over = std::thread::scope(|scope| {
        let publishing = || {
            let mut publisher = Publisher::new(producer, to, (&desk, tell), stop);
            let over = publisher.wait_for(stream.wait_for.unwrap_or(0)).and_then(|()| work(&mut publisher));
            publisher.leave();
            over
        };
        let thread = std::thread::Builder::new().name("publisher".into()).spawn_scoped(scope, publishing)?;
        loop {
            match told.recv_timeout(GLANCE) {
                Ok(told) => watch.take(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            watch.tell();
        }
        thread.join().map_err(|_| io::Error::other("the thread that publishes has failed"))
    })?;
    let over = match over {
        Err(error) if stop.is_asked() && is_stopped(&error) => Over::default(),
        Err(error) => {
            watch.fail(&error);
            let Error::Shm { source, .. } = &error else { return Err(error.into()) };
            // It has gone well until now.
            if let shm::Error::Io { .. } | shm::Error::Full { .. } = **source {
                writeln!(err, "pactolus: {}", crate::chain(&error))?;
                return Ok(UNWRITTEN);
            }
            return Err(error.into());
        }
        Ok(over) => over,
    };
    let stopped = stop.is_asked();
    let lost = watch.end(&over, stopped)?;
    Ok(match () {
        () if stopped => STOPPED,
        () if over.ended.is_some() => ENDED,
        () if over.is_damaged || lost => DAMAGED,
        () => OK,
    })
}

/// Whether somebody has asked to stop while a consumer was waited for.
fn is_stopped(error: &Error) -> bool {
    matches!(error, Error::Shm { source, .. } if matches!(**source, shm::Error::Stopped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_read_may_write() {
        assert_eq!(mode("660"), Ok(0o660));
        assert_eq!(mode("0600"), Ok(0o600));
        assert_eq!(mode("0o666"), Ok(0o666));
        for text in ["640", "644", "777", "1b0", "", "60", "-600", "rw"] {
            assert!(mode(text).unwrap_err().contains("600, 660 or 666 wanted"), "{text}");
        }
    }
}
