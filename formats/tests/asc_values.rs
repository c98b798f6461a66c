//! What the text of a bank, of a FIXED event and of a dump holds, and what is refused or damage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asc_common;

use asc_common::{Read, Whole, defined, read, read_from, sample};
use pactolus_formats::asc::Reason;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::{DamageKind, Limits};

const BIG: usize = 1 << 20;

/// The only event of a text, without damage.
fn only(text: &str) -> (Whole, Read) {
    let all = read(text.as_bytes(), sample(), BIG);
    assert_eq!(all.damage, [], "{text:?}");
    assert_eq!(all.events.len(), 1, "{text:?}");
    (all.events[0].clone(), all)
}

/// The data of the only bank of a text of one bank.
fn data_of(bank: &str) -> Vec<u8> {
    let (event, all) = only(&format!("%ID 3 TR 1 NR 5\n{bank}\n"));
    assert_eq!(all.refused.count(), 0, "{bank:?}: {:?}", all.refused);
    event.banks()[0].data.to_vec()
}

/// A refused bank before another one that is not: why, and where.
#[track_caller]
fn check_refused(bank: &str, message: &str) {
    // In the middle and at the end of an event, the last one of its text and not.
    let good = "BK ADC0 TP WORD SZ 1\n7\n";
    for (after, next) in [(good, ""), ("", "%ID 1 TR 0 NR 6\n\n"), (good, "%ID 1 TR 0 NR 6\n\n"), ("", "")] {
        let text = format!("%ID 3 TR 1 NR 5\n{bank}{after}\n{next}");
        let all = read(text.as_bytes(), sample(), BIG);
        assert_eq!(all.damage, [], "{text:?}");
        assert_eq!(all.events.len(), if next.is_empty() { 1 } else { 2 }, "{text:?}");
        assert_eq!(all.events[0].bank_names().len(), usize::from(!after.is_empty()), "{text:?}");
        assert_eq!(all.refused.banks, 1, "{text:?}");
        assert_eq!(
            all.refused.first[0].to_string(),
            format!("{message}, line 2 at byte 16, event 1 (id 3 serial 5)")
        );
    }
}

#[test]
fn a_bank_without_text_is_refused_by_name() {
    check_refused(
        "BK BIT0 TP BITFIELD SZ 2\n\n\n",
        "bank BIT0 refused: the text holds no values of type BITFIELD",
    );
    check_refused(
        "BK ARR0 TP ARRAY SZ 2\n<unknown>\n<unknown>\n",
        "bank ARR0 refused: the text holds no values of type ARRAY",
    );
    check_refused(
        "BK KEY0 TP KEY SZ 1\n<unknown>\n",
        "bank KEY0 refused: the text holds no values of type KEY",
    );
    check_refused(
        "BK ZZZZ TP <unknown> SZ 1\n<unknown>\n",
        "bank ZZZZ refused: the text holds no values of an unknown type",
    );
    check_refused(
        "BK ZZZZ TP <unknown> SZ 0\n",
        "bank ZZZZ refused: the text holds no values of an unknown type",
    );
}

#[test]
fn a_struct_is_refused_where_its_definition_is_not_that_of_the_text() {
    let asum = "bank ASUM refused: the definition asks for";
    check_refused("BK OTHR TP STRUCT SZ 4\na:\n1\n", "bank OTHR refused: no definition of its members");
    check_refused(
        "BK ASUM TP STRUCT SZ 2\n<unknown>\n<unknown>\n",
        "bank ASUM refused: the text holds no values of type STRUCT",
    );
    check_refused(
        "BK ASUM TP STRUCT SZ 16\nSum:\n1\nAverage:\n2\n",
        &format!("{asum} 8 bytes, the text has 16 bytes"),
    );
    check_refused(
        "BK ASUM TP STRUCT SZ 8\nSum:\n1\nMean:\n2\n",
        &format!("{asum} member \"Average:\", the text has \"Mean:\""),
    );
    check_refused(
        "BK ASUM TP STRUCT SZ 8\nSum:\nAverage:\n2\n",
        &format!("{asum} 1 values of member \"Sum:\", the text has \"Average:\""),
    );
    check_refused(
        "BK ASUM TP STRUCT SZ 8\nSum:\n1\nAverage:\n2\nMore:\n3\n",
        &format!("{asum} no more members, the text has \"More:\""),
    );
    check_refused(
        "BK STC0 TP STRUCT SZ 40\nb:\n1\nx:\n1\nw word:\n1\nf:\n1\n1\ni:\n1\ns:\n123456789\n",
        "bank STC0 refused: a text of 9 bytes in a value of 8",
    );
}

