//! A definition as a page of text.

use pactolus::wiring::{UnusedBank, WiredParameter, WiredRequest, Wiring};

use super::{facts, picture};
use crate::dump::text::{count, escaped};

/// Columns of a terminal.
pub(super) const WIDTH: usize = 80;

/// The whole page.
pub(super) fn page(file: &str, wiring: &Wiring) -> String {
    let Wiring { name, directory, requests, parameters, warnings, unused, .. } = wiring;
    let stages: usize = requests.iter().map(|request| request.stages.len()).sum();
    let mut page = String::new();
    wrapped(
        &mut page,
        "",
        &format!(
            "{}: analyzer \"{name}\", in the ODB {}",
            escaped(file.as_bytes()),
            escaped(directory.as_bytes())
        ),
    );
    let (requests_word, stages_word) =
        (count(requests.len() as u64, "request"), count(stages as u64, "stage"));
    page.push_str(&format!("{requests_word}, {stages_word}\n"));
    for request in requests {
        page.push('\n');
        self::request(&mut page, request, directory);
    }
    if !parameters.is_empty() {
        page.push_str("\nParameters of no module\n");
        parameters.iter().for_each(|parameter| facts::parameter(&mut page, parameter));
    }
    let mut items: Vec<String> = warnings.clone();
    section(&mut page, "Warnings", &items);
    items = unused_banks(&unused.raw, |banks, request, it| {
        format!("{banks} of \"{request}\": no stage reads {it}: raw data, as the event brings {it}")
    });
    items.extend(unused_banks(&unused.appended, |banks, request, it| {
        format!(
            "{banks} of \"{request}\": appended, but no stage reads {it}, and the output switch starts off, in {directory}/Bank switches"
        )
    }));
    if !unused.modules.is_empty() {
        items.push(format!("modules that are not mounted: {}", unused.modules.join(", ")));
    }
    if !unused.parameters.is_empty() {
        let list = unused.parameters.join(", ");
        items.push(format!("parameters that belong to no stage: {list}"));
    }
    section(&mut page, "Unused", &items);
    page
}

fn request(page: &mut String, request: &WiredRequest, directory: &str) {
    let mut facts = vec![
        if request.id < 0 { "every id".into() } else { format!("id {}", request.id) },
        match request.mask {
            -1 => "every mask".into(),
            mask => format!("mask 0x{mask:04x}"),
        },
        format!("sampling {}", request.sampling),
    ];
    if request.reserve > 0 {
        facts.push(format!("the newest {} are reserved", request.reserve));
    }
    if request.buffer != "SYSTEM" {
        facts.push(format!("buffer {}", request.buffer));
    }
    if request.tests {
        facts.push("counts the tests".into());
    }
    wrapped(page, "", &format!("Request \"{}\": {}", request.name, facts.join(", ")));
    if let Some(members) = &request.fixed {
        let members: Vec<String> = members.iter().map(|m| format!("{} {}", m.name, m.r#type)).collect();
        wrapped(page, "  FIXED events: ", &members.join(", "));
    }
    page.push('\n');
    picture::draw(page, request);
    facts::banks(page, request);
    for stage in request.stages.iter().filter(|stage| !stage.parameters.is_empty()) {
        page.push('\n');
        wrapped(page, "  ", &format!("Parameters of {}, in {directory}/Parameters", stage.name));
        stage.parameters.iter().for_each(|parameter: &WiredParameter| facts::parameter(page, parameter));
    }
}

/// Banks of one request in one sentence.
fn unused_banks(banks: &[UnusedBank], sentence: impl Fn(&str, &str, &str) -> String) -> Vec<String> {
    let of_one = banks.chunk_by(|a, b| a.request == b.request);
    let say = |banks: &[UnusedBank]| {
        let names: Vec<String> = banks.iter().map(|bank| bank.bank.clone()).collect();
        sentence(&names.join(", "), &banks[0].request, if banks.len() == 1 { "it" } else { "them" })
    };
    of_one.map(say).collect()
}

fn section(page: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.push_str(&format!("\n{title}\n"));
    for item in items {
        wrapped(page, "  - ", item);
    }
}

/// Adds `text` behind `first`, and goes on below its end: no line is longer than the page, unless a word
/// is.
pub(super) fn wrapped(page: &mut String, first: &str, text: &str) {
    wrapped_under(page, first, &" ".repeat(first.chars().count()), text);
}

/// ... with `next` before the lines that follow.
pub(super) fn wrapped_under(page: &mut String, first: &str, next: &str, text: &str) {
    let text = escaped(text.as_bytes());
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            page.push_str(line.trim_end());
            page.push('\n');
            line = next.to_owned();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    page.push_str(line.trim_end());
    page.push('\n');
}
