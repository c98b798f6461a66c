//! Epochs that were recorded.

use crate::common::MidFile;
use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// Changes the record of an analysis, and analyses again with it.
fn again(place: &Place, change: impl Fn(&str) -> String, line: &str) -> Ran {
    place.put("run00042.mid", run_of(3).bytes);
    let ran = place.run("analyze @run00042.mid -o @o%05d.mid");
    assert_eq!(ran.code, 0, "{}", ran.said);
    let text = std::fs::read_to_string(place.path("o00042.mid.provenance.json")).unwrap();
    place.put("record.json", change(&text)).run(line)
}

const AGAIN: &str = "analyze @run00042.mid -o @again%05d.mid --epochs @record.json";

fn changed(place: &Place, from: &str, to: &str) -> Ran {
    let change = |text: &str| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    };
    again(place, change, AGAIN)
}

/// A second epoch behind the first.
fn later(text: &str, first: u64) -> String {
    let end = text.rfind("\n      ]").unwrap();
    let epoch = format!("{{\"epoch\": 1, \"first_event\": {first}, \"changed\": {{}}}}");
    format!("{},{epoch}{}", &text[..end], &text[end..])
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "epochs of ...: a table, a file of histograms or OUT.provenance.json of pactolus wanted" => |p| {
            p.put("run00042.mid", run_of(1).bytes).run("analyze @run00042.mid --epochs @run00042.mid")
        };
        "epochs of ...: of the analyzer \"...\", and this is \"...\"" => |p| {
            changed(p, "\"analyzer\": \"Analyzer\"", "\"analyzer\": \"Online\"")
        };
        "epochs of ...: no epochs of run ..., only of ..." => |p| changed(p, "\"run\": 42", "\"run\": 43");
        "epochs of ...: run ... has other epochs than in ...: name one of the two" => |p| {
            again(p, |text| text.replace(r#""y""#, r#""n""#), &format!("{AGAIN} --epochs @o00042.mid"))
        };
        "epochs of ...: run ... begins again, and its epochs are there only once" => |p| {
            let line = AGAIN.replace("@run00042.mid", "@run00042.mid @run00042.mid").replace("%05d", "");
            again(p, str::to_owned, &line)
        };
        "epochs of ...: run ...: epoch ...: ..." => |p| changed(p, "\"epoch\": 0", "\"epoch\": \"none\"");
        "--epochs: the recorded values alone are in force, and ... would set others: leave ... out" => |p| {
            again(p, str::to_owned, &format!("{AGAIN} -p A=1"))
        };
        "--shard: recorded epochs are applied to a whole job: leave --shard out, or --epochs" => |p| {
            again(p, str::to_owned, &format!("{AGAIN} --shard 1/2"))
        };
        "the epochs of ... were recorded with another definition" => |p| {
            p.put("lab.toml", "name = \"Analyzer\"\n\n[[request]]\nname = \"Trigger\"\nid = 1\n");
            again(p, str::to_owned, &format!("{AGAIN} -a @lab.toml"))
        };
        "run ... ends before event ..., where epoch ... of ... begins" => |p| {
            p.put("short.mid", MidFile::new().bor(42).bytes);
            again(p, |text| later(text, 9), AGAIN)
        };
    }
}
