//! `watch`: changes as they happen.

use std::time::Duration;

use super::{Call, Command, Result, Takes};
use crate::{Tree, diff};

pub(super) const COMMAND: Command = Command {
    name: "watch",
    usage: "watch [PATH]",
    help: "print each change below a path, until Ctrl-C\n\
        Lines are those of `diff`, from before to now. Changes that come faster than\n\
        they can be printed come as one. The path need not exist yet; `PATH[3]` is one\n\
        element, `PATH[1..4]` are several. With --json, one object per line.",
    takes: &[Takes::Path],
    run,
};

/// How long the user waits at most for it to end.
const PATIENCE: Duration = Duration::from_millis(100);

fn run(call: &mut Call<'_>) -> Result<()> {
    let path = call.path(call.word()?.unwrap_or("."))?;
    let mut watch = call.shell.odb.watch(&path.to_string())?;
    // What looks like an index is one unless a key has that very name, which may come and go.
    let index = |tree: &Tree| {
        let found = tree.find(&path.to_string()).ok()?;
        Some(found.index.filter(|_| found.key.value().is_some()))
    };
    let mut elements = index(watch.tree());
    while !call.around.stopped() {
        let Some(change) = watch.next(PATIENCE)? else { continue };
        elements = index(watch.tree()).or(elements);
        let lines = match elements.flatten() {
            Some(elements) => diff::lines_of(&change.differences, elements),
            None => diff::lines(&change.differences),
        };
        call.say(diff::page(&lines, call.shell.json))?;
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
    use super::Tree;
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

    #[test]
    fn an_element_may_come_and_go() {
        let changes: Vec<Deed<'_>> = vec![
            &|odb| odb.create("/P", vec![1, 2]),
            &|odb| odb.set("/P", vec![1, 2, 3, 4, 5]),
            &|odb| odb.set("/P", vec![9, 8, 7, 4]),
            &|odb| odb.set("/P", vec![1, 2]),
        ];
        let wanted = "~ /P: INT[2] 1 2 -> INT[5] 1 2 3 4 5\n~ /P: INT[4] 9 8 7 4 -> INT[2] 1 2\n";
        watched(Tree::new(), changes, false, "watch /P[3]", wanted);
    }

    #[test]
    fn what_looks_like_an_index_may_be_a_name() {
        let changes: Vec<Deed<'_>> =
            vec![&|odb| odb.create("/P[3]", vec![5, 6]), &|odb| odb.set("/P[3]", vec![5, 7]), &|odb| {
                odb.delete("/P[3]")
            }];
        let wanted = "+ /P[3]: INT[2] 5 6\n~ /P[3][1]: 6 -> 7\n- /P[3]: INT[2] 5 7\n";
        watched(Tree::new(), changes, false, "watch /P[3]", wanted);
    }

    fn check(json: bool, line: &str, wanted: &str) {
        let changes: Vec<Deed<'_>> = vec![
            &|odb| odb.set("/Runinfo/State", 1),
            &|odb| odb.set("/Equipment/Trigger/Variables/ADC0", vec![17, 5, 6]),
            &|odb| {
                odb.change(|tree| {
                    tree.create("/Runinfo/Start time", "now")?;
                    tree.delete("/Runinfo/Run number")
                })
            },
        ];
        watched(sample(), changes, json, line, wanted);
    }

    /// What is printed while these changes happen.
    fn watched(tree: Tree, mut changes: Vec<Deed<'_>>, json: bool, line: &str, wanted: &str) {
        let odb = Odb::from(tree);
        changes.push(&|_| Ok(()));
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
        // An index is only those elements.
        let (one, two) = adc0.split_once('\n').unwrap_or_default();
        check(false, "watch Here/Variables/ADC0[1]", &format!("{one}\n"));
        check(false, "watch Here/Variables/ADC0[2..3]", two);
        check(false, "watch Here/Variables/ADC0[*]", adc0);
        check(false, "watch Here/Variables/ADC0[0]", "");
        check(
            true,
            "watch Runinfo/State",
            "{\"change\":\"changed\",\"path\":\"/Runinfo/State\",\
             \"left\":{\"type\":\"INT\",\"len\":1,\"values\":[\"3\"]},\
             \"right\":{\"type\":\"INT\",\"len\":1,\"values\":[\"1\"]}}\n",
        );
    }
}
