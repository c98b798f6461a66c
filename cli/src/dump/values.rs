//! The contents of a bank in columns.

use std::io::{self, Write};

use pactolus::formats::text::{format_g, hex as hex_digits, put_signed, put_unsigned};
use pactolus::formats::{Bank, Element, Order, Tid};

use super::page::Page;
use super::text;

/// Elements laid out together: the width of their columns is that of the longest.
const TOGETHER: usize = 1 << 14;
/// Columns of a terminal.
const WIDTH: usize = 80;

/// Writes name, type, size and contents of a bank.
pub(super) fn write(out: &mut Page<'_>, bank: &Bank<'_>, hex: bool) -> io::Result<()> {
    push_head(out.line()?, bank);
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

fn push_head(out: &mut Vec<u8>, bank: &Bank<'_>) {
    out.extend_from_slice(b"  ");
    let name = bank.name.text();
    if name.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        push_padded(out, name, 4);
    } else {
        // Writing into a vector cannot fail.
        let _ = write!(out, "{:<4}", bank.name);
    }
    out.extend_from_slice(b"  ");
    match bank.tid() {
        Some(tid) => push_padded(out, tid.name().as_bytes(), 8),
        None => push_padded(out, format!("type {:#x}", bank.code).as_bytes(), 8),
    }
    out.extend_from_slice(b"  ");
    if bank.tid().is_some_and(|tid| tid.size() > 0) {
        text::push_count(out, bank.len() as u64, "element");
        out.extend_from_slice(b", ");
    }
    text::push_count(out, bank.data.len() as u64, "byte");
    out.push(b'\n');
}

fn push_padded(out: &mut Vec<u8>, word: &[u8], width: usize) {
    let end = out.len() + word.len().max(width);
    out.extend_from_slice(word);
    out.resize(end, b' ');
}

