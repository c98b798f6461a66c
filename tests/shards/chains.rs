//! Modules whose work shows in which order events came, and a run for them.

use pactolus::histo::Histogram;
use pactolus::prelude::*;

use crate::common::MidFile;

const WRDS: BankDef<u16> = BankDef::new(b"WRDS");
const SEEN: BankDef<u32> = BankDef::new(b"SEEN");
const TEXT: BankDef<u8> = BankDef::new(b"TEXT");

/// Wide: sets tests, skips, fails, makes events.
#[derive(Record, Clone)]
pub(crate) struct First {
    /// Makes an event of one in so many
    #[key("New events", default = 0)]
    new: u32,
    /// Bytes of a file decide; see the test of configuration files
    #[key("Offset", default = 0)]
    offset: u32,
    #[key(skip)]
    tests: [Test; 2],
    #[key(skip)]
    words: Hist1,
    #[key(skip)]
    weighted: WeightedProfile,
    #[key(skip)]
    strip: Strip,
}

impl Module for First {
    fn banks(&self) -> Banks {
        let banks = Banks::read(WRDS);
        if self.new > 0 { banks.queues_events() } else { banks }
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.tests = [setup.test("odd"), setup.test("third")];
        self.words = setup.book("Words", Hist1::new(Axis::regular(50, 0.0, 500.0)))?;
        self.weighted = setup.book("Weighted", WeightedProfile::new(Axis::integer(0, 8)))?;
        self.strip = setup.book("Strip", Strip::new(5))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let serial = event.serial() + self.offset;
        if self.new > 0 && serial.is_multiple_of(self.new) {
            let new = NewEvent::new(2, 1, serial * 10, event.time()).bank(WRDS, &[serial as u16]);
            context.queue(new);
        }
        for (i, word) in
            event.get(WRDS)?.into_iter().flat_map(|words| words.iter().enumerate().collect::<Vec<_>>())
        {
            context.fill(self.words, word);
            context.fill(self.weighted, (i as f64, f64::from(word) * 0.1, 1.0 / f64::from(serial + 3)));
        }
        context.fill(self.strip, 0.1 * f64::from(serial));
        if serial % 2 == 1 {
            context.set(self.tests[0], true);
        }
        context.set(self.tests[1], serial.is_multiple_of(3));
        match serial % 7 {
            5 => Ok(Skip),
            6 if serial > 50 => Err(format!("no event {serial}").into()),
            _ => Ok(Keep),
        }
    }
}

/// Sequential: what it appends depends on all events before.
#[derive(Record, Clone)]
struct Middle {
    #[key(skip)]
    seen: u32,
    #[key(skip)]
    test: Test,
    #[key(skip)]
    filled: Hist1,
}

impl Sequential for Middle {
    fn banks(&self) -> Banks {
        Banks::read(WRDS).write(SEEN)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.test = setup.test("in the middle");
        self.filled = setup.book("Seen", Hist1::new(Axis::integer(0, 10)))?;
        Ok(())
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        self.seen = self.seen.wrapping_mul(31).wrapping_add(event.serial());
        context.set(self.test, self.seen.is_multiple_of(2));
        context.fill(self.filled, self.seen % 11);
        event.append(SEEN, &[self.seen])?;
        match self.seen % 11 {
            0 => Ok(Skip),
            1 => Err("the eleventh".into()),
            2 => {
                context.message(format!("{} of serial {}", self.seen, event.serial()));
                Ok(Keep)
            }
            _ => Ok(Keep),
        }
    }

    fn eor(&mut self, run: &EndOfRun) -> Result<()> {
        // An error of the run is in its report, which must not differ.
        let bytes: Vec<Vec<u8>> = run.histograms.list.iter().map(Histogram::to_bytes).collect();
        Err(format!("{} entered, {:?}, {bytes:?}", run.entered, run.tests).into())
    }
}

/// Wide, behind the sequential one.
#[derive(Record, Clone)]
struct Last {}

impl Module for Last {
    fn banks(&self) -> Banks {
        Banks::read(SEEN).write(TEXT)
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let seen = event.get(SEEN)?.and_then(|seen| seen.iter().next()).unwrap_or_default();
        context.message("last");
        event.append(TEXT, format!("{seen:x}").as_bytes())?;
        Ok(Keep)
    }
}

/// A sequential stage in the middle of a chain, histograms, another chain behind it. `new`: every so many events
/// make one for the second chain.
pub(crate) fn chains(new: u32) -> Analyzer {
    let mut first = First::defaults();
    first.new = new;
    Analyzer::new("Analyzer")
        .on(Request::new("One", 1).tests().bank(WRDS))
        .module("First", first)
        .sequential("Middle", Middle::defaults())
        .module("Last", Last::defaults())
        .on(Request::new("Two", 2).tests().bank(WRDS))
        .module("Second", First::defaults())
        .on(Request::new("Every", -1))
}

/// A run with events of three ids; of one in ten the banks are broken.
pub(crate) fn events(file: MidFile, serials: std::ops::Range<u32>) -> MidFile {
    serials.fold(file, |file, serial| {
        let words: Vec<u16> = (0..serial % 9).map(|i| (serial * i) as u16).collect();
        match serial % 10 {
            3 => file.event(1, serial, &[("WRDS", Tid::Dword, &[1, 2, 3, 4])]).message("a word"),
            4 => file.event(1, serial, &[("BIG", Tid::String, &b"caf\xe9\0"[..])]),
            5 => file.raw(5, 1, serial, &[8, 0, 0, 0, 1, 0, 0, 0, b'W', b'R', b'D', b'S', 4, 0, 99, 0]),
            _ => file.words(1 + (serial % 3) as u16, serial, "WRDS", &words),
        }
    })
}
