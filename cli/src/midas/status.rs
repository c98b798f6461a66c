//! `pactolus midas HOST EXPT status`: what the experiment does.

use std::io::{self, Write};

use pactolus::midas::Writes;
use pactolus::odb::{Tree, Typed};
use serde::Serialize;

use super::{MidasArgs, login};
use crate::dump::text::escaped;
use crate::{OK, Outcome};

/// What the experiment does.
#[derive(Debug, PartialEq, Serialize)]
struct Status {
    server: String,
    experiment: String,
    run: Run,
    programs: Vec<Program>,
    equipment: Vec<Equipment>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Run {
    number: Option<u32>,
    /// `stopped`, `paused`, `running`.
    state: Option<&'static str>,
    /// A transition is going on.
    transition: bool,
    start: Option<String>,
    /// Of a run that is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Program {
    name: String,
    host: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Equipment {
    name: String,
    enabled: bool,
    id: Option<u16>,
    events: Option<f64>,
    events_per_second: Option<f64>,
    kilobytes_per_second: Option<f64>,
}

pub(super) fn run(args: &MidasArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let session = login::open(args, &[], Writes::Nothing)?;
    for what in session.left_out() {
        // Nobody may read it.
        let _ = writeln!(err, "pactolus: left out: {what}");
    }
    let tree = match (session.odb().snapshot(), session.lost()) {
        (Err(_), Some(why)) => return Err(login::Lost(why.to_owned()).into()),
        (tree, _) => tree?,
    };
    let named = tree.get::<String>("/Experiment/Name").ok();
    let experiment = args.experiment.clone().or(named).unwrap_or_default();
    let status = Status {
        server: args.server.to_string(),
        experiment,
        run: Run::of(&tree),
        programs: programs(&tree, session.name()),
        equipment: equipment(&tree),
    };
    if args.json {
        serde_json::to_writer(&mut *out, &status).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        status.print(out)?;
    }
    Ok(OK)
}

impl Run {
    fn of(tree: &Tree) -> Run {
        let state = match tree.get("/Runinfo/State") {
            Ok(1) => Some("stopped"),
            Ok(2) => Some("paused"),
            Ok(3) => Some("running"),
            _ => None,
        };
        Run {
            number: tree.get("/Runinfo/Run number").ok(),
            state,
            transition: tree.get("/Runinfo/Transition in progress").is_ok_and(|kind: i32| kind != 0),
            start: tree.get("/Runinfo/Start time").ok(),
            stop: tree.get("/Runinfo/Stop time").ok().filter(|_| state == Some("stopped")),
        }
    }
}

/// The clients of the experiment but for ourselves.
fn programs(tree: &Tree, own: &str) -> Vec<Program> {
    let mut programs = Vec::new();
    for key in tree.directory("/System/Clients").into_iter().flat_map(|clients| clients.iter()) {
        let text = |name: &str| {
            tree.get::<String>(&format!("/System/Clients/{}/{name}", key.name())).unwrap_or_default()
        };
        programs.push(Program { name: text("Name"), host: text("Host") });
    }
    programs.retain(|program| program.name != own);
    programs
}

fn equipment(tree: &Tree) -> Vec<Equipment> {
    fn value<T: Typed>(tree: &Tree, equipment: &str, name: &str) -> Option<T> {
        tree.get(&format!("/Equipment/{equipment}/{name}")).ok()
    }
    let keys = tree.directory("/Equipment").into_iter().flat_map(|equipment| equipment.iter());
    let one = |name: &str| Equipment {
        name: name.to_owned(),
        enabled: value(tree, name, "Common/Enabled").unwrap_or(true),
        id: value(tree, name, "Common/Event ID"),
        events: value(tree, name, "Statistics/Events sent"),
        events_per_second: value(tree, name, "Statistics/Events per sec."),
        kilobytes_per_second: value(tree, name, "Statistics/kBytes per sec."),
    };
    keys.map(|key| one(key.name())).collect()
}

impl Status {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let text = |text: &str| escaped(text.as_bytes());
        writeln!(out, "experiment  {} at {}", text(&self.experiment), self.server)?;
        let number = self.run.number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        let state = self.run.state.unwrap_or("in no known state");
        let since = match (self.run.state, &self.run.stop, &self.run.start) {
            (Some("stopped"), Some(stop), _) if !stop.is_empty() => format!(" since {}", text(stop)),
            (Some("running" | "paused"), _, Some(start)) if !start.is_empty() => {
                format!(", begun {}", text(start))
            }
            _ => String::new(),
        };
        let transition = if self.run.transition { ", a transition is going on" } else { "" };
        writeln!(out, "run         {number} {state}{since}{transition}")?;
        for (at, program) in self.programs.iter().enumerate() {
            let head = if at == 0 { "programs" } else { "" };
            writeln!(out, "{head:<12}{:<24} {}", text(&program.name), text(&program.host))?;
        }
        if !self.equipment.is_empty() {
            writeln!(out, "equipment   {:<24} {:>12} {:>10} {:>10}", "", "events", "events/s", "kB/s")?;
        }
        for equipment in &self.equipment {
            let number = |number: Option<f64>, digits: usize| {
                number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
            };
            let disabled = if equipment.enabled { "" } else { "  disabled" };
            writeln!(
                out,
                "            {:<24} {:>12} {:>10} {:>10}{disabled}",
                text(&equipment.name),
                number(equipment.events, 0),
                number(equipment.events_per_second, 1),
                number(equipment.kilobytes_per_second, 1),
            )?;
        }
        Ok(())
    }
}
