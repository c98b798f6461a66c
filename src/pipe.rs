//! The one table that can go to standard output.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use pactolus_formats::Error as FormatError;
use pactolus_formats::tuple::{Batch, Refused, TableDef, TableStream};

use crate::Error;
use crate::job::OutputFile;
use crate::partial::TableKey;

/// A table as a stream to standard output: that of the request that the output names, as
/// `-.Trigger.arrow`, or the only one.
pub(crate) struct Pipe<'j> {
    output: &'j OutputFile,
    flat: bool,
    /// What stands for standard output, until the table is known.
    target: Option<&'j mut dyn Write>,
    table: Option<(Name, TableStream<&'j mut dyn Write>)>,
}

/// Name of a table, and the event id if no request names it.
type Name = (String, Option<u16>);

impl<'j> Pipe<'j> {
    pub(crate) fn new(output: &'j OutputFile, flat: bool, target: Option<&'j mut dyn Write>) -> Pipe<'j> {
        Pipe { output, flat, target, table: None }
    }

    /// Finds the table among those that are known before the first event.
    pub(crate) fn begin(&mut self, tables: &[(TableKey, Arc<TableDef>)]) -> Result<(), Error> {
        if self.table.is_some() {
            return Ok(());
        }
        let pattern = &self.output.pattern;
        let names: Vec<&str> = tables.iter().map(|(_, def)| &*def.name).collect();
        let names = names.join(", ");
        let found = match (self.output.table(), tables) {
            (Some(wanted), _) => tables.iter().find(|(_, def)| def.name.eq_ignore_ascii_case(wanted)),
            (None, []) => None,
            (None, [only]) => Some(only),
            (None, [(_, first), ..]) => {
                return Err(Error::Job(format!(
                    "{pattern}: standard output takes one table, and there are {names}: name one, as in -o -.{}.arrow",
                    first.name
                )));
            }
        };
        match (found, self.output.table()) {
            (Some((key, def)), _) => self.open((def.name.clone(), key.1), def),
            // Events that no request names have tables that come later.
            (None, Some(wanted)) if !is_id(wanted) => {
                let there = if names.is_empty() { "none".to_owned() } else { names };
                return Err(Error::Job(format!(
                    "{pattern}: no request has the name {wanted}; there are {there} (and id1, id2, ... for events that no request names)"
                )));
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Writes rows, if they are of the table.
    pub(crate) fn rows(
        &mut self,
        key: TableKey,
        def: &Arc<TableDef>,
        batch: &Batch,
    ) -> Result<Vec<Refused>, Error> {
        let name = (def.name.clone(), key.1);
        if self.table.is_none() && self.output.table().is_none_or(|w| def.name.eq_ignore_ascii_case(w)) {
            self.open(name.clone(), def);
        }
        match &mut self.table {
            Some((known, table)) if *known == name => table.write(batch.clone()).map_err(Error::Output),
            Some(((known, _), _)) if self.output.table().is_none() => Err(Error::Job(format!(
                "{}: standard output takes one table, and behind {known} comes {}: name one, as in -o -.{known}.arrow",
                self.output.pattern, def.name
            ))),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether rows wait for others.
    pub(crate) fn has_rows(&self) -> bool {
        self.table.as_ref().is_some_and(|(_, table)| table.waiting() > 0)
    }

    /// Writes the rows that wait.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.table.as_mut().map_or(Ok(()), |(_, table)| table.flush()).map_err(Error::Output)
    }

    /// Ends the stream. Without any table it has the columns that all tables have.
    pub(crate) fn finish(mut self) -> Result<(), FormatError> {
        if self.table.is_none() {
            let name = self.output.table().unwrap_or_default().to_owned();
            let def = Arc::new(TableDef { name, ..TableDef::default() });
            self.open((String::new(), None), &def);
        }
        self.table.map_or(Ok(()), |(_, table)| table.finish().map(drop))
    }

    fn open(&mut self, name: Name, def: &Arc<TableDef>) {
        if let Some(target) = self.target.take() {
            let table = TableStream::new(Path::new("(standard output)"), target, def);
            self.table = Some((name, if self.flat { table.flat() } else { table }));
        }
    }
}

/// Whether this is the name of a table of events that no request names.
fn is_id(name: &str) -> bool {
    let number = name.get(..2).filter(|id| id.eq_ignore_ascii_case("id")).and_then(|_| name.get(2..));
    number.is_some_and(|number| number.parse::<u16>().is_ok())
}
