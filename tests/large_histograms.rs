//! Large histograms cost what is filled, not what every thread could fill. Alone in its process,
//! whose memory is measured.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pactolus::histo::Histograms;
use pactolus::prelude::*;
use pactolus::simulate::Simulation;

/// Histograms of 1000 x 1000 bins.
const MAPS: usize = 200;

/// Fills of each map in an event.
const FILLS: u64 = 4;

/// Fills every map many times per event, all over.
#[derive(Record, Clone)]
struct Maps {
    #[key(skip)]
    maps: Vec<Hist2>,
}

impl Module for Maps {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let axis = || Axis::regular(1000, 0.0, 1.0);
        for i in 0..MAPS {
            self.maps.push(setup.book(&format!("map{i:03}"), Hist2::new(axis(), axis()))?);
        }
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let mut state = u64::from(event.serial()) << 32;
        for map in &self.maps {
            for _ in 0..FILLS {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let place = |bits: u64| f64::from(bits as u16) / 65536.0;
                context.fill(*map, (place(state >> 48), place(state >> 32)));
            }
        }
        Ok(Keep)
    }
}

/// The largest memory of this process so far [bytes].
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
#[cfg(target_os = "linux")]
fn two_hundred_maps_of_a_million_bins_stay_below_two_gigabytes() {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module("Maps", Maps::defaults());
    let dir = tempfile::TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    // Blocks as they are by default: with so many fills in each, no list could hold them.
    let run = file("run00001.mid");
    let simulation = Simulation { run: 1, events: 60_000, ..Simulation::default() };
    simulation.write(&mut std::fs::File::create(&run).unwrap()).unwrap();
    let job = Job::new().input(run).threads(8);
    let job = job.output(file("maps.json")).unwrap().output(file("events.parquet")).unwrap();
    let report = analyzer.run(&job).unwrap();
    let events = report.runs[0].requests[0].account.kept;
    assert!(events > 1000);
    assert!(report.runs[0].histograms.iter().all(|h| h.entries == FILLS * events));
    let peak = peak();
    println!("at most {} MB", peak >> 20);
    assert!(peak < 2_000_000_000, "{} MB", peak >> 20);
    let own = report.outputs.iter().map(|o| o.path.file_name().unwrap().to_str().unwrap());
    assert_eq!(own.filter(|name| *name == "maps.json" || *name == "events.histos.parquet").count(), 2);
    assert_eq!(Histograms::read(file("maps.json").as_ref()).unwrap().list[7].entries(), FILLS * events);
    // Every page of every map was filled: with four bytes a bin they take most of it.
    assert!(peak > MAPS as u64 * 4_000_000, "{} MB", peak >> 20);
}
