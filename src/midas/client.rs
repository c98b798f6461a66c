//! A client of an experiment: log in, log out.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use pactolus_odb::Value;

use super::control::{Control, experiments};
use super::inbox::Post;
use super::line::{LONGEST, Line};
use super::listener::{Callers, Listener};
use super::notify::Notify;
use super::password::hashed;
use super::receive::Pace;
use super::reverse::{Reverse, side};
use super::routine::{EXIT, MESSAGE, OPEN_DATABASE, SET_CLIENT_INFO, SET_VALUE, SET_WATCHDOG, TIME};
use super::rpc::Rpc;
use super::status::{SUCCESS, WRONG_PASSWORD};
use super::wire::{Call, Reply, Routine, cut};
use super::{Error, Inbox, Key, Login, Result, Sequences};

/// Our hardware: 64 bits, little endian, IEEE numbers. So we write on any host, and the server converts.
const HARDWARE: i32 = 44;
/// Longest name of a program. MIDAS has 31 bytes, of which it may append a number, and does not look.
const NAME: usize = 28;
/// Longest message: MIDAS prints it into 1000 bytes with what it says itself.
const MESSAGE_BYTES: usize = 700;
/// How long a log-out may take when nobody asks how it went.
const FAREWELL: Duration = Duration::from_secs(1);
/// Whether programs of other hosts may be called.
const OUTSIDE: &str = "/Experiment/Security/Enable non-localhost RPC";
/// Whether any host may call.
const ANYBODY: &str = "/Experiment/Security/Disable RPC hosts check";
/// The hosts that may.
const ALLOWED: &str = "/Experiment/Security/RPC hosts/Allowed hosts";
/// Number of the type of 32-bit integers.
const INT: i32 = 7;

/// Kinds of messages in the experiment's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something has failed.
    Error,
    /// For everybody to know.
    Info,
    /// For who looks for a fault.
    Debug,
    /// Of a person.
    User,
    /// For the log file only.
    Log,
    /// To be spoken aloud.
    Talk,
}

/// A client of an experiment: one connection, used by one thread. Two threads of its own hear what the
/// server and other programs say ([`Inbox`]). It logs out when dropped.
#[derive(Debug)]
pub struct Client {
    pub(super) rpc: Rpc,
    /// The server's handle of its ODB.
    pub(super) database: i32,
    /// Our entry in `/System/Clients`.
    entry: Key,
    name: String,
    version: String,
    port: u16,
    pub(super) pace: Pace,
    is_in: bool,
    /// The log of the experiment knows that we came.
    is_told: bool,
    /// Dropped behind the log-out: the server takes a closed connection for a broken one.
    threads: Option<Threads>,
}

#[derive(Debug)]
struct Threads {
    notify: Notify,
    _listener: Listener,
    _event: TcpStream,
}

impl Client {
    /// Logs in: has a process of the server call us back, names us, and tells the experiment our port. What
    /// earlier clients of the inbox have left there is gone.
    ///
    /// # Errors
    ///
    /// [`is_refusal`](Error::is_refusal) says whether it is worth trying again.
    pub fn connect(login: &Login, inbox: &Arc<Inbox>) -> Result<Client> {
        check(login)?;
        let address = &login.address;
        let experiment = experiment(login)?;
        let control = Control::new(address, login.timeout)?;
        let server = control.server();
        let reverse = Reverse::bind(server, login.callbacks, login.transitions.is_some())?;
        let version = control.connect(address, reverse.ports(), &experiment, login.timeout)?;
        let [calls, notes, event] = reverse.accept(server, login.timeout, address.port)?;
        let post = inbox.begin();
        let notify = Notify::new(notes, post.clone(), login.timeout)
            .map_err(|source| Error::Io { call: "connect", source })?;
        let mut client = Client::greeted(Box::new(calls), login, version)?;
        let listener = client.listener(login, post, server)?;
        client.port = listener.port();
        client.threads = Some(Threads { notify, _listener: listener, _event: event });
        client.log_in(login)?;
        Ok(client)
    }