/// Quoted; zeros behind the text are left out.
fn write_text(out: &mut Page<'_>, data: &[u8]) -> io::Result<()> {
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

fn write_elements(out: &mut Page<'_>, tid: Tid, data: &[u8], order: Order, hex: bool) -> io::Result<()> {
    let size = tid.size();
    let index_width = text::digits((data.len() / size).saturating_sub(1)).max(5);
    let mut table = Table { out, index_width, first: 0, count: 0, hex };
    for (first, data) in (0..).step_by(TOGETHER).zip(data.chunks(TOGETHER * size)) {
        (table.first, table.count) = (first, data.len() / size);
        match tid {
            _ if hex => table.hex(data, size, order)?,
            Tid::Byte => table.unsigned::<u8>(data, order)?,
            Tid::Word => table.unsigned::<u16>(data, order)?,
            Tid::Dword => table.unsigned::<u32>(data, order)?,
            Tid::Uint64 => table.unsigned::<u64>(data, order)?,
            Tid::Sbyte => table.signed::<i8>(data, order)?,
            Tid::Short => table.signed::<i16>(data, order)?,
            Tid::Int => table.signed::<i32>(data, order)?,
            Tid::Int64 => table.signed::<i64>(data, order)?,
            Tid::Float => table.real::<f32>(data, order, 7)?,
            Tid::Double => table.real::<f64>(data, order, 16)?,
            Tid::Bool => table.rows(1, |cell, i| {
                let end = cell.len() - 1;
                cell[end] = if at::<bool>(data, i, order) { b'y' } else { b'n' };
            })?,
            Tid::Bitfield | Tid::Char | Tid::String | Tid::Array | Tid::Struct | Tid::Key | Tid::Link => {
                table.hex(data, size, order)?;
            }
        }
    }
    Ok(())
}

#[inline]
fn at<T: Element>(data: &[u8], i: usize, order: Order) -> T {
    T::read(&data[i * T::SIZE..(i + 1) * T::SIZE], order)
}

/// Elements in columns of one width.
struct Table<'p, 'o> {
    out: &'p mut Page<'o>,
    index_width: usize,
    /// The index of the first element.
    first: usize,
    /// How many there are.
    count: usize,
    /// Digits stand for bits: other numbers of columns are easy to count.
    hex: bool,
}

impl Table<'_, '_> {
    /// Lays the elements out. `put` writes one at the end of its cell, which is blank; before the cell
    /// is what stands to the left of it.
    #[inline]
    fn rows(&mut self, width: usize, mut put: impl FnMut(&mut [u8], usize)) -> io::Result<()> {
        let columns = columns(width, WIDTH - 2 - self.index_width - 1, self.hex);
        for start in (0..self.count).step_by(columns) {
            let mut line = [b' '; text::LINE];
            let mut end = 2 + self.index_width;
            put_unsigned(&mut line[..end], (self.first + start) as u64);
            end += 1;
            for i in start..self.count.min(start + columns) {
                end += 1 + width;
                put(&mut line[..end], i);
            }
            line[end] = b'\n';
            self.out.line()?.extend_from_slice(&line[..=end]);
        }
        Ok(())
    }

    fn unsigned<T: Element + Into<u64>>(&mut self, data: &[u8], order: Order) -> io::Result<()> {
        let most = (0..self.count).map(|i| at::<T>(data, i, order).into()).max().unwrap_or(0);
        let mut widest = [0; 20];
        let width = widest.len() - put_unsigned(&mut widest, most);
        self.rows(width, |cell, i| {
            put_unsigned(cell, at::<T>(data, i, order).into());
        })
    }

    fn signed<T: Element + Into<i64>>(&mut self, data: &[u8], order: Order) -> io::Result<()> {
        let values = || (0..self.count).map(|i| at::<T>(data, i, order).into());
        let mut widest = [0; 20];
        let mut width = |value| 20 - put_signed(&mut widest, value);
        let width = width(values().max().unwrap_or(0)).max(width(values().min().unwrap_or(0)));
        self.rows(width, |cell, i| {
            put_signed(cell, at::<T>(data, i, order).into());
        })
    }

    /// Numbers of which the length is known only when they have been printed.
    fn real<T: Element + Into<f64>>(&mut self, data: &[u8], order: Order, digits: usize) -> io::Result<()> {
        let mut text = Vec::with_capacity(8 * self.count);
        let mut ends = Vec::with_capacity(self.count + 1);
        let mut width = 0;
        ends.push(0);
        for i in 0..self.count {
            let start = text.len();
            format_g(&mut text, at::<T>(data, i, order).into(), digits);
            width = width.max(text.len() - start);
            ends.push(text.len());
        }
        self.rows(width, |cell, i| {
            let number = &text[ends[i]..ends[i + 1]];
            let start = cell.len() - number.len();
            cell[start..].copy_from_slice(number);
        })
    }

    /// All digits, the most significant first.
    fn hex(&mut self, data: &[u8], size: usize, order: Order) -> io::Result<()> {
        self.rows(2 * size, |cell, i| {
            let bytes = &data[i * size..(i + 1) * size];
            let start = cell.len() - 2 * size;
            for (k, digits) in cell[start..].chunks_exact_mut(2).enumerate() {
                let byte = match order {
                    Order::Little => bytes[size - 1 - k],
                    Order::Big => bytes[k],
                };
                digits.copy_from_slice(&hex_digits(byte));
            }
        })
    }
}

/// How many cells to a line: a number that makes indices easy to count.
fn columns(width: usize, room: usize, hex: bool) -> usize {
    let steps: &[usize] = if hex { &[16, 8, 4, 2] } else { &[20, 10, 5, 2] };
    steps.iter().copied().find(|n| n * (width + 1) <= room).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::super::page::written;
    use super::*;
    use pactolus::formats::BankName;

    fn check(tid: Tid, order: Order, data: &[u8], hex: bool, wanted: &[&str]) {
        let bank = Bank { name: BankName::new(*b"TEST"), code: tid.code(), data, order };
        let out = written(|page| write(page, &bank, hex));
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
