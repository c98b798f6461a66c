//! The layout of MIDAS's `mdump`, for scripts and eyes that are used to it.
//!
//! Byte for byte that of the `mdump` of October 2017 (`tests/corpus/mdump`), except where it shows
//! what is not there:
//!
//! | what | mdump | here |
//! |---|---|---|
//! | a zero in decimal, of one byte | blanks | `0` |
//! | SBYTE in decimal | 255 for -1 | -1 |
//! | SHORT in hexadecimal | `0xfffffc19`: 32 bits | `0xfc19` |
//! | DWORD in decimal | -2 for 4294967294 | 4294967294 |
//! | event in FIXED format | its second four bytes swapped, as if they were flags | as they are |
//! | `-m raw`, last bytes of an event that fill no word | left out | a shorter word |
//! | `-w l`, event id and mask | decimal behind `0x` | hexadecimal |
//! | INT64, UINT64 | not supported | shown |
//! | broken banks | crash | what is whole, then a line `broken:` |
//! | control characters other than newline | sent to the terminal | `.` |

use std::io::{self, Write};

use clap::ValueEnum;
use pactolus::formats::event::Kind;
use pactolus::formats::mid::layout::BankKind;
use pactolus::formats::text::{format_e, hex, push_hex, push_unsigned, put_signed, put_unsigned};
use pactolus::formats::{Bank, BankName, Element, EventView, Header, Order, Tid};
use pactolus::scan::Payload;

use super::page::Page;
use super::{DumpArgs, banks};

/// How `mdump -f` shows values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Values {
    /// Hexadecimal
    X,
    /// Decimal
    D,
    /// Text; numbers are left out
    A,
}

/// What `mdump -m` shows of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Its banks
    Bank,
    /// Header and payload as words of 32 bits
    Raw,
}

/// What `mdump -w` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// One line per event, with its length
    L,
}

/// Says that an event is not among those asked for; a carriage return lets the next take its place.
pub(super) fn write_skipped(out: &mut Page<'_>, args: &DumpArgs, number: u64) -> io::Result<()> {
    let line = out.line()?;
    line.extend_from_slice(b"Searching for Bank -");
    args.bank.iter().for_each(|name| push_name(line, *name));
    line.extend_from_slice(b"- Skiping event...");
    push_unsigned(line, number - 1);
    line.push(b'\r');
    Ok(())
}

/// Writes an event; whether its banks are broken. `number` counts from 1, mdump from 0.
pub(super) fn write(
    out: &mut Page<'_>,
    args: &DumpArgs,
    number: u64,
    event: &EventView<'_>,
) -> io::Result<bool> {
    if args.what == Some(What::L) {
        return write_length(out, number, &event.header).map(|()| false);
    }
    if !args.list {
        let line = out.line()?;
        line.extend_from_slice(b"------------------------ Event# ");
        push_unsigned(line, number - 1);
        line.extend_from_slice(b" --------------------------------\n");
        if args.mode == Mode::Raw {
            return write_raw(out, event).map(|()| false);
        }
    }
    if event.kind() != Kind::Data {
        return Ok(false);
    }
    let payload = Payload::of(event);
    let mut broken = None;
    let count = match payload {
        Payload::Banks(_) => banks(event, &mut broken).count(),
        Payload::Empty | Payload::Fixed => 0,
    };
    // Walked anew each time: an event may claim millions of banks.
    let found = || event.banks().map_while(Result::ok).take(count);
    if !args.single {
        push_header(out.line()?, &event.header);
        if payload == Payload::Fixed && !args.list {
            writeln!(out, "FIXED event with Midas Header")?;
            return write_raw(out, event).map(|()| false);
        }
        let line = out.line()?;
        line.extend_from_slice(b"#banks:");
        push_unsigned(line, count as u64);
        line.extend_from_slice(if args.list { b" Bank list:-" } else { b" - Bank list:-" });
        for bank in found() {
            push_name(out.line()?, bank.name);
        }
        out.line()?.extend_from_slice(b"-\n");
    }
    if !args.list {
        let kind = event.area().map_or(BankKind::Bank, |area| area.kind());
        let wanted = |bank: &Bank<'_>| !args.single || args.bank.is_empty() || args.bank.contains(&bank.name);
        found().filter(wanted).try_for_each(|bank| write_bank(out, &bank, kind, args.values))?;
    }
    if let Some((kind, position)) = broken {
        writeln!(out, "broken: {kind} at byte {} of the event", Header::SIZE + position)?;
        return Ok(true);
    }
    Ok(false)
}

