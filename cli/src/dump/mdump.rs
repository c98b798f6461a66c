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
use pactolus::formats::{Bank, BankName, Element, EventView, Header, Tid};
use pactolus::scan::Payload;

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
pub(super) fn write_skipped(out: &mut impl Write, args: &DumpArgs, number: u64) -> io::Result<()> {
    out.write_all(b"Searching for Bank -")?;
    args.bank.iter().try_for_each(|name| write_name(out, *name))?;
    write!(out, "- Skiping event...{}\r", number - 1)
}

/// Writes an event; whether its banks are broken. `number` counts from 1, mdump from 0.
pub(super) fn write(
    out: &mut impl Write,
    args: &DumpArgs,
    number: u64,
    event: &EventView<'_>,
) -> io::Result<bool> {
    if args.what == Some(What::L) {
        return write_length(out, number, &event.header).map(|()| false);
    }
    if !args.list {
        writeln!(out, "------------------------ Event# {} {:->32}", number - 1, "")?;
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
        write_header(out, &event.header)?;
        if payload == Payload::Fixed && !args.list {
            writeln!(out, "FIXED event with Midas Header")?;
            return write_raw(out, event).map(|()| false);
        }
        let dash = if args.list { "" } else { "- " };
        write!(out, "#banks:{count} {dash}Bank list:-")?;
        found().try_for_each(|bank| write_name(out, bank.name))?;
        writeln!(out, "-")?;
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

fn write_header(out: &mut impl Write, header: &Header) -> io::Result<()> {
    let Header { id, mask, serial, time, size } = header;
    writeln!(out, "Evid:{id:04x}- Mask:{mask:04x}- Serial:{serial}- Time:0x{time:x}- Dsize:{size}/0x{size:x}")
}

/// The event's length, header and all. mdump knows no run here, and says 0.
fn write_length(out: &mut impl Write, number: u64, header: &Header) -> io::Result<()> {
    let Header { id, mask, serial, size, .. } = header;
    let length = Header::SIZE as u64 + u64::from(*size);
    writeln!(
        out,
        "Evt#{number}- 0run 0x{id:04x}xid 0x{mask:04x}xmsk {number:5}mevt#{length:5}el/x{length:x} {serial:5}serial"
    )
}

/// Header and payload as 32-bit words, eight in a row behind the index of the first.
fn write_raw(out: &mut impl Write, event: &EventView<'_>) -> io::Result<()> {
    let header = event.header.to_bytes();
    for (i, word) in header.chunks(4).chain(event.payload.chunks(4)).enumerate() {
        match i {
            0 => write!(out, "      ->: ")?,
            _ if i % 8 == 0 => write!(out, "\n{i:6}->: ")?,
            _ => {}
        }
        word.iter().rev().try_for_each(|byte| write!(out, "{byte:02x}"))?;
        out.write_all(b" ")?;
    }
    writeln!(out)
}

fn write_bank(
    out: &mut impl Write,
    bank: &Bank<'_>,
    kind: BankKind,
    values: Option<Values>,
) -> io::Result<()> {
    write!(out, "\nBank:")?;
    write_name(out, bank.name)?;
    let bytes = bank.data.len();
    write!(out, " Length: {bytes}(I*1)/{}(I*4)/{}(Type) Type:", bytes / 4, bank.len())?;
    let Some((name, row)) = shape(bank.tid(), kind) else {
        return writeln!(out, "Unknown formatbank type not supported ({})", bank.code);
    };
    out.write_all(name.as_bytes())?;
    if let Some(tid) = bank.tid() {
        let order = bank.order;
        for (i, element) in bank.data.chunks_exact(tid.unit()).enumerate() {
            if i % row == 0 {
                write!(out, "\n{:4}-> ", i + 1)?;
            }
            match tid {
                Tid::Byte | Tid::Struct => byte(out, element[0], values.unwrap_or(Values::X))?,
                Tid::Sbyte => match values.unwrap_or(Values::D) {
                    Values::D => write!(out, "{:4} ", i8::read(element, order))?,
                    shown => byte(out, element[0], shown)?,
                },
                Tid::Char | Tid::String => character(out, element[0], values.unwrap_or(Values::A))?,
                Tid::Bool => out.write_all(if bool::read(element, order) { b"Y " } else { b"N " })?,
                Tid::Double => {
                    exponent(out, f64::read(element, order), 15, 5).and_then(|()| out.write_all(b"    "))?
                }
                _ => match (values, tid) {
                    (Some(Values::A), _) => {}
                    (Some(Values::X), _) | (None, Tid::Word | Tid::Dword | Tid::Uint64) => {
                        let hex = match tid {
                            Tid::Word | Tid::Short => u16::read(element, order).into(),
                            Tid::Int64 | Tid::Uint64 => u64::read(element, order),
                            _ => u32::read(element, order).into(),
                        };
                        write!(out, "0x{hex:0digits$x} ", digits = 2 * tid.size())?;
                    }
                    (_, Tid::Word) => write!(out, "{:5} ", u16::read(element, order))?,
                    (_, Tid::Short) => write!(out, "{:5} ", i16::read(element, order))?,
                    (_, Tid::Dword) => write!(out, "{:8} ", u32::read(element, order))?,
                    (_, Tid::Int) => write!(out, "{:8} ", i32::read(element, order))?,
                    (_, Tid::Int64) => write!(out, "{:16} ", i64::read(element, order))?,
                    (_, Tid::Uint64) => write!(out, "{:16} ", u64::read(element, order))?,
                    (_, _) => exponent(out, f32::read(element, order).into(), 8, 3)
                        .and_then(|()| out.write_all(b" "))?,
                },
            }
        }
    }
    writeln!(out)
}

/// What mdump calls a type, and the elements in a row.
fn shape(tid: Option<Tid>, kind: BankKind) -> Option<(&'static str, usize)> {
    Some(match tid? {
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

fn byte(out: &mut impl Write, byte: u8, values: Values) -> io::Result<()> {
    match values {
        Values::X => write!(out, "0x{byte:02x} "),
        Values::D => write!(out, "{byte:4} "),
        Values::A => Ok(()),
    }
}

fn character(out: &mut impl Write, byte: u8, values: Values) -> io::Result<()> {
    match values {
        Values::X => write!(out, "0x{byte:02x} "),
        Values::D => write!(out, "{byte:3} "),
        Values::A => out.write_all(&[if byte == 0 { b' ' } else { harmless(byte) }, b' ']),
    }
}

fn write_name(out: &mut impl Write, name: BankName) -> io::Result<()> {
    name.text().iter().try_for_each(|&byte| out.write_all(&[harmless(byte)]))
}

/// A byte that does not control a terminal.
fn harmless(byte: u8) -> u8 {
    if matches!(byte, 0..=9 | 11..=31 | 0x7f..=0x9f) { b'.' } else { byte }
}

/// `%{width}.{precision}e` of C.
fn exponent(out: &mut impl Write, value: f64, width: usize, precision: usize) -> io::Result<()> {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_nan() {
        return write!(out, "{:>width$}", format!("{sign}nan"));
    }
    if value.is_infinite() {
        return write!(out, "{:>width$}", format!("{sign}inf"));
    }
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(out, "{:>width$}", format!("{mantissa}e{sign}{digits:0>2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_look_as_in_c() {
        let check = |value: f64, width, precision, wanted: &str| {
            let mut out = Vec::new();
            exponent(&mut out, value, width, precision).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        };
        check(std::f64::consts::E, 15, 5, "    2.71828e+00");
        check(-1e300, 15, 5, "  -1.00000e+300");
        check(1e-9, 8, 3, "1.000e-09");
        check(0.0, 8, 3, "0.000e+00");
        check(f64::NAN, 8, 3, "     nan");
        check(f64::NEG_INFINITY, 8, 3, "    -inf");
    }
}
