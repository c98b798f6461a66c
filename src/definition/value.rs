//! Values of parameters: of the ODB, of TOML, of JSON.

use std::borrow::Cow;

use pactolus_formats::Tid;
use pactolus_odb::{Number, Strings, Value};
use serde_json::{Value as Json, json};

/// Size of a text in the ODB where nothing says another [bytes].
const TEXT: usize = 32;

/// A TOML value as the value of a key: whole numbers are INT64.
pub(crate) fn from_toml(value: &toml::Value) -> Result<Value, String> {
    let items = match value {
        toml::Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    // 1 is as good as 1.0 beside 2.5.
    let real = |value: &toml::Value| value.as_float().or(value.as_integer().map(|i| i as f64));
    let natural = match items.first() {
        Some(toml::Value::Boolean(_)) => Value::Bool(items.iter().map_while(toml::Value::as_bool).collect()),
        Some(toml::Value::Integer(_) | toml::Value::Float(_)) if items.iter().any(toml::Value::is_float) => {
            Value::Double(items.iter().map_while(real).collect())
        }
        Some(toml::Value::Integer(_)) => {
            Value::Int64(items.iter().map_while(toml::Value::as_integer).collect())
        }
        Some(toml::Value::String(_)) => {
            let texts: Vec<Vec<u8>> =
                items.iter().map_while(|v| v.as_str().map(|s| s.as_bytes().to_vec())).collect();
            let size = texts.iter().map(|t| t.len() + 1).fold(TEXT, usize::max);
            Value::String(Strings { size, values: texts })
        }
        _ => return Err("a number, text, true or false, or an array of them wanted".into()),
    };
    match natural.len() == items.len() {
        true => Ok(natural),
        false => Err("the elements of an array must be of one type".into()),
    }
}

/// A value as one of type `tid`.
pub(crate) fn of_type(value: &Value, tid: Tid) -> Result<Value, String> {
    let converted = value.convert_text(tid).map(Cow::into_owned);
    converted.map_err(|i| format!("{} {} does not fit into {tid}", value.tid(), value.text(i)))
}

/// A value of the ODB, as one or as an array.
pub(crate) fn as_json(value: &Value, array: bool) -> Json {
    let one = |i: usize| match (value.number(i), value) {
        (_, Value::Bool(_)) => json!(value.text(i) == "y"),
        (Some(Number::Whole(n)), _) => i64::try_from(n).map_or_else(|_| json!(n as u64), |n| json!(n)),
        // As short as the type is precise.
        (Some(Number::Real(x)), Value::Float(_)) => {
            json!((x as f32).to_string().parse::<f64>().unwrap_or(x))
        }
        (Some(Number::Real(x)), _) => json!(x),
        (None, _) => json!(value.text(i)),
    };
    match array || value.len() != 1 {
        true => (0..value.len()).map(one).collect(),
        false => one(0),
    }
}
