//! What is wanted of the figures, and what was found.

use pactolus::simulate::Shape::{self, Big, Small};

use crate::Packed;
use crate::table::Table;

/// Prints lines about these figures.
struct List<'a>(&'a Table);

/// What counts as good.
#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

use Limit::{AtLeast, AtMost};

impl List<'_> {
    /// Prints a line; nothing if nobody has measured it.
    fn line(&self, what: &str, limit: Limit, found: Option<f64>, cores: Option<f64>) {
        let Some(found) = found else { return };
        let (sign, limit, good) = match limit {
            AtLeast(limit) => (">=", limit, found >= limit),
            AtMost(limit) => ("<=", limit, found <= limit),
        };
        let cores = cores.map_or(String::new(), |cores| format!("{cores:.1}"));
        let verdict = if good { "ok" } else { "missed" };
        println!("{what:66} {sign} {limit:>6.2} {found:>8.2} {cores:>5}  {verdict}");
    }

    fn ratio(&self, shape: Shape, row: &str, other: &str, wanted: f64) {
        let what = format!("{}: {row} / {other}", shape.name());
        let cores = self.0.find(shape, row).and_then(|row| row.cores);
        self.line(&what, AtLeast(wanted), self.0.ratio(shape, row, other), cores);
    }

    /// Small events by the million.
    fn rate(&self, row: &str, wanted: f64) {
        let found = self.0.find(Small, row);
        let rate = found.map(|found| found.rate() / 1e6);
        self.line(
            &format!("small: {row} [M events/s]"),
            AtLeast(wanted),
            rate,
            found.and_then(|row| row.cores),
        );
    }
}

/// Prints what is wanted and what was found. Nothing fails for it: the time belongs to the machine.
pub(crate) fn print(table: &Table, packed: &[Packed]) {
    println!("\n{:66} {:>9} {:>8} {:>5}", "", "wanted", "found", "cores");
    let list = List(table);
    for shape in [Small, Big] {
        list.ratio(shape, "walk: ours", "walk: by hand", 0.7);
    }
    list.ratio(Big, "words: ours", "memory: read once", 0.6);
    for shape in [Small, Big] {
        for chain in ["chain", "stock"] {
            for output in ["no output", ".mid"] {
                let name = |who: &str| format!("{chain}: {who}, {output}");
                list.ratio(shape, &name("ours -j1"), &name("by hand"), 0.5);
                list.ratio(shape, &name("ours -j2"), &name("ours -j1"), 1.8);
            }
        }
    }
    // Nothing is faster than the place where it goes.
    let sink = table.find(Small, "sink: write(2)").map_or(f64::INFINITY, |sink| sink.rate() / 1e6);
    list.rate("stock: ours -j2, .mid", sink.min(16.0));
    list.rate("output: .asc", 1.5);
    list.rate("output: .mid.gz", 0.8);
    for Packed { shape, ours, gzip } in packed {
        let what = format!("{}: size of .mid.gz / of what gzip -6 makes of the .mid", shape.name());
        list.line(&what, AtMost(1.05), Some(*ours as f64 / *gzip as f64), None);
    }
    list.rate("output: .parquet", 2.0);
    for shape in [Small, Big] {
        let size = |name| table.find(shape, name).map(|row| row.written as f64);
        let ratio = size("output: .parquet").zip(size("output: .mid.gz")).map(|(a, b)| a / b);
        list.line(&format!("{}: size of .parquet / of .mid.gz", shape.name()), AtMost(1.0), ratio, None);
    }
    for shape in [Small, Big] {
        list.ratio(shape, "members.mid.gz: job -j2", "members.mid.gz: job -j1", 1.6);
        list.ratio(shape, "one.mid.gz: job -j2", "one.mid.gz: inflate alone", 0.9);
    }
    for shape in [Small, Big] {
        let found = table.find(shape, "dump to /dev/null");
        let (rate, cores) = (found.map(|row| row.megabytes()), found.and_then(|row| row.cores));
        list.line(&format!("{}: dump to /dev/null [MB/s]", shape.name()), AtLeast(150.0), rate, cores);
    }
}
