use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::*;

/// A pipe whose other end may look at what came.
#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The stream of `events` in batches of `size`, and what was refused.
fn stream(def: &Arc<TableDef>, events: &[Event], size: usize, flat: bool) -> (Vec<u8>, Vec<(u32, Refusal)>) {
    let pipe = Pipe::default();
    let mut table = TableStream::new(Path::new("-.arrow"), pipe.clone(), def);
    if flat {
        table = table.flat();
    }
    let mut refused = Vec::new();
    in_batches(def, events, size, |first, batch| {
        for r in table.write(batch).unwrap() {
            assert_eq!((first + r.row) as u32, r.serial);
            refused.push((r.serial, r.reason));
        }
    });
    assert_eq!(table.finish().unwrap(), events.len() as u64);
    (pipe.0.take(), refused)
}

/// The table that comes out of the pipe, the same however the rows are cut into batches.
fn check_stream(def: &Arc<TableDef>, events: &[Event], flat: bool) -> (RecordBatch, Vec<(u32, Refusal)>) {
    let (whole, refused) = stream(def, events, events.len().max(1), flat);
    for size in [1, 3, 1000] {
        let (bytes, again) = stream(def, events, size, flat);
        assert_eq!(again, refused, "batches of {size}");
        assert!(bytes == whole, "batches of {size}");
    }
    let reader = arrow_ipc::reader::StreamReader::try_new(&whole[..], None).unwrap();
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    (concat_batches(&schema, &batches).unwrap(), refused)
}

/// Rows of the first chunk.
const SETTLING: usize = 4096;

#[test]
fn a_stream_has_the_rows_of_a_table() {
    let events: Vec<Event> =
        (0..10_000u16).map(|n| Event::new().words("ADC0", &vec![n; usize::from(n % 4)])).collect();
    let (table, refused) = check_stream(&def(vec![stc0()]), &events, false);
    assert_eq!(refused, []);
    let adc0 = lists::<UInt16Type>(&table, "ADC0");
    assert!(adc0.iter().zip(0u16..).all(|(list, n)| *list == Some(vec![n; usize::from(n % 4)])));
    assert_eq!(column(&table, "STC0").null_count(), 10_000);

    let (table, _) = check_stream(&def(vec![]), &events, true);
    assert_eq!(column(&table, "ADC0_2").null_count(), 7500);
}

#[test]
fn rows_come_while_the_run_goes_on() {
    let pipe = Pipe::default();
    let def = def(vec![]);
    let mut table = TableStream::new(Path::new("-.arrow"), pipe.clone(), &def);
    let mut columns = Columns::new(&def);
    let mut sizes = Vec::new();
    for n in 0..3 * SETTLING {
        fill(&mut columns, n, &Event::new().words("ADC0", &[1]));
        if n % 1000 == 999 {
            table.write(columns.finish()).unwrap();
            sizes.push(pipe.0.borrow().len());
        }
    }
    assert_eq!((sizes[3], sizes[4] > 0, sizes[8] > sizes[7]), (0, true, true));
}

#[test]
fn rows_that_are_sent_before_a_chunk_is_full_are_all_there_is_so_far() {
    let pipe = Pipe::default();
    let def = def(vec![]);
    let mut table = TableStream::new(Path::new("-.arrow"), pipe.clone(), &def);
    let mut columns = Columns::new(&def);
    let read = || {
        let bytes = pipe.0.borrow().clone();
        let reader = arrow_ipc::reader::StreamReader::try_new(&bytes[..], None).unwrap();
        reader.map(|batch| batch.unwrap().num_rows()).collect::<Vec<_>>()
    };
    // Before any row nothing is known of the columns.
    table.flush().unwrap();
    assert_eq!(pipe.0.borrow().len(), 0);
    for n in 0..5 {
        fill(&mut columns, n, &Event::new().words("ADC0", &[1]));
    }
    table.write(columns.finish()).unwrap();
    assert_eq!((table.waiting(), pipe.0.borrow().len()), (5, 0));
    table.flush().unwrap();
    table.flush().unwrap();
    assert_eq!((table.waiting(), read()), (0, vec![5]));
    fill(&mut columns, 5, &Event::new().words("ADC0", &[2]).words("LATE", &[1]));
    assert_eq!(table.write(columns.finish()).unwrap().len(), 1);
    table.flush().unwrap();
    assert_eq!(read(), [5, 1]);
    assert_eq!(table.finish().unwrap(), 6);
    assert_eq!(read(), [5, 1]);
}

