//! The members of structures, which the text does not say the types of.

use std::sync::Arc;

use crate::{BankName, Layout};

/// Where a [`Reader`](super::Reader) looks up what the text does not say.
///
/// `()` defines nothing.
pub trait Definitions {
    /// The members of STRUCT bank `name` in events of id `id`; `None` if nobody defines them.
    fn bank(&self, id: u16, name: BankName) -> Option<&Layout>;

    /// The members of FIXED events of id `id`; `None` if they have banks, or nobody defines them.
    fn fixed(&self, id: u16) -> Option<&Layout>;
}

impl Definitions for () {
    fn bank(&self, _: u16, _: BankName) -> Option<&Layout> {
        None
    }

    fn fixed(&self, _: u16) -> Option<&Layout> {
        None
    }
}

impl<D: Definitions + ?Sized> Definitions for &D {
    fn bank(&self, id: u16, name: BankName) -> Option<&Layout> {
        (**self).bank(id, name)
    }

    fn fixed(&self, id: u16) -> Option<&Layout> {
        (**self).fixed(id)
    }
}

impl<D: Definitions + ?Sized> Definitions for Box<D> {
    fn bank(&self, id: u16, name: BankName) -> Option<&Layout> {
        (**self).bank(id, name)
    }

    fn fixed(&self, id: u16) -> Option<&Layout> {
        (**self).fixed(id)
    }
}

impl<D: Definitions + ?Sized> Definitions for Arc<D> {
    fn bank(&self, id: u16, name: BankName) -> Option<&Layout> {
        (**self).bank(id, name)
    }

    fn fixed(&self, id: u16) -> Option<&Layout> {
        (**self).fixed(id)
    }
}
