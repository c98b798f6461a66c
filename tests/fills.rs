//! Histograms in the engine: the same whatever the threads, blocks and runs; cleared as the switch
//! says; made for marked banks without a module.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Mutex;
use std::time::Duration;

use common::{catalogue, corpus, definition, events};
use pactolus::histo::{Histogram, Histograms};
use pactolus::prelude::*;
use pactolus::{Definition, Report, Selection, Stop};

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");

/// Fills one of each kind, after a while, and hands the folded ones out at the end.
#[derive(Record, Clone)]
struct Filler {
    /// Microseconds that an event may take
    #[key("Sleep", default = 0)]
    sleep: u64,
    /// Bins
    #[key("Bins", default = 100)]
    bins: u32,
    #[key(skip)]
    counts: Hist1,
    #[key(skip)]
    map: Hist2,
    #[key(skip)]
    profile: Profile,
    #[key(skip)]
    rate: Strip,
    #[key(skip)]
    weights: WeightedHist1,
    #[key(skip)]
    weighted_map: WeightedHist2,
    #[key(skip)]
    weighted_profile: WeightedProfile,
    #[key(skip)]
    folded: Folded,
}

/// What the runs of a job have come to.
#[derive(Clone, Default)]
struct Folded(std::sync::Arc<Mutex<Vec<Histograms>>>);

/// A weight that no order of additions keeps the same.
fn weight(serial: u32, i: usize) -> f64 {
    let phase = f64::from(serial) * 0.37 + i as f64;
    phase.sin().exp() * if serial.is_multiple_of(17) { 1e12 } else { 1e-3 }
}

impl Module for Filler {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let x = || Axis::regular(self.bins as usize, 0.0, 4000.0).title("ADC").unit("counts");
        self.counts = setup.book("counts", Hist1::new(x()))?;
        self.map = setup.book("maps/map", Hist2::new(Axis::integer(0, 3), x()))?;
        self.profile = setup.book("profile", Profile::new(Axis::integer(0, 3)))?;
        self.rate = setup.book("rate", Strip::new(1).value("ADC", "counts"))?;
        self.weights = setup.book("weights", WeightedHist1::new(x()))?;
        self.weighted_map = setup.book("maps/weighted", WeightedHist2::new(x(), x()))?;
        self.weighted_profile = setup.book("weighted profile", WeightedProfile::new(x()))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        if self.sleep > 0 {
            let some = u64::from(event.serial() * 7919 % 101) * self.sleep / 100;
            std::thread::sleep(Duration::from_micros(some));
        }
        for (i, x) in adc.iter().enumerate() {
            let (channel, w) = (i as u32, weight(event.serial(), i));
            context.fill(self.counts, x);
            context.fill(self.map, (channel, x));
            context.fill(self.profile, (channel, x));
            context.fill(self.rate, x);
            context.fill(self.weights, (x, w));
            context.fill(self.weighted_map, (x, adc.at(0), w));
            context.fill(self.weighted_profile, (x, w, w));
        }
        Ok(Keep)
    }

    fn eor(&self, run: &EndOfRun) -> Result<()> {
        self.folded.0.lock().unwrap().push(run.histograms.clone());
        Ok(())
    }
}

/// An analyzer that fills, and where its histograms end up.
fn filler(sleep: u64) -> (Analyzer, Folded) {
    let folded = Folded::default();
    let module = Filler { sleep, folded: folded.clone(), ..Filler::defaults() };
    (Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module("Filler", module), folded)
}

fn run(job: Job, sleep: u64) -> (Vec<Histograms>, Report) {
    let (analyzer, folded) = filler(sleep);
    let report = analyzer.run(&job).unwrap();
    (std::mem::take(&mut folded.0.lock().unwrap()), report)
}

fn bytes(histograms: &Histograms) -> Vec<Vec<u8>> {
    histograms.list.iter().map(Histogram::to_bytes).collect()
}

#[test]
fn contents_do_not_depend_on_threads_blocks_and_time() {
    let input = corpus("mid/run00008.mid");
    let job = |threads, block| Job { block, ..Job::new().input(&input).threads(threads) };
    let (first, _) = run(job(1, 1 << 20), 0);
    assert_eq!(first.len(), 1);
    for threads in [1, 2, 3, 8] {
        for block in [1, 3000, 1 << 20] {
            let (other, _) = run(job(threads, block), 30);
            assert_eq!(bytes(&other[0]), bytes(&first[0]), "{threads} threads, blocks of {block}");
        }
    }
}

