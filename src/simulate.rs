//! Simulated runs of MIDAS's sample experiment: files to try things on, and to measure with.
//!
//! | id | event | in 50 events | banks |
//! |---|---|---|---|
//! | 0x8000 | BOR | | ODB dump as XML |
//! | 1 | Trigger | 49 | `ADC0` WORD\[4], `TDC0` WORD\[4] or \[1000] |
//! | 2 | Scaler | 1, each second | `SCLR` DWORD\[4] |
//! | 0x8001 | EOR | | the dump of the BOR |
//!
//! A Trigger event fires some of the four ADC channels: a peak of 600 counts over a broad shoulder,
//! on the pedestals of the sample experiment. Channels that do not fire show their pedestal.
//!
//! The bytes follow from the [`Simulation`] alone, on every machine: whole numbers only, and a
//! generator whose sequence is fixed. They are no physics.

use std::io::{self, Write};

use pactolus_formats::event::{BOR, EOR, MIDAS_MAGIC};
use pactolus_formats::mid::layout::{Area, BankKind};
use pactolus_formats::mid::write_event;
use pactolus_formats::{Bank, BankName, Header, Order, Tid};
use pactolus_odb::{Save, Tree, Value};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::Rng;

/// Event id of the Trigger events.
pub const TRIGGER: u16 = 1;
/// Event id of the Scaler events.
pub(crate) const SCALER: u16 = 2;
/// One data event in so many is a Scaler event; also data events per second of simulated time.
pub(crate) const SCALER_PERIOD: u64 = 50;

/// Pedestals of the sample experiment [counts].
const PEDESTALS: [u32; 4] = [174, 194, 176, 182];
/// Where the peak of each channel is above its pedestal [counts].
const PEAKS: [u32; 4] = [600, 630, 580, 610];
/// Counts of a TDC channel that saw nothing.
const TDC_OVERFLOW: u16 = 1023;
/// Bytes handed to the writer at a time.
const PIECE: usize = 1 << 18;
/// A generator has many sequences; this is ours. Any number would do, but never another.
const STREAM: u64 = 0x5061_6374_6f6c_7573;
/// Where the data of the first bank begins in an event with 16-bit bank headers.
const FIRST_BANK: usize = Header::SIZE + Area::SIZE + BankKind::Bank.header_size();

/// How large the Trigger events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Shape {
    /// Four TDC channels: 56 bytes per Trigger event, as the sample experiment has it.
    #[default]
    Small,
    /// 1000 TDC channels: 2048 bytes per Trigger event.
    Big,
}

impl Shape {
    /// Words in `TDC0`.
    pub const fn tdc_channels(self) -> usize {
        match self {
            Shape::Small => 4,
            Shape::Big => 1000,
        }
    }

    /// `small` or `big`.
    pub const fn name(self) -> &'static str {
        match self {
            Shape::Small => "small",
            Shape::Big => "big",
        }
    }
}

/// A run to be simulated.
///
/// ```
/// use pactolus::formats::mid::{Block, Reader};
/// use pactolus::simulate::Simulation;
///
/// let mut file = Vec::new();
/// Simulation { run: 42, events: 100, ..Simulation::default() }.write(&mut file)?;
///
/// let mut block = Block::new();
/// let mut reader = Reader::new(file.as_slice());
/// reader.read(&mut block, 1 << 20)?; // the BOR
/// reader.read(&mut block, 1 << 20)?; // the events and the EOR
/// assert_eq!(block.data, 100);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Run number.
    pub run: u32,
    /// Data events, Trigger and Scaler together.
    pub events: u64,
    /// Another seed gives another run.
    pub seed: u64,
    /// Size of the Trigger events.
    pub shape: Shape,
    /// Time of the BOR event [Unix seconds].
    pub start: u32,
}

impl Default for Simulation {
    /// Run 1 of 10,000 small events with seed 1, begun on 1 October 2017 at noon.
    fn default() -> Simulation {
        Simulation { run: 1, events: 10_000, seed: 1, shape: Shape::Small, start: 1_506_859_200 }
    }
}

