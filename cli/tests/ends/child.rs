//! A place with runs, and the program as a process that is watched.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pactolus::simulate::{Shape, Simulation};
use tempfile::TempDir;

use crate::program::MARK;

/// How long an end may take: strict in the long form, with room for a busy machine elsewhere.
pub(crate) fn bound() -> Duration {
    Duration::from_secs(if std::env::var_os("PACTOLUS_ENDS").is_some() { 2 } else { 5 })
}

/// A job that does not end by then hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

/// A definition with this module in the chain of the Trigger events.
pub(crate) fn definition(module: &str) -> String {
    format!(
        "name = \"Analyzer\"\n[[request]]\nname = \"Trigger\"\nid = 1\n\
         banks = {{ ADC0 = \"WORD\", TDC0 = \"WORD\" }}\n{module}\n\
         [[request]]\nname = \"Scaler\"\nid = 2\nbanks = {{ SCLR = \"DWORD\" }}\n"
    )
}

/// A module of the definition.
pub(crate) fn module(kind: &str, parameters: &str) -> String {
    format!("[[request.module]]\ntype = \"{kind}\"\nname = \"{kind}\"\nparameters = {{ {parameters} }}\n")
}

/// A directory.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Makes `run0000N.mid` of so many events.
    pub(crate) fn simulate(&self, run: u32, events: u64, shape: Shape) {
        let file = File::create(self.path(&format!("run{run:05}.mid"))).unwrap();
        let mut file = std::io::BufWriter::new(file);
        Simulation { run, events, shape, ..Simulation::default() }.write(&mut file).unwrap();
    }

    /// The program with these arguments in this place, behind some words of bash.
    pub(crate) fn command(&self, bash: &str, args: &[&str]) -> Command {
        let own = std::env::current_exe().unwrap();
        let mut command = if bash.is_empty() {
            Command::new(own)
        } else {
            let mut command = Command::new("bash");
            command.args(["-c", &format!("{bash} exec \"$@\""), "bash"]).arg(own);
            command
        };
        command.args(args).current_dir(self.0.path()).env(MARK, "1").stdin(Stdio::null());
        command
    }

    /// All names in it, hidden ones too, that are none of these.
    pub(crate) fn holds(&self, but: &[String]) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !but.contains(name)).collect();
        names.sort();
        names
    }
}

/// What reads a pipe to its end.
pub(crate) type Reader = Option<JoinHandle<Vec<u8>>>;

/// A process that is watched.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) begun: Instant,
    pub(crate) out: Reader,
    pub(crate) err: Reader,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// From its begin.
    pub(crate) after: Duration,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Running {
    /// Starts a process; what it prints is read at once where it goes to pipes.
    pub(crate) fn new(command: &mut Command) -> Running {
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        let out = child.stdout.take().map(read);
        let err = child.stderr.take().map(read);
        Running { child, begun, out, err }
    }

    /// A process whose standard output is closed by now.
    pub(crate) fn over(mut child: Child) -> Running {
        let err = child.stderr.take().map(read);
        Running { child, begun: Instant::now(), out: None, err }
    }

    /// ... with standard output and errors in pipes.
    pub(crate) fn piped(command: &mut Command) -> Running {
        Running::new(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    pub(crate) fn signal(&self, name: &str) {
        // It may have ended by now.
        let _ = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).output();
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends; kills it if that lasts longer.
    pub(crate) fn within(mut self, time: Duration) -> Result<Ended, String> {
        let from = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if from.elapsed() > time {
                let threads = threads(self.child.id());
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                let err = String::from_utf8_lossy(&join(self.err)).into_owned();
                return Err(format!(
                    "it did not end within {time:?}; it had said: {err:?}; threads: {threads}"
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let after = self.begun.elapsed();
        let err = String::from_utf8_lossy(&join(self.err)).into_owned();
        Ok(Ended { status, after, out: join(self.out), err })
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn join(reader: Reader) -> Vec<u8> {
    reader.map(|reader| reader.join().unwrap()).unwrap_or_default()
}

/// What the threads of a process do, for whoever looks into a deadlock.
fn threads(process: u32) -> String {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return String::new() };
    let line = |task: fs::DirEntry| {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let call = read("syscall").split(' ').next().unwrap_or_default().to_owned();
        format!("{} ({}, call {})", read("comm").trim(), read("wchan").trim(), call.trim())
    };
    tasks.filter_map(Result::ok).map(line).collect::<Vec<_>>().join(", ")
}

/// The lines that a job prints when it ends as asked.
pub(crate) const STOPPED: &str = "stopped before the end, as you asked: what was analyzed is written";
/// ... and before.
pub(crate) const STOPPING: &str = "stopping: what was analyzed is written; ";