#[test]
fn contents_are_those_of_the_events() {
    let input = corpus("mid/run00008.mid");
    let (folded, report) = run(Job::new().input(&input), 0);
    let get = |name: &str| folded[0].get(name).unwrap();
    let mut values: Vec<(u32, usize, f64)> = Vec::new();
    for event in events(&input, 0).into_iter().filter(|e| e.header.id == 1) {
        let adc = event.banks.iter().find(|b| b.0 == "ADC0").unwrap();
        let words = adc.2.chunks(2).map(|w| f64::from(u16::from_le_bytes([w[0], w[1]])));
        values.extend(words.enumerate().map(|(i, x)| (event.header.serial, i, x)));
    }
    assert!(values.len() > 1000);
    let inside: Vec<f64> = values.iter().map(|v| v.2).filter(|x| *x < 4000.0).collect();
    let counts = get("Filler/counts");
    let stats = counts.stats();
    assert_eq!((stats.entries, stats.sum), (values.len() as u64, inside.len() as f64));
    // Integers: these sums are exact in floats, too.
    assert_eq!((stats.x, stats.xx), (inside.iter().sum(), inside.iter().map(|x| x * x).sum()));
    for bin in 0..100_u32 {
        let inside = |x: f64| x >= 40.0 * f64::from(bin) && x < 40.0 * f64::from(bin + 1);
        let expected = values.iter().filter(|v| inside(v.2)).count();
        assert_eq!(counts.view().cell(bin as usize + 1).content, expected as f64);
        // The last bit of the correctly rounded sum is checked against Python's fsum elsewhere; here
        // a sum in any order must be as near as its own roundings allow.
        let weights: Vec<f64> = values.iter().filter(|v| inside(v.2)).map(|v| weight(v.0, v.1)).collect();
        let cell = get("weights").view().cell(bin as usize + 1);
        let near = weights.iter().sum::<f64>();
        assert!((cell.content - near).abs() <= 1e-12 * near.abs(), "bin {bin}");
    }
    let profile = get("profile").view().cell(2);
    let of_one: Vec<f64> = values.iter().filter(|v| v.1 == 1).map(|v| v.2).collect();
    assert_eq!((profile.entries, profile.values), (of_one.len() as u64, of_one.iter().sum()));
    assert_eq!(get("rate").entries(), values.len() as u64);
    assert!(get("rate").view().x().bins() > 1, "a bin per second");
    let told = report.runs[0].histograms.iter().find(|h| h.name == "Filler/counts").unwrap();
    assert_eq!((told.entries, told.mean), (stats.entries, stats.mean_x));
}

#[test]
fn histograms_are_of_the_run_unless_the_switch_says_otherwise() {
    let inputs = |job: Job| job.input(corpus("mid/run00008.mid")).input(corpus("mid/run00006.mid"));
    let (apart, _) = run(inputs(Job::new()), 0);
    let mut job = inputs(Job::new());
    job.parameters.push(("/Analyzer/Output/Clear histos".into(), "n".into()));
    let (going_on, _) = run(job, 0);
    assert_eq!(bytes(&going_on[0]), bytes(&apart[0]));
    let mut both = apart[1].clone();
    assert!(both.join(&apart[0]).is_empty());
    assert!(both.list[0].entries() > apart[1].list[0].entries());
    assert_eq!(bytes(&going_on[1]), bytes(&both));
    assert_eq!(going_on[1].runs.len(), 2);
}

#[test]
fn what_is_cleared_is_gone_and_what_goes_on_began_at_the_last_clearing() {
    let dir = tempfile::TempDir::new().unwrap();
    let place = |name: &str| dir.path().join(name);
    // Three runs; only the last goes on with what was there.
    let mut job = Job::new();
    for (run, clear) in [(1, "y"), (2, "y"), (3, "n")] {
        let file = place(&format!("run{run:05}.mid"));
        let simulation = pactolus::simulate::Simulation { run, events: 50, ..Default::default() };
        simulation.write(&mut std::fs::File::create(&file).unwrap()).unwrap();
        let text = format!("[/Analyzer/Output]\nClear histos = BOOL : {clear}\n");
        std::fs::write(place(&format!("clear{run:05}.odb")), text).unwrap();
        job = job.input(file);
    }
    job.config.push(place("clear%05d.odb"));
    let each = format!("{}", place("each%05d.json").display());
    let all = format!("{}", place("all.json").display());
    let job = job.output(each).unwrap().output(all).unwrap();
    let (seen, _) = run(job, 0);
    let runs = |set: &Histograms| set.runs.iter().copied().collect::<Vec<_>>();
    assert_eq!(seen.iter().map(runs).collect::<Vec<_>>(), [vec![1], vec![2], vec![2, 3]]);
    let read = |name: &str| Histograms::read(&place(name)).unwrap();
    assert_eq!(bytes(&read("each00003.json")), bytes(&seen[2]));
    let mut sum = seen[2].clone();
    assert!(sum.join(&seen[0]).is_empty());
    assert_eq!((runs(&read("all.json")), bytes(&read("all.json"))), (vec![1, 2, 3], bytes(&sum)));
}