#[test]
fn what_comes_behind_the_first_rows_and_fits_no_column_is_refused() {
    let text = |name: &str, data: &[u8]| Event::new().bank(name, Tid::String, data);
    let two = [record(2, b"two\0\0\0"), record(3, b"thr\0\0\0")].concat();
    let float = Event::new().bank("ODD0", Tid::Float, &[0; 4]);
    let mut events = vec![Event::new().words("ADC0", &[1]); SETTLING - 4];
    events.extend([text("TXT0", b"fine"), text("BAD0", b"\xff"), structs(&record(1, b"one\0\0\0"))]);
    // The last row of the first chunk ...
    events.push(Event::new().words("LAST", &[1]));
    // ... and those behind it.
    events.extend([
        Event::new().words("LATE", &[1]).words("ADC0", &[2]),
        text("TXT0", b"\xfe"),
        text("TXT0", b"good"),
        text("BAD0", b"good"),
        structs(&two),
        structs(&record(4, b"\xfd\0\0\0\0\0")),
        structs(&record(5, b"five\0\0")),
        float,
    ]);
    let odd0 = ColumnDef::new(BankName::new(*b"ODD0"), Tid::Word.code());
    let (table, refused) = check_stream(&def(vec![stc0(), odd0]), &events, false);
    let n = SETTLING as u32;
    let retyped = Refusal::Type { wanted: Tid::Word.code(), found: Tid::Float.code() };
    assert_eq!(
        refused,
        [
            (n, Refusal::Late),
            (n + 1, Refusal::Form),
            (n + 4, Refusal::Form),
            (n + 5, Refusal::Form),
            (n + 7, retyped)
        ]
    );
    assert!(table.column_by_name("LAST").is_some() && table.column_by_name("LATE").is_none());
    assert_eq!(lists::<UInt16Type>(&table, "ADC0")[SETTLING], Some(vec![2]));
    assert_eq!(texts(column(&table, "TXT0"))[SETTLING + 1..SETTLING + 3], [None, Some("good")]);
    assert_eq!(bytes(column(&table, "BAD0"))[SETTLING + 3], Some(&b"good"[..]));
    let single = column(&table, "STC0").as_struct();
    let five = single.column(0).as_primitive::<UInt8Type>().value(SETTLING + 6);
    assert_eq!((single.is_null(SETTLING + 4), single.is_null(SETTLING + 5), five), (true, true, 5));
}

#[test]
fn the_columns_of_a_flat_stream_are_settled_too() {
    let mut events = vec![Event::new().words("ADC0", &[1, 2]); SETTLING];
    events.extend([Event::new().words("ADC0", &[1, 2, 3]), Event::new().words("TDC0", &[1, 2, 3])]);
    let tdc0 = ColumnDef::new(BankName::new(*b"TDC0"), Tid::Word.code()).elements(4);
    let (table, refused) = check_stream(&def(vec![tdc0]), &events, true);
    assert_eq!(refused, [(SETTLING as u32, Refusal::Longer { wanted: 2, found: 3 })]);
    assert_eq!(
        refused[0].1.to_string(),
        "at most 2 elements wanted, 3 found: declare the size of the bank, or write a file"
    );
    assert_eq!(column(&table, "ADC0_1").null_count(), 2);
    assert_eq!(column(&table, "TDC0_3").null_count(), SETTLING + 2);
}

#[test]
fn a_stream_without_rows_has_its_columns() {
    let (table, _) = check_stream(&def(vec![stc0()]), &[], false);
    assert_eq!((table.num_rows(), table.num_columns()), (0, 6));
}

/// A pipe whose reader has gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_gone_can_be_told_from_other_errors() {
    let table = TableStream::new(Path::new("-.arrow"), Broken, &def(vec![]));
    let error = table.finish().unwrap_err();
    assert!(
        matches!(error, crate::Error::Io { ref source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    );
    assert_eq!(error.to_string(), "cannot write -.arrow: broken pipe");
}

#[test]
fn a_stream_that_has_failed_does_not_end_well() {
    let def = def(vec![]);
    let mut table = TableStream::new(Path::new("-.arrow"), Broken, &def);
    let events = vec![Event::new().words("ADC0", &[1]); 1 << 12];
    for _ in 0..3 {
        in_batches(&def, &events, events.len(), |_, batch| {
            let error = table.write(batch).unwrap_err();
            assert_eq!(error.to_string(), "cannot write -.arrow: broken pipe");
        });
    }
    assert_eq!(table.finish().unwrap_err().to_string(), "cannot write -.arrow: broken pipe");
}
