//! The schema of definitions, for editors: what the file may hold, and the modules of a program.

use pactolus_formats::{BankName, Tid};
use pactolus_odb::record::{Field, Shape};
use serde_json::{Map, Value as Json, json};

use super::Definition;
use super::file::{FileDef, loose};
use super::value::as_json;
use crate::Catalogue;

impl Definition {
    /// The JSON schema of definitions for a program with these modules: an editor completes and checks
    /// keys, types of modules, their parameters and banks. See `docs/definition.md`.
    ///
    /// ```
    /// # use pactolus::{Catalogue, Definition};
    /// let schema = Definition::schema(&Catalogue::new());
    /// assert_eq!(schema["properties"]["name"]["default"], "Analyzer");
    /// ```
    pub fn schema(catalogue: &Catalogue) -> Json {
        let mut schema = schemars::schema_for!(FileDef).to_value();
        let (names, mut rules): (Vec<&str>, Vec<Json>) = (catalogue.names().collect(), Vec::new());
        for (name, mut module) in catalogue.all() {
            let fields = module.record().fields();
            let mut then = json!({ "properties": { "parameters": parameters(&fields) } });
            let banks = module.known_banks();
            if !banks.is_empty() {
                then["properties"]["banks"] = renamed(&banks);
            }
            rules.push(json!({
                "if": { "properties": { "type": { "const": name } }, "required": ["type"] },
                "then": then,
            }));
        }
        if let (Some(module), false) = (schema.pointer_mut("/$defs/Module"), names.is_empty()) {
            module["properties"]["type"]["enum"] = json!(names);
            module["allOf"] = rules.into();
        }
        schema
    }
}

/// The parameters of one module.
fn parameters(fields: &[Field]) -> Json {
    let mut properties = Map::new();
    let mut loosely = Map::new();
    for field in fields {
        let parameter = parameter(field);
        properties.insert(field.name.to_owned(), parameter.clone());
        loosely.insert(format!("^({})$", loose(&[field.name])), parameter);
    }
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": loosely,
        "additionalProperties": false,
    })
}

fn parameter(field: &Field) -> Json {
    let one = element(field);
    let several = |one: &Json| json!({ "type": "array", "items": one });
    let mut schema = match field.shape {
        Shape::Scalar => one,
        Shape::Array(n) => {
            let mut array = several(&one);
            (array["minItems"], array["maxItems"]) = (n.into(), n.into());
            array
        }
        Shape::Vec => json!({ "anyOf": [several(&one), one] }),
    };
    schema["title"] = match field.unit {
        Some(unit) => format!("{} [{unit}]", field.name).into(),
        None => field.name.into(),
    };
    schema["description"] = described(field).into();
    // Of an array without a length, that of each element: how many there are is not known here.
    if !matches!(field.shape, Shape::Vec) {
        schema["default"] = as_json(&field.default, matches!(field.shape, Shape::Array(_)));
    }
    schema
}

/// What a parameter is, its unit, what it has a value for, and its default if that has no other place.
fn described(field: &Field) -> String {
    let mut parts = Vec::new();
    if !field.description.is_empty() {
        parts.push(field.description.to_owned());
    }
    if let Some(unit) = field.unit {
        parts.push(format!("in {unit}"));
    }
    parts.push(field.tid.name().to_owned());
    if let Some(bank) = field.per {
        parts.push(format!("one value per element of bank {}", BankName::new(bank.name)));
    }
    if matches!(field.shape, Shape::Vec) {
        parts.push(match field.len {
            Some(len) => format!("{len} times {} if nothing is said", field.default.text(0)),
            None => format!("each {} if nothing is said", field.default.text(0)),
        });
    }
    parts.join("; ")
}

/// One value of a parameter: its type, and what it must be at least and at most.
fn element(field: &Field) -> Json {
    let (least, most) = match field.tid {
        Tid::Bool => return json!({ "type": "boolean" }),
        Tid::String | Tid::Link => return json!({ "type": "string" }),
        // The number of a character is one, too.
        Tid::Char => return json!({ "type": ["string", "integer"] }),
        Tid::Float | Tid::Double => return limited(json!({ "type": "number" }), field),
        Tid::Byte | Tid::Bitfield => (0, 0xff),
        Tid::Sbyte => (i64::from(i8::MIN), i64::from(i8::MAX)),
        Tid::Word => (0, 0xffff),
        Tid::Short => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Tid::Dword => (0, i64::from(u32::MAX)),
        Tid::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Tid::Int64 => (i64::MIN, i64::MAX),
        // TOML has no larger ones.
        Tid::Uint64 => (0, i64::MAX),
        _ => return json!({}),
    };
    limited(json!({ "type": "integer", "minimum": least, "maximum": most }), field)
}

/// The limits of the module, where they are narrower.
fn limited(mut schema: Json, field: &Field) -> Json {
    let whole = |x: f64| if x.fract() == 0.0 && x.abs() < 9e15 { json!(x as i64) } else { json!(x) };
    if let Some(min) = field.min.filter(|min| schema["minimum"].as_f64().is_none_or(|m| m < *min)) {
        schema["minimum"] = whole(min);
    }
    if let Some(max) = field.max.filter(|max| schema["maximum"].as_f64().is_none_or(|m| m > *max)) {
        schema["maximum"] = whole(max);
    }
    schema
}

/// Banks that may stand for those of a module.
fn renamed(banks: &[BankName]) -> Json {
    let entry = |bank: &BankName| {
        let text = json!({
            "description": format!("The bank of the event that is {bank} for the module."),
            "type": "string", "minLength": 1, "maxLength": 4,
        });
        (bank.to_string(), text)
    };
    let properties: Map<String, Json> = banks.iter().map(entry).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}
