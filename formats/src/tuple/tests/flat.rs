use super::*;

/// The flat table of `events`, the same however they are cut into batches.
fn check_flat(def: &Arc<TableDef>, events: &[Event]) -> (RecordBatch, Vec<(u32, Refusal)>) {
    check_form(def, events, true)
}

fn names(table: &RecordBatch) -> Vec<String> {
    table.schema().fields().iter().skip(5).map(|field| field.name().clone()).collect()
}

fn values<T: ArrowPrimitiveType>(table: &RecordBatch, name: &str) -> Vec<Option<T::Native>> {
    column(table, name).as_primitive::<T>().iter().collect()
}

fn word_bank(name: &str) -> ColumnDef {
    ColumnDef::new(BankName::parse(name).unwrap(), Tid::Word.code())
}

#[test]
fn each_element_has_a_column() {
    let events = [
        Event::new().words("ADC0", &[1, 2, 3]),
        Event::new(),
        Event::new().words("ADC0", &[]),
        Event::new().words("ADC0", &[7]),
    ];
    let (table, refused) = check_flat(&def(vec![]), &events);
    assert_eq!(refused, []);
    assert_eq!(names(&table), ["ADC0_0", "ADC0_1", "ADC0_2"]);
    assert_eq!(values::<UInt16Type>(&table, "ADC0_0"), [Some(1), None, None, Some(7)]);
    assert_eq!(values::<UInt16Type>(&table, "ADC0_2"), [Some(3), None, None, None]);
}

#[test]
fn a_declared_size_is_the_least_width() {
    let banks = vec![word_bank("ADC0").elements(4), word_bank("TDC0").elements(1), word_bank("ANY0")];
    let (table, _) = check_flat(&def(banks), &[Event::new().words("TDC0", &[1, 2])]);
    assert_eq!(names(&table), ["ADC0_0", "ADC0_1", "ADC0_2", "ADC0_3", "TDC0_0", "TDC0_1"]);
    assert_eq!(values::<UInt16Type>(&table, "ADC0_3"), [None]);
    let schema = table.schema();
    let metadata = schema.field_with_name("ADC0_2").unwrap().metadata();
    assert_eq!(metadata.get("midas_type").map(String::as_str), Some("WORD"));
}

#[test]
fn members_of_structs_have_columns_named_as_in_mana() {
    let (table, refused) =
        check_flat(&def(vec![stc0()]), &[structs(&record(3, b"abc\0zz")), Event::new(), structs(&[])]);
    assert_eq!(refused, []);
    assert_eq!(names(&table), ["STC0_b", "STC0_x", "STC0_w_word_0", "STC0_w_word_1", "STC0_s", "STC0_on"]);
    assert_eq!(values::<Float64Type>(&table, "STC0_x"), [Some(1.5), None, None]);
    assert_eq!(values::<UInt16Type>(&table, "STC0_w_word_1"), [Some(1000), None, None]);
    assert_eq!(texts(column(&table, "STC0_s")), [Some("abc"), None, None]);
}

#[test]
fn several_structs_are_numbered() {
    let two = [record(2, b"two\0\0\0"), record(3, b"\xff\0\0\0\0\0")].concat();
    let (table, _) = check_flat(&def(vec![stc0()]), &[structs(&record(1, b"one\0\0\0")), structs(&two)]);
    assert_eq!(names(&table)[..2], ["STC0_0_b", "STC0_0_x"]);
    assert_eq!(names(&table)[6..8], ["STC0_1_b", "STC0_1_x"]);
    assert_eq!(values::<UInt8Type>(&table, "STC0_0_b"), [Some(1), Some(2)]);
    assert_eq!(values::<UInt8Type>(&table, "STC0_1_b"), [None, Some(3)]);
    assert_eq!(bytes(column(&table, "STC0_0_s")), [Some(&b"one"[..]), Some(&b"two"[..])]);

    let (table, _) = check_flat(&def(vec![stc0().many().elements(2)]), &[structs(&record(1, b"one\0\0\0"))]);
    assert_eq!(names(&table).len(), 12);
    assert_eq!(values::<UInt16Type>(&table, "STC0_1_w_word_0"), [None]);
}

#[test]
fn members_of_fixed_events_have_columns() {
    let fixed = Some(layout());
    let def = Arc::new(TableDef { name: "Fixd".into(), banks: vec![], fixed });
    let (table, _) = check_flat(&def, &[Event::fixed(&record(5, b"hello\0")), Event::fixed(&[9])]);
    assert_eq!(names(&table), ["b", "x", "w_word_0", "w_word_1", "s", "on"]);
    assert_eq!(values::<UInt16Type>(&table, "w_word_0"), [Some(5), None]);
    assert_eq!(values::<UInt8Type>(&table, "b"), [Some(5), Some(9)]);
}

