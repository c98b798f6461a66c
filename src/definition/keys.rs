//! The keys that a definition may have, and what each of them holds.
//!
//! Looked at before the values are: what is misspelled or of another kind is refused with its line, the
//! nearest name, and in the words of the definition. What the values mean is not known here.

use pactolus_formats::Tid;
use pactolus_odb::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::DefinitionError;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Numbers,
    Flag,
    Table,
    Tables,
    /// A number, a text, true or false, or an array of these.
    Plain,
    /// A type, or a table.
    Bank,
    /// True, false, or a table.
    Marked,
}

impl Kind {
    fn wanted(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Whole => "a whole number",
            Kind::Number => "a number",
            Kind::Numbers => "an array of numbers",
            Kind::Flag => "true or false",
            Kind::Table => "a table",
            Kind::Tables => "an array of tables",
            Kind::Plain => "a number, text, true or false, or an array of them",
            Kind::Bank => "a type like \"WORD[4]\", or a table with it",
            Kind::Marked => "true or false, or a table with an axis",
        }
    }

    fn is(self, value: &DeValue<'_>) -> bool {
        let number = |value: &DeValue<'_>| matches!(value, DeValue::Integer(_) | DeValue::Float(_));
        match (self, value) {
            (Kind::Text | Kind::Bank, DeValue::String(_)) => true,
            (Kind::Table | Kind::Bank | Kind::Marked, DeValue::Table(_)) => true,
            (Kind::Flag | Kind::Marked, DeValue::Boolean(_)) => true,
            (Kind::Whole, DeValue::Integer(_)) => true,
            (Kind::Number, value) => number(value),
            (Kind::Numbers, DeValue::Array(items)) => items.iter().all(|item| number(item.get_ref())),
            (Kind::Tables, DeValue::Array(items)) => {
                items.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_)))
            }
            // What is in an array is looked at where its type is known.
            (Kind::Plain, value) => !matches!(value, DeValue::Table(_) | DeValue::Datetime(_)),
            _ => false,
        }
    }
}

type Key = (&'static str, Kind);

pub(super) const FILE: &[Key] =
    &[("name", Kind::Text), ("parameters", Kind::Table), ("request", Kind::Tables)];

pub(super) const REQUEST: &[Key] = &[
    ("name", Kind::Text),
    ("id", Kind::Whole),
    ("mask", Kind::Whole),
    ("sampling", Kind::Text),
    ("reserve", Kind::Whole),
    ("buffer", Kind::Text),
    ("tests", Kind::Flag),
    ("switch", Kind::Flag),
    ("fixed", Kind::Table),
    ("banks", Kind::Table),
    ("module", Kind::Tables),
];

pub(super) const MODULE: &[Key] =
    &[("type", Kind::Text), ("name", Kind::Text), ("parameters", Kind::Table), ("banks", Kind::Table)];

pub(super) const BANK: &[Key] = &[
    ("type", Kind::Text),
    ("unit", Kind::Text),
    ("description", Kind::Text),
    ("switch", Kind::Flag),
    ("fields", Kind::Table),
    ("histogram", Kind::Marked),
];

pub(super) const AXIS: &[Key] = &[
    ("bins", Kind::Whole),
    ("low", Kind::Number),
    ("high", Kind::Number),
    ("first", Kind::Whole),
    ("last", Kind::Whole),
    ("edges", Kind::Numbers),
    ("title", Kind::Text),
    ("unit", Kind::Text),
];

pub(super) const PARAMETER: &[Key] = &[("type", Kind::Text), ("value", Kind::Plain)];

/// Where a text is wrong, and why.
type Refused = (usize, String);

/// Refuses keys that nobody knows, values of another kind, and what is missing.
pub(super) fn check(text: &str) -> Result<(), String> {
    let file = DeTable::parse(text).map_err(|e| one_line(text, &e))?;
    Keys { text }.file(&file).map_err(|(at, message)| format!("line {}: {message}", line(text, at)))
}

/// `line 3: extra ...` instead of a drawing over several lines.
pub(super) fn one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', ", ");
    match error.span() {
        Some(span) => format!("line {}: {message}", line(text, span.start)),
        None => message,
    }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// `unknown key "smapling" in request "Trigger": the nearest is "sampling"`.
pub(crate) fn unknown<'a>(
    what: &str,
    name: &str,
    place: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("the nearest is {near:?}"),
        None if known.clone().next().is_none() => "there are none".into(),
        None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
    };
    format!("unknown {what} {name:?}{place}: {hint}")
}

