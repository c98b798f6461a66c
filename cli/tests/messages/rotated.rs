//! Parts of tables that are refused, and joins that are not whole.

use std::fs;

use pactolus::formats::tuple::{Plain, PlainColumn, PlainType, PlainWriter, TableKind};

use crate::common::MidFile;
use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// Parts of a few events each, of a run with this bank.
fn parts<'p>(place: &'p Place, bank: &str) -> &'p Place {
    let run = (0..20).fold(MidFile::new().bor(42), |run, n| run.words(1, n, bank, &[1]));
    place.put("run00042.mid", run.eor(42).bytes);
    place.run("analyze @run00042.mid -j 1 --strict -q -o @a.parquet --rotate 0.000001");
    assert!(place.path("a.id1.000004.parquet").exists(), "the test wants several parts");
    place
}

/// Joins the parts of these numbers.
fn merge(place: &Place, numbers: &[u32], more: &str) -> Ran {
    let names: Vec<String> = numbers.iter().map(|n| format!("@a.id1.{n:06}.parquet")).collect();
    place.run(format!("merge {} {more}", names.join(" ")).trim_end())
}

/// A part of its own making, with this text in its metadata.
fn forged(place: &Place, text: &str) -> Ran {
    let path = place.path("a.id1.000001.parquet");
    let column = PlainColumn::new("run", PlainType::U32);
    let mut table = PlainWriter::create(&path, TableKind::Parquet, &[column]).unwrap();
    table.push(&[Plain::U32(42)]).unwrap();
    table.settle(&[("pactolus.part".into(), text.into())]).unwrap().finish().unwrap();
    merge(parts_beside(place), &[1], "@b.id1.000001.parquet")
}

/// A part that is all of a table, as `b`.
fn parts_beside(place: &Place) -> &Place {
    place.put("run00042.mid", run_of(5).eor(42).bytes);
    place.run("analyze @run00042.mid -q -o @b.parquet --rotate 1000");
    place
}