impl Simulation {
    /// Writes the run as `.mid`, in pieces of about 256 kB; needs memory for one piece.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut play = self.play()?;
        let mut piece = Vec::with_capacity(PIECE + play.largest());
        while let Some(event) = play.event() {
            piece.extend_from_slice(event);
            if piece.len() >= PIECE {
                out.write_all(&piece)?;
                piece.clear();
            }
        }
        out.write_all(&piece)
    }

    /// The run event by event.
    ///
    /// # Errors
    /// If the events or the ODB cannot be made.
    pub fn play(&self) -> io::Result<Play> {
        let trigger = self.trigger()?;
        Ok(Play {
            simulation: self.clone(),
            random: Pcg32::new(self.seed, STREAM),
            trigger,
            scaler: scaler()?,
            triggers: 0,
            scalers: 0,
            bound: self.dump().map_err(io::Error::other)?,
            events: 0,
            next: Part::Bor,
        })
    }

    /// The ODB as XML, with the NUL that ends it in a file, behind the place of a header.
    fn dump(&self) -> pactolus_odb::Result<Vec<u8>> {
        let mut tree = Tree::new();
        let comment = format!("simulated: {} events, seed {}", self.shape.name(), self.seed);
        tree.create("/Experiment/Name", "simulation")?;
        tree.create("/Experiment/Run Parameters/Comment", Value::string(comment))?;
        tree.create("/Runinfo/State", 3)?;
        tree.create("/Runinfo/Online Mode", 1)?;
        tree.create("/Runinfo/Run number", self.run as i32)?; // an INT in MIDAS
        tree.create("/Runinfo/Start Time binary", self.start)?;
        // Type 2 is polled, 1 is periodic.
        common(&mut tree, "/Equipment/Trigger", TRIGGER, 2)?;
        tree.create("/Equipment/Trigger/Variables/ADC0", [0_u16; 4])?;
        tree.create("/Equipment/Trigger/Variables/TDC0", vec![0_u16; self.shape.tdc_channels()])?;
        common(&mut tree, "/Equipment/Scaler", SCALER, 1)?;
        tree.create("/Equipment/Scaler/Variables/SCLR", [0_u32; 4])?;
        let dump = Save::xml().write(&tree, "/")?;
        Ok([&[0; Header::SIZE], dump.as_slice(), &[0]].concat())
    }

    /// A Trigger event to be filled in.
    fn trigger(&self) -> io::Result<Vec<u8>> {
        let tdc = vec![0; 2 * self.shape.tdc_channels()];
        template(TRIGGER, &[(b"ADC0", Tid::Word, &[0; 8]), (b"TDC0", Tid::Word, &tdc)])
    }
}

/// A simulated run event by event: BOR, data events, EOR.
///
/// ```
/// use pactolus::simulate::Simulation;
///
/// let mut play = Simulation { events: 100, ..Simulation::default() }.play()?;
/// let mut sizes = Vec::new();
/// while let Some(event) = play.event() {
///     sizes.push(event.len());
/// }
/// assert_eq!(sizes.len(), 102);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Play {
    simulation: Simulation,
    random: Pcg32,
    /// Events to be filled in, and how many there were.
    trigger: Vec<u8>,
    scaler: Vec<u8>,
    triggers: u32,
    scalers: u32,
    /// The BOR or EOR: the ODB behind the place of a header.
    bound: Vec<u8>,
    /// Data events so far.
    events: u64,
    next: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Bor,
    Events,
    Over,
}

impl Play {
    /// The next event as it stands in a file; `None` behind the EOR.
    #[inline]
    pub fn event(&mut self) -> Option<&[u8]> {
        match self.next {
            Part::Events if self.events < self.simulation.events => Some(self.data()),
            Part::Events => {
                self.next = Part::Over;
                let seconds = self.events.div_ceil(SCALER_PERIOD) as u32;
                Some(self.bound(EOR, self.simulation.start.wrapping_add(seconds)))
            }
            Part::Bor => {
                self.next = Part::Events;
                Some(self.bound(BOR, self.simulation.start))
            }
            Part::Over => None,
        }
    }

