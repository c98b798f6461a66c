//! The program under test: the common command line around modules that make trouble.

use std::process::ExitCode;
use std::time::Duration;

use pactolus::prelude::*;

/// Set for a process that is the program and not the tests.
pub(crate) const MARK: &str = "PACTOLUS_ENDS_PROGRAM";

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
const TDC0: BankDef<u16> = BankDef::new(b"TDC0");
const MORE: BankDef<u16> = BankDef::new(b"MORE");

pub(crate) fn main() -> ExitCode {
    let catalogue = pactolus_modules::catalogue()
        .module::<Trouble>("Trouble")
        .sequential::<Jam>("Jam")
        .module::<Grow>("Grow")
        .module::<Spectra>("Spectra");
    pactolus_cli::App::new(catalogue).main()
}

/// Panics, fails or is slow.
#[derive(Record, Clone)]
pub(crate) struct Trouble {
    /// Events whose serial number has no remainder panic; 0: none
    #[key("Panic", default = 0)]
    panic: u32,
    /// ... fail
    #[key("Fail", default = 0)]
    fail: u32,
    /// Microseconds for an event
    #[key("Nap", default = 0)]
    nap: u32,
    /// The begin of run 2 panics
    #[key("Bad begin", default = false)]
    bad_begin: bool,
    /// The end of the run panics
    #[key("Bad end", default = false)]
    bad_end: bool,
}

impl Module for Trouble {
    fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        assert!(!self.bad_begin || setup.run().number != 2, "before the run");
        Ok(())
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        trouble(event, self.panic, self.fail, self.nap)
    }

    fn eor(&self, _: &EndOfRun) -> Result<()> {
        assert!(!self.bad_end, "at the end of the run");
        Ok(())
    }
}

/// The same in the order of the run.
#[derive(Record, Clone)]
pub(crate) struct Jam {
    #[key("Panic", default = 0)]
    panic: u32,
    #[key("Fail", default = 0)]
    fail: u32,
    #[key("Nap", default = 0)]
    nap: u32,
}

impl Sequential for Jam {
    fn event(&mut self, event: &Event, _: &Context) -> Result<Verdict> {
        trouble(event, self.panic, self.fail, self.nap)
    }
}

fn trouble(event: &Event, panic: u32, fail: u32, nap: u32) -> Result<Verdict> {
    let serial = event.serial();
    assert!(panic == 0 || !serial.is_multiple_of(panic), "of event {serial}");
    if fail > 0 && serial.is_multiple_of(fail) {
        return Err("as it was told".into());
    }
    if nap > 0 {
        std::thread::sleep(Duration::from_micros(nap.into()));
    }
    Ok(Keep)
}

/// Appends many times what an event holds.
#[derive(Record, Clone)]
pub(crate) struct Grow {
    #[key("Times", default = 20)]
    times: u32,
}

impl Module for Grow {
    fn banks(&self) -> Banks {
        Banks::read(TDC0).write(MORE)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if let Some(words) = event.get(TDC0)? {
            let words: Vec<u16> = words.iter().collect();
            event.append(MORE, &words.repeat(self.times as usize))?;
        }
        Ok(Keep)
    }
}

/// Fills histograms.
#[derive(Record, Clone)]
pub(crate) struct Spectra {
    #[key(skip)]
    amplitudes: Vec<Hist1>,
    #[key(skip)]
    map: Hist2,
}

impl Module for Spectra {
    fn banks(&self) -> Banks {
        Banks::read(ADC0)
    }

    fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        let axis = || Axis::regular(1000, 0.0, 4000.0);
        self.amplitudes.clear();
        for channel in 0..4 {
            self.amplitudes.push(setup.book(&format!("ADC{channel}"), Hist1::new(axis()))?);
        }
        self.map = setup.book("Map", Hist2::new(axis(), axis()))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(words) = event.get(ADC0)? else { return Ok(Keep) };
        let words: Vec<u16> = words.iter().collect();
        for (histogram, word) in self.amplitudes.iter().zip(&words) {
            context.fill(*histogram, *word);
        }
        if let [x, y, ..] = *words {
            context.fill(self.map, (x, y));
        }
        Ok(Keep)
    }
}
