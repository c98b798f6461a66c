//! How fast, against what could be: reading, analysing, writing.
//!
//! ```sh
//! cargo bench --bench throughput                                # 1 GB a file: an hour or more, 6 GB of memory
//! cargo bench --bench throughput -- --mb 100 --rounds 3         # a first look
//! cargo bench --bench throughput -- --only 'small chain'        # rows whose name, behind `small` or `big`, has this
//! ```
//!
//! `chain` is the sample experiment without histograms, `stock` all that the stock modules do.
//!
//! Rows are medians; the rounds of the rows of a table are interleaved, as only ratios within a table
//! mean anything on a machine that others use. At the end, what is wanted stands beside what was
//! found. "Cores" is the time of processors by the time on the clock: where a row of -j2 has less than
//! it could use, others had them, or it waited. Files are made by `pactolus simulate`, in the two shapes of the sample experiment: "small"
//! events of 56 bytes (four ADC and four TDC words), "big" ones of 2 kB (1000 TDC words). Rows "by
//! hand" are the limits of one thread. Who ends the program early removes
//! `/dev/shm/pactolus-throughput-*` himself.
//!
//! To see where the time goes, measure one row under `perf`; `cargo bench --no-run` tells the name of
//! the program:
//!
//! ```sh
//! cargo bench --bench throughput --no-run
//! perf record --call-graph dwarf,16384 -F 499 target/release/deps/throughput-0123456789abcdef \
//!     --mb 300 --rounds 5 --only 'small stock: ours -j1, no output'
//! perf report --no-children
//! ```
//!
//! What to expect on one core, by arithmetic: a bare walk of small events touches three cache lines
//! of each 64 bytes it passes and does about 30 instructions: some 100 M events/s, or as fast as
//! memory is read (some 6 GB/s) where events are big. Calibrating and summing four channels and
//! copying an event with two new banks is about 100 instructions and 168 bytes written: some 30 M
//! events/s; six fills of histograms are 15 to 30 cycles each, so half of that. mana does 0.4 to 0.5 M
//! events/s on the same events.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

mod by_hand;
mod chain;
mod files;
mod modules;
mod ours;
mod table;
mod wanted;

use std::cell::OnceCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use files::Files;
use pactolus::formats::Compression;
use pactolus::simulate::Shape;
use table::{Done, Table};

/// Bytes by which two new banks enlarge an event.
const APPENDED: u64 = 40;
/// Bytes of a `.mid` given to gzip.
const SAMPLE: u64 = 64_000_000;

/// What the user wants.
struct Flags {
    /// Size of a file.
    bytes: u64,
    rounds: usize,
    /// What the names of rows must contain.
    only: String,
}

impl Flags {
    fn of(args: &[String]) -> Flags {
        let place = |flag: &str| args.iter().position(|arg| arg == flag);
        let text = |flag: &str| Some(args.get(place(flag)? + 1).unwrap_or_else(|| panic!("{flag} what?")));
        let number = |flag: &str, default: u64| {
            let number = text(flag).map(|text| text.parse().unwrap_or_else(|_| panic!("{flag} {text}?")));
            number.unwrap_or(default)
        };
        // `cargo test --benches` says nothing, and only asks whether all works.
        let trial = args.is_empty() || place("--test").is_some();
        Flags {
            bytes: if trial { 1 << 20 } else { number("--mb", 1000) << 20 },
            rounds: if trial { 1 } else { number("--rounds", 5).max(1) as usize },
            only: text("--only").cloned().unwrap_or_default(),
        }
    }
}

