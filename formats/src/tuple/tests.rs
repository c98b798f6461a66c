use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::{Bank, Header, Order, Pool, Tid};

mod flat;
mod parts;
mod pooled;
mod random;
mod stream;
mod wire;

const KINDS: [TableKind; 2] = [TableKind::Parquet, TableKind::Arrow];

#[derive(Clone, Debug, Default)]
struct Event {
    banks: Vec<(BankName, u32, Vec<u8>, Order)>,
    fixed: Option<Vec<u8>>,
}

impl Event {
    fn new() -> Event {
        Event::default()
    }

    fn fixed(payload: &[u8]) -> Event {
        Event { fixed: Some(payload.to_vec()), ..Event::new() }
    }

    fn bank(self, name: &str, tid: Tid, data: &[u8]) -> Event {
        self.raw(name, tid.code(), data, Order::Little)
    }

    fn raw(mut self, name: &str, code: u32, data: &[u8], order: Order) -> Event {
        self.banks.push((BankName::parse(name).unwrap(), code, data.to_vec(), order));
        self
    }

    fn words(self, name: &str, values: &[u16]) -> Event {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.bank(name, Tid::Word, &data)
    }
}

fn def(banks: Vec<ColumnDef>) -> Arc<TableDef> {
    Arc::new(TableDef { name: "Test".into(), banks, fixed: None })
}

fn fill(columns: &mut Columns, number: usize, event: &Event) {
    let serial = number as u32;
    let header = Header { id: 1, mask: 3, serial, time: 1_700_000_000 + serial, size: 0 };
    match &event.fixed {
        Some(payload) => columns.push_fixed(42, 7, &header, payload),
        None => {
            let banks = event.banks.iter().map(|(name, code, data, order)| Bank {
                name: *name,
                code: *code,
                data,
                order: *order,
            });
            columns.push(42, 7, &header, banks);
        }
    }
}

/// Cuts `events` into batches of `size`; each with the number of its first event.
fn in_batches(def: &Arc<TableDef>, events: &[Event], size: usize, mut each: impl FnMut(usize, Batch)) {
    let mut columns = Columns::new(def);
    for (i, chunk) in events.chunks(size).enumerate() {
        let first = i * size;
        for (k, event) in chunk.iter().enumerate() {
            fill(&mut columns, first + k, event);
        }
        let batch = columns.finish();
        assert_eq!((batch.rows(), columns.rows()), (chunk.len(), 0));
        each(first, batch);
    }
}

/// Writes `events` in batches of `size`; gives what was refused and the summary.
fn write(
    path: &Path,
    kind: TableKind,
    def: &Arc<TableDef>,
    events: &[Event],
    size: usize,
) -> (Vec<(u32, Refusal)>, TableSummary) {
    write_form(path, kind, def, events, size, false, None)
}

/// ... in list form or flat.
fn write_form(
    path: &Path,
    kind: TableKind,
    def: &Arc<TableDef>,
    events: &[Event],
    size: usize,
    flat: bool,
    pool: Option<&Pool>,
) -> (Vec<(u32, Refusal)>, TableSummary) {
    let mut table = TableWriter::create(path, kind, def).unwrap();
    if flat {
        table = table.flat();
    }
    if let Some(pool) = pool {
        table = table.with_pool(pool.clone());
    }
    // Small, so that tables that grow have several parts.
    table.ends.group_bytes = 4 << 20;
    let mut refused = Vec::new();
    in_batches(def, events, size, |_, batch| {
        refused.extend(table.write(batch).unwrap().into_iter().map(|r| (r.serial, r.reason)));
    });
    (refused, table.finish(&[("zebra".into(), "1".into()), ("answer".into(), "42".into())]).unwrap())
}

fn batches(path: &Path, kind: TableKind) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    match kind {
        TableKind::Arrow => FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect(),
        TableKind::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            reader.with_batch_size(1 << 14).build().unwrap().map(Result::unwrap).collect()
        }
    }
}

/// Rows of each row group.
fn row_groups(path: &Path) -> Vec<usize> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    reader.metadata().row_groups().iter().map(|group| group.num_rows() as usize).collect()
}

fn read(path: &Path, kind: TableKind) -> RecordBatch {
    let batches = batches(path, kind);
    match batches.first() {
        Some(first) => concat_batches(&first.schema(), &batches).unwrap(),
        None => panic!("no rows"),
    }
}

