//! The sample experiment without a framework, on one thread.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;

use crate::by_hand::{u16_at, u32_at};
use crate::table::Done;

/// Pedestals of the sample experiment.
const PEDESTAL: [i32; 4] = [174, 194, 176, 182];

/// Finds ADC0, calibrates, sums, sets two tests, and appends two banks to a copy of the event; scaler
/// events likewise. With `FILLS` it also fills six histograms. Without output the banks are made and
/// dropped. The file is read and written a megabyte at a time.
pub(crate) fn chain<const FILLS: bool>(input: &Path, output: Option<&Path>) -> Done {
    let mut file = File::open(input).unwrap();
    let mut hand = Hand {
        file: output.map(|path| File::create(path).unwrap()),
        out: Vec::with_capacity(2 << 20),
        written: 0,
        gain: black_box([1.0; 4]),
        kept: 0,
        low: 0,
        high: 0,
        sums: [0.0; 4],
        amplitudes: std::array::from_fn(|_| Counts::new(500, 4000.0)),
        sum: Counts::new(500, 10_000.0),
        average: Counts::new(500_000, 10_000.0),
    };
    let mut buffer = vec![0; 2 << 20];
    let mut len = 0;
    loop {
        let n = file.read(&mut buffer[len..]).unwrap();
        if n == 0 {
            break;
        }
        len += n;
        let rest = hand.events::<FILLS>(&buffer[..len]);
        buffer.copy_within(len - rest..len, 0);
        len = rest;
    }
    hand.flush();
    let histograms = hand.amplitudes.iter().chain([&hand.sum, &hand.average]);
    let entries = histograms.map(|histogram| black_box(histogram).entries).sum();
    Done { sum: checksum(hand.kept, hand.low, hand.high, entries), written: hand.written }
}

/// What two chains of the same work have in common: events kept, tests, fills.
pub(crate) fn checksum(kept: u64, low: u64, high: u64, entries: u64) -> u64 {
    kept + 3 * low + 5 * high + 7 * entries
}

struct Hand {
    file: Option<File>,
    out: Vec<u8>,
    written: u64,
    gain: [f32; 4],
    kept: u64,
    low: u64,
    high: u64,
    sums: [f64; 4],
    amplitudes: [Counts; 4],
    sum: Counts,
    average: Counts,
}

impl Hand {
    /// Does the whole events; bytes left over.
    fn events<const FILLS: bool>(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at + 16 <= bytes.len() {
            let size = u32_at(bytes, at + 12) as usize;
            let Some(event) = bytes.get(at..at + 16 + size) else { break };
            at += 16 + size;
            match u16_at(event, 0) {
                1 => self.trigger::<FILLS>(event),
                2 => self.scaler(event),
                _ if self.file.is_some() => self.out.extend_from_slice(event),
                _ => {}
            }
            if self.out.len() > 1 << 20 {
                self.flush();
            }
        }
        bytes.len() - at
    }

    #[inline(always)]
    fn trigger<const FILLS: bool>(&mut self, event: &[u8]) {
        let mut bank = 24;
        while bank < event.len() && &event[bank..bank + 4] != b"ADC0" {
            bank += 8 + (u16_at(event, bank + 6) as usize).next_multiple_of(8);
        }
        let mut cadc = [0.0_f32; 4];
        let (mut sum, mut n) = (0.0_f32, 0);
        for i in 0..4 {
            let adc = u16_at(event, bank + 8 + 2 * i);
            cadc[i] = (f64::from(adc) - f64::from(PEDESTAL[i]) + 0.5) as f32 * self.gain[i];
            if cadc[i] > 5.0 {
                sum += cadc[i];
                n += 1;
            }
            if FILLS && cadc[i] > 20.0 {
                self.amplitudes[i].fill(cadc[i]);
            }
        }
        self.low += u64::from(sum < 1000.0);
        self.high += u64::from(sum > 1000.0);
        let average = if n > 0 { sum / n as f32 } else { 0.0 };
        if FILLS {
            self.sum.fill(sum);
            self.average.fill(average);
        }
        self.kept += 1;
        if self.file.is_none() {
            black_box((cadc, sum, average));
            return;
        }
        let start = self.out.len();
        self.out.extend_from_slice(event);
        self.out.extend_from_slice(b"CADC\x09\0\x10\0");
        cadc.iter().for_each(|v| self.out.extend_from_slice(&v.to_le_bytes()));
        self.out.extend_from_slice(b"ASUM\x0e\0\x08\0");
        self.out.extend_from_slice(&sum.to_le_bytes());
        self.out.extend_from_slice(&average.to_le_bytes());
        enlarge(&mut self.out[start..], 40);
    }

    #[inline(always)]
    fn scaler(&mut self, event: &[u8]) {
        for (i, sum) in self.sums.iter_mut().enumerate() {
            *sum += f64::from(u32_at(event, 32 + 4 * i));
        }
        self.kept += 1;
        if self.file.is_none() {
            black_box(self.sums);
            return;
        }
        let start = self.out.len();
        self.out.extend_from_slice(event);
        self.out.extend_from_slice(b"ACUM\x0a\0\x20\0");
        self.sums.iter().for_each(|v| self.out.extend_from_slice(&v.to_le_bytes()));
        enlarge(&mut self.out[start..], 40);
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            file.write_all(&self.out).unwrap();
            self.written += self.out.len() as u64;
        }
        self.out.clear();
    }
}

/// Adds `more` to the sizes in the headers of event and bank area.
fn enlarge(event: &mut [u8], more: u32) {
    for at in [12, 16] {
        let size = u32_at(event, at) + more;
        event[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
}

/// A histogram in the plainest way: counts, and the sums that ROOT keeps for mean and width.
struct Counts {
    cells: Vec<u64>,
    high: f64,
    /// Bins per unit.
    scale: f64,
    entries: u64,
    sum: f64,
    squares: f64,
}

impl Counts {
    /// Bins from 0 to `high`, and one beyond each end.
    fn new(bins: usize, high: f64) -> Counts {
        let scale = bins as f64 / high;
        Counts { cells: vec![0; bins + 2], high, scale, entries: 0, sum: 0.0, squares: 0.0 }
    }

    #[inline(always)]
    fn fill(&mut self, x: f32) {
        let x = f64::from(x);
        self.entries += 1;
        let cell = if x < 0.0 {
            0
        } else if x < self.high {
            self.sum += x;
            self.squares += x * x;
            1 + (x * self.scale) as usize
        } else {
            self.cells.len() - 1
        };
        self.cells[cell] += 1;
    }
}
