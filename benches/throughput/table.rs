//! Rows that are measured side by side, and what is printed of them.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use pactolus::simulate::Shape;

use crate::Flags;

/// A row that takes more seconds than this has three rounds.
const SLOW: f64 = 20.0;

/// What a pass has done.
#[derive(Clone, Copy, Default)]
pub(crate) struct Done {
    /// Rows that do the same work must agree on it.
    pub(crate) sum: u64,
    /// Bytes of the outputs.
    pub(crate) written: u64,
}

impl From<u64> for Done {
    fn from(sum: u64) -> Done {
        Done { sum, written: 0 }
    }
}

struct Row<'a> {
    name: String,
    /// The rows that its ratios are to.
    against: Vec<String>,
    /// Rows with the same word here must have the same sum.
    same: Option<&'static str>,
    run: Box<dyn FnMut() -> Done + 'a>,
    seconds: Vec<f64>,
    /// Seconds of processors over all rounds.
    busy: f64,
    done: Done,
}

impl Row<'_> {
    /// How many processors it has had; the system's ticks are too coarse for less than half a second.
    fn cores(&self) -> Option<f64> {
        let seconds = self.seconds.iter().sum::<f64>();
        (self.busy > 0.0 && seconds >= 0.5).then(|| self.busy / seconds)
    }
}

/// Seconds that all threads of this program have had so far, to a hundredth; 0 where nobody says.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets stand the state and ten numbers, then the ticks as user and system.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Rows whose rounds are interleaved.
pub(crate) struct Group<'a> {
    /// What the files hold.
    pub(crate) shape: Shape,
    /// Data events of the file.
    pub(crate) events: u64,
    /// Size of the file.
    pub(crate) bytes: u64,
    flags: &'a Flags,
    rows: Vec<Row<'a>>,
    /// Pairs of rows whose ratio has a row of its own.
    gains: Vec<(String, String)>,
}

impl<'a> Group<'a> {
    /// No rows yet.
    pub(crate) fn new(shape: Shape, events: u64, bytes: u64, flags: &'a Flags) -> Group<'a> {
        Group { shape, events, bytes, flags, rows: Vec::new(), gains: Vec::new() }
    }

    /// Whether the user wants the row of this name.
    pub(crate) fn wants(&self, name: &str) -> bool {
        format!("{} {name}", self.shape.name()).contains(&self.flags.only)
    }

    /// Adds a row; what it needs is made only if somebody wants it.
    pub(crate) fn row<F: FnMut() -> Done + 'a>(
        &mut self,
        name: &str,
        against: &[&str],
        same: Option<&'static str>,
        prepare: impl FnOnce() -> F,
    ) {
        if self.wants(name) {
            let run = Box::new(prepare());
            let (name, against) = (name.to_owned(), against.iter().map(|&other| other.to_owned()).collect());
            let (seconds, busy, done) = (Vec::new(), 0.0, Done::default());
            self.rows.push(Row { name, against, same, run, seconds, busy, done });
        }
    }

    /// Tells how much faster two threads are than one, in a row of its own.
    pub(crate) fn gain(&mut self, one: &str, two: &str) {
        self.gains.push((one.to_owned(), two.to_owned()));
    }

    /// Measures the rows and prints them. What is in `out` after a pass is removed, beyond its time.
    pub(crate) fn measure(mut self, out: &Path, table: &mut Table) {
        for round in 0..self.flags.rounds {
            for row in &mut self.rows {
                if round >= 3 && row.seconds[0] > SLOW {
                    continue;
                }
                let (start, busy) = (Instant::now(), processor_seconds());
                row.done = black_box((row.run)());
                row.seconds.push(start.elapsed().as_secs_f64());
                row.busy += processor_seconds() - busy;
                fs::remove_dir_all(out).unwrap();
                fs::create_dir(out).unwrap();
            }
        }
        if self.rows.is_empty() {
            return;
        }
        for row in &self.rows {
            let mut seconds = row.seconds.clone();
            seconds.sort_by(f64::total_cmp);
            table.0.push(Measured {
                shape: self.shape,
                name: row.name.clone(),
                seconds: seconds[seconds.len() / 2],
                events: self.events,
                bytes: self.bytes,
                cores: row.cores(),
                written: row.done.written,
            });
        }
        self.print(table);
        self.compare();
    }

    fn print(&self, table: &Table) {
        let (shape, megabytes) = (self.shape.name(), self.bytes as f64 / 1e6);
        println!("\n{shape}: {} events, {megabytes:.0} MB", self.events);
        println!(
            "{:44} {:>10} {:>8} {:>5} {:>12} {:>8}  ratio",
            "", "M events/s", "MB/s", "cores", "bytes out", "a event"
        );
        for row in &self.rows {
            let Some(found) = table.find(self.shape, &row.name) else { continue };
            let mut line = format!("{:44} {:>10.3} {:>8.0}", row.name, found.rate() / 1e6, found.megabytes());
            let _ = match found.cores {
                None => write!(line, " {:>5}", ""),
                Some(cores) => write!(line, " {cores:>5.1}"),
            };
            let _ = match found.written {
                0 => write!(line, " {:>12} {:>8}", "", ""),
                bytes => write!(line, " {bytes:>12} {:>8.1}", bytes as f64 / self.events as f64),
            };
            let ratios = row.against.iter().filter_map(|other| {
                Some(format!("{:.2} of {other}", table.ratio(self.shape, &row.name, other)?))
            });
            println!("{line}  {}", ratios.collect::<Vec<_>>().join("; "));
        }
        for (one, two) in &self.gains {
            if let Some(gain) = table.ratio(self.shape, two, one) {
                println!("{:90}  {gain:.2} of {one}", format!("{two}, against -j1"));
            }
        }
    }

    /// Rows of the same work have found the same.
    fn compare(&self) {
        for (i, row) in self.rows.iter().enumerate().filter(|(_, row)| row.same.is_some()) {
            let other = self.rows[..i].iter().find(|other| other.same == row.same);
            if let Some(other) = other {
                assert_eq!(row.done.sum, other.done.sum, "{} and {} differ", row.name, other.name);
            }
        }
    }
}

/// A row that was measured.
pub(crate) struct Measured {
    shape: Shape,
    name: String,
    /// The median.
    seconds: f64,
    events: u64,
    bytes: u64,
    /// Processors that it has had.
    pub(crate) cores: Option<f64>,
    /// Bytes of the outputs.
    pub(crate) written: u64,
}

impl Measured {
    /// Events per second.
    pub(crate) fn rate(&self) -> f64 {
        self.events as f64 / self.seconds
    }

    /// Megabytes of the uncompressed input per second.
    pub(crate) fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds
    }
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Measured>);

impl Table {
    /// The row of this name.
    pub(crate) fn find(&self, shape: Shape, name: &str) -> Option<&Measured> {
        self.0.iter().find(|row| row.shape == shape && row.name == name)
    }

    /// How fast a row is, where the other one has 1.
    pub(crate) fn ratio(&self, shape: Shape, row: &str, other: &str) -> Option<f64> {
        Some(self.find(shape, other)?.seconds / self.find(shape, row)?.seconds)
    }
}