/// The table of `events`, which must be the same file however they are cut into batches.
fn check(def: &Arc<TableDef>, events: &[Event]) -> (RecordBatch, Vec<(u32, Refusal)>) {
    check_form(def, events, false)
}

/// ... in list form or flat.
fn check_form(def: &Arc<TableDef>, events: &[Event], flat: bool) -> (RecordBatch, Vec<(u32, Refusal)>) {
    let dir = tempfile::tempdir().unwrap();
    let mut tables = Vec::new();
    for kind in KINDS {
        let path = dir.path().join("run00042.Test.x");
        let (refused, summary) = write_form(&path, kind, def, events, events.len().max(1), flat, None);
        let whole = fs::read(&path).unwrap();
        assert_eq!((summary.rows, summary.bytes), (events.len() as u64, whole.len() as u64));
        for (size, threads) in [(1, 0), (2, 1), (7, 2), (100, 3)] {
            let pool = (threads > 0).then(|| Pool::new(threads).unwrap());
            let (again, _) = write_form(&path, kind, def, events, size, flat, pool.as_ref());
            let form = format!("{kind:?} in batches of {size}, {threads} threads");
            assert!(fs::read(&path).unwrap() == whole, "{form}: other bytes");
            assert_eq!(again, refused, "{form}: other rows refused");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the table remains");
        tables.push((read(&path, kind), refused));
    }
    let arrow = tables.pop().unwrap();
    let parquet = tables.pop().unwrap();
    assert_eq!(parquet.1, arrow.1);
    for (i, field) in arrow.0.schema().fields().iter().enumerate() {
        if field.name() != "timestamp" {
            assert_eq!(parquet.0.schema().field(i), field.as_ref());
            assert_eq!(parquet.0.column(i), arrow.0.column(i), "column {}", field.name());
        }
    }
    arrow
}

fn column<'a>(table: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    table.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"))
}

fn numbers<T: ArrowPrimitiveType>(array: &dyn Array) -> Vec<T::Native> {
    assert_eq!(array.null_count(), 0);
    array.as_primitive::<T>().values().to_vec()
}

/// The lists of a bank column.
fn lists<T: ArrowPrimitiveType>(table: &RecordBatch, name: &str) -> Vec<Option<Vec<T::Native>>> {
    column(table, name).as_list::<i32>().iter().map(|list| list.map(|list| numbers::<T>(&list))).collect()
}

fn texts(array: &dyn Array) -> Vec<Option<&str>> {
    array.as_string::<i32>().iter().collect()
}

fn bytes(array: &dyn Array) -> Vec<Option<&[u8]>> {
    array.as_binary::<i32>().iter().collect()
}

#[test]
fn the_head_of_a_row_is_that_of_its_event() {
    let (table, _) = check(&def(vec![]), &[Event::new(), Event::new()]);
    assert_eq!(numbers::<UInt32Type>(column(&table, "run")), [42, 42]);
    assert_eq!(numbers::<UInt32Type>(column(&table, "serial")), [0, 1]);
    assert_eq!(numbers::<TimestampSecondType>(column(&table, "timestamp")), [1_700_000_000, 1_700_000_001]);
    assert_eq!(numbers::<UInt16Type>(column(&table, "trigger_mask")), [3, 3]);
    assert_eq!(numbers::<UInt32Type>(column(&table, "epoch")), [7, 7]);
}

