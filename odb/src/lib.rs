//! The MIDAS online database as a Rust library: a tree of typed keys, the places it can live, and
//! the text forms it is saved in.
//!
//! ```
//! use pactolus_odb::{Dump, Load, Odb, Save};
//!
//! // What a run file carries, an `odbedit save`, or a few lines by hand: the first bytes decide.
//! let dump = Dump::parse(b"[/Runinfo]\nRun number = INT : 8\n")?;
//!
//! let odb = Odb::local();
//! let report = odb.load(&dump, &Load::default())?;
//! assert!(report.failed.is_empty());
//! assert_eq!(odb.get::<u32>("/Runinfo/Run number")?, 8);
//!
//! let xml = odb.save("/", &Save::xml())?;
//! assert!(xml.starts_with(b"<?xml"));
//! # Ok::<(), pactolus_odb::Error>(())
//! ```
//!
//! | to | use |
//! |---|---|
//! | read and set keys | [`Odb`], the handle that programs use: [`Odb::local`] in this process, [`Odb::open`] shared with others |
//! | change several keys at once | [`Odb::change`], a transaction on the [`Tree`]; [`Odb::snapshot`] to look at all of it |
//! | keep a struct in step with a directory | [`Record`](trait@Record), and `#[derive(Record)]` |
//! | know that something has changed | [`Hotlink`], or [`Watch`], which waits for it |
//! | read and write `.odb`, XML and JSON | [`dump`] |
//! | say what differs | [`diff`] |
//! | give somebody a prompt | [`shell`], commands with `odbedit`'s words |
//! | keep it elsewhere | the trait [`Store`] |
//!
//! Below are [`Value`], [`Key`] and [`Path`]. [`Error`] is all that can go wrong, each with the path of the key.
//!
//! This crate knows no event, no run and no file system.

// The derive macro names this crate from outside; inside it, the name must mean the same.
extern crate self as pactolus_odb;

pub mod diff;
pub mod dump;
mod error;
mod hotlink;
mod key;
mod nearest;
mod odb;
mod path;
pub mod record;
pub mod shell;
pub mod spelling;
pub mod store;
mod text;
pub mod tree;
mod typed;
mod value;
mod watch;

pub use dump::{Dump, Save};
pub use error::{Error, Result};
pub use hotlink::Hotlink;
pub use key::{Content, Directory, Key, Mode};
pub use nearest::nearest;
pub use odb::{Listed, Odb};
/// Makes a struct a [`Record`](trait@Record); the attributes are described there.
pub use pactolus_odb_derive::Record;
pub use path::{Index, MAX_DEPTH, MAX_NAME, Path};
pub use record::Record;
pub use store::{Local, Store};
pub use tree::{Difference, Found, Load, Loaded, Tree};
pub use typed::{Element, Mismatch, Typed};
pub use value::{Number, Strings, Value};
pub use watch::{Change, Watch};
