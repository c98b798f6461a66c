//! What a module reads and writes, said before the first event.

use std::sync::Arc;

use pactolus_formats::{BankDef, BankName, Element, Layout, Tid};

/// One bank of a declaration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BankUse {
    /// Its name.
    pub name: BankName,
    /// Type of its elements.
    pub tid: Tid,
    /// Number of elements, or the largest number, if stated.
    pub elements: Option<usize>,
    /// Unit of the elements, or an empty string.
    pub unit: &'static str,
    /// The members of a STRUCT bank.
    pub layout: Option<Arc<Layout>>,
}

impl<T: Element> From<BankDef<T>> for BankUse {
    fn from(def: BankDef<T>) -> BankUse {
        BankUse {
            name: def.name(),
            tid: T::TID,
            elements: def.elements(),
            unit: def.unit_name(),
            layout: T::layout(),
        }
    }
}

/// One bank or a tuple of banks: `ADC0`, `(ADC0, TDC0)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a bank nor a tuple of two to eight banks",
    label = "a `BankDef` wanted, or several in parentheses",
    note = "as in `Banks::read(ADC0)` and `Banks::read((ADC0, TDC0))`; more than eight are put in tuples of tuples"
)]
pub trait BankSet {
    /// Adds each bank to `uses`.
    fn collect(self, uses: &mut Vec<BankUse>);
}

impl<T: Element> BankSet for BankDef<T> {
    fn collect(self, uses: &mut Vec<BankUse>) {
        uses.push(self.into());
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<$($name: BankSet),+> BankSet for ($($name,)+) {
            #[allow(non_snake_case, reason = "the type parameters name the tuple's places")]
            fn collect(self, uses: &mut Vec<BankUse>) {
                let ($($name,)+) = self;
                $($name.collect(uses);)+
            }
        }
    )*};
}

tuples! { A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

/// The banks of a module.
///
/// ```
/// use pactolus::prelude::*;
/// const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
/// const TDC0: BankDef<u16> = BankDef::new(b"TDC0");
/// const HITS: BankDef<f32> = BankDef::new(b"HITS");
/// let banks = Banks::read((ADC0, TDC0)).write(HITS);
/// assert_eq!(banks.reads().len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "`banks` answers with it"]
pub struct Banks {
    reads: Vec<BankUse>,
    writes: Vec<BankUse>,
    queues: bool,
}

impl Banks {
    /// A module that reads these banks.
    pub fn read(banks: impl BankSet) -> Banks {
        let mut declared = Banks::default();
        banks.collect(&mut declared.reads);
        declared
    }

    /// ... and appends these.
    pub fn write(mut self, banks: impl BankSet) -> Banks {
        banks.collect(&mut self.writes);
        self
    }

    /// ... and makes new events with [`Context::queue`](crate::Context::queue).
    pub fn queues_events(mut self) -> Banks {
        self.queues = true;
        self
    }

    /// The banks read.
    pub fn reads(&self) -> &[BankUse] {
        &self.reads
    }

    /// The banks appended.
    pub fn writes(&self) -> &[BankUse] {
        &self.writes
    }

    /// Whether the module makes new events.
    pub fn queues(&self) -> bool {
        self.queues
    }
}