#[test]
fn a_text_bank_is_one_line_or_refused() {
    assert_eq!(data_of("BK STR0 TP STRING SZ 6\nabc\n"), b"abc\0\0\0");
    assert_eq!(data_of("BK LNK0 TP LINK SZ 3\nabc\n"), b"abc");
    assert_eq!(data_of("BK STR0 TP STRING SZ 3\n\n"), b"\0\0\0");
    // Whatever the line is.
    assert_eq!(data_of("BK STR0 TP STRING SZ 20\n%ID 1 TR 0 NR 7\n"), b"%ID 1 TR 0 NR 7\0\0\0\0\0");
    assert_eq!(data_of("BK STR0 TP STRING SZ 21\nBK ADC0 TP WORD SZ 1\n"), b"BK ADC0 TP WORD SZ 1\0");
    check_refused(
        "BK STR0 TP STRING SZ 3\nabc\n\nx\n",
        "bank STR0 refused: 3 lines for one text: only the first is known to be its value",
    );
    check_refused("BK STR0 TP STRING SZ 3\nabcd\n", "bank STR0 refused: a text of 4 bytes in a value of 3");
    check_refused(
        "BK STR0 TP STRING SZ 4000000000\nabcd\n",
        "bank STR0 refused: a value of 4000000000 bytes with a text of only 4",
    );
}

#[test]
fn a_text_bank_before_a_lost_header_is_still_one_line() {
    for behind in ["BK ADC0 TP WORD SZ 1\n7\n\n", "7\n\n", "7\n"] {
        let text = format!("%ID 3 TR 1 NR 5\nBK STR0 TP STRING SZ 8\nabc\n\n{behind}%ID 3 TR 1 NR 7\n\n");
        let all = read(text.as_bytes(), (), BIG);
        assert_eq!((all.events.len(), all.refused.count()), (2, 0), "{behind:?}");
        assert_eq!(all.events[0].banks()[0].data, b"abc\0\0\0\0\0");
        assert_eq!(all.damage[0].end - all.damage[0].offset, behind.len() as u64);
    }
}

#[test]
fn characters_are_read_as_mana_and_as_we_print_them() {
    assert_eq!(data_of("BK CHR0 TP CHAR SZ 3\na\nb\nc\n"), b"abc");
    assert_eq!(data_of("BK CHR0 TP CHAR SZ 4\na\n\n\n\n\nb\n"), b"a\n\nb");
    assert_eq!(data_of("BK CHR0 TP CHAR SZ 2\na\n\0\n"), b"a\0");
    let followed = |bank: &str| {
        let text = format!("%ID 3 TR 1 NR 5\n{bank}\n%ID 3 TR 1 NR 6\n\n");
        let all = read(text.as_bytes(), sample(), BIG);
        assert_eq!((all.damage.len(), all.events.len()), (0, 2), "{bank:?}");
        (all.events[0].banks().first().map(|b| b.data.to_vec()), all.refused)
    };
    // NULs as mana prints them: nothing.
    assert_eq!(followed("BK CHR0 TP CHAR SZ 3\na\n\n\n").0.unwrap(), b"a\0\0");
    assert_eq!(followed("BK CHR0 TP CHAR SZ 3\n\nb\n\n").0.unwrap(), b"\0b\0");
    assert_eq!(data_of("BK CHR0 TP CHAR SZ 3\na\n\n\nBK ADC0 TP WORD SZ 0\n"), b"a\0\0");
    // Four values in six lines: which are newlines?
    let (data, refused) = followed("BK CHR0 TP CHAR SZ 4\na\n\n\n\nb\n");
    assert_eq!((data, &refused.first[0].reason), (None, &Reason::Newlines));
}