/// Names of keys match ignoring case, and with `_` for blank.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let plain = |c: char| if c == '_' { ' ' } else { c.to_ascii_lowercase() };
    a.chars().map(plain).eq(b.chars().map(plain))
}

/// One step into a definition: a key, or an element of an array.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Key(String),
    Element(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Step {
        Step::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(element: usize) -> Step {
        Step::Element(element)
    }
}

/// The line of the last key on the way, if the text has it.
pub(crate) fn line_of(text: &str, way: &[Step]) -> Option<usize> {
    let file = DeTable::parse(text).ok()?;
    let (mut here, mut at) = (&DeValue::Table(file.get_ref().clone()), None);
    for step in way {
        here = match (step, here) {
            (Step::Key(name), DeValue::Table(table)) => {
                let (key, value) = table.get_key_value(&**name)?;
                at = Some(key.span().start);
                value.get_ref()
            }
            (Step::Element(i), DeValue::Array(items)) => items.get(*i)?.get_ref(),
            _ => return None,
        };
    }
    Some(line(text, at?))
}

/// How to refuse what stands at some place of a definition, with its line if the definition has a text.
pub(crate) fn refused(
    definition: &super::Definition,
    way: &[Step],
    place: &str,
    message: String,
) -> crate::Error {
    let path = definition.path.clone();
    match line_of(&definition.text, way) {
        Some(line) => DefinitionError::Syntax { path, message: format!("line {line}: {message}") }.into(),
        None => crate::Error::Definition { place: place.to_owned(), message },
    }
}

struct Keys<'t> {
    text: &'t str,
}

impl Keys<'_> {
    fn file(&self, file: &Spanned<DeTable<'_>>) -> Result<(), Refused> {
        let file = file.get_ref();
        self.section(file, FILE, "")?;
        let directories = tables(file, "parameters");
        once(directories.map(|(name, value)| (name, value.span().start)), "parameters")?;
        for (directory, value) in tables(file, "parameters") {
            let place = format!("parameters {directory:?}");
            let keys = self.table(value, &place, "a table of parameters")?;
            once(keys.keys().map(|key| (&**key.get_ref(), key.span().start)), &place)?;
            for (key, value) in keys {
                let place = format!("{place}, {:?}", key.get_ref());
                match value.get_ref() {
                    DeValue::Table(typed) => {
                        self.section(typed, PARAMETER, &place)?;
                        required(typed, value, "value", &place)?;
                    }
                    _ => self.kind(value, Kind::Plain, &place)?,
                }
            }
        }
        for (number, request) in elements(file, "request") {
            self.request(number, request)?;
        }
        Ok(())
    }

    fn request(&self, number: usize, value: &Spanned<DeValue<'_>>) -> Result<(), Refused> {
        let DeValue::Table(request) = value.get_ref() else { return Ok(()) };
        let place = match text(request, "name") {
            Some(name) => format!("request {name:?}"),
            None => format!("request number {number}"),
        };
        self.section(request, REQUEST, &place)?;
        required(request, value, "name", &place)?;
        self.fields(request, "fixed", &place)?;
        for (name, bank) in tables(request, "banks") {
            let place = format!("{place}, bank {name:?}");
            self.kind(bank, Kind::Bank, &place)?;
            if let DeValue::Table(entry) = bank.get_ref() {
                self.section(entry, BANK, &place)?;
                required(entry, bank, "type", &place)?;
                self.fields(entry, "fields", &place)?;
                self.histogram(entry, &place)?;
            }
        }
        for (number, value) in elements(request, "module") {
            let DeValue::Table(module) = value.get_ref() else { continue };
            let place = match text(module, "name").or(text(module, "type")) {
                Some(name) => format!("{place}, module {name:?}"),
                None => format!("{place}, module number {number}"),
            };
            self.section(module, MODULE, &place)?;
            required(module, value, "type", &place)?;
            for (own, mounted) in tables(module, "banks") {
                self.kind(mounted, Kind::Text, &format!("{place}, bank {own:?}"))?;
            }
        }
        Ok(())
    }

    /// Fields of a structure: a type each.
    fn fields(&self, table: &DeTable<'_>, key: &str, place: &str) -> Result<(), Refused> {
        for (name, value) in tables(table, key) {
            self.kind(value, Kind::Text, &format!("{place}, field {name:?}"))?;
        }
        Ok(())
    }

    /// An axis, or axes of the members of a STRUCT.
    fn histogram(&self, entry: &DeTable<'_>, place: &str) -> Result<(), Refused> {
        let Some(value) = entry.get("histogram") else {
            return Ok(());
        };
        let DeValue::Table(axis) = value.get_ref() else { return Ok(()) };
        let tid = text(entry, "type").map(|text| text.split('[').next().unwrap_or(text).trim());
        let of_members = tid.and_then(Tid::from_name) == Some(Tid::Struct);
        if !of_members {
            return self.section(axis, AXIS, &format!("{place}, histogram"));
        }
        for (member, axis) in axis {
            let place = format!("{place}, histogram of {:?}", member.get_ref());
            self.kind(axis, Kind::Marked, &place)?;
            if let DeValue::Table(axis) = axis.get_ref() {
                self.section(axis, AXIS, &place)?;
            }
        }
        Ok(())
    }

    /// Every key of a table is known and of its kind.
    fn section(&self, table: &DeTable<'_>, keys: &[Key], place: &str) -> Result<(), Refused> {
        for (key, value) in table {
            let name = key.get_ref();
            let Some((_, kind)) = keys.iter().find(|(known, _)| known == name) else {
                let known = keys.iter().map(|(known, _)| *known);
                return Err((key.span().start, unknown("key", name, place, known)));
            };
            let place = if place.is_empty() { format!("{name:?}") } else { format!("{place}: {name:?}") };
            self.kind(value, *kind, &place)?;
        }
        Ok(())
    }

    fn kind(&self, value: &Spanned<DeValue<'_>>, kind: Kind, place: &str) -> Result<(), Refused> {
        if kind.is(value.get_ref()) {
            return Ok(());
        }
        Err((value.span().start, format!("{place}: {} wanted, {} found", kind.wanted(), self.found(value))))
    }

    fn table<'v, 'i>(
        &self,
        value: &'v Spanned<DeValue<'i>>,
        place: &str,
        wanted: &str,
    ) -> Result<&'v DeTable<'i>, Refused> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err((value.span().start, format!("{place}: {wanted} wanted, {} found", self.found(value)))),
        }
    }

    /// A value as it stands there, unless it is long.
    fn found(&self, value: &Spanned<DeValue<'_>>) -> String {
        const LONG: usize = 40;
        let written = self.text.get(value.span()).unwrap_or_default().trim();
        match value.get_ref() {
            DeValue::Table(_) => "a table".into(),
            _ if !written.is_empty() && written.len() <= LONG && !written.contains(char::is_control) => {
                written.to_owned()
            }
            DeValue::Array(_) => "an array".into(),
            DeValue::String(_) => "a long text".into(),
            value => format!("a value of type {}", value.type_str()),
        }
    }
}