#[test]
fn every_type_of_bank_keeps_its_values() {
    for order in [Order::Little, Order::Big] {
        macro_rules! event {
            ($($name:literal $tid:ident [$($value:expr),*];)*) => {
                Event::new()$(.raw($name, Tid::$tid.code(), &match order {
                    Order::Little => [$($value.to_le_bytes()),*].concat(),
                    Order::Big => [$($value.to_be_bytes()),*].concat(),
                }, order))*
            };
        }
        let event = event! {
            "BYT0" Byte [0u8, 255u8];
            "SBY0" Sbyte [-128i8, 127i8];
            "WRD0" Word [0u16, 65535u16, 258u16];
            "SHT0" Short [-32768i16, 32767i16];
            "DWD0" Dword [u32::MAX, 66051u32];
            "INT0" Int [i32::MIN, i32::MAX];
            "BOL0" Bool [0u32, 1u32, 0x100u32];
            "FLT0" Float [f32::INFINITY, -0.0f32, f32::from_bits(0xffc0_1234)];
            "DBL0" Double [f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::from_bits(0x7ff8_0000_0000_0042)];
            "I640" Int64 [i64::MIN, i64::MAX, -1i64];
            "U640" Uint64 [u64::MAX, 1u64 << 63];
            "BIT0" Bitfield [0xa5u8];
        };
        let (table, refused) = check(&def(vec![]), &[event]);
        assert_eq!(refused, []);
        assert_eq!(lists::<UInt8Type>(&table, "BYT0"), [Some(vec![0, 255])]);
        assert_eq!(lists::<Int8Type>(&table, "SBY0"), [Some(vec![-128, 127])]);
        assert_eq!(lists::<UInt16Type>(&table, "WRD0"), [Some(vec![0, 65535, 258])]);
        assert_eq!(lists::<Int16Type>(&table, "SHT0"), [Some(vec![-32768, 32767])]);
        assert_eq!(lists::<UInt32Type>(&table, "DWD0"), [Some(vec![u32::MAX, 66051])]);
        assert_eq!(lists::<Int32Type>(&table, "INT0"), [Some(vec![i32::MIN, i32::MAX])]);
        assert_eq!(lists::<Int64Type>(&table, "I640"), [Some(vec![i64::MIN, i64::MAX, -1])]);
        assert_eq!(lists::<UInt64Type>(&table, "U640"), [Some(vec![u64::MAX, 1 << 63])]);
        assert_eq!(lists::<UInt8Type>(&table, "BIT0"), [Some(vec![0xa5])]);
        let truth = column(&table, "BOL0").as_list::<i32>().value(0);
        assert_eq!(truth.as_boolean().iter().flatten().collect::<Vec<_>>(), [false, true, true]);
        let floats = column(&table, "FLT0").as_list::<i32>().value(0);
        let floats: Vec<u32> = numbers::<Float32Type>(&floats).iter().map(|f| f.to_bits()).collect();
        assert_eq!(floats, [0x7f80_0000, 0x8000_0000, 0xffc0_1234]);
        let doubles = column(&table, "DBL0").as_list::<i32>().value(0);
        let doubles: Vec<u64> = numbers::<Float64Type>(&doubles).iter().map(|f| f.to_bits()).collect();
        assert_eq!(doubles, [0xfff0_0000_0000_0000, f64::MIN_POSITIVE.to_bits(), 0x7ff8_0000_0000_0042]);
    }
}

#[test]
fn the_type_of_a_bank_is_in_the_metadata_with_its_definition() {
    let adc0 =
        ColumnDef::new(BankName::new(*b"ADC0"), Tid::Word.code()).description("Pulse heights").unit("mV");
    let (table, _) = check(&def(vec![adc0]), &[Event::new()]);
    let schema = table.schema();
    let metadata = schema.field_with_name("ADC0").unwrap().metadata();
    let get = |key: &str| metadata.get(key).map(String::as_str);
    assert_eq!(
        (get("midas_type"), get("description"), get("unit")),
        (Some("WORD"), Some("Pulse heights"), Some("mV"))
    );
}

#[test]
fn an_absent_bank_is_null_and_an_empty_bank_an_empty_list() {
    let events = [Event::new().words("ADC0", &[]), Event::new(), Event::new().words("ADC0", &[1])];
    let (table, _) = check(&def(vec![]), &events);
    assert_eq!(lists::<UInt16Type>(&table, "ADC0"), [Some(vec![]), None, Some(vec![1])]);
}

#[test]
fn booked_banks_come_first_and_found_banks_as_they_appear() {
    let booked = ["TDC0", "NEVR"].map(|n| ColumnDef::new(BankName::parse(n).unwrap(), Tid::Word.code()));
    let events = [
        Event::new().words("ZZZZ", &[1]).words("ADC0", &[2]),
        Event::new().words("BBBB", &[3]).words("ADC0", &[4]).words("TDC0", &[5]),
    ];
    let (table, _) = check(&def(booked.to_vec()), &events);
    let names: Vec<String> = table.schema().fields().iter().skip(5).map(|f| f.name().clone()).collect();
    assert_eq!(names, ["TDC0", "NEVR", "ZZZZ", "ADC0", "BBBB"]);
    assert_eq!(lists::<UInt16Type>(&table, "NEVR"), [None, None]);
    assert_eq!(lists::<UInt16Type>(&table, "TDC0"), [None, Some(vec![5])]);
}

