//! Tables in several files: joined, they are the file that is written at once, byte for byte.

use proptest::prelude::*;

use super::*;
use crate::tuple::writer::{CHUNK_ROWS, Ends};

/// What is known of a table, and how it is written.
struct Form {
    kind: TableKind,
    def: Arc<TableDef>,
    flat: bool,
    ends: Ends,
    batch: usize,
    threads: usize,
}

impl Form {
    fn new(kind: TableKind, def: Arc<TableDef>, ends: Ends) -> Form {
        Form { kind, def, flat: false, ends, batch: 7, threads: 0 }
    }

    fn pool(&self) -> Option<Pool> {
        (self.threads > 0).then(|| Pool::new(self.threads).unwrap())
    }

    fn create(&self, path: &Path) -> TableWriter {
        let mut table = TableWriter::create(path, self.kind, &self.def).unwrap();
        if self.flat {
            table = table.flat();
        }
        if let Some(pool) = self.pool() {
            table = table.with_pool(pool);
        }
        table.ends = self.ends;
        table
    }
}

fn small(chunk_rows: usize, group_rows: u64) -> Ends {
    Ends { chunk_rows, chunk_bytes: 4 << 20, group_rows, group_bytes: 16 << 20 }
}

fn of_bytes(chunk_bytes: u64, group_bytes: u64) -> Ends {
    Ends { chunk_rows: 1 << 14, chunk_bytes, group_rows: 1 << 17, group_bytes }
}

const END: [(&str, &str); 2] = [("zebra", "1"), ("answer", "42")];

fn metadata(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn at(dir: &Path, number: usize) -> std::path::PathBuf {
    dir.join(format!("run00042.Test.{number:04}.x"))
}

/// What was refused of each row.
type Left = Vec<(u32, Refusal)>;

/// Writes `events` as parts: another begins before each row of `cuts`. The number of parts.
fn in_parts(form: &Form, dir: &Path, events: &[Event], cuts: &[usize]) -> (usize, Left) {
    let mut table = form.create(&at(dir, 1)).in_parts("run00042.Test.x");
    let (mut number, mut refused) = (1, Vec::new());
    let mut columns = Columns::new(&form.def);
    for (n, event) in events.iter().enumerate() {
        for _ in cuts.iter().filter(|cut| **cut == n) {
            refused.extend(table.write(columns.finish()).unwrap());
            number += 1;
            let before = metadata(&[("answer", "so far"), ("zebra", "0")]);
            let settled = table.next(&at(dir, number), &before).unwrap();
            let summary = settled.finish().unwrap();
            assert_eq!(summary.path, at(dir, number - 1));
            assert_eq!(summary.bytes, fs::metadata(&summary.path).unwrap().len());
            let rows: usize = batches(&summary.path, form.kind).iter().map(RecordBatch::num_rows).sum();
            assert_eq!((summary.rows, table.rows()), (rows as u64, 0));
        }
        fill(&mut columns, n, event);
        if n % form.batch == form.batch - 1 {
            refused.extend(table.write(columns.finish()).unwrap());
        }
    }
    refused.extend(table.write(columns.finish()).unwrap());
    table.finish(&metadata(&END)).unwrap();
    (number, refused.into_iter().map(|r| (r.serial, r.reason)).collect())
}

fn parts_in(dir: &Path, numbers: impl IntoIterator<Item = usize>) -> Vec<TablePart> {
    numbers.into_iter().map(|n| TablePart::open(&at(dir, n)).unwrap().unwrap()).collect()
}

/// Parts of `events`, joined, are the file written at once, which refuses the same.
fn check_parts(form: &Form, events: &[Event], cuts: &[usize]) {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.x");
    let mut table = form.create(&whole);
    let mut wanted = Vec::new();
    in_batches(&form.def, events, form.batch, |_, batch| {
        wanted.extend(table.write(batch).unwrap().into_iter().map(|r| (r.serial, r.reason)));
    });
    table.finish(&metadata(&END)).unwrap();

    let (count, refused) = in_parts(form, dir.path(), events, cuts);
    assert_eq!(refused, wanted);
    // In any order.
    let tables = TableParts::sorted(parts_in(dir.path(), (1..=count).rev())).unwrap();
    let [table] = &tables[..] else { panic!("{} tables", tables.len()) };
    assert_eq!(table.whole(), dir.path().join("run00042.Test.x"));
    assert!(table.is_complete());
    let summary = table.join(&table.whole(), form.pool()).unwrap().finish().unwrap();
    assert_eq!(summary.rows, events.len() as u64);
    let (joined, whole) = (fs::read(table.whole()).unwrap(), fs::read(&whole).unwrap());
    assert_eq!(summary.bytes, joined.len() as u64);
    let said = format!("{:?} flat {} cuts {cuts:?}", form.kind, form.flat);
    assert!(joined == whole, "{said}: {} bytes, {} wanted", joined.len(), whole.len());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), count + 2, "{said}: hidden files remain");
}

