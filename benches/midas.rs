//! Events of an experiment: how many a client pulls out of a server on the same host, one call after the
//! other and in groups, beside the client in Python that the protocol was tried with.
//!
//! `cargo bench --bench midas [-- --rounds 5] [--mb 200]`. The server is that of the tests, with the events in its
//! buffer before the time begins. It writes each reply by itself and leaves Nagle's algorithm on, as the real one
//! does; for the third column, replies to calls that have come together leave together. Medians over rounds.
//! The last columns are measured if `PACTOLUS_MSERVER_CLIENT` is the path of a `mserver_client.py` and there is
//! a `python3`; what was measured with real servers of 2017 and 2022 is 24 to 64 k events/s at 100 B, and 1.3 GB/s
//! at 100 kB.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on has failed")]

#[path = "../tests/mserver/mod.rs"]
mod mserver;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use mserver::{Options, Server, event};
use pactolus::midas::{Address, Client, Inbox, Login, Sampling};

/// Events of one round, at most.
const EVENTS: usize = 300_000;

/// Logs in, waits for a line, pulls so many events, and says how many seconds that took.
const PYTHON: &str = r"
import sys, time
sys.path.insert(0, sys.argv[1])
from mserver_client import Client, LOG
LOG.on = False
client = Client('127.0.0.1', int(sys.argv[2]), 'lab', 'Python')
client.call('db_open_database', 'ODB', 1048576, 'Python')
client.call('cm_set_client_info', 1, 'localhost', 'Python', 44, '', 60000)
handle = client.call('bm_open_buffer', 'SYSTEM', 33554432)[1]
client.call('bm_set_cache_size', handle, 100000, 0)
client.call('bm_add_event_request', handle, -1, -1, 2, 0, 0)
print('ready', flush=True)
sys.stdin.readline()
left, begun = int(sys.argv[3]), time.time()
while left:
    left -= client.call('bm_receive_event', handle, 4194320, 1)[0] == 1
print(time.time() - begun, flush=True)
client.close()
";

/// A server, and what fills its buffer.
struct Bench {
    size: usize,
    events: usize,
    bytes: usize,
}

impl Bench {
    fn server(&self, replies_together: bool) -> Server {
        Server::start(Options { buffer: self.bytes + (1 << 20), replies_together, ..Options::default() })
    }

    fn fill(&self, server: &Server) {
        let mut event = event(1, 0, 0, &vec![0x55; self.size - 16]);
        for serial in 0..self.events as u32 {
            event[4..8].copy_from_slice(&serial.to_le_bytes());
            assert!(server.try_send(&event));
        }
    }

    /// Events per second of the client, with at most so many calls for each of its own.
    fn pulled(&self, most: usize, replies_together: bool) -> f64 {
        let server = self.server(replies_together);
        let address = Address { host: "127.0.0.1".to_owned(), port: server.port() };
        let mut client = Client::connect(&Login::new(address, "Bench"), &Inbox::new()).unwrap();
        let buffer = client.open_buffer("SYSTEM").unwrap();
        client.cache(buffer, 100_000).unwrap();
        client.request(buffer, None, None, Sampling::NonBlocking, 0).unwrap();
        self.fill(&server);
        let (mut events, mut bytes, begun) = (0, Vec::new(), Instant::now());
        while events < self.events {
            bytes.clear();
            events += client.receive(buffer, most, 1 << 20, &mut bytes).unwrap().events as usize;
        }
        self.events as f64 / begun.elapsed().as_secs_f64()
    }

    /// Events per second of the client in Python.
    fn pulled_by_python(&self, client: &Path) -> f64 {
        let server = self.server(false);
        let mut command = Command::new("python3");
        command.args(["-c", PYTHON]).arg(client.parent().unwrap());
        command.args([server.port().to_string(), self.events.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        self.fill(&server);
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let seconds: f64 = lines.next().unwrap().unwrap().parse().unwrap();
        assert!(child.wait().unwrap().success());
        self.events as f64 / seconds
    }
}

fn median(rounds: usize, measure: impl Fn() -> f64) -> f64 {
    let mut rates: Vec<f64> = (0..rounds).map(|_| measure()).collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |flag: &str, default: usize| {
        let at = args.iter().position(|arg| arg == flag);
        at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (rounds, bytes) = (number("--rounds", 5), number("--mb", 200) * 1_000_000);
    let python = std::env::var_os("PACTOLUS_MSERVER_CLIENT");
    println!("k events/s (MB/s), {rounds} rounds");
    println!(
        "{:10} {:>20} {:>20} {:>20} {:>20}  ratios",
        "", "one by one", "groups", "groups, together", "Python"
    );
    for size in [100_usize, 2000, 100_000] {
        let padded = size.next_multiple_of(8);
        let events = (bytes / padded).min(EVENTS);
        let bench = Bench { size, events, bytes: events * padded };
        let mut rates = vec![
            median(rounds, || bench.pulled(1, false)),
            median(rounds, || bench.pulled(usize::MAX, false)),
            median(rounds, || bench.pulled(usize::MAX, true)),
        ];
        if let Some(client) = &python {
            rates.push(median(rounds, || bench.pulled_by_python(Path::new(client))));
        }
        print!("{:10}", format!("{size} B"));
        for rate in &rates {
            print!(" {:>20}", format!("{:.1} ({:.0})", rate / 1e3, rate * size as f64 / 1e6));
        }
        if let Some(python) = rates.get(3) {
            print!("  {:.2} {:.2} {:.2}", rates[0] / python, rates[1] / python, rates[2] / python);
        }
        println!();
    }
}
