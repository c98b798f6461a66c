//! What stands in the file of a definition. These types are its schema, too: their comments are what an
//! editor shows.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::histo::MOST_BINS;

/// The definition of an analyzer: which events go through which modules, what is known of their
/// banks, and with which values parameters start.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Definition of a Pactolus analyzer", rename = "Definition")]
pub(super) struct FileDef {
    /// Name of the analyzer, and of its directory in the ODB.
    #[serde(default = "analyzer")]
    #[schemars(regex(pattern = "^[^/]+$"))]
    pub(super) name: String,
    /// Parameters that belong to no module, by directory below `Parameters` in the ODB.
    #[serde(default)]
    pub(super) parameters: Named<Named<ParameterDef>>,
    /// Which events are wanted, in order, each with the chain of modules that they pass.
    #[serde(default)]
    pub(super) request: Vec<RequestDef>,
}

fn analyzer() -> String {
    "Analyzer".into()
}

/// Which events are wanted, and the chain of modules that they pass.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Request")]
pub(super) struct RequestDef {
    /// Name of the event in the ODB, and of its tables.
    #[schemars(regex(pattern = "^[^/]+$"))]
    pub(super) name: String,
    /// Event id; -1 is every id.
    #[serde(default = "every")]
    #[schemars(range(min = -1, max = 32767))]
    pub(super) id: i64,
    /// Trigger mask: one common bit is enough; -1 is every mask.
    #[serde(default = "every")]
    #[schemars(range(min = -1, max = 65535))]
    pub(super) mask: i64,
    /// How events are taken from what is live: `all` (the readout waits), `nonblocking` (what is free),
    /// `recent` (only the newest). Files give every event.
    #[serde(default = "nonblocking")]
    #[schemars(extend("enum" = ["all", "nonblocking", "recent"]))]
    pub(super) sampling: String,
    /// So many of the newest of its events in shared memory are kept while the analysis is behind. It
    /// needs an id.
    #[serde(default)]
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub(super) reserve: i64,
    /// Event buffer of a live experiment.
    #[serde(default = "system")]
    pub(super) buffer: String,
    /// Whether events that the chain keeps count the tests.
    #[serde(default)]
    pub(super) tests: bool,
    /// Where the output switches of its banks start.
    #[serde(default = "on")]
    pub(super) switch: bool,
    /// The members of its events, if they are FIXED structures without banks.
    pub(super) fixed: Option<Named<TypeText>>,
    /// The banks of its events, and those that its modules append: a type, or a table.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "minLength": 1, "maxLength": 4 }))]
    pub(super) banks: Named<BankDef>,
    /// The modules that its events pass, in order.
    #[serde(default)]
    pub(super) module: Vec<ModuleDef>,
}

fn every() -> i64 {
    -1
}

fn nonblocking() -> String {
    "nonblocking".into()
}

fn system() -> String {
    "SYSTEM".into()
}

fn on() -> bool {
    true
}

/// A module under the name that the request mounts it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Module")]
pub(super) struct ModuleDef {
    /// Which module of this program.
    pub(super) r#type: String,
    /// Name of the stage: of its switch, its parameters and its histograms; else that of the type.
    #[schemars(regex(pattern = "^[^/]+$"))]
    pub(super) name: Option<String>,
    /// Values with which parameters of the module start, in place of its own.
    #[serde(default)]
    #[schemars(with = "Named<PlainDef>")]
    pub(super) parameters: toml::Table,
    /// Banks that stand for those that the module names: its bank, and that of the event.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "string", "minLength": 1, "maxLength": 4 }))]
    pub(super) banks: Named<String>,
}

/// What is known of a bank: its type, or more.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "Bank")]
pub(super) enum BankDef {
    /// Type and number of elements, if known.
    Type(TypeText),
    /// Type, unit, description, and what becomes of it.
    More(BankTable),
}

/// What is known of a bank.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BankTable {
    /// Type, and number of elements if known.
    pub(super) r#type: TypeText,
    /// Unit of the elements.
    #[serde(default)]
    pub(super) unit: String,
    /// One sentence.
    #[serde(default)]
    pub(super) description: String,
    /// Where its output switch starts; else as the request says.
    pub(super) switch: Option<bool>,
    /// The members of a STRUCT.
    pub(super) fields: Option<Named<TypeText>>,
    /// Histograms without any module: `true` over all values of a small type, or an axis; of a STRUCT,
    /// an axis for each member.
    pub(super) histogram: Option<HistogramDef>,
}

impl BankTable {
    /// A bank of which only the type is known.
    fn of(r#type: TypeText) -> BankTable {
        let (unit, description) = (String::new(), String::new());
        BankTable { r#type, unit, description, switch: None, fields: None, histogram: None }
    }
}

impl From<BankDef> for BankTable {
    fn from(bank: BankDef) -> BankTable {
        match bank {
            BankDef::Type(text) => BankTable::of(text),
            BankDef::More(table) => table,
        }
    }
}

impl<'de> Deserialize<'de> for BankDef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BankDef, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(BankDef::Type(TypeText(text))),
            // Not untagged: that would hide what is wrong.
            value => value.try_into().map(BankDef::More).map_err(inner),
        }
    }
}

/// Marks a bank, or its members. Which of them is meant says the type of the bank.
#[derive(Deserialize)]
pub(super) struct HistogramDef(pub(super) toml::Value);