#[test]
fn numbers_are_read_strictly() {
    assert_eq!(data_of("BK ADC0 TP UINT16 SZ 2\n0xffff\n7\n"), [255, 255, 7, 0]);
    assert_eq!(data_of("BK ADC0 TP DOUBLE SZ 1\n-inf\n"), f64::NEG_INFINITY.to_le_bytes());
    for (bank, line, message) in [
        ("WORD SZ 2\n1\n65536\n", 4, "a value of type WORD wanted, \"65536\" found"),
        ("WORD SZ 2\n1\n\n", 4, "a value of type WORD wanted, \"\" found"),
        ("FLOAT SZ 1\n1.5x\n", 3, "a value of type FLOAT wanted, \"1.5x\" found"),
        ("BOOL SZ 1\nmaybe\n", 3, "a value of type BOOL wanted, \"maybe\" found"),
        ("BITFIELD SZ 1\nx\n", 3, "an empty line wanted, \"x\" found"),
        ("ARRAY SZ 1\nx\n", 3, "<unknown> wanted, \"x\" found"),
        ("CHAR SZ 2\nxy\n", 3, "2 characters, a line each wanted, \"xy\" found"),
    ] {
        let before = "%ID 1 TR 0 NR 1\n\n";
        let head = format!("{before}%ID 1 TR 0 NR 2\nBK ADC0 TP {bank}");
        let text = format!("{head}\n%ID 1 TR 0 NR 3\n\n");
        let all = read(text.as_bytes(), (), BIG);
        let serials: Vec<(u32, u64)> = all.events.iter().map(|e| (e.header.serial, e.number)).collect();
        assert_eq!(serials, [(1, 1), (3, 3)], "{bank:?}");
        assert_eq!(all.stops, ["damaged", "end"]);
        let at = text.split_inclusive('\n').take(line + 1).map(str::len).sum::<usize>();
        let lost = head.len() + 1 - before.len();
        assert_eq!(
            all.damage[0].to_string(),
            format!(
                "line {} at byte {at}, bank ADC0: {message} at byte {}, event 2; {lost} bytes lost",
                line + 2,
                before.len()
            )
        );
    }
}

#[test]
fn a_fixed_event_is_refused_where_its_definition_is_not_that_of_the_text() {
    let fixed = "definition asks for";
    for (text, message) in [
        ("n\n1\n2\nLabel\nabcdefghijk\n", "a text of 11 bytes in a value of 10".to_owned()),
        ("n\n1\n2\nName\nx\n", format!("the {fixed} member \"Label\", the text has \"Name\"")),
        ("n\n1\n2\nLabel\nx\nmore\n", format!("the {fixed} no more members, the text has \"more\"")),
        ("", format!("the {fixed} member \"n\", the text has \"\"")),
        (
            "BK A TP WORD SZ 1\n1\nBK B TP WORD SZ 0\n",
            format!("the {fixed} member \"n\", the text has \"BK A TP WORD SZ 1\""),
        ),
    ] {
        let text = format!("%ID 4 TR 0 NR 1\n{text}\n%ID 1 TR 0 NR 2\n\n");
        let all = read(text.as_bytes(), defined(), BIG);
        assert_eq!((all.events.len(), all.damage.len(), all.refused.events), (1, 0, 1), "{text:?}");
        assert_eq!(all.events[0].number, 2);
        let place = "line 2 at byte 16, event 1 (id 4 serial 1)";
        assert_eq!(all.refused.first[0].to_string(), format!("FIXED event refused: {message}, {place}"));
    }
    // A value that is no number is damage all the same, and so is the broken head of a bank.
    for (id, text) in
        [(4, "n\n1\nx\nLabel\nx\n"), (7, "XK A TP WORD SZ 1\n1\n"), (7, "x\n1\nBK B TP WORD SZ 0\n")]
    {
        let text = format!("%ID {id} TR 0 NR 1\n{text}\n%ID 1 TR 0 NR 2\n\n");
        let all = read(text.as_bytes(), defined(), BIG);
        assert_eq!((all.events.len(), all.damage.len(), all.refused.events), (1, 1, 0), "{text:?}");
    }
}

#[test]
fn what_stands_between_events_is_damage() {
    let text = b"\n\n%ID 1 TR 0 NR 1\n\n\nhello\nBK ADC0 TP WORD SZ 1\n7\n\n%ID 1 TR 0 NR 2\n\n";
    let all = read(text, (), BIG);
    assert_eq!((all.events.len(), all.damage.len()), (2, 1));
    assert_eq!((all.damage[0].offset, all.damage[0].end, all.damage[0].event), (20, 50, 2));
    // The empty line ends the event, whatever follows: it may be whole and the next one broken.
    let all = read(b"%ID 1 TR 0 NR 1\n\nBK ADC0 TP WORD SZ 1\n7\n\n%ID 1 TR 0 NR 2\n\n", (), BIG);
    assert_eq!((all.events.len(), all.damage.len()), (2, 1));
    assert_eq!((all.damage[0].offset, all.damage[0].end), (17, 41));
    // An event that ends where the next begins.
    let all = read(b"%ID 1 TR 0 NR 1\nBK ADC0 TP WORD SZ 1\n7\n%ID 1 TR 0 NR 2\n\n", (), BIG);
    assert_eq!((all.events.len(), all.events[0].header.serial), (1, 2));
}

