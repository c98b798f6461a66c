//! What several tests need: the corpus, the catalogue of "analyzer2", runs of the command line.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a module of several tests; each uses a part, and one that cannot go on has failed"
)]

pub mod bench;
pub mod modules;
pub mod stream;
pub mod told;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pactolus::formats::mid::{Block, Reader};
use pactolus::formats::{Header, Input};
use pactolus::prelude::*;
use pactolus_cli::App;

/// The module of the corpus's "analyzer2": returns a value for one event in so many.
#[derive(Record, Clone)]
pub struct Skipper {
    /// One event in so many; 0 for none
    #[key("Modulo", default = 0)]
    modulo: i32,
    /// What the module returns: 0 skips, anything else goes on
    #[key("Return value", default = 0)]
    return_value: i32,
    #[key(skip)]
    odd_serial: Test,
}

impl Module for Skipper {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.odd_serial = setup.test("odd_serial");
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        context.set(self.odd_serial, event.serial() & 1 == 1);
        let chosen = self.modulo > 0 && event.serial().is_multiple_of(self.modulo as u32);
        Ok(if chosen && self.return_value == 0 { Skip } else { Keep })
    }
}

pub fn catalogue() -> Catalogue {
    pactolus_modules::catalogue().module::<Skipper>("Skipper")
}

/// The root of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project's own part of the corpus.
pub fn corpus(path: &str) -> PathBuf {
    root().join("tests/corpus").join(path)
}

/// The definition of the corpus's "analyzer" or "analyzer2".
pub fn definition(analyzer: &str) -> PathBuf {
    match analyzer {
        "analyzer" => root().join("examples/experiment/analyzer.toml"),
        _ => root().join("tests/common/analyzer2.toml"),
    }
}

/// Exit code, standard output and standard error of a command line.
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// Runs a command line in this process.
pub fn run(args: &[&str]) -> Ran {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(catalogue()), &args, &mut out, &mut err);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code, out: text(out), err: text(err) }
}

/// An event taken apart: its banks if it has any, else its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    pub header: Header,
    pub banks: Vec<(String, u32, Vec<u8>)>,
    pub payload: Vec<u8>,
}

/// The events of a `.mid` file. `fixed`: id of events without banks.
pub fn events(path: &Path, fixed: u16) -> Vec<Plain> {
    let mut reader = Reader::new(Input::open(path).unwrap()).keep_fragments();
    let mut events = Vec::new();
    let mut block = Block::new();
    loop {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        for event in block.events() {
            let mut plain = Plain { header: event.header, banks: Vec::new(), payload: Vec::new() };
            if event.header.id >= 0x8000 || event.header.id == fixed {
                plain.payload = event.payload.to_vec();
            } else {
                // mana's BANK32 events are longer or shorter than their banks say; padding is free.
                plain.header.size = 0;
                for bank in event.banks() {
                    let bank = bank.unwrap();
                    let mut data = bank.data.to_vec();
                    pactolus::formats::layout::to_little(bank.tid(), bank.order, &mut data);
                    plain.banks.push((bank.name.to_string(), bank.code, data));
                }
            }
            events.push(plain);
        }
        if stop == pactolus::formats::mid::Stop::End {
            return events;
        }
    }
}

/// A `.mid` file under construction.
#[derive(Clone, Default)]
pub struct MidFile {
    pub bytes: Vec<u8>,
}

impl MidFile {
    pub fn new() -> MidFile {
        MidFile::default()
    }

    /// Begin of run, with an empty dump.
    #[must_use]
    pub fn bor(self, run: u32) -> MidFile {
        self.raw(0x8000, 0x494d, run, b"\0")
    }

    /// End of run.
    #[must_use]
    pub fn eor(self, run: u32) -> MidFile {
        self.raw(0x8001, 0x494d, run, b"\0")
    }

    /// A message of the experiment's log.
    #[must_use]
    pub fn message(self, text: &str) -> MidFile {
        self.raw(0x8002, 2, 0, format!("{text}\0").as_bytes())
    }

    /// An event of these bytes.
    #[must_use]
    pub fn raw(mut self, id: u16, mask: u16, serial: u32, payload: &[u8]) -> MidFile {
        let header = Header { id, mask, serial, time: 1_700_000_000 + serial, size: payload.len() as u32 };
        self.bytes.extend_from_slice(&header.to_bytes());
        self.bytes.extend_from_slice(payload);
        self
    }

    /// An event with BANK32 banks; little-endian data.
    #[must_use]
    pub fn event(self, id: u16, serial: u32, banks: &[(&str, Tid, &[u8])]) -> MidFile {
        let mut payload = Vec::new();
        for (name, tid, data) in banks {
            payload.extend_from_slice(&BankName::parse(name).unwrap().bytes());
            payload.extend_from_slice(&tid.code().to_le_bytes());
            payload.extend_from_slice(&(data.len() as u32).to_le_bytes());
            payload.extend_from_slice(data);
            payload.resize(payload.len() + data.len().next_multiple_of(8) - data.len(), 0xee);
        }
        let area = [(payload.len() as u32).to_le_bytes(), 0x11u32.to_le_bytes()].concat();
        self.raw(id, 1, serial, &[area, payload].concat())
    }

    /// An event with one bank of words.
    #[must_use]
    pub fn words(self, id: u16, serial: u32, name: &str, words: &[u16]) -> MidFile {
        let data: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.event(id, serial, &[(name, Tid::Word, &data)])
    }

    /// Writes the file.
    pub fn save(&self, path: impl AsRef<Path>) -> PathBuf {
        std::fs::write(&path, &self.bytes).unwrap();
        path.as_ref().to_owned()
    }
}