    /// Data events that have come.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Data events that are still to come.
    pub fn left(&self) -> u64 {
        self.simulation.events - self.events
    }

    /// No more data events come: the run ends as one that was to have no more.
    pub fn finish(&mut self) {
        self.simulation.events = self.events;
    }

    /// Bytes of the largest event.
    fn largest(&self) -> usize {
        self.trigger.len().max(self.bound.len())
    }

    #[inline]
    fn data(&mut self) -> &[u8] {
        let number = self.events;
        self.events += 1;
        let second = (number / SCALER_PERIOD) as u32; // wraps after 136 years
        let time = self.simulation.start.wrapping_add(second);
        if number % SCALER_PERIOD == SCALER_PERIOD - 1 {
            set_header(&mut self.scaler, self.scalers, time);
            self.scalers = self.scalers.wrapping_add(1);
            fill_scaler(&mut self.scaler[FIRST_BANK..], second, &mut self.random);
            &self.scaler
        } else {
            set_header(&mut self.trigger, self.triggers, time);
            self.triggers = self.triggers.wrapping_add(1);
            fill_trigger(&mut self.trigger[FIRST_BANK..], &mut self.random);
            &self.trigger
        }
    }

    fn bound(&mut self, id: u16, time: u32) -> &[u8] {
        let size = (self.bound.len() - Header::SIZE) as u32; // a few kB
        let header = Header { id, mask: MIDAS_MAGIC, serial: self.simulation.run, time, size };
        self.bound[..Header::SIZE].copy_from_slice(&header.to_bytes());
        &self.bound
    }
}

/// What makes an event id a request of the analyzer.
fn common(tree: &mut Tree, equipment: &str, id: u16, kind: i32) -> pactolus_odb::Result<()> {
    tree.create(&format!("{equipment}/Common/Event ID"), id)?;
    tree.create(&format!("{equipment}/Common/Trigger mask"), 0_u16)?;
    tree.create(&format!("{equipment}/Common/Buffer"), "SYSTEM")?;
    tree.create(&format!("{equipment}/Common/Type"), kind)?;
    tree.create(&format!("{equipment}/Common/Format"), "MIDAS")?;
    tree.create(&format!("{equipment}/Common/Enabled"), true)
}

/// A Scaler event to be filled in.
fn scaler() -> io::Result<Vec<u8>> {
    template(SCALER, &[(b"SCLR", Tid::Dword, &[0; 16])])
}

/// An event with these banks. Only serial number, time and data change from event to event.
fn template(id: u16, banks: &[(&[u8; 4], Tid, &[u8])]) -> io::Result<Vec<u8>> {
    let mut event = Vec::new();
    let banks = banks.iter().map(|&(name, tid, data)| Bank {
        name: BankName::new(*name),
        code: tid.code(),
        data,
        order: Order::Little,
    });
    let header = Header { id, ..Header::default() };
    write_event(&mut event, &header, BankKind::Bank, banks).map_err(io::Error::other)?;
    Ok(event)
}

fn set_header(event: &mut [u8], serial: u32, time: u32) {
    event[4..8].copy_from_slice(&serial.to_le_bytes());
    event[8..12].copy_from_slice(&time.to_le_bytes());
}