fn push_header(out: &mut Vec<u8>, header: &Header) {
    let Header { id, mask, serial, time, size } = *header;
    out.extend_from_slice(b"Evid:");
    push_hex(out, id.into(), 4);
    out.extend_from_slice(b"- Mask:");
    push_hex(out, mask.into(), 4);
    out.extend_from_slice(b"- Serial:");
    push_unsigned(out, serial.into());
    out.extend_from_slice(b"- Time:0x");
    push_hex(out, time.into(), 1);
    out.extend_from_slice(b"- Dsize:");
    push_unsigned(out, size.into());
    out.extend_from_slice(b"/0x");
    push_hex(out, size.into(), 1);
    out.push(b'\n');
}

/// The event's length, header and all. mdump knows no run here, and says 0.
fn write_length(out: &mut Page<'_>, number: u64, header: &Header) -> io::Result<()> {
    let Header { id, mask, serial, size, .. } = header;
    let length = Header::SIZE as u64 + u64::from(*size);
    writeln!(
        out,
        "Evt#{number}- 0run 0x{id:04x}xid 0x{mask:04x}xmsk {number:5}mevt#{length:5}el/x{length:x} {serial:5}serial"
    )
}

/// Header and payload as 32-bit words, eight in a row behind the index of the first.
fn write_raw(out: &mut Page<'_>, event: &EventView<'_>) -> io::Result<()> {
    let header = event.header.to_bytes();
    let mut line = out.line()?;
    for (i, word) in header.chunks(4).chain(event.payload.chunks(4)).enumerate() {
        if i == 0 {
            line.extend_from_slice(b"      ->: ");
        } else if i % 8 == 0 {
            line = out.line()?;
            line.push(b'\n');
            push_right(line, 6, |cell| put_unsigned(cell, i as u64));
            line.extend_from_slice(b"->: ");
        }
        word.iter().rev().for_each(|&byte| line.extend_from_slice(&hex(byte)));
        line.push(b' ');
    }
    line.push(b'\n');
    Ok(())
}

fn write_bank(out: &mut Page<'_>, bank: &Bank<'_>, kind: BankKind, values: Option<Values>) -> io::Result<()> {
    let line = out.line()?;
    line.extend_from_slice(b"\nBank:");
    push_name(line, bank.name);
    let bytes = bank.data.len();
    line.extend_from_slice(b" Length: ");
    push_unsigned(line, bytes as u64);
    line.extend_from_slice(b"(I*1)/");
    push_unsigned(line, bytes as u64 / 4);
    line.extend_from_slice(b"(I*4)/");
    push_unsigned(line, bank.len() as u64);
    line.extend_from_slice(b"(Type) Type:");
    let Some((tid, (name, row))) = bank.tid().and_then(|tid| Some((tid, shape(tid, kind)?))) else {
        return writeln!(out, "Unknown formatbank type not supported ({})", bank.code);
    };
    line.extend_from_slice(name.as_bytes());
    let elements = &bank.data[..bank.len() * tid.unit()];
    for (first, elements) in (1..).step_by(row).zip(elements.chunks(row * tid.unit())) {
        let line = out.line()?;
        line.push(b'\n');
        push_right(line, 4, |cell| put_unsigned(cell, first));
        line.extend_from_slice(b"-> ");
        elements
            .chunks_exact(tid.unit())
            .for_each(|element| push_element(line, tid, element, bank.order, values));
    }
    out.line()?.push(b'\n');
    Ok(())
}

fn push_element(out: &mut Vec<u8>, tid: Tid, element: &[u8], order: Order, values: Option<Values>) {
    match tid {
        Tid::Byte | Tid::Struct => push_byte(out, element[0], values.unwrap_or(Values::X)),
        Tid::Sbyte => match values.unwrap_or(Values::D) {
            Values::D => push_decimal(out, 4, i8::read(element, order)),
            shown => push_byte(out, element[0], shown),
        },
        Tid::Char | Tid::String => push_character(out, element[0], values.unwrap_or(Values::A)),
        Tid::Bool => out.extend_from_slice(if bool::read(element, order) { b"Y " } else { b"N " }),
        Tid::Double => push_exponent(out, f64::read(element, order), 15, 5, b"    "),
        _ => match (values, tid) {
            (Some(Values::A), _) => {}
            (Some(Values::X), _) | (None, Tid::Word | Tid::Dword | Tid::Uint64) => {
                let bits = match tid {
                    Tid::Word | Tid::Short => u16::read(element, order).into(),
                    Tid::Int64 | Tid::Uint64 => u64::read(element, order),
                    _ => u32::read(element, order).into(),
                };
                out.extend_from_slice(b"0x");
                push_hex(out, bits, 2 * tid.size());
                out.push(b' ');
            }
            (_, Tid::Word) => push_decimal(out, 5, u16::read(element, order)),
            (_, Tid::Short) => push_decimal(out, 5, i16::read(element, order)),
            (_, Tid::Dword) => push_decimal(out, 8, u32::read(element, order)),
            (_, Tid::Int) => push_decimal(out, 8, i32::read(element, order)),
            (_, Tid::Int64) => push_decimal(out, 16, i64::read(element, order)),
            (_, Tid::Uint64) => {
                push_right(out, 16, |cell| put_unsigned(cell, u64::read(element, order)));
                out.push(b' ');
            }
            (_, _) => push_exponent(out, f32::read(element, order).into(), 8, 3, b" "),
        },
    }
}