    /// A connection that has been greeted, and has its ODB open.
    pub(super) fn greeted(line: Box<dyn Line>, login: &Login, version: String) -> Result<Client> {
        let mut rpc = Rpc::new(line, login.timeout);
        rpc.greet(&login.name)?;
        let mut client = Client {
            rpc,
            database: 0,
            entry: Key::ROOT,
            name: login.name.clone(),
            version,
            port: 0,
            pace: Pace::default(),
            is_in: true,
            is_told: false,
            threads: None,
        };
        // The size matters only where the ODB is made.
        let call = Call::new(&OPEN_DATABASE).text("ODB")?.int(1 << 20).text(&login.name)?;
        client.database = client.number(&call, "ODB", "handle")?;
        Ok(client)
    }

    /// Our port, where the experiment says that it may be.
    fn listener(&mut self, login: &Login, post: Post, server: std::net::IpAddr) -> Result<Listener> {
        let mut side = side(server);
        // Servers before 2015 do not have it, and listen everywhere.
        if side.is_unspecified()
            && let Some(false) = self.switch(OUTSIDE)?
        {
            // Each START would wait for us, and be given up.
            if login.transitions.is_some() {
                let message = format!(
                    "programs of the experiment may not call other hosts, and would fail to start runs with us: set \
                     ODB \"{OUTSIDE}\", or take no part in transitions"
                );
                return Err(Error::Argument { what: "transitions", message });
            }
            side = std::net::Ipv4Addr::LOCALHOST;
        }
        let port = login.callbacks.and_then(|ports| ports.listen).unwrap_or(0);
        let callers = match side.is_unspecified() {
            true => self.callers(server)?,
            false => Callers::default(),
        };
        Listener::new(side, port, callers, post)
    }

    /// Who may call us besides our own host: the hosts that the experiment lets in.
    fn callers(&mut self, server: std::net::IpAddr) -> Result<Callers> {
        if self.switch(ANYBODY)? == Some(true) {
            return Ok(Callers::Anybody);
        }
        let mut names = Vec::new();
        if let Some(key) = self.find(Key::ROOT, ALLOWED)? {
            let info = self.info(key)?;
            let bytes = self.data(key, &info)?;
            if let Some(Value::String(strings)) = super::value::decode(&info, &bytes) {
                names = strings.values;
            }
        }
        let names = names.iter().filter_map(|name| std::str::from_utf8(name).ok());
        Ok(Callers::new(server, names))
    }

    /// A key that is on or off; `None` if it is not there.
    fn switch(&mut self, path: &str) -> Result<Option<bool>> {
        let Some(key) = self.find(Key::ROOT, path)? else { return Ok(None) };
        let info = self.info(key)?;
        Ok(Some(self.data(key, &info)?.iter().any(|byte| *byte != 0)))
    }

    /// Becomes a client of the experiment.
    pub(super) fn log_in(&mut self, login: &Login) -> Result<()> {
        self.entry = match (self.set_client_info(login, "")?, &login.password) {
            (Some(entry), _) => entry,
            (None, None) => return Err(Error::Password { given: false }),
            (None, Some(password)) => {
                let entry = self.set_client_info(login, &hashed(password))?;
                entry.ok_or(Error::Password { given: true })?
            }
        };
        // Two programs of one name: the server has appended a number and does not say so.
        if let Some(key) = self.find(self.entry, "Name")? {
            let info = self.info(key)?;
            let name = super::wire::text(&self.data(key, &info)?);
            if !name.is_empty() {
                self.name = name;
            }
        }
        self.set_port()?;
        if let Some(sequences) = &login.transitions {
            self.set_transitions(sequences)?;
        }
        let mut watchdog = i32::try_from(login.watchdog.as_millis()).unwrap_or(i32::MAX);
        // Of the name without a number, as programs of MIDAS have it.
        let set = format!("/Programs/{}/Watchdog Timeout", login.name);
        if let Some(key) = self.find(Key::ROOT, &set)? {
            let info = self.info(key)?;
            if let Ok(bytes) = <[u8; 4]>::try_from(self.data(key, &info)?) {
                watchdog = i32::from_le_bytes(bytes);
            }
        }
        let call = Call::new(&SET_WATCHDOG).int(1).int(watchdog);
        self.done(&call, "our time of silence")?;
        if login.messages {
            let started = format!("Program {} on host {} started", self.name, login.host);
            self.message(Message::Info, &started)?;
            self.is_told = true;
        }
        Ok(())
    }