/// Fills ADC0 and TDC0; `banks` begins with the data of ADC0.
fn fill_trigger(banks: &mut [u8], random: &mut Pcg32) {
    let (adc, tdc) = banks.split_at_mut(8);
    let tdc = &mut tdc[BankKind::Bank.header_size()..];
    // Four bits say who fires, eight whether it is peak or shoulder.
    let bits = random.next_u32();
    for channel in 0..4 {
        let fires = bits >> channel & 1 == 1;
        let noise = random.next_u32();
        // Sum of two uniform numbers: a triangle of -3 to 3 counts.
        let mut counts = PEDESTALS[channel] + (noise & 3) + (noise >> 2 & 3) - 3;
        if fires {
            let amplitude = random.next_u32();
            let shoulder = bits >> (8 + 2 * channel) & 3 == 0;
            counts += if shoulder { amplitude % PEAKS[channel] } else { peak(PEAKS[channel], amplitude) };
        }
        adc[2 * channel..][..2].copy_from_slice(&(counts as u16).to_le_bytes());
        let drift = if fires { 300 + (noise >> 8 & 255) as u16 } else { TDC_OVERFLOW };
        tdc[2 * channel..][..2].copy_from_slice(&drift.to_le_bytes());
    }
    for pair in tdc[8..].chunks_exact_mut(4) {
        pair.copy_from_slice(&(random.next_u32() & 0x03ff_03ff).to_le_bytes());
    }
}

/// A number near `mean`: the sum of the four bytes of `uniform` is close to a bell with a standard
/// deviation of 148, here divided by 4.
fn peak(mean: u32, uniform: u32) -> u32 {
    let sum: u32 = uniform.to_le_bytes().iter().map(|&byte| u32::from(byte)).sum();
    mean + sum / 4 - 128
}

