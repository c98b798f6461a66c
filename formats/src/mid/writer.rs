//! Events to bytes.

use crate::event::{EventView, Header};
use crate::layout::to_little;
use crate::mid::layout::{Area, BankKind};
use crate::{Bank, Error, Result};

/// Appends an event as it stands.
pub fn write_raw(out: &mut Vec<u8>, event: &EventView<'_>) {
    out.extend_from_slice(&event.header.to_bytes());
    out.extend_from_slice(event.payload);
}

/// Appends an event made of `banks`: `header` with the data size set anew, banks packed in order,
/// little-endian, padding zero. The header kind is `kind`, or the next larger if a bank does not
/// fit. An event without banks is not written, as in MIDAS; the answer says whether one was.
///
/// # Errors
/// [`Error::Unwritable`] if a bank or the whole event is too large for the format.
pub fn write_event<'a>(
    out: &mut Vec<u8>,
    header: &Header,
    kind: BankKind,
    banks: impl Iterator<Item = Bank<'a>> + Clone,
) -> Result<bool> {
    let start = out.len();
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(&[0; Area::SIZE]);
    let first = out.len();
    for bank in banks.clone() {
        if bank.data.len() > kind.max_bank() {
            out.truncate(start);
            return match kind {
                BankKind::Bank => write_event(out, header, BankKind::Bank32, banks),
                _ => Err(too_large(header, bank.data.len())),
            };
        }
        push_bank(out, kind, &bank);
    }
    let total = out.len() - first;
    if total == 0 {
        out.truncate(start);
        return Ok(false);
    }
    let Ok(size) = u32::try_from(total + Area::SIZE) else {
        out.truncate(start);
        return Err(too_large(header, total));
    };
    out[start + 12..start + 16].copy_from_slice(&size.to_le_bytes());
    out[start + 16..start + 20].copy_from_slice(&(total as u32).to_le_bytes());
    out[start + 20..start + 24].copy_from_slice(&kind.flags().to_le_bytes());
    Ok(true)
}

#[inline]
fn push_bank(out: &mut Vec<u8>, kind: BankKind, bank: &Bank<'_>) {
    let size = bank.data.len();
    let padded = size.next_multiple_of(8);
    out.reserve(16 + padded);
    out.extend_from_slice(&bank.name.bytes());
    match kind {
        BankKind::Bank => {
            out.extend_from_slice(&(bank.code as u16).to_le_bytes());
            out.extend_from_slice(&(size as u16).to_le_bytes());
        }
        BankKind::Bank32 | BankKind::Bank32A => {
            out.extend_from_slice(&bank.code.to_le_bytes());
            out.extend_from_slice(&(size as u32).to_le_bytes());
            if kind == BankKind::Bank32A {
                out.extend_from_slice(&[0; 4]);
            }
        }
    }
    let at = out.len();
    out.extend_from_slice(bank.data);
    to_little(bank.tid(), bank.order, &mut out[at..]);
    out.extend_from_slice(&[0; 8][..padded - size]);
}

fn too_large(header: &Header, bytes: usize) -> Error {
    Error::Unwritable(format!(
        "event id {} serial {}: {bytes} bytes do not fit into a .mid event",
        header.id, header.serial
    ))
}