    /// Our entry among the clients; `None` if it takes another password.
    fn set_client_info(&mut self, login: &Login, password: &str) -> Result<Option<Key>> {
        let watchdog = i32::try_from(login.watchdog.as_millis()).unwrap_or(i32::MAX);
        let call = Call::new(&SET_CLIENT_INFO).int(self.database).text(&login.host)?.text(&login.name)?;
        let call = call.int(HARDWARE).text(password)?.int(watchdog);
        self.rpc.plain(&call, |status, mut reply| match status {
            SUCCESS => Ok(Some(Key(reply.int("handle of our entry")?))),
            WRONG_PASSWORD => Ok(None),
            status => Err(refused(&SET_CLIENT_INFO, &login.name, status)),
        })
    }

    /// Tells the experiment where we are called. The entry is locked, and is left so.
    fn set_port(&mut self) -> Result<()> {
        let Some(key) = self.find(self.entry, "Server Port")? else { return Ok(()) };
        self.set_modes(key, 3)?;
        let set = self.set(key, &i32::from(self.port).to_le_bytes(), 1, INT);
        self.set_modes(key, 1)?;
        set
    }

    /// Asks to be called at transitions.
    fn set_transitions(&mut self, sequences: &Sequences) -> Result<()> {
        let all = [
            ("START", sequences.start),
            ("STOP", sequences.stop),
            ("PAUSE", sequences.pause),
            ("RESUME", sequences.resume),
            ("STARTABORT", sequences.start),
        ];
        self.set_modes(self.entry, 7)?;
        let set = all.iter().try_for_each(|(name, sequence)| {
            let name = format!("Transition {name}");
            let call = Call::new(&SET_VALUE).int(self.database).int(self.entry.0).text(&name)?;
            let call = call.block(&sequence.to_le_bytes())?.int(4).int(1).int(INT);
            self.done(&call, &name)
        });
        self.set_modes(self.entry, 1)?;
        set
    }

    /// Our name, as the server has it: it appends a number if there is another program of our name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that the server says, which is "2.1" from 2015 to 2022 at least.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The port where programs of the experiment call us.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether an error has ended the connection.
    pub fn is_lost(&self) -> bool {
        self.rpc.is_lost()
    }

    /// Writes into the log of the experiment; what is very long is cut.
    pub fn message(&mut self, kind: Message, text: &str) -> Result<()> {
        let kind = match kind {
            Message::Error => 1,
            Message::Info => 2,
            Message::Debug => 4,
            Message::User => 8,
            Message::Log => 16,
            Message::Talk => 32,
        };
        let call = Call::new(&MESSAGE).int(kind).text("pactolus")?.int(0).text("pactolus")?;
        let call = call.text(&cut(text, MESSAGE_BYTES))?;
        self.done(&call, "a message")
    }

    /// The time of the server [Unix seconds].
    pub fn time(&mut self) -> Result<u32> {
        self.number(&Call::new(&TIME), "", "time").map(|time| time as u32)
    }

    /// Logs out: the server removes our entry in the experiment, and our requests. Of its farewell there is no
    /// [note](super::Note::Closed).
    pub fn exit(mut self) -> Result<()> {
        self.log_out()
    }

