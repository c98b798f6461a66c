//! Damage in `.asc` files, and what their text does not hold.

use crate::{Place, Provokers, Ran, provoke};

/// A definition of a structure.
const DEFINED: &str = "[[request]]\nname = \"Trigger\"\nid = 1\n[request.banks]\n\
    ASUM = { type = \"STRUCT\", fields = { Sum = \"FLOAT\", Average = \"FLOAT\" } }\n";

/// Analyzes a text between two sound events.
fn text(place: &Place, middle: &str) -> Ran {
    let sound = |serial| format!("%ID 1 TR 0 NR {serial}\nBK ADC0 TP WORD SZ 1\n5\n\n");
    place.put("run00042.asc", format!("{}{middle}{}", sound(1), sound(3)));
    place.put("a.toml", DEFINED).run("analyze @run00042.asc -a @a.toml")
}

/// The same with a bank before another one.
fn bank(place: &Place, bank: &str) -> Ran {
    text(place, &format!("%ID 1 TR 0 NR 2\nBK {bank}BK TDC0 TP WORD SZ 1\n5\n\n"))
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "line ... at byte ...: the beginning of an event wanted, ... found" => |p| text(p, "rubbish\n\n");
        "line ... at byte ...: a bank or the empty line behind the event wanted, ... found" => |p| {
            text(p, "%ID 1 TR 0 NR 2\nBK ADC0 TP WORD SZ 1\n5\n6\n\n")
        };
        "line ... at byte ..., bank ...: a value of type ... wanted, ... found" => |p| {
            bank(p, "ADC0 TP WORD SZ 2\n5\noops\n")
        };
        "line ... at byte ..., bank ...: an empty line wanted, ... found" => |p| {
            bank(p, "BIT0 TP BITFIELD SZ 1\nx\n")
        };
        "line ... at byte ..., bank ...: <unknown> wanted, ... found" => |p| bank(p, "ARR0 TP ARRAY SZ 1\nx\n");
        "line ... at byte ..., bank ...: ... characters, a line each wanted, ... found" => |p| {
            bank(p, "CHR0 TP CHAR SZ 2\nxy\n")
        };
        "line ... at byte ...: the empty line behind the event wanted, ... found" => |p| {
            text(p, "%ID 1 TR 0 NR 2\nBK OTHR TP STRUCT SZ 4\na:\n1\n")
        };
        "line ... at byte ...: a member of a FIXED event wanted, ... found" => |p| {
            text(p, "%ID 7 TR 0 NR 2\noops\nBK ADC0 TP WORD SZ 1\n5\n\n")
        };
        "a line of more than ... bytes" => |p| text(p, &"x".repeat(17 << 20));
        "event cut short: the empty line at its end is missing" => |p| {
            let cut = "%ID 1 TR 0 NR 1\nBK ADC0 TP WORD SZ 2\n5\n";
            p.put("run00042.asc", cut).run("analyze @run00042.asc")
        };
        "bank ... refused: the text holds no values of type ..." => |p| bank(p, "BIT0 TP BITFIELD SZ 1\n\n");
        "bank ... refused: the text holds no values of an unknown type" => |p| {
            bank(p, "ZZZZ TP <unknown> SZ 1\n<unknown>\n")
        };
        "bank ... refused: no definition of its members" => |p| bank(p, "OTHR TP STRUCT SZ 4\na:\n1\n");
        "bank ... refused: the definition asks for ..., the text has ..." => |p| {
            bank(p, "ASUM TP STRUCT SZ 8\nSum:\n1\nMean:\n2\n")
        };
        "bank ... refused: ... lines for one text: only the first is known to be its value" => |p| {
            bank(p, "STR0 TP STRING SZ 3\nabc\nx\ny\n")
        };
        "bank ... refused: a text of ... bytes in a value of ..." => |p| bank(p, "STR0 TP STRING SZ 3\nabcd\n");
        "bank ... refused: a value of ... bytes with a text of only ..." => |p| {
            bank(p, "STR0 TP STRING SZ 4000000000\nabcd\n")
        };
        "bank ... refused: empty lines that may be newlines or NULs" => |p| {
            bank(p, "CHR0 TP CHAR SZ 4\na\n\n\n\nb\n")
        };
        "FIXED event refused: ..." => |p| text(p, "%ID 7 TR 0 NR 2\nTemperature\n1\n\n");
        "the text of ... does not hold ..., ...:" => |p| bank(p, "BIT0 TP BITFIELD SZ 1\n\n");
    }
}