#[test]
fn a_marked_bank_that_fills_nothing_is_told() {
    let warnings = |bank: &str| {
        let text = format!("[[request]]\nname = \"Trigger\"\nid = 1\n[request.banks]\n{bank}");
        let definition = Definition::parse(&text, "marked.toml").unwrap();
        let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
        analyzer.run(&Job::new().input(corpus("mid/run00008.mid"))).unwrap().warnings.join("\n")
    };
    let wrong = warnings("ADC0 = { type = \"DWORD[4]\", histogram = { first = 0, last = 9 } }");
    assert!(
        wrong
            .contains("has filled the histograms of bank ADC0: is there a bank of that name and type DWORD?")
    );
    assert!(warnings("XXXX = { type = \"WORD\", histogram = true }").contains("bank XXXX"));
    assert_eq!(warnings("ADC0 = { type = \"WORD[4]\", histogram = true }"), "");
}

#[test]
fn a_block_may_fill_far_more_than_there_are_events() {
    // One block, many fills.
    let text = "[[request]]\nname = \"Trigger\"\nid = 1\n[request.banks]\n\
        TDC0 = { type = \"WORD[1000]\", histogram = { bins = 100000, low = 0, high = 65536 } }";
    let definition = Definition::parse(text, "marked.toml").unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("run00001.mid");
    let shape = pactolus::simulate::Shape::Big;
    let simulation = pactolus::simulate::Simulation { run: 1, events: 3000, shape, ..Default::default() };
    simulation.write(&mut std::fs::File::create(&path).unwrap()).unwrap();
    let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
    let entries = |strict, block| {
        let job = Job { strict, block, ..Job::new().input(&path).threads(3) };
        analyzer.run(&job).unwrap().runs[0].histograms[0].clone()
    };
    let whole = entries(false, 1 << 24);
    assert!(whole.entries > 2_000_000, "{whole:?}");
    assert_eq!(whole, entries(false, 1 << 12));
    assert_eq!(whole, entries(true, 1 << 20));
}

#[test]
fn the_sample_fills_what_the_sample_of_midas_fills() {
    let definition = Definition::read(definition("analyzer2")).unwrap();
    let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
    let report = analyzer.run(&Job::new().input(corpus("mid/run00008.mid"))).unwrap();
    let names: Vec<&str> = report.runs[0].histograms.iter().map(|h| &*h.name).collect();
    let channels = ["CADC00", "CADC01", "CADC02", "CADC03"].map(|n| format!("ADC calibration/{n}"));
    let sums = ["ADC summing/ADCSUM", "ADC summing/Average/ADCAVG"].map(str::to_owned);
    assert_eq!(names, [&channels[..], &sums[..]].concat());
    let trigger = report.runs[0].requests[0].account;
    assert_eq!(report.runs[0].histograms[4].entries, trigger.kept);
}

/// Runs the definition over a run, with its histograms.
fn marked(banks: &str, input: &str) -> Vec<(String, u64)> {
    let text = format!("[[request]]\nname = \"Trigger\"\nid = 1\n[request.banks]\n{banks}");
    let definition = Definition::parse(&text, "marked.toml").unwrap();
    let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
    let report = analyzer.run(&Job::new().input(corpus(input))).unwrap();
    report.runs[0].histograms.iter().map(|h| (h.name.clone(), h.entries)).collect()
}

#[test]
fn a_marked_bank_has_histograms_without_a_module() {
    let triggers = events(&corpus("mid/run00008.mid"), 0).iter().filter(|e| e.header.id == 1).count() as u64;
    let expected: Vec<_> = (0..4).map(|i| (format!("Trigger/ADC0/0{i}"), triggers)).collect();
    assert_eq!(marked("ADC0 = { type = \"WORD[4]\", histogram = true }", "mid/run00008.mid"), expected);
    let all = marked(
        "TDC0 = { type = \"WORD\", histogram = { bins = 10, low = 0, high = 1000, unit = \"ns\" } }",
        "mid/run00008.mid",
    );
    assert_eq!(all, [("Trigger/TDC0".to_owned(), 4 * triggers)]);
    let map = marked("TDC0 = { type = \"WORD[100]\", histogram = true }", "mid/run00008.mid");
    assert_eq!(map, [("Trigger/TDC0".to_owned(), 4 * triggers)]);
}