#[test]
fn names_that_are_one_when_flat_stay_apart() {
    let event = Event::new()
        .words("A", &[1, 2])
        .bank("A_1", Tid::String, b"text")
        .words("a", &[3])
        .words("A B", &[4])
        .words("A-B", &[5])
        .bank("run", Tid::Char, b"x");
    let (table, _) = check_flat(&def(vec![]), &[event]);
    assert_eq!(names(&table), ["A_0", "A_1", "A_1_", "a__0", "A_B_0", "A_B_0_", "run_"]);
    assert_eq!(texts(column(&table, "A_1_")), [Some("text")]);
    assert_eq!(values::<UInt16Type>(&table, "A_B_0_"), [Some(5)]);
}

#[test]
fn a_flat_table_that_grows_late_is_the_same_file() {
    // 30,000 words a row would be as many columns.
    let events: Vec<Event> = growing()
        .into_iter()
        .enumerate()
        .map(|(n, mut event)| {
            for (name, _, data, _) in &mut event.banks {
                if name.to_string() == "WAV0" {
                    data.truncate(2 * (1 + n % 13 + n / 50));
                }
            }
            event
        })
        .collect();
    let events: Vec<Event> = events.iter().cycle().take(20_000).cloned().collect();
    let dir = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let path = dir.path().join("t");
        let mut files = Vec::new();
        for size in [20_000, 1000, 37] {
            let (refused, _) = write_form(&path, kind, &def(vec![stc0()]), &events, size, true, None);
            files.push((fs::read(&path).unwrap(), refused));
        }
        assert!(files.iter().all(|file| *file == files[0]), "{kind:?}");
        let table = read(&path, kind);
        assert_eq!(table.num_rows(), 20_000);
        assert_eq!(values::<UInt16Type>(&table, "LATE_0")[499..501], [None, Some(500)]);
        assert!(table.column_by_name("WAV0_25").is_some());
        assert_eq!(values::<UInt8Type>(&table, "STC0_1_b")[301], Some(45));
        assert_eq!(bytes(column(&table, "TXT0"))[400], Some(&b"\xff"[..]));
    }
}

#[test]
fn a_column_that_grows_behind_the_first_chunk_is_rewritten() {
    let events: Vec<Event> = (0..20_000u32)
        .map(|n| Event::new().words("ADC0", &vec![n as u16; 1 + (n / 9_000) as usize]).words("TDC0", &[7]))
        .collect();
    let (table, _) = check_flat(&def(vec![word_bank("ADC0").elements(1)]), &events);
    assert_eq!(names(&table), ["ADC0_0", "ADC0_1", "ADC0_2", "TDC0_0"]);
    assert_eq!(values::<UInt16Type>(&table, "ADC0_2")[17_999..18_001], [None, Some(18_000)]);
    assert_eq!(column(&table, "TDC0_0").null_count(), 0);
}

#[test]
fn lists_are_refused_where_there_is_no_room_for_their_columns() {
    let (room, most) = (schema::MAX_ELEMENTS, schema::MAX_UNDECLARED);
    let bank = |name: &str, n: usize| Event::new().bank(name, Tid::Byte, &vec![1; n]);
    let declared = ColumnDef::new(BankName::parse("A").unwrap(), Tid::Byte.code()).elements(room - 10);
    let events = [
        bank("A", room - 10).bank("B", Tid::Byte, &[2; 4]),
        bank("B", 11),
        bank("C", 7),
        bank("C", 6),
        bank("A", room),
        bank("B", 3),
    ];
    let dir = tempfile::tempdir().unwrap();
    for size in [1, 2, 6] {
        let path = dir.path().join("t");
        let def = def(vec![declared.clone()]);
        let (refused, _) = write_form(&path, TableKind::Arrow, &def, &events, size, true, None);
        let reason = |found| Refusal::Elements { found, limit: room };
        assert_eq!(refused, [(1, reason(11)), (2, reason(7)), (4, reason(room))], "batches of {size}");
        let table = read(&path, TableKind::Arrow);
        assert_eq!(names(&table).len(), room);
        assert_eq!(values::<UInt8Type>(&table, "B_2"), [Some(2), None, None, None, None, Some(1)]);
        assert_eq!(values::<UInt8Type>(&table, "C_5"), [None, None, None, Some(1), None, None]);
    }
    let (table, refused) = check_flat(&def(vec![]), &[bank("A", most + 1), bank("A", most), bank("B", 2)]);
    assert_eq!(refused, [(0, Refusal::Undeclared { found: most + 1, limit: most })]);
    assert_eq!((names(&table).len(), column(&table, "A_1023").null_count()), (most + 2, 2));
    // What a definition asks for beyond all bounds is not booked.
    let (table, _) = check_flat(&def(vec![word_bank("ADC0").elements(1 << 40)]), &[bank("B", 1)]);
    assert_eq!(names(&table), ["B_0"]);
}
