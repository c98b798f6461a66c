#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;
use crate::Dump;

fn types() -> Tree {
    let mut tree = Tree::new();
    tree.create("/Types/int", i32::MIN).unwrap();
    tree.create("/Types/iarr", vec![7, 7, 7, 16, 7]).unwrap();
    tree.create("/Types/name[weird", 1).unwrap();
    tree.create("/Types/Rate [Hz]", 2.5f32).unwrap();
    tree.create("/Types/odd[3]", 3).unwrap();
    tree.create("/Types/sub/deep/x", 42).unwrap();
    tree.create_link("/Types/link", "/Types/int").unwrap();
    tree.create_link("/Types/link to dir", "/Types/sub").unwrap();
    tree.create_link("/Types/link to elem", "/Types/iarr[3]").unwrap();
    tree.create_link("/Types/circle", "/Types/circle").unwrap();
    tree
}

fn check_get(path: &str, wanted: i64) {
    assert_eq!(types().get::<i64>(path).unwrap(), wanted, "{path}");
}

#[test]
fn a_literal_name_is_tried_before_an_index() {
    check_get("/Types/name[weird", 1);
    check_get("/Types/odd[3]", 3);
    check_get("/TYPES/IARR[3]", 16);
    check_get("/Types/odd[3][0]", 3);
    assert_eq!(types().get::<f32>("/types/rate [hz]").unwrap(), 2.5);
    assert_eq!(types().get::<Vec<i32>>("/Types/iarr[2-4]").unwrap(), [7, 16, 7]);
}

#[test]
fn links_are_followed_wherever_they_stand() {
    check_get("/Types/link", i32::MIN.into());
    check_get("/Types/link to dir/deep/x", 42);
    check_get("/Types/link to elem", 16);
    let mut tree = types();
    tree.set("/Types/link to elem", 99).unwrap();
    tree.put("/Types/link to dir/new/y", 1).unwrap();
    assert_eq!(tree.get::<Vec<i32>>("/Types/iarr").unwrap(), [7, 7, 7, 99, 7]);
    assert_eq!(tree.get::<i32>("/Types/sub/new/y").unwrap(), 1);
    tree.delete("/Types/link").unwrap();
    assert!(tree.exists("/Types/int"));
}

fn check_error(result: Result<impl std::fmt::Debug>, wanted: &str) {
    assert_eq!(result.unwrap_err().to_string(), wanted);
}

#[test]
fn no_key_is_longer_than_the_longest() {
    let (mut tree, most) = (types(), Value::MAX_LEN);
    let long = || Value::Bitfield(vec![0; most + 1]);
    let wanted = |path: &str| format!("{path}: {} elements wanted, at most {most} can be held", most + 1);
    check_error(tree.create("/Types/long", long()), &wanted("/Types/long"));
    check_error(tree.set("/Types/iarr", Value::Byte(vec![0; most + 1])), &wanted("/Types/iarr"));
    check_error(tree.put("/Types/long", long()), &wanted("/Types/long"));
    check_error(tree.replace("/Types/long", long()), &wanted("/Types/long"));
    check_error(tree.replace("/Types/int", long()), &wanted("/Types/int"));
    assert!(tree.same(&types()), "{:?}", tree.diff(&types()));
    tree.create("/Types/long", Value::Bitfield(vec![0; most])).unwrap();
}

#[test]
fn an_error_says_what_where_and_what_was_meant() {
    let mut tree = types();
    check_error(tree.get::<i32>("/Types/itn"), "no key /Types/itn, did you mean 'int'?");
    check_error(tree.get::<i32>("/Nothing/here"), "no key /Nothing");
    check_error(tree.get::<i32>("/Types/sub"), "/Types/sub is a directory, not a value");
    check_error(tree.get::<i32>("/Types/int/x"), "/Types/int is a value, not a directory");
    check_error(tree.get::<i32>("/Types/iarr[5]"), "/Types/iarr has no element 5: its length is 5");
    check_error(tree.get::<i32>("/Types/iarr"), "/Types/iarr: 1 wanted, 5 stored");
    check_error(tree.get::<u8>("/Types/int"), "/Types/int as BYTE: INT -2147483648 does not fit");
    check_error(tree.set("/Types/int", 0.5), "/Types/int as INT: DOUBLE 0.5 does not fit");
    check_error(
        tree.set_text("/Types/int", "17x"),
        "/Types/int: a whole number from -2147483648 to 2147483647 (INT) expected, '17x' found",
    );
    check_error(tree.create("/Types/INT", 1), "/Types/INT exists already");
    check_error(
        tree.get::<i32>("/Types/circle"),
        "/Types/circle: more than 16 links lead on from here, or in a circle",
    );
    check_error(
        tree.create("/Types/circle/x", 1),
        "/Types/circle: more than 16 links lead on from here, or in a circle",
    );
    check_error(
        tree.resize("/Types/iarr", 1 << 40),
        "/Types/iarr: 1099511627776 elements wanted, at most 16777216 can be held",
    );
    check_error(tree.delete("/Types/iarr[3]"), "no key /Types/iarr[3]");
}