#[test]
fn of_two_banks_with_one_name_the_first_counts() {
    let event = Event::new().words("ADC0", &[1, 2]).words("TDC0", &[3]).words("ADC0", &[4]).bank(
        "ADC0",
        Tid::Int,
        &[0; 4],
    );
    let (table, refused) = check(&def(vec![]), &[event]);
    assert_eq!(lists::<UInt16Type>(&table, "ADC0"), [Some(vec![1, 2])]);
    assert_eq!(refused, []);
}

#[test]
fn the_first_type_of_a_bank_rules_wherever_batches_end() {
    let float = Event::new().bank("ADC0", Tid::Float, &[0; 4]);
    let word = |n| Event::new().words("ADC0", &[n]);
    let events = [word(1), float.clone(), word(2), word(3), float.clone(), float, word(4)];
    let (table, refused) = check(&def(vec![]), &events);
    let expected = [Some(vec![1]), None, Some(vec![2]), Some(vec![3]), None, None, Some(vec![4])];
    assert_eq!(lists::<UInt16Type>(&table, "ADC0"), expected);
    let reason = Refusal::Type { wanted: Tid::Word.code(), found: Tid::Float.code() };
    assert_eq!(refused, [(1, reason), (4, reason), (5, reason)]);
    assert_eq!(reason.to_string(), "type WORD (0x4) wanted, FLOAT (0x9) found");
}

#[test]
fn data_overrule_the_type_of_a_definition() {
    let adc0 = ColumnDef::new(BankName::new(*b"ADC0"), Tid::Double.code());
    let mut events = vec![Event::new(); 40];
    events.insert(20, Event::new().words("ADC0", &[5]));
    let (table, refused) = check(&def(vec![adc0]), &events);
    assert_eq!(lists::<UInt16Type>(&table, "ADC0")[20], Some(vec![5]));
    assert_eq!(refused, []);
}

#[test]
fn text_is_text_until_a_value_is_no_utf8() {
    let text = |name: &str, tid, data: &[u8]| Event::new().bank(name, tid, data);
    let events = [
        text("STR0", Tid::String, b"caf\xc3\xa9\0old memory"),
        text("LNK0", Tid::Link, b"/Runinfo"),
        text("CHR0", Tid::Char, b"a\0b\0\0"),
        text("BAD0", Tid::String, b"fine"),
        text("BAD0", Tid::String, b"\xe9t\xe9\0"),
        text("STR0", Tid::String, b""),
    ];
    let (table, _) = check(&def(vec![]), &events);
    assert_eq!(texts(column(&table, "STR0"))[0], Some("café"));
    assert_eq!(texts(column(&table, "STR0"))[4..], [None, Some("")]);
    assert_eq!(texts(column(&table, "LNK0"))[1], Some("/Runinfo"));
    assert_eq!(texts(column(&table, "CHR0"))[2], Some("a\0b"));
    assert_eq!(bytes(column(&table, "BAD0"))[3..5], [Some(&b"fine"[..]), Some(&b"\xe9t\xe9"[..])]);
}

#[test]
fn a_letter_cut_in_two_by_the_end_of_a_text_is_no_utf8() {
    let events = [Event::new().bank("S", Tid::String, b"\xc3"), Event::new().bank("S", Tid::String, b"\xa9")];
    let (table, _) = check(&def(vec![]), &events);
    assert_eq!(bytes(column(&table, "S")), [Some(&b"\xc3"[..]), Some(&b"\xa9"[..])]);
}

#[test]
fn banks_of_unknown_types_are_bytes() {
    let event = Event::new().raw("ZZZZ", 0x7f, b"\0\x01\0", Order::Little).bank("ARR0", Tid::Array, b"");
    let (table, _) = check(&def(vec![]), &[event.bank("STC0", Tid::Struct, b"xyz")]);
    assert_eq!(bytes(column(&table, "ZZZZ")), [Some(&b"\0\x01\0"[..])]);
    assert_eq!(bytes(column(&table, "ARR0")), [Some(&b""[..])]);
    assert_eq!(bytes(column(&table, "STC0")), [Some(&b"xyz"[..])]);
}