/// Every form of a table of these events.
fn check_forms(def: &Arc<TableDef>, ends: Ends, events: &[Event], cuts: &[usize]) {
    for (kind, flat) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let form = Form { flat, threads: usize::from(flat) * 2, ..Form::new(kind, Arc::clone(def), ends) };
        check_parts(&form, events, cuts);
    }
}

#[test]
fn parts_of_a_table_that_grows_are_the_table() {
    let odd0 = ColumnDef::new(BankName::new(*b"ODD0"), Tid::Word.code());
    let def = def(vec![stc0(), odd0]);
    for kind in KINDS {
        let form = Form { threads: 2, ..Form::new(kind, Arc::clone(&def), of_bytes(4 << 20, 4 << 20)) };
        check_parts(&form, &growing(), &[1, 2, 199, 201, 202, 203, 300, 401, 402, 690]);
    }
}

#[test]
fn chunks_and_groups_end_where_they_would() {
    let events: Vec<Event> = (0..64).map(|n| Event::new().words("ADC0", &[n; 20])).collect();
    // In a chunk, several times; at its end; at that of a group; before the first row.
    for cuts in [&[0, 3, 5, 6][..], &[4, 8, 16], &[16, 16, 32], &[15, 16, 17], &[63], &[]] {
        check_forms(&def(vec![]), small(4, 16), &events, cuts);
        check_forms(&def(vec![]), of_bytes(160, 700), &events, cuts);
    }
    let every: Vec<usize> = (0..64).collect();
    check_forms(&def(vec![]), small(5, 11), &events, &every);
}

#[test]
fn parts_of_fixed_events_are_the_table() {
    let fixed = Some(layout());
    let def = Arc::new(TableDef { name: "Fixd".into(), banks: vec![], fixed });
    let event = |n: u8| match n % 5 {
        0 => Event::fixed(&record(n, b"short\0")[..9]),
        3 => Event::fixed(&record(n, b"\xff\0\0\0\0\0")),
        _ => Event::fixed(&record(n, b"text\0\0")),
    };
    let events: Vec<Event> = (0..50).map(event).collect();
    check_forms(&def, small(4, 11), &events, &[1, 2, 3, 17, 20, 44]);
    let payload = Arc::new(TableDef { fixed: Some(Arc::new(Layout::new())), ..TableDef::clone(&def) });
    check_forms(&payload, small(4, 11), &events, &[1, 2, 3, 17, 20, 44]);
}

#[test]
fn a_part_without_rows_is_one() {
    check_forms(&def(vec![stc0()]), small(4, 8), &[], &[]);
    let dir = tempfile::tempdir().unwrap();
    let form = Form::new(TableKind::Parquet, def(vec![stc0()]), small(4, 8));
    let mut table = form.create(&at(dir.path(), 1)).in_parts("run00042.Test.x");
    in_batches(&form.def, &[Event::new(), Event::new()], 2, |_, batch| drop(table.write(batch).unwrap()));
    table.next(&at(dir.path(), 2), &[]).unwrap().finish().unwrap();
    table.next(&at(dir.path(), 3), &[]).unwrap().finish().unwrap();
    table.finish(&[]).unwrap();
    let tables = TableParts::sorted(parts_in(dir.path(), 1..=3)).unwrap();
    assert_eq!((tables[0].rows(), tables[0].is_complete()), (2, true));
    tables[0].join(&tables[0].whole(), None).unwrap().finish().unwrap();
    assert_eq!(read(&tables[0].whole(), TableKind::Parquet).num_rows(), 2);
}

