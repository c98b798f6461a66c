//! Kept events to bytes and columns, as far as switches and the filter allow.

use std::sync::Arc;

use pactolus_formats::tuple::{ColumnDef, Columns, TableDef};
use pactolus_formats::{Bank, EventView, Header, asc, mid};

use crate::epoch::{Epoch, Format, RunChain};
use crate::event::Event;
use crate::module::BoxError;
use crate::partial::{Partial, TableKey};

/// Writes a kept event to all that wants it.
pub(crate) fn write(
    epoch: &Epoch,
    chain: &RunChain,
    number: usize,
    event: &Event<'_>,
    original: EventView<'_>,
    partial: &mut Partial,
    columns: &mut Vec<(TableKey, Columns)>,
) -> Result<(), BoxError> {
    let header = event.header();
    if epoch.wanted.mid {
        let out = &mut partial.mid.bytes;
        if epoch.filter || event.is_fixed() {
            if !original.payload.is_empty() {
                mid::write_raw(out, &original);
            }
        } else {
            let kind = event.bank_kind();
            let fits = |bank: Bank<'_>| bank.data.len() <= kind.max_bank();
            match event.packed() {
                // Every bank is written, and none makes the headers larger.
                Some(packed) if chain.off.is_empty() && event.appended().all(fits) => {
                    mid::write_behind(out, header, kind, packed, event.appended())?;
                }
                _ => {
                    let banks = event.banks().filter(|b| chain.writes(b));
                    mid::write_event(out, header, kind, banks)?;
                }
            }
        }
    }
    if !epoch.wanted.asc && !epoch.wanted.tables {
        return Ok(());
    }
    if let Some(layout) = chain.fixed(header.id) {
        if epoch.wanted.asc {
            asc::write_fixed(&mut partial.asc.bytes, header, layout, original.payload);
        }
        if epoch.wanted.tables {
            let columns = table(columns, chain, number, header.id);
            columns.push_fixed(epoch.run.number, epoch.number, header, original.payload);
        }
    } else if epoch.filter {
        let banks = original.banks().filter_map(Result::ok);
        print(epoch, chain, number, header, banks, partial, columns);
    } else {
        print(epoch, chain, number, header, event.banks(), partial, columns);
    }
    Ok(())
}

/// Writes the switched-on banks to text and tables.
fn print<'a>(
    epoch: &Epoch,
    chain: &RunChain,
    number: usize,
    header: &Header,
    banks: impl Iterator<Item = Bank<'a>> + Clone,
    partial: &mut Partial,
    columns: &mut Vec<(TableKey, Columns)>,
) {
    let banks = banks.filter(|b| chain.writes(b));
    if epoch.wanted.asc {
        asc::write_event(&mut partial.asc.bytes, header, banks.clone(), |bank| chain.layout_of(bank));
    }
    if epoch.wanted.tables {
        let columns = table(columns, chain, number, header.id);
        columns.push(epoch.run.number, epoch.number, header, banks);
    }
}

/// The columns of a chain's table. Where the chain takes every id, FIXED events have tables of their
/// own, and so have all that no request names.
fn table<'c>(
    columns: &'c mut Vec<(TableKey, Columns)>,
    chain: &RunChain,
    number: usize,
    id: u16,
) -> &'c mut Columns {
    let own = chain.fallback || matches!(chain.format, Format::Mixed(_)) && chain.fixed(id).is_some();
    let key = (number, own.then_some(id));
    let place = columns.iter().position(|(k, _)| *k == key).unwrap_or_else(|| {
        let def = table_def(chain, key);
        columns.push((key, Columns::new(&def)));
        columns.len() - 1
    });
    &mut columns[place].1
}

/// What is known of a table before its first row.
pub(crate) fn table_def(chain: &RunChain, (_, id): TableKey) -> Arc<TableDef> {
    match id {
        None => Arc::clone(&chain.table),
        Some(id) => {
            let fixed = chain.fixed(id).cloned();
            Arc::new(TableDef { name: format!("id{id}"), banks: Vec::<ColumnDef>::new(), fixed })
        }
    }
}