/// Keys that are one in the ODB, which ignores case, are refused. With each of them, where it stands.
fn once<'v>(keys: impl Iterator<Item = (&'v str, usize)>, place: &str) -> Result<(), Refused> {
    let mut seen: Vec<&str> = Vec::new();
    for (key, at) in keys {
        if let Some(other) = seen.iter().find(|seen| seen.eq_ignore_ascii_case(key)) {
            let why = "are one key of the ODB, which ignores case: take one of them out";
            return Err((at, format!("{place}: {other:?} and {key:?} {why}")));
        }
        seen.push(key);
    }
    Ok(())
}

/// The entries of a table in a table, if it is one.
fn tables<'v, 'i>(
    table: &'v DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = (&'v str, &'v Spanned<DeValue<'i>>)> {
    let inner = match table.get(key).map(Spanned::get_ref) {
        Some(DeValue::Table(inner)) => Some(inner),
        _ => None,
    };
    inner.into_iter().flatten().map(|(name, value)| (&**name.get_ref(), value))
}

/// The elements of an array in a table with their numbers from 1, if it is one.
fn elements<'v, 'i>(
    table: &'v DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = (usize, &'v Spanned<DeValue<'i>>)> {
    let items = match table.get(key).map(Spanned::get_ref) {
        Some(DeValue::Array(items)) => Some(items),
        _ => None,
    };
    items.into_iter().flat_map(|items| items.iter()).zip(1..).map(|(item, number)| (number, item))
}

fn text<'v>(table: &'v DeTable<'_>, key: &str) -> Option<&'v str> {
    match table.get(key)?.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

fn required(
    table: &DeTable<'_>,
    value: &Spanned<DeValue<'_>>,
    key: &str,
    place: &str,
) -> Result<(), Refused> {
    match table.contains_key(key) {
        true => Ok(()),
        false => Err((value.span().start, format!("{place}: {key:?} is missing"))),
    }
}
