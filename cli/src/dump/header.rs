//! The line of an event.

use pactolus::formats::Header;
use pactolus::formats::event::Kind;
use pactolus::formats::text::{push_hex, push_unsigned};

use super::text;

/// Appends its number in the file and what its header says.
pub(super) fn push(out: &mut Vec<u8>, number: u64, header: &Header) {
    let Header { id, mask, serial, time, size } = *header;
    out.extend_from_slice(b"event ");
    push_unsigned(out, number);
    match header.kind() {
        Kind::Data => {
            out.extend_from_slice(b"  id ");
            push_unsigned(out, id.into());
        }
        Kind::FragmentFirst | Kind::FragmentNext | Kind::System => {
            out.extend_from_slice(b"  id 0x");
            push_hex(out, id.into(), 1);
        }
        kind => {
            out.extend_from_slice(b"  ");
            out.extend_from_slice(text::kind_word(kind).as_bytes());
        }
    }
    out.extend_from_slice(match header.kind() {
        Kind::Bor | Kind::Eor => b"  run ",
        _ => b"  serial ",
    });
    push_unsigned(out, serial.into());
    out.extend_from_slice(b"  mask 0x");
    push_hex(out, mask.into(), 1);
    out.extend_from_slice(b"  ");
    text::push_utc(out, time);
    out.extend_from_slice(b"  ");
    text::push_count(out, size.into(), "byte");
    out.push(b'\n');
}
