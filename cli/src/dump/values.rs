//! The contents of a bank in columns.

use std::io::{self, Write};

use pactolus::formats::text::format_g;
use pactolus::formats::{Bank, Element, Order, Tid};

use super::text;

/// Elements laid out together: the width of their columns is that of the longest.
const TOGETHER: usize = 1 << 14;
/// Columns of a terminal.
const WIDTH: usize = 80;

/// Writes name, type, size and contents of a bank.
pub(crate) fn write(out: &mut impl Write, bank: &Bank<'_>, hex: bool) -> io::Result<()> {
    let bytes = text::count(bank.data.len() as u64, "byte");
    let name = match bank.tid() {
        Some(tid) => tid.name().to_owned(),
        None => format!("type {:#x}", bank.code),
    };
    write!(out, "  {:<4}  {name:<8}", bank.name)?;
    match bank.tid().filter(|tid| tid.size() > 0) {
        Some(_) => writeln!(out, "  {}, {bytes}", text::count(bank.len() as u64, "element"))?,
        None => writeln!(out, "  {bytes}")?,
    }
    match bank.tid() {
        Some(Tid::String | Tid::Link | Tid::Char) if !hex => write_text(out, bank.data),
        Some(tid) if tid.size() > 0 => {
            let whole = bank.len() * tid.size();
            let (elements, rest) = bank.data.split_at(whole);
            write_elements(out, tid, elements, bank.order, hex)?;
            if !rest.is_empty() {
                writeln!(out, "  {} behind the last element:", text::count(rest.len() as u64, "byte"))?;
                text::write_bytes(out, rest)?;
            }
            Ok(())
        }
        _ => text::write_bytes(out, bank.data),
    }
}

