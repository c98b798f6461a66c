//! Batches as bytes and back.

use super::*;
use crate::Layout;
use crate::wire::{Bytes, Wire};

/// Events with every type, text that is none, structs, one and several, and a bank that changes its type.
fn events() -> Vec<Event> {
    let bytes: Vec<u8> = (0..=255).collect();
    let tids = [
        ("BYT0", Tid::Byte),
        ("SBY0", Tid::Sbyte),
        ("WRD0", Tid::Word),
        ("SHT0", Tid::Short),
        ("DWD0", Tid::Dword),
        ("INT0", Tid::Int),
        ("I640", Tid::Int64),
        ("U640", Tid::Uint64),
        ("FLT0", Tid::Float),
        ("DBL0", Tid::Double),
        ("BOL0", Tid::Bool),
        ("ARR0", Tid::Array),
    ];
    let all =
        |n: usize| tids.iter().fold(Event::new(), |event, (name, tid)| event.bank(name, *tid, &bytes[..n]));
    vec![
        all(240),
        Event::new(),
        all(0).bank("TXT0", Tid::String, b"caf\xc3\xa9\0"),
        Event::new().bank("TXT0", Tid::String, b"caf\xe9\0").bank("CHR0", Tid::Char, b"abc\0"),
        Event::new().bank("STC0", Tid::Struct, &bytes[..16]).words("WRD0", &[1, 2]),
        Event::new().bank("STC0", Tid::Struct, &bytes[..32]).bank("WRD0", Tid::Dword, &bytes[..8]),
        Event::new().bank("STC0", Tid::Struct, &bytes[..3]),
        all(64).bank("ONE0", Tid::Struct, &bytes[..16]),
    ]
}

fn structs() -> Arc<TableDef> {
    let mut layout = Layout::new();
    layout.push("x", Tid::Float, 2, 0);
    layout.push("text", Tid::String, 1, 8);
    let layout = Arc::new(layout);
    let column =
        |name: &[u8; 4]| ColumnDef::new(BankName::new(*name), Tid::Struct.code()).layout(layout.clone());
    def(vec![column(b"STC0"), column(b"ONE0")])
}

fn batch(def: &Arc<TableDef>, events: &[Event]) -> Batch {
    let mut columns = Columns::new(def);
    events.iter().enumerate().for_each(|(i, event)| fill(&mut columns, i, event));
    columns.finish()
}

fn encoded(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    batch.put(&mut bytes);
    bytes
}

/// The table of these batches, and what was refused.
fn table(kind: TableKind, def: &Arc<TableDef>, batches: Vec<Batch>) -> (Vec<u8>, Vec<Refused>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let mut writer = TableWriter::create(&path, kind, def).unwrap();
    let refused = batches.into_iter().flat_map(|batch| writer.write(batch).unwrap()).collect();
    writer.finish(&[]).unwrap();
    (fs::read(path).unwrap(), refused)
}

/// The table is the same as if its batches had never been bytes.
fn check(def: &Arc<TableDef>, events: &[Event], size: usize) {
    let batches: Vec<Batch> = events.chunks(size).map(|events| batch(def, events)).collect();
    let again = |batch: &Batch| {
        let bytes = encoded(batch);
        let mut from = Bytes::new(&bytes);
        let again: Batch = from.value().unwrap();
        from.end().unwrap();
        assert_eq!(encoded(&again), bytes);
        again
    };
    let back: Vec<Batch> = batches.iter().map(again).collect();
    for kind in KINDS {
        let (bytes, refused) = table(kind, def, batches.clone());
        let (found, found_refused) = table(kind, def, back.clone());
        assert!(bytes == found, "{kind:?}, batches of {size}");
        assert_eq!(refused, found_refused);
    }
}

#[test]
fn a_table_of_batches_that_were_bytes_is_the_same() {
    let fixed = |payload: &[u8]| Event::fixed(payload);
    let mut layout = Layout::new();
    layout.push("a", Tid::Word, 1, 0);
    layout.push("b", Tid::Double, 2, 0);
    let of = |layout| {
        Arc::new(TableDef { name: "Fixed".into(), banks: Vec::new(), fixed: Some(Arc::new(layout)) })
    };
    for size in 1..=8 {
        check(&structs(), &events(), size);
        check(&def(Vec::new()), &events(), size);
        check(&of(layout.clone()), &[fixed(&[1; 24]), fixed(&[2; 10]), fixed(&[])], size);
        check(&of(Layout::new()), &[fixed(&[1; 24]), fixed(&[])], size);
    }
}

#[test]
fn bytes_that_are_no_batch_are_refused_or_harmless() {
    let bytes = encoded(&batch(&structs(), &events()));
    for cut in 0..bytes.len() {
        assert!(Bytes::new(&bytes[..cut]).value::<Batch>().is_err(), "cut at {cut}");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut taken = 0;
    for place in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[place] ^= [1, 0x80, 0xff][place % 3];
        let Ok(batch) = Bytes::new(&broken).value::<Batch>() else { continue };
        taken += 1;
        // What looks like a batch can be written, or is refused by the table; values may be others.
        if taken % 4 == 0 {
            let path = dir.path().join("t");
            let mut writer = TableWriter::create(&path, TableKind::Arrow, &structs()).unwrap();
            let _ = writer.write(batch).map(|_| writer.finish(&[]));
        }
    }
    assert!(taken > 1000, "{taken}");
}