    fn log_out(&mut self) -> Result<()> {
        self.is_in = false;
        if let Some(threads) = &self.threads {
            threads.notify.hush();
        }
        if self.is_told {
            let stopped = format!("Program {} stopped", self.name);
            match self.message(Message::Info, &stopped) {
                Err(error) if error.is_lost() => return Err(error),
                // A courtesy.
                _ => {}
            }
        }
        self.done(&Call::new(&EXIT), "")
    }

    /// A call that answers with its status only.
    pub(super) fn done(&mut self, call: &Call, of: &str) -> Result<()> {
        self.accepted(call, of, |_| Ok(()))
    }

    /// A call that answers with one number.
    pub(super) fn number(&mut self, call: &Call, of: &str, what: &str) -> Result<i32> {
        self.accepted(call, of, |reply| reply.int(what))
    }

    fn accepted<T>(
        &mut self,
        call: &Call,
        of: &str,
        take: impl FnOnce(&mut Reply) -> Result<T>,
    ) -> Result<T> {
        self.rpc.plain(call, |status, mut reply| {
            if super::status::is_success(status) {
                let taken = take(&mut reply)?;
                reply.end()?;
                Ok(taken)
            } else {
                Err(Error::Refused { call: call.name, what: of.to_owned(), status })
            }
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.is_in && !self.rpc.is_lost() {
            self.rpc.set_timeout(FAREWELL);
            let _ = self.log_out();
        }
    }
}

pub(super) fn refused(routine: &Routine, what: &str, status: i32) -> Error {
    Error::Refused { call: routine.name, what: what.to_owned(), status }
}

/// The name of the experiment, letter by letter as the server has it.
///
/// Servers also take `Default`, those of 2017 any case. But the process that they start then opens shared memory of just
/// this name, beside that of the experiment: an ODB of its own, without events, saved over the true one at its
/// end. So they are asked first.
fn experiment(login: &Login) -> Result<String> {
    let mut known = experiments(&login.address, login.timeout)?;
    let found = match &login.experiment {
        None => (!known.is_empty()).then_some(0),
        Some(name) => {
            let same = known.iter().position(|one| one == name);
            same.or_else(|| known.iter().position(|one| one.eq_ignore_ascii_case(name)))
        }
    };
    match found {
        Some(found) => Ok(known.swap_remove(found)),
        None => Err(Error::UnknownExperiment {
            address: login.address.clone(),
            experiment: login.experiment.clone().unwrap_or_else(|| "Default".to_owned()),
            known,
        }),
    }
}

/// What the server would take amiss, or not look at before it writes behind the end of its memory.
fn check(login: &Login) -> Result<()> {
    let name = &login.name;
    let is_wrong = |c: char| c.is_control() || c == '/';
    if name.trim().is_empty() || name.len() > NAME || name.contains(is_wrong) {
        let message = format!("{name:?} is no name for MIDAS: 1 to {NAME} bytes, no '/'");
        return Err(Error::Argument { what: "name of the program", message });
    }
    if login.host.len() > 100 || login.host.contains(is_wrong) {
        let message = format!("{:?} is no name of a host", login.host);
        return Err(Error::Argument { what: "host", message });
    }
    if login.timeout.is_zero() || login.timeout > LONGEST {
        let message = match login.timeout.is_zero() {
            true => "0 s".to_owned(),
            false => format!("{} s, wanted at most a day", login.timeout.as_secs()),
        };
        return Err(Error::Argument { what: "timeout", message });
    }
    if login.transitions.is_some() && login.callbacks.is_some_and(|ports| ports.listen.is_none()) {
        let message = "who takes part in transitions is called by programs of the experiment, on a fourth port: name \
                       it, too (--callback-ports A,B,C,D)";
        return Err(Error::Argument { what: "callback ports", message: message.to_owned() });
    }
    Ok(())
}
