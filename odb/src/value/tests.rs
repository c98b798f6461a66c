use super::*;

fn check_text(value: Value, wanted: &[&str]) {
    let found: Vec<String> = (0..value.len()).map(|i| value.text(i)).collect();
    assert_eq!(found, wanted, "{value:?}");
}

#[test]
fn elements_look_as_midas_prints_them() {
    check_text(Value::Byte(vec![0, 255]), &["0", "255"]);
    check_text(Value::Sbyte(vec![-128, 127]), &["-128", "127"]);
    check_text(Value::Char(b"a \"\0".to_vec()), &["a", " ", "\"", ""]);
    check_text(Value::Dword(vec![4_000_000_000]), &["4000000000"]);
    check_text(Value::Int(vec![i32::MIN]), &["-2147483648"]);
    check_text(Value::Bool(vec![true, false]), &["y", "n"]);
    check_text(
        Value::Float(vec![1.234_567_9, 16_777_216.0, -1e-10]),
        &["1.234568", "1.677722e+07", "-1e-10"],
    );
    check_text(Value::Double(vec![0.1, 1e22, -0.0, f64::NAN]), &["0.1", "1e+22", "-0", "NAN"]);
    check_text(Value::Bitfield(vec![7]), &[""]);
    check_text(Value::string("text"), &["text"]);
    check_text(Value::Uint64(vec![u64::MAX]), &["18446744073709551615"]);
}

#[test]
fn text_is_read_as_midas_reads_it() {
    let check = |tid: Tid, text: &str, wanted: &str| {
        let mut value = Value::empty(tid).expect("a type of keys");
        value.push_text(text.as_bytes());
        assert_eq!(value.text(0), wanted, "{tid} {text}");
    };
    check(Tid::Word, "0xffff", "65535");
    check(Tid::Int, "0xffffffff", "-1");
    check(Tid::Int, "12 apples", "12");
    check(Tid::Byte, "256", "0");
    check(Tid::Bool, "true", "y");
    check(Tid::Float, "0.1", "0.1");
    check(Tid::Double, "Infinity", "inf");
    check(Tid::Double, "NaN", "NAN");
    check(Tid::Char, "", "");
}

fn check_convert(value: Value, tid: Tid, wanted: Result<Value, usize>) {
    assert_eq!(value.convert(tid).map(Cow::into_owned), wanted, "{value:?} as {tid}");
}

#[test]
fn a_conversion_loses_nothing_or_names_the_element() {
    check_convert(Value::Int(vec![174, 194]), Tid::Float, Ok(Value::Float(vec![174.0, 194.0])));
    check_convert(Value::Int(vec![1, 16_777_217]), Tid::Float, Err(1));
    check_convert(Value::Double(vec![0.5]), Tid::Float, Ok(Value::Float(vec![0.5])));
    check_convert(Value::Double(vec![0.1]), Tid::Float, Err(0));
    check_convert(Value::Float(vec![3.0]), Tid::Byte, Ok(Value::Byte(vec![3])));
    check_convert(Value::Float(vec![256.0]), Tid::Byte, Err(0));
    check_convert(Value::Double(vec![-0.0]), Tid::Int, Err(0));
    check_convert(Value::Double(vec![f64::INFINITY]), Tid::Uint64, Err(0));
    check_convert(Value::Bool(vec![true]), Tid::Int, Ok(Value::Int(vec![1])));
    check_convert(Value::Int(vec![2]), Tid::Bool, Err(0));
    check_convert(Value::Uint64(vec![u64::MAX]), Tid::Double, Err(0));
    check_convert(Value::Uint64(vec![u64::MAX]), Tid::Int64, Err(0));
    check_convert(Value::string("5"), Tid::Int, Err(0));
}

#[test]
fn what_is_typed_must_fit() {
    assert_eq!(Value::parse(Tid::Byte, "255"), Some(Value::Byte(vec![255])));
    assert_eq!(Value::parse(Tid::Byte, "256"), None);
    assert_eq!(Value::parse(Tid::Int, "17x"), None);
    assert_eq!(Value::parse(Tid::Float, "0.1"), Some(Value::Float(vec![0.1])));
    assert_eq!(Value::parse(Tid::Float, "1e300"), None);
    assert_eq!(Value::parse(Tid::Word, "0x10"), Some(Value::Word(vec![16])));
    assert_eq!(Value::parse(Tid::Key, "0"), None);
}

#[test]
fn nan_is_the_same_as_itself() {
    let nan = Value::Double(vec![f64::NAN]);
    assert!(nan.same(&nan.clone()));
    assert!(!Value::Double(vec![0.0]).same(&Value::Double(vec![-0.0])));
}
