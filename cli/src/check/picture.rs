//! The way of an event through its chain, as a picture in text.
//!
//! ```text
//!   event ── ADC0, TDC0
//!     │
//!     ├─ ADC calibration (AdcCalib)
//!     │    reads    ADC0
//!     │    appends  CADC
//!     ╠═ Running mean (Mean), sequential
//!     ║    reads    CADC of ADC calibration
//!     ║
//!   output ─ on: ADC0, CADC
//! ```

use pactolus::wiring::{WiredRequest, WiredUse};

use super::page::{wrapped, wrapped_under};

/// Adds the picture of a chain to the page.
pub(super) fn draw(page: &mut String, request: &WiredRequest) {
    let fixed = request.fixed.is_some();
    let of_event = request.banks.iter().filter(|bank| bank.writer.is_none());
    let mut event: Vec<&str> = of_event.map(|bank| &*bank.name).collect();
    match (fixed, event.is_empty()) {
        (true, _) => event = vec!["one FIXED structure"],
        (false, true) => event = vec!["banks that nobody has named"],
        (false, false) => {}
    }
    // The picture goes on with a line under the words.
    wrapped_under(page, "  event ── ", "    │      ", &event.join(", "));
    // A double line: one event after the other.
    let mut in_fold = false;
    page.push_str("    │\n");
    for stage in &request.stages {
        in_fold |= stage.in_fold;
        let (knot, line) = match (stage.sequential, in_fold) {
            (true, _) => ("╠═", "║"),
            (false, true) => ("╟─", "║"),
            (false, false) => ("├─", "│"),
        };
        let how = match (stage.sequential, in_fold) {
            (true, _) => ", sequential",
            (false, true) => ", in the fold",
            (false, false) => "",
        };
        let below = format!("    {line}    ");
        wrapped_under(
            page,
            &format!("    {knot} "),
            &below,
            &format!("{} ({}){how}", stage.name, stage.module),
        );
        uses(page, &below, "reads", &stage.reads);
        uses(page, &below, "appends", &stage.appends);
        if stage.makes_events {
            page.push_str(&format!("{below} makes new events\n"));
        }
    }
    if !request.stages.is_empty() {
        page.push_str(if in_fold { "    ║\n" } else { "    │\n" });
    }
    output(page, request);
    if in_fold {
        page.push_str("  ║ in the order of the events, on one thread; │ on all threads\n");
    }
}

/// The banks of a stage, wrapped, with the line of the picture at their left.
fn uses(page: &mut String, below: &str, what: &str, uses: &[WiredUse]) {
    if uses.is_empty() {
        return;
    }
    let one = |bank: &WiredUse| {
        let mut text = bank.bank.clone();
        if let Some(own) = &bank.own {
            text.push_str(&format!(" (its {own})"));
        }
        if let Some(from) = &bank.from {
            text.push_str(&format!(" of {from}"));
        }
        text
    };
    let list: Vec<String> = uses.iter().map(one).collect();
    wrapped_under(page, &format!("{below} {what:<8} "), &format!("{below}          "), &list.join(", "));
}

/// What is written, as its switches start.
fn output(page: &mut String, request: &WiredRequest) {
    if request.fixed.is_some() {
        page.push_str("  output ─ the structure\n");
        return;
    }
    let names = |on: bool| -> String {
        let some = request.banks.iter().filter(|bank| bank.is_written() == on);
        some.map(|bank| &*bank.name).collect::<Vec<_>>().join(", ")
    };
    let (on, off) = (names(true), names(false));
    let first = "  output ─ ";
    match (on.is_empty(), off.is_empty()) {
        (true, true) => page.push_str(&format!("{first}all banks\n")),
        (true, false) => wrapped(page, &format!("{first}off: "), &off),
        (false, true) => wrapped(page, &format!("{first}on: "), &on),
        (false, false) => {
            wrapped(page, &format!("{first}on:  "), &on);
            wrapped(page, "           off: ", &off);
        }
    }
}
