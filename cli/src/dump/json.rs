//! An event as one line of JSON.

use std::io::{self, Write};
use std::path::Path;

use pactolus::formats::event::Kind;
use pactolus::formats::mid::layout::Area;
use pactolus::formats::{Bank, Element, EventView, Order, Tid};
use pactolus::scan::{OdbDump, Payload};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::page::Page;
use super::{DumpArgs, banks, text};

/// Numbers are numbers, but NaN and infinities are text: `"NaN"`, `"Infinity"`, `"-Infinity"`.
#[derive(Serialize)]
struct Line<'e> {
    file: String,
    event: u64,
    id: u16,
    kind: &'static str,
    serial: u32,
    mask: u16,
    time: u32,
    size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    odb: Option<OdbDump>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    big_endian: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banks: Option<Shown<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<Hex<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

/// Writes an event; whether its banks are broken.
pub(super) fn write(
    out: &mut Page<'_>,
    args: &DumpArgs,
    file: &Path,
    number: u64,
    event: &EventView<'_>,
) -> io::Result<bool> {
    let header = event.header;
    let mut line = Line {
        file: file.display().to_string(),
        event: number,
        id: header.id,
        kind: text::kind_word(event.kind()),
        serial: header.serial,
        mask: header.mask,
        time: header.time,
        size: header.size,
        odb: None,
        text: None,
        flags: None,
        big_endian: None,
        banks: None,
        hex: None,
        damage: None,
    };
    match event.kind() {
        Kind::Data => match Payload::of(event) {
            Payload::Empty => line.banks = Some(Shown { event, args }),
            Payload::Fixed => line.hex = Some(Hex(event.payload)),
            Payload::Banks(area) => data(&mut line, args, event, area),
        },
        Kind::Bor | Kind::Eor => {
            line.odb = Some(OdbDump::of(event));
            line.text = args.odb.then(|| String::from_utf8_lossy(event.text()).into_owned());
        }
        Kind::Message => line.text = Some(String::from_utf8_lossy(event.text()).into_owned()),
        Kind::FragmentFirst | Kind::FragmentNext | Kind::System => line.hex = Some(Hex(event.payload)),
    }
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")?;
    Ok(line.damage.is_some())
}

fn data<'e>(line: &mut Line<'e>, args: &'e DumpArgs, event: &'e EventView<'e>, area: Area) {
    line.flags = Some(area.flags);
    line.big_endian = (area.order == Order::Big).then_some(true);
    let mut broken = None;
    banks(event, &mut broken).for_each(drop);
    line.banks = Some(Shown { event, args });
    line.damage = broken.map(|(kind, position)| {
        let offset = pactolus::formats::Header::SIZE + position;
        format!("{kind} at byte {offset} of the event")
    });
}

/// The banks of an event that are asked for, never all of them at once: an event may claim millions.
struct Shown<'e> {
    event: &'e EventView<'e>,
    args: &'e DumpArgs,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let DumpArgs { bank: names, hex, .. } = self.args;
        let wanted = |bank: &Bank<'_>| names.is_empty() || names.contains(&bank.name);
        let banks = self.event.banks().map_while(Result::ok).filter(wanted);
        serializer.collect_seq(banks.map(|bank| ShownBank { bank, hex: *hex }))
    }
}

struct ShownBank<'e> {
    bank: Bank<'e>,
    hex: bool,
}

impl Serialize for ShownBank<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bank = &self.bank;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &bank.name.to_string())?;
        map.serialize_entry("type", bank.type_name())?;
        if bank.tid().is_none() {
            map.serialize_entry("code", &bank.code)?;
        }
        map.serialize_entry("bytes", &bank.data.len())?;
        let text = match bank.tid() {
            Some(Tid::String | Tid::Link) => std::str::from_utf8(bank.text()).ok(),
            Some(Tid::Char) => std::str::from_utf8(bank.data).ok().map(|text| text.trim_end_matches('\0')),
            _ => None,
        };
        match (bank.tid(), text) {
            (_, Some(text)) if !self.hex => map.serialize_entry("text", text)?,
            (Some(tid), None) if !self.hex && tid.size() > 0 && tid != Tid::Char => {
                map.serialize_entry("values", &Elements { bank, tid })?;
            }
            _ => map.serialize_entry("hex", &Hex(bank.data))?,
        }
        map.end()
    }
}

struct Elements<'b, 'e> {
    bank: &'b Bank<'e>,
    tid: Tid,
}

impl Serialize for Elements<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.tid {
            Tid::Sbyte => self.each::<i8, _, S>(serializer, |v| v),
            Tid::Word => self.each::<u16, _, S>(serializer, |v| v),
            Tid::Short => self.each::<i16, _, S>(serializer, |v| v),
            Tid::Dword => self.each::<u32, _, S>(serializer, |v| v),
            Tid::Int => self.each::<i32, _, S>(serializer, |v| v),
            Tid::Int64 => self.each::<i64, _, S>(serializer, |v| v),
            Tid::Uint64 => self.each::<u64, _, S>(serializer, |v| v),
            Tid::Bool => self.each::<bool, _, S>(serializer, |v| v),
            Tid::Float => self.each::<f32, _, S>(serializer, Real),
            Tid::Double => self.each::<f64, _, S>(serializer, Real),
            _ => self.each::<u8, _, S>(serializer, |v| v),
        }
    }
}

impl Elements<'_, '_> {
    fn each<T: Element, V: Serialize, S: Serializer>(
        &self,
        serializer: S,
        value: impl Fn(T) -> V,
    ) -> Result<S::Ok, S::Error> {
        let elements = self.bank.data.chunks_exact(T::SIZE);
        serializer.collect_seq(elements.map(|bytes| value(T::read(bytes, self.bank.order))))
    }
}

/// A number that JSON may not know.
struct Real<T>(T);

impl<T: Copy + Into<f64> + Serialize> Serialize for Real<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.into() {
            x if x.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            _ => self.0.serialize(serializer),
        }
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'e>(&'e [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Digits<'e>(&'e [u8]);
        impl std::fmt::Display for Digits<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        serializer.collect_str(&Digits(self.0))
    }
}