#[test]
fn pages_and_dictionaries_end_where_they_would() {
    // Several pages in a column of a group, and dictionaries that are given up: what was before a part
    // ended must count for what comes behind.
    let events: Vec<Event> = (0..40_000u32)
        .map(|n| {
            let text = format!("{:09}", u64::from(n).wrapping_mul(2_654_435_761) % 1_000_000_007);
            let float = f64::from(n).sin().to_le_bytes();
            let event = Event::new().bank("TXT0", Tid::String, text.repeat(6).as_bytes());
            event.bank("DBL0", Tid::Double, &float.repeat(3))
        })
        .collect();
    let form =
        Form { batch: 997, threads: 2, ..Form::new(TableKind::Parquet, def(vec![]), Ends::new(16 << 20)) };
    check_parts(&form, &events, &[1, 10_000, 16_384, 20_001, 33_000]);
    let form = Form { flat: true, ..form };
    check_parts(&form, &events, &[10_000, 30_000]);
}

#[test]
fn parts_that_are_not_all_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let form = Form::new(TableKind::Parquet, def(vec![]), small(4, 8));
    let events: Vec<Event> = (0..40).map(|n| Event::new().words("ADC0", &[n])).collect();
    let (count, _) = in_parts(&form, dir.path(), &events, &[10, 20, 30]);
    assert_eq!(count, 4);
    let refused = |parts: Vec<TablePart>| TableParts::sorted(parts).unwrap_err().to_string();
    let said = refused(parts_in(dir.path(), [1, 2, 4]));
    assert!(said.ends_with("0004.x: part 3 wanted before it, part 4 found: give all parts"), "{said}");
    let said = refused(parts_in(dir.path(), [2, 3, 4]));
    assert!(said.ends_with("0002.x: part 1 wanted before it, part 2 found: give all parts"), "{said}");
    let said = refused(parts_in(dir.path(), [1, 2, 2, 3]));
    assert!(said.ends_with("it is part 2 as another file: give each part once"), "{said}");

    // Without the last, it is known that there is more.
    let tables = TableParts::sorted(parts_in(dir.path(), [3, 1, 2])).unwrap();
    assert!(!tables[0].is_complete());
    tables[0].join(&tables[0].whole(), None).unwrap().finish().unwrap();
    assert_eq!(read(&tables[0].whole(), TableKind::Parquet).num_rows(), 30);
    // What was joined is no part.
    assert!(TablePart::open(&tables[0].whole()).unwrap().is_none());

    // Of another analysis.
    let other = tempfile::tempdir().unwrap();
    in_parts(&form, other.path(), &events, &[10, 25, 30]);
    fs::copy(at(other.path(), 3), at(dir.path(), 3)).unwrap();
    let said = refused(parts_in(dir.path(), 1..=4));
    let wanted = "25 rows before it wanted, 20 found: it is of another analysis than the parts before it";
    assert!(said.ends_with(wanted), "{said}");
    let mut table = form.create(&at(other.path(), 1)).in_parts("run00043.Test.x");
    in_batches(&form.def, &events[..10], 10, |_, batch| drop(table.write(batch).unwrap()));
    table.next(&at(other.path(), 2), &[]).unwrap();
    table.finish(&[]).unwrap();
    fs::copy(at(other.path(), 2), at(dir.path(), 2)).unwrap();
    let said = refused(parts_in(dir.path(), 1..=2));
    assert!(said.contains("a part of run00042.Test.x wanted, run00043.Test.x found"), "{said}");
}