/// { BYTE b @0, DOUBLE x @8, WORD w[2] @16, STRING s[6] @20, BOOL on @28 }: 32 bytes.
fn layout() -> Arc<Layout> {
    let mut layout = Layout::new();
    layout.push("b", Tid::Byte, 1, 0);
    layout.push("x", Tid::Double, 1, 0);
    layout.push("w word", Tid::Word, 2, 0);
    layout.push("s", Tid::String, 1, 6);
    layout.push("on", Tid::Bool, 1, 0);
    assert_eq!(layout.size(), 32);
    Arc::new(layout)
}

fn record(n: u8, text: &[u8; 6]) -> Vec<u8> {
    let mut data = vec![0xee; 32];
    data[0] = n;
    data[8..16].copy_from_slice(&(f64::from(n) / 2.0).to_le_bytes());
    data[16..18].copy_from_slice(&u16::from(n).to_le_bytes());
    data[18..20].copy_from_slice(&1000u16.to_le_bytes());
    data[20..26].copy_from_slice(text);
    data[28..32].copy_from_slice(&u32::from(n % 2).to_le_bytes());
    data
}

fn stc0() -> ColumnDef {
    ColumnDef::new(BankName::new(*b"STC0"), Tid::Struct.code()).layout(layout())
}

fn structs(data: &[u8]) -> Event {
    Event::new().bank("STC0", Tid::Struct, data)
}

#[test]
fn a_struct_has_the_members_of_its_definition() {
    let events =
        [Event::new(), structs(&record(3, b"abc\0zz")), structs(&[]), structs(&record(4, b"abcdef"))];
    let (table, refused) = check(&def(vec![stc0()]), &events);
    assert_eq!(refused, []);
    let array = column(&table, "STC0").as_struct();
    assert_eq!(array.column_names(), ["b", "x", "w word", "s", "on"]);
    assert_eq!((0..4).map(|i| array.is_valid(i)).collect::<Vec<_>>(), [false, true, false, true]);
    let row = |i| {
        let words = numbers::<UInt16Type>(&array.column(2).as_list::<i32>().value(i));
        let text = array.column(3).as_string::<i32>().value(i).to_owned();
        (
            array.column(0).as_primitive::<UInt8Type>().value(i),
            array.column(1).as_primitive::<Float64Type>().value(i),
            words,
            text,
            array.column(4).as_boolean().value(i),
        )
    };
    assert_eq!(row(1), (3, 1.5, vec![3, 1000], "abc".into(), true));
    assert_eq!(row(3), (4, 2.0, vec![4, 1000], "abcdef".into(), false));
}

#[test]
fn a_column_of_structs_becomes_a_list_when_a_bank_holds_several() {
    let events = [
        structs(&record(1, b"one\0\0\0")),
        Event::new(),
        structs(&[record(2, b"two\0\0\0"), record(3, b"\xff\0\0\0\0\0")].concat()),
    ];
    let (table, _) = check(&def(vec![stc0()]), &events);
    let array = column(&table, "STC0").as_list::<i32>();
    assert_eq!((array.value_length(0), array.is_null(1), array.value_length(2)), (1, true, 2));
    let all = array.values().as_struct();
    assert_eq!(numbers::<UInt8Type>(all.column(0)), [1, 2, 3]);
    assert_eq!(bytes(all.column(3)), [Some(&b"one"[..]), Some(&b"two"[..]), Some(&b"\xff"[..])]);
}

#[test]
fn a_column_booked_for_many_structs_is_a_list_from_the_start() {
    let (table, _) =
        check(&def(vec![stc0().many()]), &[structs(&[]), Event::new(), structs(&record(1, b"\0\0\0\0\0\0"))]);
    let array = column(&table, "STC0").as_list::<i32>();
    assert_eq!((array.is_valid(0), array.value_length(0)), (true, 0));
    assert_eq!((array.is_null(1), array.value_length(2)), (true, 1));
}

#[test]
fn a_bank_that_is_no_whole_number_of_structs_is_refused() {
    let (table, refused) =
        check(&def(vec![stc0()]), &[structs(&[0; 33]), structs(&record(1, b"\0\0\0\0\0\0")[..31])]);
    assert_eq!(column(&table, "STC0").null_count(), 2);
    assert_eq!(refused[0], (0, Refusal::Size { wanted: 32, found: 33 }));
    assert_eq!(refused[1].1.to_string(), "structs of 32 bytes wanted, 31 bytes found");
}

