//! `watch`: changes as they happen.

use std::time::Duration;

use super::{Call, Command, Result, Takes};
use crate::diff;

pub(super) const COMMAND: Command = Command {
    name: "watch",
    usage: "watch [PATH]",
    help: "print each change below a path, until Ctrl-C\n\
        Lines are those of `diff`, from before to now. Changes that come faster than\n\
        they can be printed come as one. The path need not exist yet. With --json, one\n\
        object per line.",
    takes: &[Takes::Path],
    run,
};

/// How long the user waits at most for it to end.
const PATIENCE: Duration = Duration::from_millis(100);

fn run(call: &mut Call<'_>) -> Result<()> {
    let path = call.path(call.word()?.unwrap_or("."))?;
    let mut watch = call.shell.odb.watch(&path.to_string())?;
    while !call.around.stopped() {
        let Some(change) = watch.next(PATIENCE)? else { continue };
        let lines = diff::lines(&change.differences);
        let page = if call.shell.json { diff::json(&lines) } else { diff::text(&lines) };
        call.say(page)?;
        call.around.out().flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::error::Error;
    use std::io::Write;

    use super::super::{Capture, Shell, Surroundings, sample};
    use crate::Odb;

    type Deed<'o> = &'o dyn Fn(&Odb) -> crate::Result<()>;

    /// Changes the database each time it is asked whether to end, as another program would.
    struct Other<'o> {
        capture: Capture,
        odb: Odb,
        changes: RefCell<Vec<Deed<'o>>>,
    }

    impl Surroundings for Other<'_> {
        fn out(&mut self) -> &mut dyn Write {
            self.capture.out()
        }

        fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn Error>> {
            self.capture.save(name, contents)
        }

        fn load(&mut self, name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
            self.capture.load(name)
        }

        fn now(&self) -> u32 {
            0
        }

        fn stopped(&self) -> bool {
            let Some(change) = self.changes.borrow_mut().pop() else { return true };
            assert_eq!(change(&self.odb), Ok(()));
            false
        }
    }

    fn check(json: bool, line: &str, wanted: &str) {
        let odb = Odb::from(sample());
        let mut changes: Vec<Deed<'_>> = vec![
            &|odb| odb.set("/Runinfo/State", 1),
            &|odb| odb.set("/Equipment/Trigger/Variables/ADC0", vec![17, 5, 6]),
            &|odb| {
                odb.change(|tree| {
                    tree.create("/Runinfo/Start time", "now")?;
                    tree.delete("/Runinfo/Run number")
                })
            },
            &|_| Ok(()),
        ];
        changes.reverse();
        let mut around =
            Other { capture: Capture::default(), odb: odb.clone(), changes: RefCell::new(changes) };
        assert!(Shell::new(odb).json(json).run(line, &mut around).is_ok());
        assert_eq!(around.capture.text(), wanted, "{line}");
    }

    #[test]
    fn changes_are_printed_as_they_happen() {
        let runinfo = "~ /Runinfo/State: 3 -> 1\n";
        let adc0 = "~ /Equipment/Trigger/Variables/ADC0[1]: 18 -> 5\n~ /Equipment/Trigger/Variables/ADC0[2]: 19 -> 6\n";
        let start = "- /Runinfo/Run number: INT 8\n+ /Runinfo/Start time: STRING(32) \"now\"\n";
        check(false, "watch", &[runinfo, adc0, start].concat());
        check(false, "watch /runinfo", &[runinfo, start].concat());
        check(false, "watch Here", adc0);
        check(false, "watch /Nowhere", "");
        check(
            true,
            "watch Runinfo/State",
            "{\"change\":\"changed\",\"path\":\"/Runinfo/State\",\
             \"left\":{\"type\":\"INT\",\"len\":1,\"values\":[\"3\"]},\
             \"right\":{\"type\":\"INT\",\"len\":1,\"values\":[\"1\"]}}\n",
        );
    }
}