#[test]
fn parts_of_other_columns_are_refused() {
    for kind in KINDS {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let form = Form::new(kind, def(vec![]), small(4, 8));
        let events = |name: &str| -> Vec<Event> { (0..20).map(|n| Event::new().words(name, &[n])).collect() };
        in_parts(&form, dir.path(), &events("ADC0"), &[10]);
        in_parts(&form, other.path(), &events("TDC0"), &[10]);
        fs::copy(at(other.path(), 1), at(dir.path(), 1)).unwrap();
        let table = &TableParts::sorted(parts_in(dir.path(), 1..=2)).unwrap()[0];
        let said = table.join(&table.whole(), None).unwrap_err().to_string();
        let wanted = "column ADC0 of the last part wanted, TDC0 found: it is of another table";
        assert!(said.contains("0001.x") && said.contains(wanted), "{said}");
        assert!(!table.whole().exists());
        // ... or of another type.
        let words: Vec<Event> = (0..20).map(|_| Event::new().bank("ADC0", Tid::Double, &[0; 8])).collect();
        in_parts(&form, other.path(), &words, &[10]);
        fs::copy(at(other.path(), 1), at(dir.path(), 1)).unwrap();
        let table = &TableParts::sorted(parts_in(dir.path(), 1..=2)).unwrap()[0];
        let said = table.join(&table.whole(), None).unwrap_err().to_string();
        assert!(said.contains("wanted") && said.contains("found"), "{said}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

/// The parts from which `change` has made others.
fn changed(dir: &Path, count: usize, change: impl Fn(&mut Vec<TablePart>)) -> crate::Result<TableParts> {
    let mut parts = parts_in(dir, 1..=count);
    change(&mut parts);
    TableParts::sorted(parts).map(|mut tables| tables.remove(0))
}

#[test]
fn a_part_with_more_or_fewer_rows_than_it_says_is_refused() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let form = Form::new(kind, def(vec![]), small(4, 4));
        let events: Vec<Event> = (0..24).map(|n| Event::new().words("ADC0", &[n])).collect();
        in_parts(&form, dir.path(), &events, &[8]);
        let refused = |change: &dyn Fn(&mut Vec<TablePart>), file: &str| {
            let table = changed(dir.path(), 2, change).unwrap();
            let said = table.join(&table.whole(), None).unwrap_err().to_string();
            let wanted = "it is not as its pactolus.part says: it was changed";
            assert!(said.contains(file) && said.ends_with(wanted), "{kind:?}: {said}");
            assert!(!table.whole().exists());
        };
        let fewer = |part: &mut TablePart| {
            let gone: usize = part.groups.pop().unwrap().iter().sum();
            part.rows -= gone as u64;
        };
        // The last groups are not named: of the last part, of one before it.
        refused(&|parts| fewer(&mut parts[1]), "0002.x");
        let first = |parts: &mut Vec<TablePart>| {
            fewer(&mut parts[0]);
            parts[1].before -= 4;
        };
        refused(&first, "0001.x");
        // None at all.
        refused(&|parts| (0..4).for_each(|_| fewer(&mut parts[1])), "0002.x");
        // More than there are, so that rows of the next part would make good for them.
        let more = |parts: &mut Vec<TablePart>| {
            parts[0].groups.push(vec![4]);
            parts[0].rows += 4;
            parts[1].before += 4;
            fewer(&mut parts[1]);
        };
        refused(&more, "0001.x");
    }
}

#[test]
fn a_part_behind_the_last_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let form = Form::new(TableKind::Parquet, def(vec![]), small(4, 8));
    let events: Vec<Event> = (0..40).map(|n| Event::new().words("ADC0", &[n])).collect();
    in_parts(&form, dir.path(), &events, &[10, 20, 30]);
    // Another analysis, which had fewer.
    let other = tempfile::tempdir().unwrap();
    in_parts(&form, other.path(), &events[..20], &[10]);
    fs::copy(at(other.path(), 2), at(dir.path(), 2)).unwrap();
    let said = TableParts::sorted(parts_in(dir.path(), 1..=4)).unwrap_err().to_string();
    let wanted = "it says that it is the last, but part 3 was given, too: they are of different analyses";
    assert!(said.contains("0002.x") && said.ends_with(wanted), "{said}");
}

#[test]
fn a_chunk_goes_on_behind_an_empty_part() {
    // However its own end is described, and no longer than a chunk may be.
    let dir = tempfile::tempdir().unwrap();
    let form = Form::new(TableKind::Parquet, def(vec![]), Ends::new(16 << 20));
    let events: Vec<Event> = (0..20).map(|n| Event::new().words("ADC0", &[n])).collect();
    in_parts(&form, dir.path(), &events, &[10, 10]);
    let shut = |parts: &mut Vec<TablePart>| {
        assert!(parts[0].open.chunk && parts[1].groups.is_empty());
        parts[1].open.chunk = false;
    };
    let table = changed(dir.path(), 3, shut).unwrap();
    table.join(&table.whole(), None).unwrap().finish().unwrap();
    let long = |parts: &mut Vec<TablePart>| {
        shut(parts);
        parts[0].groups = vec![vec![CHUNK_ROWS]];
        parts[0].rows = CHUNK_ROWS as u64;
        parts[1].before = CHUNK_ROWS as u64;
        parts[2].before = CHUNK_ROWS as u64;
    };
    let said = changed(dir.path(), 3, long).unwrap_err().to_string();
    assert!(said.ends_with("it is not as its pactolus.part says: it was changed"), "{said}");
}

