use super::*;
use crate::prelude::*;
use pactolus_formats::Tid;

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
const SUMS: BankDef<i32> = BankDef::new(b"SUMS");
const SEEN: BankDef<u32> = BankDef::new(b"SEEN");

/// Adds offsets, and does other things that a test may look at.
#[derive(Record, Clone)]
struct Adds {
    #[key("Offset", default = 0, per = ADC0)]
    offset: Vec<i32>,
    #[key("Name", default = "none")]
    name: String,
    #[key(skip)]
    large: crate::Test,
    #[key(skip)]
    sums: Hist1,
}

impl Module for Adds {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(SUMS)
    }

    fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        self.large = setup.test("large");
        self.sums = setup.book("Sums", Hist1::new(Axis::regular(10, 0.0, 100.0)))?;
        Ok(())
    }

    fn event(&self, event: &Event<'_>, context: &Context<'_>) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Skip) };
        event.append_with(SUMS, adc.len(), |i| i32::from(adc.at(i)) + self.offset[i])?;
        context.set(self.large, adc.at(0) > 10);
        context.fill(self.sums, adc.at(0));
        if adc.at(0) == 13 {
            context.message(format!("{} meets 13", self.name));
        }
        assert!(adc.at(0) != 666, "the number of the beast");
        Ok(Keep)
    }
}

/// Counts, and makes an event of each second one.
#[derive(Record, Clone)]
struct Counts {
    #[key(skip)]
    seen: u32,
}

impl Sequential for Counts {
    fn banks(&self) -> Banks {
        Banks::default().write(SEEN).queues_events()
    }

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<Verdict> {
        self.seen += 1;
        event.append(SEEN, &[self.seen])?;
        if self.seen.is_multiple_of(2) {
            context.queue(NewEvent::new(50, 1, self.seen, event.time()).bank(SEEN, &[self.seen]));
        }
        Ok(Keep)
    }
}

fn adds() -> Harness {
    Harness::of("Adding", Adds::defaults()).parameter("Offset", [1, 2]).parameter("Name", "Adding")
}

#[test]
fn banks_tests_histograms_and_counters_are_seen() {
    let seen = adds().run([
        event(1).bank(ADC0, &[1, 2]),
        event(1),
        event(1).bank(ADC0, &[1, 2, 3]),
        event(1).bank(ADC0, &[666]),
        event(1).bank(ADC0, &[13]),
    ]);
    assert_eq!(seen.event(0).bank(SUMS), [2, 4]);
    assert_eq!(seen.event(0).banks().map(|name| name.to_string()).collect::<Vec<_>>(), ["ADC0", "SUMS"]);
    assert!(seen.event(0).is_kept() && seen.event(0).error().is_none());
    assert!(seen.event(1).is_skipped() && seen.event(1).get(SUMS).is_none());
    assert!(seen.event(2).error().unwrap().contains("parameter \"Offset\" has 2 values"));
    let error = seen.event(3).error().unwrap();
    assert!(
        error.starts_with("panicked at src/harness/tests.rs:") && error.ends_with("the number of the beast")
    );
    assert_eq!((seen.event(4).header().serial, seen.event(4).header().time), (4, START + 4));
    assert_eq!((seen.test("large"), seen.test("Always true")), (1, 2));
    assert_eq!(seen.histogram("Sums").stats().entries, 3);
    assert_eq!(seen.histogram("Adding/Sums").name(), "Adding/Sums");
    let stage = seen.stage("adding");
    assert_eq!((stage.entered, stage.skipped, stage.failed), (5, 1, 2));
    assert!(seen.messages()[0].contains("Adding meets 13"), "{:?}", seen.messages());
    assert_eq!(seen.events().filter(|event| event.is_kept()).count(), 2);
}

#[test]
fn a_chain_has_sequential_stages_and_events_that_are_made() {
    let harness = adds().then_sequential("Counting", Counts::defaults());
    let seen = harness.check((0..5).map(|i| event(1).serial(7).bank(ADC0, &[i])));
    let counts: Vec<u32> = seen.events().flat_map(|event| event.bank(SEEN)).collect();
    assert_eq!(counts, [1, 2, 3, 4, 5]);
    assert!(seen.event(4).is_kept() && seen.event(4).bank(SUMS) == [5]);
    assert_eq!(seen.event(0).queued(), []);
    assert_eq!(seen.event(1).queued()[0].get(SEEN), Some(vec![2]));
    assert_eq!(seen.made().len(), 2);
    assert!(!seen.made()[0].is_requested() && seen.made()[1].bank(SEEN) == [4]);
}

#[test]
fn a_definition_has_several_requests() {
    let catalogue = Catalogue::new().module::<Adds>("Adds").sequential::<Counts>("Counts");
    let text = r#"
        name = "Analyzer"
        [[request]]
        name = "First"
        id = 1
        module = [{ type = "Adds" }]
        [[request]]
        name = "Slow"
        id = 4
        fixed = { Temperature = "DOUBLE" }
        [[request]]
        name = "All"
        module = [{ type = "Counts", name = "Counting" }]
    "#;
    let harness = Harness::definition(text, &catalogue).parameter("Adds/Offset", [5]);
    let seen = harness.check([event(1).bank(ADC0, &[7]), event(2), event(4).fixed(2.5_f64)]);
    assert_eq!(seen.event(0).bank(SUMS), [12]);
    let all = seen.event_of(0, "All");
    assert!(all.get(SUMS).is_none() && all.bank(SEEN) == [1]);
    assert_eq!(seen.event(1).bank(SEEN), [2]);
    assert!(seen.event(2).is_kept() && seen.event(2).banks().count() == 0);
}