#[test]
fn a_struct_may_come_without_its_end_padding() {
    let mut layout = Layout::new();
    layout.push("x", Tid::Double, 1, 0);
    layout.push("b", Tid::Byte, 1, 0);
    let column_def = ColumnDef::new(BankName::new(*b"STC0"), Tid::Struct.code()).layout(Arc::new(layout));
    let (table, refused) = check(&def(vec![column_def]), &[structs(&[7; 9]), structs(&[7; 25])]);
    assert_eq!(refused, []);
    let array = column(&table, "STC0").as_list::<i32>();
    assert_eq!((array.value_length(0), array.value_length(1)), (1, 2));
}

#[test]
fn fixed_events_are_tables_of_their_members() {
    let mut layout = Layout::clone(&layout());
    layout.push("run", Tid::Int, 1, 0);
    layout.push("serial", Tid::Int, 3, 0);
    let def = Arc::new(TableDef { name: "Fixd".into(), banks: vec![], fixed: Some(Arc::new(layout)) });
    let payload = [record(5, b"hello\0"), (-1i32).to_le_bytes().to_vec(), vec![1; 12]].concat();
    let (table, refused) =
        check(&def, &[Event::fixed(&payload), Event::fixed(&payload[..36]), Event::fixed(&[])]);
    let names: Vec<String> = table.schema().fields().iter().skip(5).map(|f| f.name().clone()).collect();
    assert_eq!(names, ["b", "x", "w word", "s", "on", "run_", "serial_"]);
    assert_eq!(texts(column(&table, "s")), [Some("hello"), Some("hello"), None]);
    assert_eq!(
        column(&table, "x").as_primitive::<Float64Type>().iter().collect::<Vec<_>>(),
        [Some(2.5), Some(2.5), None]
    );
    assert_eq!(
        column(&table, "run_").as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
        [Some(-1), Some(-1), None]
    );
    let arrays = column(&table, "serial_").as_list::<i32>();
    assert_eq!((numbers::<Int32Type>(&arrays.value(0)), arrays.is_null(1)), (vec![0x01010101; 3], true));
    assert_eq!(
        refused,
        [(1, Refusal::Size { wanted: 48, found: 36 }), (2, Refusal::Size { wanted: 48, found: 0 })]
    );
}

#[test]
fn fixed_events_without_known_members_are_payloads() {
    let fixed = Some(Arc::new(Layout::new()));
    let def = Arc::new(TableDef { name: "Fixd".into(), banks: vec![], fixed });
    let (table, refused) = check(&def, &[Event::fixed(b"abc"), Event::fixed(b"")]);
    assert_eq!(refused, []);
    assert_eq!(bytes(column(&table, "payload")), [Some(&b"abc"[..]), Some(&b""[..])]);
}

#[test]
fn a_name_that_is_taken_gets_a_suffix() {
    let event = Event::new().words("run", &[1]).raw("AB\0C", 4, &[], Order::Little).raw(
        "AB\0D",
        4,
        &[],
        Order::Little,
    );
    let (table, _) = check(&def(vec![]), &[event]);
    let names: Vec<String> = table.schema().fields().iter().skip(5).map(|f| f.name().clone()).collect();
    assert_eq!(names, ["run_", "AB", "AB_"]);
}

/// Rows that fill several chunks, with every way of growing behind the first of them.
fn growing() -> Vec<Event> {
    let noise =
        |n: usize| (0..30_000).map(|i| ((i * 7919 + n * 104_729) % 65_521) as u16).collect::<Vec<_>>();
    (0..700)
        .map(|n| {
            let mut event = Event::new();
            if n % 3 != 1 {
                event = event.words("WAV0", &noise(n));
            }
            event = event.bank("TXT0", Tid::String, if n == 400 { b"\xff" } else { b"text" });
            event = match n {
                n if n % 5 == 0 => event,
                n if n < 300 || n % 2 == 0 => event.bank("STC0", Tid::Struct, &record(n as u8, b"one\0\0\0")),
                600 => event.bank("STC0", Tid::Struct, &record(6, b"\xfe\0\0\0\0\0")),
                n => event.bank("STC0", Tid::Struct, &record(n as u8, b"two\0\0\0").repeat(2)),
            };
            match n {
                200 => event.bank("ODD0", Tid::Float, &[1; 8]),
                201 => event.words("ODD0", &[1]),
                500.. => event.words("LATE", &[n as u16]).bank("CHR0", Tid::Char, b"late"),
                _ => event,
            }
        })
        .collect()
}