#[test]
fn columns_that_a_part_claims_are_counted_first() {
    let dir = tempfile::tempdir().unwrap();
    let form = Form { flat: true, ..Form::new(TableKind::Parquet, def(vec![]), small(4, 8)) };
    in_parts(&form, dir.path(), &[Event::new().words("ADC0", &[1])], &[]);
    // They would be 8.6 GB.
    let many = |parts: &mut Vec<TablePart>| parts[0].columns = Some(vec![1 << 16; 4096]);
    let table = changed(dir.path(), 1, many).unwrap();
    let begun = std::time::Instant::now();
    let said = table.join(&table.whole(), None).unwrap_err().to_string();
    assert!(said.ends_with("it is not as its pactolus.part says: it was changed"), "{said}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn broken_parts_are_errors() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let form = Form::new(kind, def(vec![]), small(4, 8));
        let events: Vec<Event> = (0..40).map(|n| Event::new().words("ADC0", &[n])).collect();
        in_parts(&form, dir.path(), &events, &[20]);
        let bytes = fs::read(at(dir.path(), 2)).unwrap();
        for n in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[n] ^= 0x41;
            fs::write(at(dir.path(), 2), &broken[..if n % 3 == 0 { n } else { bytes.len() }]).unwrap();
            let Ok(Some(part)) = TablePart::open(&at(dir.path(), 2)) else { continue };
            let parts = [parts_in(dir.path(), [1]), vec![part]].concat();
            let Ok(tables) = TableParts::sorted(parts) else { continue };
            for table in tables {
                // A panic fails the test.
                drop(table.join(&dir.path().join("joined"), None));
            }
        }
    }
}

/// A random event: banks of types that change, text that is none, structs, none at all.
fn event() -> impl Strategy<Value = Event> {
    let bank = prop_oneof![
        4 => (0u8..3, proptest::collection::vec(any::<u16>(), 0..5)).prop_map(|(n, values)| {
            let data = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
            (format!("WRD{n}"), Tid::Word, data)
        }),
        1 => any::<f32>().prop_map(|v| ("WRD1".to_owned(), Tid::Float, v.to_le_bytes().to_vec())),
        3 => "[a-z]{0,9}".prop_map(|text| ("TXT0".to_owned(), Tid::String, text.into_bytes())),
        1 => proptest::collection::vec(any::<u8>(), 0..6).prop_map(|b| ("TXT0".to_owned(), Tid::String, b)),
        2 => (any::<u8>(), 0usize..4).prop_map(|(n, count)| {
            ("STC0".to_owned(), Tid::Struct, record(n, b"text\0\0").repeat(count))
        }),
        1 => Just(("STC0".to_owned(), Tid::Struct, record(1, b"\xff\xfe\0\0\0\0"))),
        1 => any::<bool>().prop_map(|b| ("BOL0".to_owned(), Tid::Bool, u32::from(b).to_le_bytes().to_vec())),
        1 => any::<u8>().prop_map(|b| ("RAW0".to_owned(), Tid::Array, vec![b; 3])),
        1 => (0u8..20).prop_map(|n| (format!("L{n:02}"), Tid::Int, vec![n; 4])),
    ];
    proptest::collection::vec(bank, 0..6).prop_map(|banks| {
        banks.iter().fold(Event::new(), |event, (name, tid, data)| event.bank(name, *tid, data))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn random_parts_are_the_table(
        events in proptest::collection::vec(event(), 0..120),
        cuts in proptest::collection::vec(0usize..120, 0..12),
        rows in (1usize..20, 1u64..60),
        bytes in (20u64..600, 100u64..2000),
        batch in 1usize..30,
        (flat, threads) in (any::<bool>(), 0usize..3),
        wrong in any::<bool>(),
    ) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        cuts.dedup();
        let booked = ColumnDef::new(BankName::new(*b"WRD2"), if wrong { Tid::Double } else { Tid::Word }.code());
        let def = def(vec![stc0(), booked]);
        let ends = Ends { chunk_rows: rows.0, chunk_bytes: bytes.0, group_rows: rows.1, group_bytes: bytes.1 };
        for kind in KINDS {
            check_parts(&Form { flat, batch, threads, ..Form::new(kind, Arc::clone(&def), ends) }, &events, &cuts);
        }
    }
}