/// What mdump calls a type, and the elements in a row.
fn shape(tid: Tid, kind: BankKind) -> Option<(&'static str, usize)> {
    Some(match tid {
        Tid::Byte => ("Unsigned Bytes", 16),
        Tid::Sbyte => ("Signed Bytes", 16),
        Tid::Char => ("8 bit ASCII", 16),
        Tid::Word => ("Unsigned Integer*2", 8),
        Tid::Short => ("Signed Integer*2", 8),
        Tid::Dword => ("Unsigned Integer*4", 8),
        Tid::Int => ("Signed Integer*4", 8),
        Tid::Bool => ("Boolean", 8),
        Tid::Float => ("Real*4 (FMT machine dependent)", 8),
        Tid::Double => ("double*8", 4),
        // One letter is missing where bank headers have 32 bits.
        Tid::String if kind == BankKind::Bank => ("String 8bit ASCII", 16),
        Tid::String => ("String 8bit ASCI", 16),
        Tid::Struct => ("STRUCT (not supported->8 bits)", 16),
        Tid::Int64 => ("Signed Integer*8", 4),
        Tid::Uint64 => ("Unsigned Integer*8", 4),
        Tid::Bitfield | Tid::Array | Tid::Key | Tid::Link => return None,
    })
}

fn push_byte(out: &mut Vec<u8>, byte: u8, values: Values) {
    match values {
        Values::X => push_hex_byte(out, byte),
        Values::D => push_decimal(out, 4, byte),
        Values::A => {}
    }
}

fn push_character(out: &mut Vec<u8>, byte: u8, values: Values) {
    match values {
        Values::X => push_hex_byte(out, byte),
        Values::D => push_decimal(out, 3, byte),
        Values::A => out.extend_from_slice(&[if byte == 0 { b' ' } else { harmless(byte) }, b' ']),
    }
}

fn push_hex_byte(out: &mut Vec<u8>, byte: u8) {
    let [high, low] = hex(byte);
    out.extend_from_slice(&[b'0', b'x', high, low, b' ']);
}

/// `%{width}d ` of C.
fn push_decimal(out: &mut Vec<u8>, width: usize, value: impl Into<i64>) {
    push_right(out, width, |cell| put_signed(cell, value.into()));
    out.push(b' ');
}

/// Appends what `put` writes at the end of a cell, which is blank and where it begins; at least so many
/// bytes.
fn push_right(out: &mut Vec<u8>, width: usize, put: impl FnOnce(&mut [u8]) -> usize) {
    let mut cell = [b' '; 24];
    let start = put(&mut cell);
    out.extend_from_slice(&cell[start.min(cell.len() - width)..]);
}

/// `%{width}.{precision}e` of C.
fn push_exponent(out: &mut Vec<u8>, value: f64, width: usize, precision: usize, behind: &[u8]) {
    let start = out.len();
    format_e(out, value, precision);
    let end = out.len().max(start + width);
    let missing = end - out.len();
    out.resize(end, b' ');
    out[start..].rotate_right(missing);
    out.extend_from_slice(behind);
}

fn push_name(out: &mut Vec<u8>, name: BankName) {
    out.extend(name.text().iter().map(|&byte| harmless(byte)));
}

/// A byte that does not control a terminal.
fn harmless(byte: u8) -> u8 {
    if matches!(byte, 0..=9 | 11..=31 | 0x7f..=0x9f) { b'.' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_look_as_in_c() {
        let check = |value: f64, width, precision, wanted: &str| {
            let mut out = Vec::new();
            push_exponent(&mut out, value, width, precision, b"");
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        };
        check(-12.5, 12, 3, "  -1.250e+01");
        check(std::f64::consts::E, 15, 5, "    2.71828e+00");
        check(-1e300, 15, 5, "  -1.00000e+300");
        check(1e-9, 8, 3, "1.000e-09");
        check(0.0, 8, 3, "0.000e+00");
        check(f64::NAN, 8, 3, "     nan");
        check(f64::NEG_INFINITY, 8, 3, "    -inf");
    }
}