/// Fills SCLR: rates of 1, 2, 3 and 4 kHz that grow by 1 Hz each minute.
fn fill_scaler(bank: &mut [u8], second: u32, random: &mut Pcg32) {
    for (channel, slot) in (1_u32..).zip(bank.chunks_exact_mut(4)) {
        let counts = channel * 1000 + second / 60 + random.next_u32() % 100;
        slot.copy_from_slice(&counts.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pactolus_formats::EventView;
    use pactolus_formats::mid::{Block, Reader, Stop};
    use pactolus_odb::Dump;

    use super::*;

    fn bytes(simulation: &Simulation) -> Vec<u8> {
        let mut out = Vec::new();
        simulation.write(&mut out).unwrap();
        out
    }

    /// Calls `each` with every event.
    fn events(file: &[u8], mut each: impl FnMut(&EventView<'_>)) {
        let mut reader = Reader::new(file);
        let mut block = Block::new();
        loop {
            let stop = reader.read(&mut block, 1 << 16).unwrap();
            block.events().for_each(|event| each(&event));
            match stop {
                Stop::End => return,
                Stop::Damaged(damage) => panic!("{damage}"),
                _ => {}
            }
        }
    }

    #[test]
    fn a_run_has_the_events_it_was_asked_for() {
        let file = bytes(&Simulation { run: 7, events: 1000, ..Simulation::default() });
        let mut counts = BTreeMap::new();
        let mut last = 0;
        events(&file, |event| {
            let count = counts.entry(event.header.id).or_insert(0);
            if event.header.id < 0x8000 {
                assert_eq!(event.header.serial, *count, "serial numbers count from 0 for each id");
            } else {
                assert_eq!((event.header.serial, event.header.mask), (7, MIDAS_MAGIC));
            }
            assert!(event.header.time >= last);
            last = event.header.time;
            *count += 1;
        });
        assert_eq!(counts, BTreeMap::from([(1, 980), (2, 20), (BOR, 1), (EOR, 1)]));
        assert_eq!(last, Simulation::default().start + 20);
    }

    #[test]
    fn trigger_events_are_56_bytes_or_2048() {
        let check = |shape, wanted: u32| {
            let file = bytes(&Simulation { events: 200, shape, ..Simulation::default() });
            events(&file, |event| match event.header.id {
                TRIGGER => {
                    assert_eq!(event.header.size + 16, wanted);
                    let names: Vec<_> = event.banks().map(|b| b.unwrap().name.to_string()).collect();
                    assert_eq!(names, ["ADC0", "TDC0"]);
                }
                SCALER => assert_eq!(event.header.size, 32),
                _ => {}
            });
        };
        check(Shape::Small, 56);
        check(Shape::Big, 2048);
    }

    #[test]
    fn amplitudes_stand_on_the_pedestals() {
        let file = bytes(&Simulation { events: 5000, ..Simulation::default() });
        let mut seen = [(0_u32, 0_u32); 4];
        events(&file, |event| {
            if event.header.id != TRIGGER {
                return;
            }
            for bank in event.banks().map(Result::unwrap).filter(|b| b.name.to_string() == "ADC0") {
                for (channel, counts) in bank.values::<u16>().unwrap().iter().enumerate() {
                    let above = i32::from(counts) - PEDESTALS[channel] as i32;
                    assert!((-3..800).contains(&above), "{above}");
                    seen[channel].0 += u32::from(above <= 3);
                    seen[channel].1 += u32::from(above > 450);
                }
            }
        });
        // Half of the events fire a channel, three of four of them into the peak.
        for (pedestal, peak) in seen {
            assert!((2300..2700).contains(&pedestal) && (1800..2400).contains(&peak), "{seen:?}");
        }
    }

    #[test]
    fn the_dump_says_what_the_events_are() {
        let mut dumps = Vec::new();
        let file = bytes(&Simulation { run: 42, events: 10, ..Simulation::default() });
        events(&file, |event| {
            if event.header.id >= 0x8000 {
                assert_eq!(event.payload.last(), Some(&0));
                dumps.push(event.text().to_vec());
            }
        });
        assert_eq!(dumps.len(), 2);
        assert_eq!(dumps[0], dumps[1]);
        let tree = Dump::parse(&dumps[0]).unwrap().tree();
        assert_eq!(tree.get::<i32>("/Runinfo/Run number").unwrap(), 42);
        assert_eq!(tree.get::<u16>("/Equipment/Trigger/Common/Event ID").unwrap(), TRIGGER);
        assert_eq!(tree.get::<u16>("/Equipment/Scaler/Common/Event ID").unwrap(), SCALER);
        assert_eq!(tree.get::<String>("/Equipment/Scaler/Common/Format").unwrap(), "MIDAS");
        assert_eq!(tree.get::<Vec<u16>>("/Equipment/Trigger/Variables/ADC0").unwrap().len(), 4);
    }

    #[test]
    fn more_events_continue_the_run() {
        let one = Simulation { events: 20_000, ..Simulation::default() };
        assert_ne!(bytes(&one), bytes(&Simulation { seed: 2, ..one.clone() }));
        let dump = bytes(&Simulation { events: 0, ..one.clone() }).len() / 2;
        let more = bytes(&Simulation { events: 30_000, ..one.clone() });
        let one = bytes(&one);
        assert!(one[..one.len() - dump] == more[..one.len() - dump]);
    }

    #[test]
    fn a_run_that_is_played_may_end_early_as_one_of_fewer_events() {
        let most = Simulation { events: 1000, ..Simulation::default() };
        let mut play = most.play().unwrap();
        let mut played = Vec::new();
        while let Some(event) = play.event() {
            assert!(EventView::parse(event).unwrap().1.is_empty(), "one event, whole");
            played.extend_from_slice(event);
            if play.events() == 123 {
                play.finish();
            }
        }
        assert_eq!((play.events(), play.left()), (123, 0));
        assert!(play.event().is_none());
        assert!(played == bytes(&Simulation { events: 123, ..most.clone() }));
        // Not even one.
        let mut play = most.play().unwrap();
        play.finish();
        let sizes: Vec<usize> = std::iter::from_fn(|| play.event().map(<[u8]>::len)).collect();
        assert_eq!(sizes.len(), 2);
    }

    #[test]
    fn the_same_bytes_come_out_on_every_machine() {
        use sha2::{Digest, Sha256};
        let check = |shape, wanted: &str| {
            let file = bytes(&Simulation { events: 1000, shape, ..Simulation::default() });
            let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, wanted, "benches and golden files rely on these bytes");
        };
        check(Shape::Small, "559b06133bc38e9a953a0400d4f7603d07346e916746690cbcbbbf3118120672");
        check(Shape::Big, "12c5eaee01a6ccc23b817ea34725be3d751f20c71b433e1e0aba23b43f6ac530");
    }
}
