//! What a definition may hold, and what is said to what it may not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pactolus_formats::Tid;
use serde_json::Value as Json;

use super::file::{NEW, OLD};
use super::keys::{self, Kind};
use super::*;
use crate::{Analyzer, Catalogue};

fn parse(keys: &str) -> Result<Definition, DefinitionError> {
    Definition::parse(&format!("[[request]]\nname = \"Rare\"\n{keys}\n"), "analyzer.toml")
}

/// Asserts what is said to a request with these lines, the first of which is line 3.
fn check(lines: &str, said: &str) {
    let error = parse(lines).unwrap_err().to_string();
    assert_eq!(error, format!("analyzer.toml: {said}"), "{lines}");
}

#[test]
fn events_are_reserved_of_one_id_only() {
    let reserve = |keys: &str| parse(keys).unwrap().requests[0].0.reserve;
    assert_eq!((reserve("id = 4"), reserve("id = 4\nreserve = 8")), (0, 8));
    let error = parse("id = 4\nreserve = -1").unwrap_err().to_string();
    assert_eq!(
        error,
        "analyzer.toml: line 4: request \"Rare\": reserve 0 (none) or a number of events wanted, -1 found"
    );
    let every = Analyzer::from_definition(&parse("reserve = 8").unwrap(), &Catalogue::new()).unwrap();
    assert_eq!(
        every.rehearse().unwrap_err().to_string(),
        "request \"Rare\" takes every event: reserve keeps the newest of one id, so give its id, or leave reserve out"
    );
    assert!(Analyzer::new("A").on(Request::new("Rare", 4).reserve(8)).rehearse().is_ok());
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    check(
        "smapling = \"all\"",
        "line 3: unknown key \"smapling\" in request \"Rare\": the nearest is \"sampling\"",
    );
    check(
        "[request.banks]\nADC0 = { type = \"WORD\", colour = \"red\" }",
        "line 4: unknown key \"colour\" in request \"Rare\", bank \"ADC0\": known are type, unit, description, switch, fields, histogram",
    );
    check(
        "[request.banks.ADC0]\ntype = \"WORD\"\nhistogram = { bins = 10, low = 0, hihg = 1 }",
        "line 5: unknown key \"hihg\" in request \"Rare\", bank \"ADC0\", histogram: the nearest is \"high\"",
    );
    check(
        "[request.banks.SUMS]\ntype = \"struct\"\nfields = { Sum = \"FLOAT\" }\nhistogram.Sum = { bin = 10 }",
        "line 6: unknown key \"bin\" in request \"Rare\", bank \"SUMS\", histogram of \"Sum\": the nearest is \"bins\"",
    );
    check(
        "[[request.module]]\ntype = \"M\"\nparameter = { A = 1 }",
        "line 5: unknown key \"parameter\" in request \"Rare\", module \"M\": the nearest is \"parameters\"",
    );
    check(
        "[parameters.Global]\nX = { type = \"INT\", vlaue = 1 }",
        "line 4: unknown key \"vlaue\" in parameters \"Global\", \"X\": the nearest is \"value\"",
    );
    check("[histograms]\nx = 1", "line 3: unknown key \"histograms\": known are name, parameters, request");
}

#[test]
fn a_value_of_another_kind_is_refused_with_what_was_wanted_and_found() {
    check("id = 1.5", "line 3: request \"Rare\": \"id\": a whole number wanted, 1.5 found");
    check("tests = \"yes\"", "line 3: request \"Rare\": \"tests\": true or false wanted, \"yes\" found");
    check("banks = [\"ADC0\"]", "line 3: request \"Rare\": \"banks\": a table wanted, [\"ADC0\"] found");
    check(
        "banks = { ADC0 = 4 }",
        "line 3: request \"Rare\", bank \"ADC0\": a type like \"WORD[4]\", or a table with it wanted, 4 found",
    );
    check("fixed = { T = 8 }", "line 3: request \"Rare\", field \"T\": a text wanted, 8 found");
    check(
        "[[request.module]]\ntype = \"M\"\nbanks = { ADC0 = 1 }",
        "line 5: request \"Rare\", module \"M\", bank \"ADC0\": a text wanted, 1 found",
    );
    check(
        "[request.module]\ntype = \"M\"",
        "line 3: request \"Rare\": \"module\": an array of tables wanted, a table found",
    );
    check("[parameters]\nX = 1", "line 4: parameters \"X\": a table of parameters wanted, 1 found");
    check("id = 1\nid = 2", "line 4: duplicate key");
}

#[test]
fn what_is_missing_is_named() {
    check("[[request.module]]\nname = \"x\"", "line 3: request \"Rare\", module \"x\": \"type\" is missing");
    check("[[request]]\nid = 1", "line 3: request number 2: \"name\" is missing");
    check(
        "[request.banks]\nADC0 = { unit = \"MeV\" }",
        "line 4: request \"Rare\", bank \"ADC0\": \"type\" is missing",
    );
    check("[parameters.A]\nX = { type = \"INT\" }", "line 4: parameters \"A\", \"X\": \"value\" is missing");
}