#[test]
fn a_key_keeps_its_type() {
    let mut tree = types();
    tree.set("/Types/Rate [Hz]", 7u64).unwrap();
    assert_eq!(tree.value("/Types/Rate [Hz]").unwrap(), Value::Float(vec![7.0]));
    tree.set_text("/Types/iarr", "1").unwrap();
    assert_eq!(tree.get::<Vec<i32>>("/Types/iarr").unwrap(), [1; 5]);
    tree.set_text("/Types/iarr[1..2]", "0x10").unwrap();
    assert_eq!(tree.get::<Vec<i32>>("/Types/iarr").unwrap(), [1, 16, 16, 1, 1]);
    tree.set("/Types/iarr", [4, 5]).unwrap();
    assert_eq!(tree.get::<[i16; 2]>("/Types/iarr").unwrap(), [4, 5]);
    tree.replace("/Types/iarr", "text").unwrap();
    assert_eq!(tree.get::<String>("/Types/iarr").unwrap(), "text");
}

#[test]
fn a_string_keeps_its_room() {
    let mut tree = Tree::new();
    let strings = crate::Strings { size: 256, values: vec![b"run%05d.asc".to_vec()] };
    tree.create("/Filename", Value::String(strings)).unwrap();
    tree.set("/Filename", "short").unwrap();
    assert_eq!(tree.value("/Filename").unwrap().item_size(), 256);
    tree.set("/Filename", "x".repeat(300)).unwrap();
    assert_eq!(tree.value("/Filename").unwrap().item_size(), 301);
}

#[test]
fn modes_protect() {
    let mut tree = types();
    tree.set_mode("/Types/sub", Mode::READ, true).unwrap();
    check_error(tree.set("/Types/sub/deep/x", 1), "/Types/sub/deep/x is write protected");
    check_error(tree.delete("/Types"), "/Types/sub is delete protected");
    tree.set_mode("/Types/sub/deep/x", Mode::WRITE, false).unwrap();
    check_error(tree.get::<i32>("/Types/sub/deep/x"), "/Types/sub/deep/x is read protected");
}

#[test]
fn a_copy_does_not_see_later_changes() {
    let mut tree = types();
    let before = tree.clone();
    tree.set("/Types/sub/deep/x", 43).unwrap();
    assert_eq!(before.get::<i32>("/Types/sub/deep/x").unwrap(), 42);
    let differences = before.diff(&tree);
    let wanted = Difference {
        path: Path::parse("/Types/sub/deep/x").unwrap(),
        left: Some(Value::from(42)),
        right: Some(Value::from(43)),
    };
    assert_eq!(differences, [wanted]);
}

#[test]
fn a_walk_is_in_order() {
    let tree = types();
    let names: Vec<String> = tree.walk("/Types/sub").unwrap().map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, ["/Types/sub/deep", "/Types/sub/deep/x"]);
}

fn dump(text: &str) -> Dump {
    Dump::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_filter_refuses_keys_by_path() {
    let mut tree = Tree::new();
    let protected = Path::parse("/Runinfo").unwrap();
    let allow = |path: &Path| !path.starts_with(&protected);
    let text = dump("[/Runinfo]\nRun number = INT : 8\n\n[/Experiment]\nName = STRING : [32] lab\n");
    let loaded = tree.load(&text, &Load { allow: Some(&allow), ..Load::default() });
    assert_eq!(loaded.set, [Path::parse("/Experiment/Name").unwrap()]);
    assert_eq!(loaded.refused, [Path::parse("/Runinfo/Run number").unwrap()]);
    assert!(!tree.exists("/Runinfo"));
}

#[test]
fn a_dump_keeps_the_types_of_existing_keys() {
    let mut tree = Tree::new();
    tree.create("/A/gain", 0f32).unwrap();
    tree.create("/A/count", 0i32).unwrap();
    let loaded = tree
        .load(&dump("[/A]\ngain = DOUBLE : 0.1\ncount = FLOAT : 1.5\nnew = WORD : 5\n"), &Load::default());
    assert_eq!(tree.value("/A/gain").unwrap(), Value::Float(vec![0.1]));
    assert_eq!(tree.value("/A/new").unwrap(), Value::Word(vec![5]));
    let failed: Vec<String> = loaded.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["/A/count as INT: FLOAT 1.5 does not fit"]);
}

#[test]
fn relative_sections_go_where_the_dump_is_loaded() {
    let mut tree = Tree::new();
    let at = Path::parse("/Analyzer/Parameters").ok();
    tree.load(
        &dump("[sub]\nx = INT : 1\n[/abs]\ny = INT : 2\n[.]\nz = INT : 3\n"),
        &Load { at, ..Load::default() },
    );
    assert!(tree.exists("/Analyzer/Parameters/sub/x") && tree.exists("/abs/y"));
    assert!(tree.exists("/Analyzer/Parameters/z"));
}

#[test]
fn clients_of_another_time_are_not_loaded() {
    let text = dump("[/System/Clients/5366]\nName = STRING : [32] gen\n[/System]\nx = INT : 1\n");
    let mut tree = Tree::new();
    tree.load(&text, &Load::default());
    assert!(tree.exists("/System/x") && !tree.exists("/System/Clients"));
    assert!(text.tree().exists("/System/Clients/5366/Name"));
}

#[test]
fn links_full_of_links_do_not_take_for_ever() {
    let mut tree = Tree::new();
    for i in 0..20 {
        let next = format!("/l{}", i + 1).repeat(60);
        tree.create_link(&format!("/d/l{i}"), &format!("/d{next}")).unwrap();
    }
    tree.create_link("/d/l20", "/d").unwrap();
    assert!(matches!(tree.get::<i32>("/d/l0/x"), Err(Error::LinkDepth { .. })));
}