/// Sizes of the same events, compressed by us and by gzip.
struct Packed {
    shape: Shape,
    ours: u64,
    gzip: u64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flags = Flags::of(&args);
    // Files lie in memory where there is such a place: not the disk is to be measured.
    let tmpfs = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("pactolus-throughput-");
    let dir = if tmpfs.is_dir() { builder.tempdir_in(tmpfs) } else { builder.tempdir() }.unwrap();
    println!(
        "{} MB a file, medians of {} rounds; inputs in {2} with a warm page cache, outputs to {2}{3}",
        flags.bytes >> 20,
        flags.rounds,
        dir.path().display(),
        if tmpfs.is_dir() { " (tmpfs)" } else { "" },
    );
    let (mut table, mut packed) = (Table::default(), Vec::new());
    let shapes = [Shape::Small, Shape::Big];
    // No file for nothing, where the pattern begins with the other shape.
    let named = shapes.into_iter().find(|shape| flags.only.starts_with(shape.name()));
    for shape in shapes.into_iter().filter(|shape| named.is_none_or(|named| named == *shape)) {
        let files = Files::make(shape, flags.bytes, &dir.path().join(shape.name()));
        walks(&files, &flags, &mut table);
        whole_files(&files, &flags, &mut table);
        chains(&files, &flags, &mut table);
        packed.extend(sizes(&files, &flags));
        compressed(&files, &flags, &mut table);
        dumps(&files, &flags, &mut table);
        files.remove();
    }
    wanted::print(&table, &packed);
}

/// From event to event and from bank to bank, in memory.
fn walks(files: &Files, flags: &Flags, table: &mut Table) {
    let memory = OnceCell::new();
    let read = || {
        let bytes = fs::read(&files.plain).unwrap();
        assert_eq!(ours::count(&bytes), files.events);
        bytes
    };
    let mut group = files.group(flags);
    let mut row = |name, against: &[&str], same, walk: fn(&[u8]) -> u64| {
        group.row(name, against, same, || {
            let bytes: &Vec<u8> = memory.get_or_init(read);
            move || walk(bytes).into()
        });
    };
    let (once, bytes, words) = ("memory: read once", Some("bytes of banks"), Some("words"));
    row(once, &[], None, by_hand::read_memory);
    row("walk: by hand", &[once], bytes, by_hand::walk);
    row("walk: ours", &["walk: by hand", "walk: midasio 0.7"], bytes, ours::walk);
    row("walk: midasio 0.7", &["walk: by hand"], bytes, by_hand::midasio_walk);
    row("words: by hand", &[once], words, by_hand::words);
    row("words: ours", &[once, "words: by hand"], words, ours::words);
    group.measure(&files.out, table);
}

/// The same from the file.
fn whole_files(files: &Files, flags: &Flags, table: &mut Table) {
    let mut group = files.group(flags);
    let (path, same) = (&files.plain, Some("bytes of banks"));
    let read = "file: read(2)";
    group.row(read, &[], None, || || by_hand::read_file(path).into());
    let against = [read, "file: midasio 0.7"];
    group.row("file: ours, mid::Reader", &against, same, || || ours::reader_walk(path).into());
    let midasio = || by_hand::midasio_walk(&fs::read(path).unwrap()).into();
    group.row("file: midasio 0.7", &[read], same, || midasio);
    // The name card of an input, where a job has outputs.
    let digest = || pactolus::sha256_of(path).unwrap().len() as u64;
    group.row("file: SHA-256, as jobs with outputs take it", &[read], None, || move || digest().into());
    group.measure(&files.out, table);
}

/// The sample experiment, without histograms, with them, and with every output.
fn chains(files: &Files, flags: &Flags, table: &mut Table) {
    let out = |name: &str| files.out.join(name);
    let (bare, stock) =
        (ours::analyzer(&modules::catalogue()), ours::analyzer(&pactolus_modules::catalogue()));
    let stock = &stock;
    let mut group = files.group(flags);
    let job = |threads, extension: &str| {
        let job = ours::job(&files.plain, threads);
        match extension {
            "" => job,
            _ => job.output(out(&format!("out.{extension}")).to_str().unwrap()).unwrap(),
        }
    };
    type ByHand = fn(&Path, Option<&Path>) -> Done;
    let kinds: [(_, ByHand, _); 2] =
        [("chain", chain::chain::<false>, &bare), ("stock", chain::chain::<true>, stock)];
    for (kind, by_hand, analyzer) in kinds {
        for (output, extension) in [("no output", ""), (".mid", "mid")] {
            let limit = format!("{kind}: by hand, {output}");
            let [one, two] = [1, 2].map(|threads| format!("{kind}: ours -j{threads}, {output}"));
            group.row(&limit, &[], Some(kind), || {
                let path = (!extension.is_empty()).then(|| out("hand.mid"));
                move || by_hand(&files.plain, path.as_deref())
            });
            for (threads, name) in [(1, &one), (2, &two)] {
                let job = job(threads, extension);
                group.row(name, &[&limit], Some(kind), || move || ours::run(analyzer, &job));
            }
            group.gain(&one, &two);
        }
    }
    let written = files.bytes + APPENDED * files.events;
    group.row("sink: write(2)", &[], None, || {
        let path = out("sink");
        move || Done { sum: 0, written: by_hand::write(&path, written) }
    });
    group.row("source and sink: read(2), write(2)", &["sink: write(2)"], None, || {
        let path = out("sink");
        move || {
            let mut file = File::create(&path).unwrap();
            by_hand::copy(&files.plain, Some((&mut file, written)));
            Done { sum: 0, written }
        }
    });
    for extension in ["asc", "mid.gz", "mid.lz4", "mid.zst", "mid.bz2", "parquet", "arrow"] {
        let against = ["stock: by hand, .mid", "stock: ours -j2, .mid"];
        let job = job(2, extension);
        let name = format!("output: .{extension}");
        group.row(&name, &against, Some("stock"), || move || ours::run(stock, &job));
    }
    group.measure(&files.out, table);
}