#[test]
fn a_dump_ends_with_its_last_line_or_before_the_next_event() {
    for (dump, behind, wanted) in [
        ("<?xml?>\n<odb>\n</odb>\n", "", None),
        ("<?xml?>\n<odb>\n</odb>\n", "\n", None),
        ("{\n  \"a\" : {\n  }\n}\n", "", None),
        ("{\n  \"a\" : {\n  }\n}\n", "\n", None),
        ("{ \"a\" : 1 }\n", "", None),
        ("[Experiment]\na = INT : 1\n\n[System]\nb = INT : 2\n\n", "", None),
        ("", "\n", Some("")),
    ] {
        let wanted = wanted.unwrap_or(dump);
        let text = format!("%ID BOR NR 9\n{dump}{behind}%ID 1 TR 0 NR 1\n\n%ID EOR NR 9\n{dump}{behind}");
        let all = read(text.as_bytes(), (), BIG);
        assert_eq!(all.damage, [], "{dump:?}");
        assert_eq!(all.stops, ["bor", "eor", "end"]);
        assert_eq!(all.events.len(), 3);
        for event in [&all.events[0], &all.events[2]] {
            assert_eq!(event.payload, [wanted.as_bytes(), b"\0"].concat(), "{dump:?}");
        }
    }
    for cut in
        ["%ID EOR NR 9\n<?xml?>\n<odb>\n", "%ID EOR NR 9\n{\n  }\n", "%ID EOR NR 9\n[A]\na = INT : 1\n"]
    {
        let all = read(cut.as_bytes(), (), BIG);
        assert_eq!((all.events.len(), &all.damage[0].kind), (0, &DamageKind::TextCutShort), "{cut:?}");
    }
    // An event before a BOR ends its block.
    let all = read(b"%ID 1 TR 0 NR 1\n\n%ID BOR NR 9\n\n", (), BIG);
    assert_eq!(all.stops, ["bor", "bor", "end"]);
}

#[test]
fn the_header_of_the_banks_is_the_smallest_that_holds_them() {
    let kind = |banks: &str| only(&format!("%ID 3 TR 1 NR 5\n{banks}\n")).0.view().area().unwrap().kind();
    assert_eq!(kind("BK ADC0 TP WORD SZ 1\n7\n"), BankKind::Bank);
    assert_eq!(kind(&format!("BK ADC0 TP BYTE SZ 65535\n{}", "7\n".repeat(65535))), BankKind::Bank);
    assert_eq!(kind(&format!("BK ADC0 TP BYTE SZ 65536\n{}", "7\n".repeat(65536))), BankKind::Bank32);
    assert_eq!(kind("BK ADC0 TP WORD SZ 1\n7\nBK TIME TP UINT64 SZ 1\n7\n"), BankKind::Bank32A);
    assert_eq!(kind("BK TIME TP INT64 SZ 0\n"), BankKind::Bank32A);
}

#[test]
fn claims_are_not_believed() {
    let limits = Limits { event: 1000, line: 100, ..Limits::default() };
    let check = |text: &str, kind: DamageKind| {
        let text = format!("%ID 1 TR 0 NR 1\n\n{text}%ID 1 TR 0 NR 3\n\n");
        let all = read_from(text.as_bytes(), sample(), BIG, limits);
        let serials: Vec<u32> = all.events.iter().map(|e| e.header.serial).collect();
        assert_eq!((serials, &all.damage[0].kind), (vec![1, 3], &kind));
        assert_eq!((all.damage[0].offset, all.damage[0].end), (17, text.len() as u64 - 17));
    };
    let too_large = |claimed| DamageKind::EventTooLarge { claimed, limit: 1000 };
    let head = "%ID 1 TR 0 NR 2\nBK ADC0 TP";
    check(&format!("{head} DOUBLE SZ 4000000000\n1\n\n"), too_large(32_000_000_000));
    check(&format!("{head} DOUBLE SZ 18446744073709551615\n1\n\n"), too_large(usize::MAX));
    check(&format!("{head} CHAR SZ 4000000000\na\n\n"), too_large(4_000_000_000));
    check(&format!("{head} BYTE SZ 900\n{}\n", "1\n".repeat(900)), too_large(900 * 2 + 16 + 23 + 1));
    check(&format!("{head} STRING SZ 100\n{}\n\n", "x".repeat(101)), DamageKind::LineTooLong { limit: 100 });
    check(&format!("{}\n", "x".repeat(50_000)), DamageKind::LineTooLong { limit: 100 });
    // Without a newline, and much longer than what is read at a time.
    let text = [b"%ID 1 TR 0 NR 1\n\n".as_slice(), &vec![b'x'; 3 << 20]].concat();
    let all = read_from(text.as_slice(), (), BIG, limits);
    assert_eq!((all.events.len(), all.damage.len()), (1, 1));
    assert_eq!(all.damage[0].end, text.len() as u64);
}
