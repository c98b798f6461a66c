//! Modules that do what a test says, and the banks that they read and write.

use pactolus::prelude::*;

/// Words of an ADC.
pub const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
/// How many events the sequential stage has seen.
pub const SEEN: BankDef<u32> = BankDef::new(b"SEEN");
/// A bank of a new event.
pub const NEWS: BankDef<u32> = BankDef::new(b"NEWS");

/// What a module does with an event.
#[derive(Clone, Copy)]
pub struct Act(fn(&Event, &Context) -> Result<Verdict>);

impl Default for Act {
    fn default() -> Act {
        Act(|_, _| Ok(Keep))
    }
}

/// A module that does what the test says.
#[derive(Record, Clone)]
pub struct Does {
    #[key(skip)]
    act: Act,
    #[key(skip)]
    queues: bool,
}

impl Default for Does {
    fn default() -> Does {
        Does::defaults()
    }
}

/// A module that does as the test says.
pub fn does(act: fn(&Event, &Context) -> Result<Verdict>) -> Does {
    Does { act: Act(act), queues: false }
}

/// ... and makes events.
pub fn makes(act: fn(&Event, &Context) -> Result<Verdict>) -> Does {
    Does { act: Act(act), queues: true }
}

impl Does {
    fn declared(&self) -> Banks {
        let banks = Banks::default();
        if self.queues { banks.queues_events() } else { banks }
    }
}

impl Module for Does {
    fn banks(&self) -> Banks {
        self.declared()
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        self.act.0(event, context)
    }
}

/// The same, seeing the events one after the other.
#[derive(Record, Clone)]
pub struct InOrder {
    #[key(skip)]
    does: Does,
}

pub fn in_order(does: Does) -> InOrder {
    InOrder { does }
}

impl Sequential for InOrder {
    fn banks(&self) -> Banks {
        self.does.declared()
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        self.does.act.0(event, context)
    }
}

/// Counts the events of a run.
#[derive(Record, Clone)]
pub struct Counter {
    #[key(skip)]
    seen: u32,
}

impl Sequential for Counter {
    fn banks(&self) -> Banks {
        Banks::default().write(SEEN)
    }

    fn event(&mut self, event: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        event.append(SEEN, &[self.seen])?;
        Ok(Keep)
    }
}

/// Adds an offset to each word.
#[derive(Record, Clone)]
pub struct Adds {
    /// Offset of each word
    #[key("Offset", default = 0, per = ADC0)]
    pub offset: Vec<i32>,
}

/// The sums.
pub const SUMS: BankDef<i32> = BankDef::new(b"SUMS");

impl Module for Adds {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(SUMS)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        event.append_with(SUMS, adc.len(), |i| i32::from(adc.at(i)) + self.offset[i])?;
        Ok(Keep)
    }
}

/// Makes an event of id 50 for every event, and skips the even ones.
pub fn maker() -> Does {
    makes(|e, context| {
        for i in 0..e.serial() % 3 {
            context.queue(NewEvent::new(50, 1, e.serial() * 10 + i, e.time()).bank(NEWS, &[e.serial()]));
        }
        Ok(if e.serial() % 2 == 0 { Skip } else { Keep })
    })
}