/// The output `.mid.gz` beside what gzip makes of the same `.mid`, where there is a gzip.
fn sizes(files: &Files, flags: &Flags) -> Option<Packed> {
    if !files.group(flags).wants("output: .mid.gz") {
        return None;
    }
    let sample = files.sample(SAMPLE);
    let [plain, ours] = ["out.mid", "out.mid.gz"].map(|name| sample.out.join(name));
    let mut job = ours::job(&sample.plain, 2);
    for path in [&plain, &ours] {
        job = job.output(path.to_str().unwrap()).unwrap();
    }
    ours::run(&ours::analyzer(&pactolus_modules::catalogue()), &job);
    let theirs = sample.out.join("gzip");
    let mut gzip = Command::new("gzip");
    gzip.arg("-6").stdin(File::open(&plain).unwrap()).stdout(File::create(&theirs).unwrap());
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    let packed = match gzip.status() {
        Ok(status) if status.success() => {
            Some(Packed { shape: files.shape, ours: size(&ours), gzip: size(&theirs) })
        }
        other => {
            println!("no size to compare with: gzip -6: {other:?}");
            None
        }
    };
    if let Some(Packed { shape, ours, gzip }) = &packed {
        let (name, size) = (shape.name(), size(&plain));
        println!("{name}: {size} bytes of .mid are {ours} as .mid.gz of ours, {gzip} after gzip -6");
    }
    sample.remove();
    packed
}

/// Compressed inputs, through the sample experiment.
fn compressed(files: &Files, flags: &Flags, table: &mut Table) {
    let stock = ours::analyzer(&pactolus_modules::catalogue());
    let mut group = files.group(flags);
    let inflate = "one.mid.gz: inflate alone";
    group.row(inflate, &[], None, || {
        let path = files.one_member();
        move || {
            assert_eq!(by_hand::inflate(&path), files.bytes);
            Done::default()
        }
    });
    let inputs: [(&str, &dyn Fn() -> PathBuf); 5] = [
        ("one.mid.gz", &|| files.one_member()),
        ("members.mid.gz", &|| files.members()),
        ("run00001.mid.lz4", &|| files.packed(Compression::Lz4, "lz4")),
        ("run00001.mid.zst", &|| files.packed(Compression::Zstd, "zst")),
        ("run00001.mid.bz2", &|| files.packed(Compression::Bzip2, "bz2")),
    ];
    for (input, make) in inputs {
        let [one, two] = [1, 2].map(|threads| format!("{input}: job -j{threads}"));
        for (threads, name) in [(1, &one), (2, &two)] {
            let against: &[&str] = if input.ends_with("gz") { &[inflate] } else { &[] };
            group.row(name, against, Some("chain"), || {
                let (stock, job) = (&stock, ours::job(&make(), threads));
                move || ours::run(stock, &job)
            });
        }
        group.gain(&one, &two);
    }
    group.measure(&files.out, table);
}

/// Events as text.
fn dumps(files: &Files, flags: &Flags, table: &mut Table) {
    let mut group = files.group(flags);
    group.row("dump to /dev/null", &[], None, || {
        || {
            ours::dump(&files.plain);
            Done::default()
        }
    });
    group.measure(&files.out, table);
}