impl JsonSchema for HistogramDef {
    fn schema_name() -> Cow<'static, str> {
        "Histogram".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let axis = generator.subschema_for::<AxisDef>();
        json_schema!({ "anyOf": [
            { "type": "boolean" },
            axis,
            {
                "description": "Of a STRUCT: an axis for each member, or true.",
                "type": "object",
                "additionalProperties": { "anyOf": [{ "type": "boolean" }, axis] },
            },
        ] })
    }
}

/// An axis: bins from low to high, a bin for each whole number, or edges.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Axis", extend("oneOf" = [
    { "required": ["bins", "low", "high"], "properties": { "first": false, "last": false, "edges": false } },
    { "required": ["first", "last"], "properties": { "bins": false, "low": false, "high": false, "edges": false } },
    { "required": ["edges"], "properties": {
        "bins": false, "low": false, "high": false, "first": false, "last": false,
    } },
]))]
pub(super) struct AxisDef {
    /// Number of bins between `low` and `high`.
    #[schemars(range(min = 1, max = MOST_BINS))]
    pub(super) bins: Option<i64>,
    /// Lower edge.
    pub(super) low: Option<f64>,
    /// Upper edge.
    pub(super) high: Option<f64>,
    /// The first whole number with a bin of its own.
    pub(super) first: Option<i64>,
    /// The last whole number with a bin of its own.
    pub(super) last: Option<i64>,
    /// Edges of bins of any width, ascending.
    #[schemars(length(min = 2))]
    pub(super) edges: Option<Vec<f64>>,
    /// What is along the axis; else the description of the bank.
    #[serde(default)]
    pub(super) title: String,
    /// Its unit; else that of the bank.
    #[serde(default)]
    pub(super) unit: String,
}

/// The value of a parameter that belongs to no module.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "Parameter")]
pub(super) enum ParameterDef {
    /// The value or array; its type is INT, DOUBLE, BOOL or STRING.
    Plain(PlainDef),
    /// The value or array, of this type.
    Typed(TypedDef),
}

/// A value with its MIDAS type.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedDef {
    /// MIDAS type.
    #[schemars(with = "Option<TidText>")]
    pub(super) r#type: Option<String>,
    /// The value or array.
    pub(super) value: PlainDef,
}

impl<'de> Deserialize<'de> for ParameterDef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ParameterDef, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            table @ toml::Value::Table(_) => table.try_into().map(ParameterDef::Typed).map_err(inner),
            value => Ok(ParameterDef::Plain(PlainDef(value))),
        }
    }
}

fn inner<E: Error>(error: toml::de::Error) -> E {
    E::custom(error.message())
}

/// A number, a text, true or false, or an array of these.
#[derive(Deserialize)]
pub(super) struct PlainDef(pub(super) toml::Value);

impl JsonSchema for PlainDef {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": ["number", "string", "boolean"] },
            { "type": "array", "items": { "type": "number" }, "minItems": 1 },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            { "type": "array", "items": { "type": "boolean" }, "minItems": 1 },
        ] })
    }
}

/// A MIDAS type, of so many elements: `WORD` or `WORD[4]`.
#[derive(Deserialize)]
pub(super) struct TypeText(pub(super) String);

impl JsonSchema for TypeText {
    fn schema_name() -> Cow<'static, str> {
        "Type".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = loose(&[OLD, NEW].concat());
        let pattern = format!(r"^\s*({name})\s*(\[\s*\+?0*[1-9][0-9]*\s*\]\s*)?$");
        json_schema!({
            "description": "A MIDAS type, of so many elements: WORD or WORD[4].",
            "anyOf": [{ "enum": OLD }, { "type": "string", "pattern": pattern }],
        })
    }
}

/// The name of a MIDAS type.
struct TidText;

impl JsonSchema for TidText {
    fn schema_name() -> Cow<'static, str> {
        "TypeName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^({})$", loose(&[OLD, NEW].concat()));
        json_schema!({ "anyOf": [{ "enum": OLD }, { "type": "string", "pattern": pattern }] })
    }
}

/// The names of MIDAS's types, which editors offer.
pub(super) const OLD: &[&str] = &[
    "BYTE", "SBYTE", "CHAR", "WORD", "SHORT", "DWORD", "INT", "BOOL", "FLOAT", "DOUBLE", "BITFIELD",
    "STRING", "ARRAY", "STRUCT", "KEY", "LINK", "INT64", "UINT64",
];

/// Their newer names.
pub(super) const NEW: &[&str] = &[
    "UINT8",
    "INT8",
    "CHAR8",
    "UINT16",
    "INT16",
    "UINT32",
    "INT32",
    "BOOLEAN",
    "FLOAT32",
    "FLOAT64",
    "BITS",
    "STRING8",
    "ARRAY8",
    "STRUCTURE",
    "DIR",
    "SYMLINK",
    "QINT",
    "QWORD",
];

/// A regular expression for names in upper or lower case, with `_` as good as a blank.
pub(super) fn loose(names: &[&str]) -> String {
    let letter = |c: char| match c {
        ' ' | '_' => "[ _]".to_owned(),
        c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase()),
        c if c.is_alphanumeric() => c.to_string(),
        // No others: what need not be escaped must not be, in the dialect of schemas.
        c if "^$\\.*+?()[]{}|/".contains(c) => format!("\\{c}"),
        c => c.to_string(),
    };
    names.iter().map(|name| name.chars().map(letter).collect::<String>()).collect::<Vec<_>>().join("|")
}

/// Entries by name, in the order of the file.
pub(super) struct Named<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<T>, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Table_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entry = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": entry })
    }
}