fn copy(place: &Place, from: &str, to: &str) {
    fs::copy(place.path(from), place.path(to)).unwrap();
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "--rotate is about tables: name an output .parquet or .arrow" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).run("analyze @run00042.mid --rotate 1 -o @o.mid")
        };
        "output ...: ... has the name of a part, and is no part of pactolus: move it away" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).put("a.id1.000001.parquet", "a letter");
            p.run("analyze @run00042.mid --rotate 1 -o @a.parquet")
        };
        "cannot read table ...: part ... wanted before it, part ... found: give all parts" => |p| {
            merge(parts(p, "ADC0"), &[1, 2, 4], "")
        };
        "cannot read table ...: it is part ... as another file: give each part once" => |p| {
            merge(parts(p, "ADC0"), &[1, 2, 2], "")
        };
        "cannot read table ...: ... rows before it wanted, ... found: it is of another analysis than the parts before it" => |p| {
            copy(parts(p, "ADC0"), "a.id1.000002.parquet", "kept");
            p.run("analyze @run00042.mid -q -o @a.parquet --rotate 1000");
            copy(p, "kept", "a.id1.000002.parquet");
            merge(p, &[1, 2], "")
        };
        "cannot read table ...: it says that it is the last, but part ... was given, too: they are of different analyses" => |p| {
            copy(parts(p, "ADC0"), "a.id1.000002.parquet", "kept");
            p.run("analyze @run00042.mid -q --events 1 -o @a.parquet --rotate 1000");
            copy(p, "kept", "a.id1.000002.parquet");
            merge(p, &[1, 2], "")
        };
        "cannot read table ...: a part of ... wanted, ... found: give the parts of one table" => |p| {
            parts_beside(parts(p, "ADC0"));
            copy(p, "b.id1.000001.parquet", "a.id1.000001.parquet");
            merge(p, &[1, 2], "")
        };
        "cannot read table ...: column ... of the last part wanted, ... found: it is of another table" => |p| {
            copy(parts(p, "TDC0"), "a.id1.000001.parquet", "kept");
            copy(parts(p, "ADC0"), "kept", "a.id1.000001.parquet");
            merge(p, &[1, 2], "")
        };
        "cannot read table ...: it has columns that the last part has not: it is of another table" => |p| {
            copy(parts(p, "ADC0"), "a.id1.000001.parquet", "kept");
            let run = (0..20).fold(MidFile::new().bor(42), |run, n| run.event(1, n, &[]));
            p.put("run00042.mid", run.eor(42).bytes);
            p.run("analyze @run00042.mid -j 1 --strict -q -o @a.parquet --rotate 0.000001");
            copy(p, "kept", "a.id1.000001.parquet");
            merge(p, &[1, 2], "")
        };
        "cannot read table ...: its pactolus.part is broken: write it anew" => |p| {
            forged(p, "{}");
            // Alone, it is a part, too; and so is what is left of one.
            let bytes = fs::read(p.path("b.id1.000001.parquet")).unwrap();
            let cut = p.put("c.id1.000001.parquet", &bytes[..bytes.len() - 9]).run("merge @c.id1.000001.parquet");
            assert!(cut.code == 2 && cut.said.contains("cannot read table c.id1.000001.parquet: "), "{}", cut.said);
            p.run("merge @a.id1.000001.parquet")
        };
        "cannot read table ...: it is not as its pactolus.part says: it was changed" => |p| {
            forged(p, r#"{"table":"id1","whole":"a.id1.parquet","number":1,"last":true,"before":0,"rows":1,"groups":[[1]],"open":[false,false]}"#)
        };
        "...: a part of a table wanted, a whole table found: leave it out" => |p| {
            parts(p, "ADC0").run("analyze @run00042.mid -q -o @whole.parquet");
            merge(p, &[1, 2], "@whole.id1.parquet")
        };
        "...: a part of a table wanted, another file found: leave it out" => |p| {
            merge(parts(p, "ADC0"), &[1, 2], "@run00042.mid")
        };
        "output ...: one output for the parts of one table wanted, ... and ... (...) found: leave out -o" => |p| {
            merge(parts_beside(parts(p, "ADC0")), &[1, 2], "@b.id1.000001.parquet -o @all.parquet")
        };
        "output ...: its parts are ...: give it that extension" => |p| {
            merge(parts(p, "ADC0"), &[1, 2], "-o @all.arrow")
        };
        "output ... exists and is no table of pactolus: give another name, or remove it" => |p| {
            merge(parts(p, "ADC0").put("a.id1.parquet", "a letter"), &[1, 2], "")
        };
        "... is of another analysis than its parts: move it away, or name another output with -o" => |p| {
            merge(parts(p, "ADC0"), &[1, 2], "-q");
            // The same again, and more of it, is fine.
            assert_eq!(merge(p, &[1, 2], "-q").code, 1);
            assert_eq!(merge(p, &[1, 2, 3], "-q").code, 1);
            p.run("analyze @run00042.mid -q -n 5 -o @a.parquet");
            merge(p, &[1, 2, 3], "-q")
        };
        "--remove is for parts of tables, and none of these files is one" => |p| {
            p.put("a.part", "a letter").run("merge @a.part --remove")
        };
        "--explain and --odb-save are for parts of shards, not for those of tables" => |p| {
            merge(parts(p, "ADC0"), &[1, 2], "--explain")
        };
        "...: part ... is not the last: the run was not at its end, or later parts are missing" => |p| {
            merge(parts(p, "ADC0"), &[1, 2], "")
        };
        "...: part ... is not the last: the run was not at its end, or later parts are missing; its parts stay" => |p| {
            merge(parts(p, "ADC0"), &[1, 2], "--remove")
        };
        "run ...: ... part of an earlier analysis is replaced" => |p| {
            parts_beside(p).run("analyze @run00042.mid -o @b.parquet --rotate 1000")
        };
        "run ...: ... parts of an earlier analysis are replaced" => |p| {
            parts(p, "ADC0").run("analyze @run00042.mid -o @a.parquet --rotate 1000")
        };
        "run ...: ... whole table of an earlier analysis is replaced" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).run("analyze @run00042.mid -q -o @b.parquet");
            p.run("analyze @run00042.mid -o @b.parquet --rotate 1000")
        };
        "run ...: ... whole tables of an earlier analysis are replaced" => |p| {
            let run = run_of(5).words(2, 0, "ADC0", &[1]).eor(42);
            p.put("run00042.mid", run.bytes).run("analyze @run00042.mid -q -o @b.parquet");
            p.run("analyze @run00042.mid -o @b.parquet --rotate 1000")
        };
        "run ...: ... has the name of a part, and is no part of pactolus: it is left alone" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).put("a.id1.000001.parquet", "a letter");
            p.run("analyze follow:@run00042.mid --live-timeout 1 -o @a.parquet")
        };
        "run ...: ... part of an earlier analysis lies beside the tables of ..." => |p| {
            parts_beside(p).run("analyze @run00042.mid -o @b.parquet")
        };
        "run ...: ... parts of an earlier analysis lie beside the tables of ..." => |p| {
            parts(p, "ADC0").run("analyze @run00042.mid -o @a.parquet")
        };
    }
}
