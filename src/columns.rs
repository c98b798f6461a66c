//! The columns of tables, as far as they are known before the first event.

use std::sync::Arc;

use pactolus_formats::tuple::{ColumnDef, TableDef};
use pactolus_formats::{BankName, Layout};

use crate::chain::{Chain, Mounted};
use crate::epoch::Format;
use crate::request::Request;

/// The columns that are known before the first event: the declared banks, then what stages append.
pub(crate) fn columns(request: &Request, chain: &Chain) -> Vec<ColumnDef> {
    let mut columns: Vec<ColumnDef> = Vec::new();
    for bank in &request.banks {
        let column = sized(ColumnDef::new(bank.name, bank.tid.code()), bank.elements);
        columns.push(column.description(&bank.description).unit(&bank.unit));
    }
    for bank in chain.stages.iter().flat_map(Mounted::writes) {
        match columns.iter_mut().find(|c| c.name == bank.name) {
            Some(known) => {
                if known.unit.is_empty() {
                    known.unit = bank.unit.to_owned();
                }
                if known.elements.is_none() {
                    *known = sized(known.clone(), bank.elements);
                }
            }
            None => {
                let column = ColumnDef::new(bank.name, bank.tid.code()).unit(bank.unit);
                columns.push(sized(column, bank.elements));
            }
        }
    }
    columns
}

/// A column with the number of elements, if that is known.
fn sized(column: ColumnDef, elements: Option<usize>) -> ColumnDef {
    match elements {
        Some(1) | None => ColumnDef { elements, ..column },
        Some(several) => column.elements(several).many(),
    }
}

/// The table of a request, without the banks that are off.
pub(crate) fn table(
    name: &str,
    format: &Format,
    off: &[BankName],
    mut columns: Vec<ColumnDef>,
    layouts: &[(BankName, Arc<Layout>)],
) -> TableDef {
    columns.retain(|c| !off.contains(&c.name));
    for (name, layout) in layouts.iter().filter(|(name, _)| !off.contains(name)) {
        match columns.iter_mut().find(|c| c.name == *name) {
            Some(column) => {
                column.layout.get_or_insert_with(|| Arc::clone(layout));
            }
            None => columns
                .push(ColumnDef::new(*name, pactolus_formats::Tid::Struct.code()).layout(Arc::clone(layout))),
        }
    }
    let fixed = match format {
        Format::Fixed(layout) => Some(Arc::clone(layout)),
        Format::Banks | Format::Mixed(_) => None,
    };
    TableDef { name: name.to_owned(), banks: if fixed.is_some() { Vec::new() } else { columns }, fixed }
}