#[test]
fn a_member_that_a_struct_has_not_is_refused_with_the_nearest() {
    check(
        "[request.banks.SUMS]\ntype = \"STRUCT\"\nfields = { Sum = \"FLOAT\" }\nhistogram.Smu = true",
        "line 3: request \"Rare\", bank \"SUMS\": unknown field \"Smu\" in histogram: the nearest is \"Sum\"",
    );
}

#[test]
fn a_value_that_means_nothing_is_refused_with_its_line() {
    check(
        "id = 1\nmask = 65536",
        "line 4: request \"Rare\": mask -1 (every mask) or 0 to 65535 wanted, 65536 found",
    );
    check(
        "[request.banks]\nADC0 = \"WORD[0]\"",
        "line 4: request \"Rare\", bank \"ADC0\": a type like \"WORD\" or \"WORD[4]\" wanted, \"WORD[0]\" found",
    );
    check(
        "[request.banks.ADC0]\ntype = \"WORD\"\nhistogram = { bins = 5000000000, low = 0, high = 1 }",
        "line 3: request \"Rare\", bank \"ADC0\": histogram: bins 1 to 268435456 wanted, 5000000000 found",
    );
    check(
        "[[request.module]]\ntype = \"M\"\nbanks = { ADC0 = \"ADC00\" }",
        "line 5: request \"Rare\", module \"M\": \"ADC00\": a bank name has one to four bytes",
    );
    check(
        "[parameters.Global]\nX = 1\nY = [1, \"a\"]",
        "line 5: parameters \"Global\", \"Y\": the elements of an array must be of one type",
    );
    check(
        "[parameters.Global]\nX = { type = \"WORD\", value = -1 }",
        "line 4: parameters \"Global\", \"X\": INT64 -1 does not fit into WORD",
    );
}

#[test]
fn a_name_that_the_odb_does_not_take_is_refused() {
    let why = "a name of the ODB wanted, without a slash";
    check("[parameters.\"..\"]\nX = 1", &format!("line 4: parameters \"..\", \"X\": {why}"));
    check("[parameters.Global]\n\"\" = 1", &format!("line 4: parameters \"Global\", \"\": {why}"));
    let error = Definition::parse("name = \"a/b\"", "analyzer.toml").unwrap_err().to_string();
    assert_eq!(error, format!("analyzer.toml: line 1: name \"a/b\": {why}"));
    let named = |name: &str| Analyzer::new("A").on(Request::new(name, 1)).rehearse().is_ok();
    assert!(named("a b") && !named("..") && !named("a/b") && !named(""));
}

#[test]
fn keys_that_are_one_in_the_odb_are_refused() {
    check(
        "[parameters.Global]\nLimit = 1\nlimit = 2",
        "line 5: parameters \"Global\": \"Limit\" and \"limit\" are one key of the ODB, which ignores case: take one of them out",
    );
    check(
        "[parameters.Global]\nLimit = 1\n[parameters.global]\nOther = 2",
        "line 5: parameters: \"Global\" and \"global\" are one key of the ODB, which ignores case: take one of them out",
    );
}

#[test]
fn whole_numbers_may_stand_beside_others() {
    let definition = parse("[parameters.Global]\nGain = [1, 2.5]\nCount = [1, 2]").unwrap();
    let values: Vec<Value> = definition.parameters.into_iter().map(|(.., value)| value).collect();
    assert_eq!(values, [Value::Double(vec![1.0, 2.5]), Value::Int(vec![1, 2])]);
}

#[test]
fn the_schema_has_the_keys_that_are_looked_for() {
    let schema = Definition::schema(&Catalogue::new());
    let same = |table: &Json, keys: &[(&str, Kind)]| {
        let mut found: Vec<&str> =
            table["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert_eq!(table["additionalProperties"], false);
    };
    same(&schema, keys::FILE);
    for (name, keys) in [
        ("Request", keys::REQUEST),
        ("Module", keys::MODULE),
        ("BankTable", keys::BANK),
        ("Axis", keys::AXIS),
        ("TypedDef", keys::PARAMETER),
    ] {
        same(&schema["$defs"][name], keys);
    }
    let described = schema["$defs"]["Request"]["properties"].as_object().unwrap().values();
    assert!(described.clone().count() > 10);
    for property in described {
        assert!(property["description"].is_string(), "{property}");
    }
}

#[test]
fn the_schema_knows_every_type() {
    assert_eq!((OLD.len(), NEW.len()), (Tid::ALL.len(), Tid::ALL.len()));
    for ((tid, old), new) in Tid::ALL.iter().zip(OLD).zip(NEW) {
        assert_eq!((Tid::from_name(old), Tid::from_name(new)), (Some(*tid), Some(*tid)));
        assert_eq!(tid.name(), *old);
    }
}
