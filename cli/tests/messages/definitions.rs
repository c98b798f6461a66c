//! Definitions: keys, values, modules.

use crate::{Place, Provokers, Ran, provoke};

/// What `check` says to a definition.
fn said(place: &Place, text: &str) -> Ran {
    place.put("a.toml", text).run("check @a.toml")
}

const REQUEST: &str = "[[request]]\nname = \"A\"\n";

/// ... with a module.
fn module(place: &Place, r#type: &str, lines: &str) -> Ran {
    said(place, &format!("{REQUEST}[[request.module]]\ntype = \"{type}\"\n{lines}\n"))
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "...: line ...: unknown key \"...\": the nearest is \"...\"" => |p| said(p, "nmae = \"A\"\n");
        "...: line ...: unknown key \"...\" in ...: the nearest is \"...\"" => |p| {
            said(p, &format!("{REQUEST}smapling = \"all\"\n"))
        };
        "...: line ...: unknown key \"...\" in ...: known are ..." => |p| {
            said(p, &format!("{REQUEST}histogram = true\n"))
        };
        "...: line ...: unknown parameter \"...\" in ...: the nearest is \"...\"" => |p| {
            module(p, "AdcCalib", "parameters = { Pedestall = [1] }")
        };
        "...: line ...: unknown parameter \"...\" in ...: known are ..." => |p| {
            module(p, "AdcCalib", "parameters = { Offset = [1] }")
        };
        "...: line ...: unknown parameter \"...\" in ...: there are none" => |p| {
            module(p, "ScalerSum", "parameters = { Offset = [1] }")
        };
        "...: line ...: unknown bank \"...\" in ...: the nearest is \"...\"" => |p| {
            module(p, "AdcCalib", "banks = { ADC1 = \"ADC2\" }")
        };
        "...: line ...: unknown module type \"...\": the nearest is \"...\"" => |p| module(p, "AdcClaib", "");
        "...: line ...: unknown module type \"...\": known are ...; a module of your own crate is known to its own program: `cargo run -- check`" => |p| module(p, "Waveform", "");
        "...: line ...: ...: ... wanted, ... found" => |p| said(p, &format!("{REQUEST}id = \"one\"\n"));
        "...: line ...: ...: \"...\" is missing" => |p| said(p, "[[request]]\nid = 1\n");
        "...: line ...: ...: ... does not fit into ..." => |p| {
            module(p, "AdcCalib", "parameters = { Pedestal = [1, 2, 3, 5000000000] }")
        };
        "...: line ...: ...: the elements of an array must be of one type" => |p| {
            module(p, "AdcCalib", "parameters = { Pedestal = [1, \"a\"] }")
        };
        "...: line ...: ...: it is given twice: keys of the ODB ignore case" => |p| {
            module(p, "AdcCalib", "parameters = { Pedestal = [1], pedestal = [2] }")
        };
        "...: line ...: ...: \"...\" and \"...\" are one key of the ODB, which ignores case: take one of them out" => |p| {
            said(p, "[parameters.Global]\nLimit = 1\nlimit = 2\n")
        };
        "...: line ...: duplicate key" => |p| said(p, &format!("{REQUEST}id = 1\nid = 2\n"));
        "no definition: name a file, as in `pactolus check analyzer.toml`" => |p| p.run("check");
    }
}