#[test]
fn what_cannot_begin_is_an_error() {
    let error = Harness::of("A", Adds::defaults()).then("B", Adds::defaults()).try_run([event(1)]);
    assert!(error.unwrap_err().to_string().contains("both append bank SUMS"));
}

/// With what it panics.
fn says<T>(act: impl FnOnce() -> T) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).err().unwrap();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn what_is_wrong_with_a_test_is_a_sentence() {
    let seen = adds().run([event(1).bank(ADC0, &[1])]);
    let not = "test \"larg\": no module has booked it; the nearest is \"large\"";
    assert_eq!(says(|| seen.test("larg")), not);
    let not = "histogram \"Sum\": no module has booked it; the nearest is \"Sums\"";
    assert_eq!(says(|| seen.histogram("Sum").name()), not);
    let twice = adds().then("Again", Other::defaults()).run([event(1).bank(ADC0, &[1])]);
    let not = "histogram \"Sums\": it may be Adding/Sums or Again/Sums";
    assert_eq!(says(|| twice.histogram("Sums").name()), not);
    let not = "bank SEEN: the event has ADC0, SUMS";
    assert_eq!(says(|| seen.event(0).bank(SEEN)), not);
    assert!(says(|| seen.event(0).bank(BankDef::<f32>::new(b"ADC0"))).contains("WORD"));
    assert_eq!(says(|| seen.event(1)), "event 1: there were 1, counted from 0");
    let not = "unknown parameter \"Offsett\" in stage \"Adding\": the nearest is \"Offset\"";
    assert_eq!(says(|| Harness::of("Adding", Adds::defaults()).parameter("Offsett", [1])), not);
    let not = "parameter \"Offset\": STRING much does not fit into INT";
    assert_eq!(says(|| adds().parameter("Offset", "much")), not);
    let not = "parameter \"Subtracting/Offset\": there is no such stage; give STAGE/KEY";
    assert_eq!(says(|| adds().parameter("Subtracting/Offset", 1)), not);
}

/// Books what another books, too, and has something to say at the end.
#[derive(Record, Clone)]
struct Other {
    #[key("By chance", default = false)]
    by_chance: bool,
}

impl Module for Other {
    fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        setup.book("Sums", Hist1::new(Axis::regular(10, 0.0, 100.0)))?;
        Ok(())
    }

    fn event(&self, _: &Event<'_>, context: &Context<'_>) -> Result<Verdict> {
        context.message("an event");
        Ok(Keep)
    }

    fn eor(&self, run: &EndOfRun<'_>) -> Result<()> {
        let chance = self.by_chance.then(std::time::Instant::now);
        run.message(format!("the end {chance:?}"));
        Ok(())
    }
}

#[test]
fn what_is_said_at_the_end_comes_first_and_is_never_left_out() {
    let harness = Harness::of("Other", Other::defaults()).then("More", Other::defaults());
    let seen = harness.check((0..100).map(|_| event(1)));
    let messages = seen.messages();
    assert!(
        messages[0].starts_with("Other: the end") && messages[1].starts_with("More: the end"),
        "{messages:?}"
    );
    assert!(messages[2].contains("an event") && messages.len() == 22, "{messages:?}");
    let harness = Harness::of("Other", Other::defaults()).parameter("By chance", true);
    let text = says(|| harness.check([event(1)]));
    assert!(text.starts_with("stage \"Other\" differs between two equal runs"), "{text}");
    assert!(text.ends_with("(at the end of the run)"), "{text}");
}

#[test]
fn events_with_one_header_are_told_apart() {
    let harness = adds().then_sequential("Counting", Counts::defaults());
    let same = |adc: &[u16]| event(1).serial(7).time(9).bank(ADC0, adc);
    // The first is lost in the first stage, the second passes both.
    let seen = harness.run([same(&[666]), same(&[5, 5])]);
    assert!(seen.event(0).error().is_some() && seen.event(0).get(SEEN).is_none());
    assert_eq!(seen.event(1).bank(SEEN), [1]);
}

/// Depends on what it has seen before, although it may not.
#[derive(Record, Clone)]
struct Remembers {
    #[key(skip)]
    seen: Arc<std::sync::atomic::AtomicU32>,
}

impl Module for Remembers {
    fn banks(&self) -> Banks {
        Banks::default().write(SEEN)
    }

    fn event(&self, event: &Event<'_>, _: &Context<'_>) -> Result<Verdict> {
        event.append(SEEN, &[self.seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed)])?;
        Ok(Keep)
    }
}

#[test]
fn a_stage_that_remembers_is_named() {
    let harness = Harness::of("Remembering", Remembers { seen: Arc::default() });
    let text = says(|| harness.check((0..50).map(|i| event(1).bank(ADC0, &[i]))));
    assert!(text.starts_with("stage \"Remembering\" differs "), "{text}");
}

#[test]
fn any_type_may_be_a_parameter_and_a_bank() {
    let seen = adds()
        .parameter("Adding/name", "any")
        .run([event(1).mask(3).bytes(BankName::new(*b"TEXT"), Tid::Char, b"hello").bank(ADC0, &[13])]);
    assert_eq!(seen.event(0).bank(BankDef::<u8>::new(b"TEXT")), b"hello");
    assert_eq!(seen.event(0).header().mask, 3);
    assert!(seen.messages()[0].contains("any meets 13"));
}
