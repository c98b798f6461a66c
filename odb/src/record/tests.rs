#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;
use crate::Record;

/// What the derived code asks of a bank definition.
struct BankDef {
    elements: Option<usize>,
}

struct BankName;

impl BankName {
    fn bytes(&self) -> [u8; 4] {
        *b"ADC0"
    }
}

impl BankDef {
    fn name(&self) -> BankName {
        BankName
    }

    fn elements(&self) -> Option<usize> {
        self.elements
    }
}

const ADC0: BankDef = BankDef { elements: None };
const SIZED: BankDef = BankDef { elements: Some(3) };

#[derive(Record, Clone, Debug, PartialEq)]
struct AdcCalib {
    /// Pedestal of each channel [counts]
    #[key("Pedestal", default = 0, per = ADC0)]
    pedestal: Vec<i32>,
    /// Gain [relative] of each channel [MeV/count]
    #[key("Software Gain", default = 1, min = 0.0, max = 100, per = SIZED)]
    gain: Vec<f32>,
    #[key("Histo threshold", default = 20.0)]
    threshold: f64,
    #[key(default = [174, -194])]
    first_two: [i16; 2],
    #[key(default = "none")]
    comment: String,
    #[key("Names", default = ["a", "b"])]
    names: Vec<String>,
    #[key(len = 8, default = true)]
    on: Vec<bool>,
    plain: u64,
    #[key(skip)]
    table: Vec<f32>,
}

#[derive(Record)]
struct Nothing;

fn at() -> Path {
    Path::parse("/P").unwrap()
}

fn created() -> (Tree, AdcCalib) {
    let mut tree = Tree::new();
    let mut calib = AdcCalib::defaults();
    let lengths = |bank: [u8; 4]| (&bank == b"ADC0").then_some(4);
    assert_eq!(calib.create(&mut tree, &at(), &lengths).unwrap().len(), 8);
    calib.load(&tree, &at()).unwrap();
    (tree, calib)
}

#[test]
fn missing_keys_are_made_with_their_type() {
    let (tree, calib) = created();
    let text = crate::Save::odb().write(&tree, "/P").unwrap();
    let wanted = "[/P]\nPedestal = INT[4] :\n[0] 0\n[1] 0\n[2] 0\n[3] 0\n\
        Software Gain = FLOAT[3] :\n[0] 1\n[1] 1\n[2] 1\nHisto threshold = DOUBLE : 20\n\
        first_two = SHORT[2] :\n[0] 174\n[1] -194\ncomment = STRING : [32] none\n\
        Names = STRING[2] :\n[32] a\n[32] b\n\
        on = BOOL[8] :\n[0] y\n[1] y\n[2] y\n[3] y\n[4] y\n[5] y\n[6] y\n[7] y\nplain = UINT64 : 0\n\n";
    assert_eq!(String::from_utf8(text).unwrap(), wanted);
    assert_eq!(calib.pedestal, [0; 4]);
    assert_eq!(calib.table, [0f32; 0]);
}

#[test]
fn stored_values_win_and_keep_their_type() {
    let mut tree = Tree::new();
    tree.create("/P/software_gain", vec![2, 3, 4]).unwrap();
    tree.create("/P/FIRST TWO", vec![1, 2]).unwrap();
    tree.create("/P/pedestal", vec![5]).unwrap();
    let mut calib = AdcCalib::defaults();
    calib.create(&mut tree, &at(), &|_| None).unwrap();
    calib.load(&tree, &at()).unwrap();
    assert_eq!((calib.gain.as_slice(), calib.first_two), ([2.0, 3.0, 4.0].as_slice(), [1, 2]));
    assert_eq!(tree.value("/P/software_gain").unwrap(), Value::Int(vec![2, 3, 4]));
    assert!(!tree.exists("/P/Software Gain"));
}

#[test]
fn a_parameter_may_be_a_link_to_an_element() {
    let (mut tree, mut calib) = created();
    tree.create("/Common/thresholds", vec![1.0, 33.5]).unwrap();
    tree.replace("/P/Histo threshold", Value::Link(b"/Common/thresholds[1]".to_vec())).unwrap();
    calib.load(&tree, &at()).unwrap();
    assert_eq!(calib.threshold, 33.5);
}

fn check_load(path: &str, value: impl Into<Value>, wanted: &str) {
    let (mut tree, mut calib) = created();
    tree.replace(path, value).unwrap();
    assert_eq!(calib.load(&tree, &at()).unwrap_err().to_string(), wanted);
}

#[test]
fn what_does_not_fit_is_named() {
    check_load("/P/Software Gain", vec![1f32, -1.0], "/P/Software Gain[1] is -1, but must be at least 0");
    check_load("/P/Software Gain", vec![1000], "/P/Software Gain is 1000, but must be at most 100");
    check_load("/P/Software Gain", f32::NAN, "/P/Software Gain is NAN, but must be at least 0");
    check_load("/P/Pedestal", vec![0.5, 1.0], "/P/Pedestal[0] as INT: DOUBLE 0.5 does not fit");
    check_load("/P/first_two", vec![1, 2, 3], "/P/first_two: 2 wanted, 3 stored");
    check_load("/P/comment", 5, "/P/comment as STRING: INT 5 does not fit");
    check_load("/P/Histo threshold", vec![1.0, 2.0], "/P/Histo threshold: 1 wanted, 2 stored");
}

#[test]
fn an_array_without_a_length_asks_for_one() {
    let error = AdcCalib::defaults().create(&mut Tree::new(), &at(), &|_| None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "'Pedestal' has one value per element of bank ADC0, and nothing says how many that is: \
         give ADC0 a size in the definition, or set Pedestal in the ODB"
    );
}

#[test]
fn fields_are_described_by_their_documentation() {
    let fields = AdcCalib::defaults().fields();
    let gain = &fields[1];
    assert_eq!((gain.name, gain.tid, gain.shape), ("Software Gain", Tid::Float, Shape::Vec));
    assert_eq!((gain.description, gain.unit), ("Gain [relative] of each channel", Some("MeV/count")));
    assert_eq!((gain.min, gain.max, &gain.default), (Some(0.0), Some(100.0), &Value::from(1f32)));
    assert_eq!(gain.per, Some(Bank { name: *b"ADC0", elements: Some(3) }));
    assert_eq!((fields[3].shape, fields[6].len), (Shape::Array(2), Some(8)));
    let per: Vec<_> = AdcCalib::defaults().per().iter().map(|per| (per.key, per.len)).collect();
    assert_eq!(per, [("Pedestal", 0), ("Software Gain", 3)]);
}

#[test]
fn a_record_is_object_safe() {
    let mut boxed: Box<dyn Record> = Box::new(Nothing::defaults());
    boxed.load(&Tree::new(), &at()).unwrap();
    assert!(boxed.fields().is_empty() && boxed.per().is_empty());
    assert_eq!(boxed.create(&mut Tree::new(), &at(), &|_| None).unwrap(), []);
}
