//! Events to bytes.

use crate::event::{EventView, Header};
use crate::layout::to_little;
use crate::mid::layout::{Area, BankKind};
use crate::{Bank, Error, Order, Result};

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
    write_behind(out, header, kind, &[], banks)
}

/// The same with banks in front that are packed already, with headers of that kind.
///
/// # Errors
/// As for [`write_event`]; also if a larger kind is needed.
pub fn write_behind<'a>(
    out: &mut Vec<u8>,
    header: &Header,
    kind: BankKind,
    packed: &[u8],
    banks: impl Iterator<Item = Bank<'a>> + Clone,
) -> Result<bool> {
    let start = out.len();
    let mut head = [0; Header::SIZE + Area::SIZE];
    head[..Header::SIZE].copy_from_slice(&header.to_bytes());
    head[Header::SIZE + 4..].copy_from_slice(&kind.flags().to_le_bytes());
    out.extend_from_slice(&head);
    let first = out.len();
    out.extend_from_slice(packed);
    for bank in banks.clone() {
        if bank.data.len() > kind.max_bank() {
            out.truncate(start);
            return match kind {
                BankKind::Bank if packed.is_empty() => write_event(out, header, BankKind::Bank32, banks),
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
    Ok(true)
}

#[inline]
fn push_bank(out: &mut Vec<u8>, kind: BankKind, bank: &Bank<'_>) {
    let size = bank.data.len();
    let name = bank.name.bytes();
    match kind {
        BankKind::Bank => {
            let code = u64::from(bank.code as u16);
            let word = u64::from(u32::from_le_bytes(name)) | code << 32 | (size as u64) << 48;
            out.extend_from_slice(&word.to_le_bytes());
        }
        BankKind::Bank32 | BankKind::Bank32A => {
            let mut head = [0; 16];
            head[..4].copy_from_slice(&name);
            head[4..8].copy_from_slice(&bank.code.to_le_bytes());
            head[8..12].copy_from_slice(&(size as u32).to_le_bytes());
            out.extend_from_slice(&head[..kind.header_size()]);
        }
    }
    let at = out.len();
    // A small copy of a known size costs less than the call of a copy of any size.
    match bank.data.first_chunk::<8>() {
        Some(word) if size == 8 => out.extend_from_slice(word),
        _ => match bank.data.first_chunk::<16>() {
            Some(words) if size == 16 => out.extend_from_slice(words),
            _ => out.extend_from_slice(bank.data),
        },
    }
    if bank.order == Order::Big {
        to_little(bank.tid(), bank.order, &mut out[at..]);
    }
    if !size.is_multiple_of(8) {
        out.extend_from_slice(&[0; 8][..8 - size % 8]);
    }
}

fn too_large(header: &Header, bytes: usize) -> Error {
    Error::Unwritable(format!(
        "event id {} serial {}: {bytes} bytes do not fit into a .mid event",
        header.id, header.serial
    ))
}