#[test]
fn a_marked_bank_must_have_numbers_and_an_axis() {
    let refused = |bank: &str| {
        let text = format!("[[request]]\nname = \"T\"\n[request.banks]\n{bank}");
        Definition::parse(&text, "d.toml").unwrap_err().to_string()
    };
    let struct_bank = "A = { type = \"STRUCT\", fields = { Sum = \"FLOAT\" }, histogram =";
    assert!(refused("A = { type = \"FLOAT\", histogram = true }").contains("need an axis"));
    assert!(refused("A = { type = \"STRING\", histogram = true }").contains("are no numbers"));
    assert!(refused("A = { type = \"WORD\", histogram = { bins = 3 } }").contains("wanted"));
    let upside_down = "A = { type = \"WORD\", histogram = { bins = 3, low = 2, high = 1 } }";
    assert!(refused(upside_down).contains("upper end"));
    assert!(refused(&format!("{struct_bank} true }}")).contains("of a STRUCT, the fields"));
    let no_fields = "A = { type = \"STRUCT\", histogram = { Sum = { bins = 100, low = 0, high = 1000 } } }";
    assert!(refused(no_fields).contains("give `fields`, too"));
    for other in ["7", "\"all\"", "[0, 1]"] {
        let said = refused(&format!("A = {{ type = \"WORD\", histogram = {other} }}"));
        let wanted = "\"histogram\": true or false, or a table with an axis wanted, ";
        assert!(said.contains(wanted) && said.ends_with(" found"), "{said}");
    }
    assert!(refused(&format!("{struct_bank} {{ Sun = true }} }}")).contains("unknown field \"Sun\""));
}

/// Books what it is told to.
#[derive(Clone)]
struct Book(fn(&mut Setup) -> Result<()>);

#[derive(Record, Clone)]
struct Booker {
    #[key(skip)]
    book: Book,
    #[key(skip)]
    unbooked: Hist1,
}

impl Default for Book {
    fn default() -> Book {
        Book(|_| Ok(()))
    }
}

impl Module for Booker {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        (self.book.0)(setup)
    }

    fn event(&self, _: &Event, context: &Context) -> Result<Verdict> {
        context.fill(self.unbooked, 1.0);
        Ok(Keep)
    }
}

fn booked(book: fn(&mut Setup) -> Result<()>) -> std::result::Result<Report, String> {
    let module = Booker { book: Book(book), ..Booker::defaults() };
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module("Booker", module);
    analyzer.run(&Job::new().input(corpus("mid/run00008.mid"))).map_err(|e| {
        let cause = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
        format!("{e}: {cause}")
    })
}

#[test]
fn what_cannot_be_booked_refuses_the_run() {
    let twice = booked(|setup| {
        setup.book("a", Hist1::new(Axis::regular(10, 0.0, 1.0)))?;
        setup.book("A", Hist1::new(Axis::regular(10, 0.0, 1.0)))?;
        Ok(())
    });
    assert!(twice.unwrap_err().contains("histogram \"Booker/A\" is booked twice"));
    let empty = booked(|setup| Ok(setup.book("a//b", Hist1::new(Axis::integer(0, 1))).map(drop)?));
    assert!(empty.unwrap_err().contains("a name wanted"));
    let axis = booked(|setup| Ok(setup.book("a", Hist1::new(Axis::integer(1, 0))).map(drop)?));
    assert!(axis.unwrap_err().contains("histogram \"Booker/a\": an axis needs at least one bin"));
    let large = booked(|setup| {
        let axis = Axis::integer(0, 99_999);
        Ok(setup.book("a", Hist2::new(axis.clone(), axis)).map(drop)?)
    });
    assert!(large.unwrap_err().contains("cells: a histogram has at most"));
}

#[test]
fn filling_what_was_not_booked_costs_the_event() {
    let report = booked(|_| Ok(())).unwrap();
    assert_eq!(report.failed(), report.runs[0].requests[0].account.matched);
    assert!(report.runs[0].failures[0].reason.contains("was not booked: book it in prepare"));
}

#[test]
fn a_stopped_job_has_filled_what_it_has_analysed() {
    let input = corpus("mid/run00008.mid");
    for threads in [1, 2, 3, 8] {
        for block in [500, 3000] {
            let job = Job { block, ..Job::new().input(&input).threads(threads) };
            let (analyzer, folded) = filler(100);
            let mut told = 0;
            let report = analyzer.run_with(&job, &mut |_| {
                told += 1;
                if told == 7 {
                    job.stop.ask();
                }
            });
            let events = report.unwrap().total().offered;
            assert!(events > 0 && events < 1500, "{events} events");
            let first = Job { selection: Selection { events: Some(events), ..Selection::default() }, ..job };
            let (expected, _) = run(Job { stop: Stop::new(), ..first }, 0);
            let filled = folded.0.lock().unwrap();
            assert_eq!(bytes(&filled[0]), bytes(&expected[0]), "{threads} threads, blocks of {block}");
        }
    }
}
