//! Events to lines.

use crate::text::{format_g, push_signed, push_unsigned};
use crate::{Bank, Element, Header, Layout, Order, Tid};

/// Appends one event. `layout_of` gives the members of a STRUCT bank, `None` if nobody defines it.
pub fn write_event<'a, 'b>(
    out: &mut Vec<u8>,
    header: &Header,
    banks: impl Iterator<Item = Bank<'a>>,
    layout_of: impl Fn(&Bank<'a>) -> Option<&'b Layout>,
) {
    write_id(out, header);
    for bank in banks {
        out.extend_from_slice(b"BK ");
        out.extend_from_slice(bank.name.text());
        out.extend_from_slice(b" TP ");
        out.extend_from_slice(bank.type_name().as_bytes());
        out.extend_from_slice(b" SZ ");
        let elements = bank.len();
        push_unsigned(out, elements as u64);
        out.push(b'\n');
        match (bank.tid(), elements) {
            (_, 0) => {}
            (Some(Tid::Struct), _) => match layout_of(&bank) {
                Some(layout) => write_members(out, layout, bank.data, bank.order, b":\n"),
                None => write_values(out, bank.tid(), bank.data, bank.order),
            },
            (tid, _) => write_values(out, tid, bank.data, bank.order),
        }
    }
    out.push(b'\n');
}

/// Appends one FIXED event with the members of `layout`.
pub fn write_fixed(out: &mut Vec<u8>, header: &Header, layout: &Layout, payload: &[u8]) {
    write_id(out, header);
    write_members(out, layout, payload, Order::Little, b"\n");
    out.push(b'\n');
}

fn write_id(out: &mut Vec<u8>, header: &Header) {
    let Header { id, mask, serial, .. } = *header;
    out.extend_from_slice(b"%ID ");
    push_signed(out, (id as i16).into());
    out.extend_from_slice(b" TR ");
    push_signed(out, (mask as i16).into());
    out.extend_from_slice(b" NR ");
    push_unsigned(out, serial.into());
    out.push(b'\n');
}

fn write_members(out: &mut Vec<u8>, layout: &Layout, bytes: &[u8], order: Order, end_of_name: &[u8]) {
    for field in layout.fields() {
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(end_of_name);
        let bytes = layout.slice(field, bytes);
        if field.tid.size() > 0 {
            write_values(out, Some(field.tid), bytes, order);
        } else if field.item_size > 0 {
            bytes.chunks(field.item_size).for_each(|item| write_values(out, Some(field.tid), item, order));
        }
    }
}

/// One line per element.
fn write_values(out: &mut Vec<u8>, tid: Option<Tid>, data: &[u8], order: Order) {
    match tid {
        Some(Tid::Byte) => unsigned::<u8>(out, data, order),
        Some(Tid::Sbyte) => signed::<i8>(out, data, order),
        Some(Tid::Word) => unsigned::<u16>(out, data, order),
        Some(Tid::Short) => signed::<i16>(out, data, order),
        Some(Tid::Dword) => unsigned::<u32>(out, data, order),
        Some(Tid::Int) => signed::<i32>(out, data, order),
        Some(Tid::Int64) => signed::<i64>(out, data, order),
        Some(Tid::Uint64) => unsigned::<u64>(out, data, order),
        Some(Tid::Char) => data.iter().for_each(|&c| out.extend_from_slice(&[c, b'\n'])),
        Some(Tid::Bool) => {
            each::<bool>(data, order, |b| out.extend_from_slice(if b { b"y\n" } else { b"n\n" }));
        }
        Some(Tid::Float) => each::<f32>(data, order, |v| {
            format_g(out, v.into(), 7);
            out.push(b'\n');
        }),
        Some(Tid::Double) => each::<f64>(data, order, |v| {
            format_g(out, v, 16);
            out.push(b'\n');
        }),
        Some(Tid::Bitfield) => out.resize(out.len() + data.len(), b'\n'),
        Some(Tid::String | Tid::Link) => {
            out.extend_from_slice(data.split(|&b| b == 0).next().unwrap_or(data));
            out.push(b'\n');
        }
        Some(Tid::Array | Tid::Struct | Tid::Key) | None => {
            data.iter().for_each(|_| out.extend_from_slice(b"<unknown>\n"));
        }
    }
}

fn unsigned<T: Element + Into<u64>>(out: &mut Vec<u8>, data: &[u8], order: Order) {
    each::<T>(data, order, |v| {
        push_unsigned(out, v.into());
        out.push(b'\n');
    });
}

fn signed<T: Element + Into<i64>>(out: &mut Vec<u8>, data: &[u8], order: Order) {
    each::<T>(data, order, |v| {
        push_signed(out, v.into());
        out.push(b'\n');
    });
}

fn each<T: Element>(data: &[u8], order: Order, line: impl FnMut(T)) {
    data.chunks_exact(T::SIZE).map(|b| T::read(b, order)).for_each(line);
}
