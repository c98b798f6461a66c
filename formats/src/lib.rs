//! Event files of the MIDAS data acquisition system: bytes to events and back.
//!
//! | format | read | write | page |
//! |---|---|---|---|
//! | `.mid` binary events | yes | yes | [`mid`] |
//! | `.asc` text as `mana` prints it | yes | yes | [`asc`] |
//! | `.parquet`, `.arrow` tables | - | yes | [`mod@tuple`] |
//! | `.gz`, `.lz4`, `.bz2`, `.zst` around any of the event formats | yes | yes | [`compress`] |
//!
//! ```
//! use pactolus_formats::mid::{Block, Reader};
//! use pactolus_formats::{BankDef, Input};
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
//!
//! let mut reader = Reader::new(Input::open("run00042.mid.gz")?);
//! let mut block = Block::new();
//! reader.read(&mut block, 1 << 20)?;
//! for event in block.events() {
//!     for bank in event.banks() {
//!         let bank = bank?;
//!         if bank.name == ADC0.name() {
//!             println!("{} {:?}", event.header.serial, bank.values::<u16>()?);
//!         }
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! | to | use |
//! |---|---|
//! | read a file, whatever its compression | [`Input`], which looks at the first bytes, and [`mid::Reader`] or [`asc::Reader`] |
//! | read values of a bank | [`BankDef`], [`Bank::values`]; a struct with `#[derive(Bank)]` |
//! | know what was broken | [`Damage`]: what, and at which byte; reading goes on behind it |
//! | write events | [`mid`], [`asc`], packed by [`Compression`] |
//! | write tables | [`mod@tuple`] |
//!
//! Where the numbers come from, and the bytes one by one, is on the page of each format.
//!
//! This floor knows no ODB, no module, no network and no clock. It never trusts a length, and
//! allocates by what has arrived, not by what is claimed.

extern crate self as pactolus_formats;

pub mod asc;
mod bank;
pub mod compress;
mod element;
mod error;
pub mod event;
pub mod layout;
mod limits;
pub mod mid;
mod pool;
pub mod text;
mod tid;
#[cfg(feature = "tuple")]
pub mod tuple;
mod whole;
#[doc(hidden)] // The crates above write their own files with it; no part of the public API.
pub mod wire;

pub use bank::{Bank, BankDef, BankName, Values, WrongType};
pub use compress::{ByteSource, Compression, Input};
pub use element::{Element, Member, Order};
pub use error::{Damage, DamageKind, Error, Result};
pub use event::{EventView, Header, Kind};
pub use layout::{Field, Layout};
pub use limits::Limits;
pub use pool::Pool;
pub use tid::Tid;
pub use whole::{WholeFile, same_file};
