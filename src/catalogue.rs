//! The modules that a definition can mount, by their type names.

use pactolus_odb::{Record, nearest};

use crate::definition::unknown;
use crate::module::{Module, Sequential};
use crate::stage::Mountable;

type Make = Box<dyn Fn() -> Mountable + Send + Sync>;

/// The modules that a definition can mount, by their type names.
///
/// ```
/// use pactolus::prelude::*;
/// # #[derive(Record, Clone)] pub struct Nothing {}
/// # impl Module for Nothing {
/// #     fn event(&self, _: &Event, _: &Context) -> Result<Verdict> { Ok(Keep) }
/// # }
/// let catalogue = Catalogue::new().module::<Nothing>("Nothing");
/// assert_eq!(catalogue.names().collect::<Vec<_>>(), ["Nothing"]);
/// ```
#[derive(Default)]
pub struct Catalogue {
    makers: Vec<(String, Make)>,
}

impl Catalogue {
    /// A catalogue without modules.
    pub fn new() -> Catalogue {
        Catalogue::default()
    }

    /// Adds a module; a later one of the same name takes the place of an earlier.
    #[must_use]
    pub fn module<M: Module + Record + Clone + 'static>(self, name: &str) -> Catalogue {
        self.with(name, || Mountable::module(M::defaults()))
    }

    /// Adds a module that sees the events one after the other.
    #[must_use]
    pub fn sequential<M: Sequential + Record + Clone + Sync + 'static>(self, name: &str) -> Catalogue {
        self.with(name, || Mountable::sequential(M::defaults()))
    }

    /// Adds all modules of another catalogue.
    #[must_use]
    pub fn and(mut self, other: Catalogue) -> Catalogue {
        for (name, make) in other.makers {
            self.put(name, make);
        }
        self
    }

    fn with(mut self, name: &str, make: impl Fn() -> Mountable + Send + Sync + 'static) -> Catalogue {
        self.put(name.to_owned(), Box::new(make));
        self
    }

    fn put(&mut self, name: String, make: Make) {
        self.makers.retain(|(known, _)| *known != name);
        self.makers.push((name, make));
    }

    /// The type names, in the order they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.makers.iter().map(|(name, _)| &**name)
    }

    /// A new module of each type, with its name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Mountable)> {
        self.makers.iter().map(|(name, make)| (&**name, make()))
    }

    /// A new module of this type name.
    pub(crate) fn make(&self, name: &str) -> Result<Mountable, String> {
        match self.makers.iter().find(|(known, _)| known == name) {
            Some((_, make)) => Ok(make()),
            None => {
                let known: Vec<&str> = self.names().collect();
                let what = unknown("module type", name, "", known.iter().copied());
                Err(match nearest(name, known.iter().copied()) {
                    Some(_) => what,
                    None => format!(
                        "{what}; a module of your own crate is known to its own program: `cargo run -- check`"
                    ),
                })
            }
        }
    }
}
