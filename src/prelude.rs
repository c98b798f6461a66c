//! The names that a module needs.

pub use pactolus_formats::{BankDef, BankName, Element, Tid};
pub use pactolus_formats_derive::Bank;
pub use pactolus_odb::Record;

pub use crate::Verdict::{Keep, Skip};
pub use crate::histo::{Axis, Hist1, Hist2, Profile, Strip, WeightedHist1, WeightedHist2, WeightedProfile};
pub use crate::{
    Analyzer, Banks, Catalogue, Context, EndOfRun, Event, Job, Module, NewEvent, Request, Result, Run,
    Sequential, Setup, Test, Verdict,
};