#[test]
fn a_table_that_grows_late_is_the_same_file() {
    let odd0 = ColumnDef::new(BankName::new(*b"ODD0"), Tid::Word.code());
    let def = def(vec![stc0(), odd0]);
    let (table, refused) = check(&def, &growing());
    assert_eq!(table.num_rows(), 700);
    let late = lists::<UInt16Type>(&table, "LATE");
    assert_eq!((&late[0], &late[499], &late[500]), (&None, &None, &Some(vec![500])));
    assert_eq!(
        bytes(column(&table, "TXT0"))[399..402],
        [Some(&b"text"[..]), Some(&b"\xff"[..]), Some(&b"text"[..])]
    );
    assert_eq!(texts(column(&table, "CHR0"))[499..501], [None, Some("late")]);
    let list = column(&table, "STC0").as_list::<i32>();
    assert_eq!((list.is_null(5), list.value_length(6), list.value_length(301)), (true, 1, 2));
    assert_eq!(refused, [(201, Refusal::Type { wanted: Tid::Float.code(), found: Tid::Word.code() })]);
}

#[test]
fn a_table_that_grows_is_made_of_parts() {
    let def = def(vec![stc0()]);
    let dir = tempfile::tempdir().unwrap();
    let mut table = TableWriter::create(&dir.path().join("t.parquet"), TableKind::Parquet, &def).unwrap();
    table.ends.group_bytes = 2 << 20;
    let mut columns = Columns::new(&def);
    for (n, event) in growing().iter().enumerate() {
        fill(&mut columns, n, event);
        table.write(columns.finish()).unwrap();
    }
    assert!(fs::read_dir(dir.path()).unwrap().count() > 3, "the test above must see several parts");
    drop(table);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn small_rows_fill_chunks_and_row_groups() {
    let events: Vec<Event> = (0..300_000u32)
        .map(|n| match n {
            n if n % 10 == 0 => Event::new(),
            200_000.. => Event::new().words("ADC0", &[n as u16]).words("LATE", &[1]),
            n => Event::new().words("ADC0", &[n as u16]),
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let path = dir.path().join("t");
        let mut files = Vec::new();
        for (size, threads) in [(300_000, 0), (1000, 1), (16_384, 3), (11, 2)] {
            let pool = (threads > 0).then(|| Pool::new(threads).unwrap());
            write_form(&path, kind, &def(vec![]), &events, size, false, pool.as_ref());
            files.push(fs::read(&path).unwrap());
        }
        assert!(files.iter().all(|file| *file == files[0]));
        let table = read(&path, kind);
        let adc0 = lists::<UInt16Type>(&table, "ADC0");
        assert_eq!(adc0.len(), 300_000);
        assert!(adc0.iter().enumerate().all(|(n, v)| *v == (n % 10 != 0).then(|| vec![n as u16])));
        assert_eq!(column(&table, "LATE").null_count(), 210_000);
        let batches = match kind {
            TableKind::Arrow => batches(&path, kind).iter().map(RecordBatch::num_rows).collect(),
            TableKind::Parquet => row_groups(&path),
        };
        match kind {
            TableKind::Arrow => assert_eq!(batches, [[1 << 14; 18].as_slice(), &[5088]].concat()),
            TableKind::Parquet => assert_eq!(batches, [1 << 17, 1 << 17, 37_856]),
        }
    }
}

#[test]
fn a_table_without_rows_has_its_columns() {
    let dir = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let path = dir.path().join("empty");
        let (_, summary) = write(&path, kind, &def(vec![stc0()]), &[], 1);
        assert_eq!(summary.rows, 0);
        assert_eq!(batches(&path, kind).iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    }
}

#[test]
fn metadata_are_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write(&path, TableKind::Parquet, &def(vec![]), &[Event::new()], 1);
    let file = fs::File::open(&path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(pairs.iter().any(|p| p.key == "answer" && p.value.as_deref() == Some("42")));
    assert!(pairs.iter().any(|p| p.key == "ARROW:schema"));

    let path = dir.path().join("t.arrow");
    write(&path, TableKind::Arrow, &def(vec![]), &[Event::new()], 1);
    let reader = FileReader::try_new(fs::File::open(&path).unwrap(), None).unwrap();
    assert_eq!(reader.custom_metadata().get("answer").map(String::as_str), Some("42"));
}

#[test]
fn a_table_appears_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run00042.Test.parquet");
    fs::write(&path, "the table of yesterday").unwrap();
    let def = def(vec![]);
    let mut table = TableWriter::create(&path, TableKind::Parquet, &def).unwrap();
    let mut columns = Columns::new(&def);
    fill(&mut columns, 0, &Event::new());
    table.write(columns.finish()).unwrap();
    assert!(dir.path().join(".run00042.Test.parquet.part").exists());
    drop(table);
    assert_eq!(fs::read(&path).unwrap(), b"the table of yesterday");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Writes all events with a new column behind each group, so that there are several hidden files.
fn grow(table: &mut TableWriter, from: usize) -> crate::Result<()> {
    table.ends.group_bytes = 1;
    for n in from..from + 4 {
        let names = ["ONE0", "TWO0", "SIX0", "TEN0"];
        let events = (0..writer::CHUNK_ROWS).map(|_| Event::new().words(names[n % 4], &[n as u16]));
        let events: Vec<Event> = events.collect();
        let mut written = Ok(());
        in_batches(&def(vec![]), &events, events.len(), |_, batch| written = table.write(batch).map(drop));
        written?;
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn two_that_write_the_same_table_do_not_mix() {
    // Of the first: groups before the second begins, and behind its begin.
    for (kind, before, behind) in KINDS.iter().flat_map(|&kind| {
        [(kind, false, false), (kind, true, false), (kind, false, true), (kind, true, true)]
    }) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run00042.Test");
        let def = def(vec![]);
        let mut first = TableWriter::create(&path, kind, &def).unwrap();
        let mut lost = Ok(());
        if before {
            grow(&mut first, 0).unwrap();
        }
        let mut second = TableWriter::create(&path, kind, &def).unwrap();
        grow(&mut second, 1).unwrap();
        if behind {
            lost = grow(&mut first, 0);
        }
        let error = match lost.and_then(|()| first.settle(&[])) {
            Ok(settled) => {
                assert!(settled.check_own().is_err());
                settled.finish().unwrap_err()
            }
            Err(error) => error,
        };
        let said = error.to_string();
        assert!(said.ends_with("run00042.Test: another job writes it, too"), "{said}");
        assert!(said.starts_with("cannot rename "), "{said}");
        // It has taken away nothing of the other one.
        second.finish(&[]).unwrap();
        let wanted = dir.path().join("alone");
        let mut alone = TableWriter::create(&wanted, kind, &def).unwrap();
        grow(&mut alone, 1).unwrap();
        alone.finish(&[]).unwrap();
        assert!(fs::read(&path).unwrap() == fs::read(&wanted).unwrap(), "{kind:?} {before} {behind}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let path = Path::new("/no/such/directory/run00042.parquet");
    let error = TableWriter::create(path, TableKind::Parquet, &def(vec![])).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot create /no/such/directory/run00042.parquet: No such file or directory (os error 2)"
    );
}

#[test]
fn thousands_of_banks_are_refused_in_the_end() {
    let events: Vec<Event> = (0..5000u32)
        .map(|n| {
            let name: String = (0..4).map(|i| char::from(b'A' + (n / 16u32.pow(i) % 16) as u8)).collect();
            Event::new().words(&name, &[n as u16])
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let (refused, _) = write(&dir.path().join("t"), TableKind::Arrow, &def(vec![]), &events, 500);
    assert_eq!(refused.len(), 5000 - schema::MAX_COLUMNS);
    assert_eq!(refused[0], (schema::MAX_COLUMNS as u32, Refusal::Columns { limit: schema::MAX_COLUMNS }));
}

#[test]
fn columns_and_writers_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Columns>();
    is_send::<Batch>();
    is_send::<TableWriter>();
}

#[test]
fn the_extension_names_the_format() {
    assert_eq!(TableKind::of(Path::new("a/run1.Trigger.parquet")), Some(TableKind::Parquet));
    assert_eq!(TableKind::of(Path::new("run1.arrow")), Some(TableKind::Arrow));
    assert_eq!(TableKind::of(Path::new("run1.mid")), None);
    assert_eq!(DataType::Utf8, shape::item_type(Tid::Link));
}
