//! No mistake: what the others differ from. It compiles, so their errors are their own.

use pactolus::prelude::*;

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
const CADC: BankDef<f32> = BankDef::new(b"CADC");

#[derive(Bank, Clone, Copy)]
struct Hit {
    time: f32,
    wires: [u16; 4],
}

const HITS: BankDef<Hit> = BankDef::new(b"HITS");

#[derive(Record, Clone)]
struct Wide {
    /// Gain of each channel [MeV/count]
    #[key("Gain", default = 1.0, min = 0.0, per = ADC0)]
    gain: Vec<f32>,
    #[key(skip)]
    pairs: Hist2,
}

impl Module for Wide {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write((CADC, HITS))
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        event.append_with(CADC, adc.len(), |i| f32::from(adc.at(i)) * self.gain[i])?;
        event.append(HITS, &[Hit { time: 0.0, wires: [0; 4] }])?;
        context.fill(self.pairs, (adc.at(0), 1.5));
        Ok(Keep)
    }
}

#[derive(Record, Clone)]
struct Counts {
    #[key(skip)]
    seen: u64,
}

impl Sequential for Counts {
    fn event(&mut self, _: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        Ok(Keep)
    }
}

pub fn analyzer() -> Analyzer {
    Analyzer::new("Analyzer").module("wide", Wide::defaults()).sequential("counts", Counts::defaults())
}