/// Quoted; zeros behind the text are left out.
fn write_text(out: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let end = data.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if data.is_empty() {
        return Ok(());
    }
    // Pieces bound the memory that a large bank needs.
    let (mut at, mut rest) = (0, &data[..end]);
    loop {
        // A character may be longer than its piece: then it is shown as bytes.
        let (piece, behind) = rest.split_at(rest.len().min(60));
        let shown = text::escaped(piece).replace('"', "\\\"");
        writeln!(out, "  {at:>5}  \"{shown}\"")?;
        at += piece.len();
        rest = behind;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

fn write_elements(out: &mut impl Write, tid: Tid, data: &[u8], order: Order, hex: bool) -> io::Result<()> {
    let size = tid.size();
    let index_width = text::digits((data.len() / size).saturating_sub(1)).max(5);
    let mut cells = Vec::new();
    let mut ends = Vec::new();
    for (first, data) in (0..).step_by(TOGETHER).zip(data.chunks(TOGETHER * size)) {
        cells.clear();
        ends.clear();
        for element in data.chunks_exact(size) {
            push_element(&mut cells, tid, element, order, hex);
            ends.push(cells.len());
        }
        let starts = || std::iter::once(0).chain(ends.iter().copied());
        let width = starts().zip(&ends).map(|(start, end)| end - start).max().unwrap_or(0);
        let columns = columns(width, WIDTH - 2 - index_width - 1, hex);
        for (i, (start, end)) in starts().zip(&ends).enumerate() {
            if i % columns == 0 {
                let newline = if i == 0 { "" } else { "\n" };
                write!(out, "{newline}  {:>index_width$} ", first + i)?;
            }
            let cell = &cells[start..*end];
            write!(out, "{:pad$}", "", pad = 1 + width - cell.len())?;
            out.write_all(cell)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// How many cells to a line: a number that makes indices easy to count.
fn columns(width: usize, room: usize, hex: bool) -> usize {
    let steps: &[usize] = if hex { &[16, 8, 4, 2] } else { &[20, 10, 5, 2] };
    steps.iter().copied().find(|n| n * (width + 1) <= room).unwrap_or(1)
}

fn push_element(out: &mut Vec<u8>, tid: Tid, bytes: &[u8], order: Order, hex: bool) {
    if hex {
        return push_hex(out, bytes, order);
    }
    // Writing into a vector cannot fail.
    let _ = match tid {
        Tid::Byte => write!(out, "{}", u8::read(bytes, order)),
        Tid::Sbyte => write!(out, "{}", i8::read(bytes, order)),
        Tid::Word => write!(out, "{}", u16::read(bytes, order)),
        Tid::Short => write!(out, "{}", i16::read(bytes, order)),
        Tid::Dword => write!(out, "{}", u32::read(bytes, order)),
        Tid::Int => write!(out, "{}", i32::read(bytes, order)),
        Tid::Int64 => write!(out, "{}", i64::read(bytes, order)),
        Tid::Uint64 => write!(out, "{}", u64::read(bytes, order)),
        Tid::Bool => write!(out, "{}", if bool::read(bytes, order) { 'y' } else { 'n' }),
        Tid::Float => {
            format_g(out, f32::read(bytes, order).into(), 7);
            Ok(())
        }
        Tid::Double => {
            format_g(out, f64::read(bytes, order), 16);
            Ok(())
        }
        Tid::Bitfield | Tid::Char | Tid::String | Tid::Array | Tid::Struct | Tid::Key | Tid::Link => {
            push_hex(out, bytes, order);
            Ok(())
        }
    };
}

/// All digits, the most significant first.
fn push_hex(out: &mut Vec<u8>, bytes: &[u8], order: Order) {
    let mut push = |byte: &u8| {
        let _ = write!(out, "{byte:02x}");
    };
    match order {
        Order::Little => bytes.iter().rev().for_each(&mut push),
        Order::Big => bytes.iter().for_each(&mut push),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pactolus::formats::BankName;

    fn check(tid: Tid, order: Order, data: &[u8], hex: bool, wanted: &[&str]) {
        let bank = Bank { name: BankName::new(*b"TEST"), code: tid.code(), data, order };
        let mut out = Vec::new();
        write(&mut out, &bank, hex).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
        assert_eq!(out.lines().skip(1).collect::<Vec<_>>(), wanted, "{out}");
    }

    #[test]
    fn numbers_stand_below_each_other() {
        let data: Vec<u8> = (0..12_u16).flat_map(|i| (i * 700).to_le_bytes()).collect();
        check(
            Tid::Word,
            Order::Little,
            &data,
            false,
            &["      0     0  700 1400 2100 2800 3500 4200 4900 5600 6300", "     10  7000 7700"],
        );
        check(Tid::Word, Order::Big, &[0x12, 0x34, 0, 1], true, &["      0  1234 0001"]);
        check(Tid::Bool, Order::Little, &[0, 0, 0, 0, 2, 0, 0, 0], false, &["      0  n y"]);
        check(Tid::Sbyte, Order::Little, &[0xff, 1], false, &["      0  -1  1"]);
    }

    #[test]
    fn floating_point_numbers_look_as_in_c() {
        let data: Vec<u8> = [0.1, f64::NAN, -1e300].iter().flat_map(|x| x.to_le_bytes()).collect();
        check(Tid::Double, Order::Little, &data, false, &["      0      0.1     NAN -1e+300"]);
        check(Tid::Float, Order::Little, &1.5_f32.to_le_bytes(), true, &["      0  3fc00000"]);
    }

    #[test]
    fn text_is_quoted() {
        check(Tid::String, Order::Little, b"say \"hi\"\n\0\0", false, &[r#"      0  "say \"hi\"\n""#]);
        check(Tid::Char, Order::Little, b"a\0b", false, &[r#"      0  "a\u{0}b""#]);
        check(Tid::String, Order::Little, b"", false, &[]);
        check(Tid::String, Order::Little, b"\0", false, &[r#"      0  """#]);
    }

    #[test]
    fn bytes_that_make_no_element_are_shown() {
        check(
            Tid::Dword,
            Order::Little,
            &[1, 0, 0, 0, 7],
            false,
            &["      0  1", "  1 byte behind the last element:", &format!("      0  07{:46}  .", "")],
        );
        check(Tid::Word, Order::Little, &[], false, &[]);
    }
}
