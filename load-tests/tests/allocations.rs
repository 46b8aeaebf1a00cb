//! A record nobody is interested in is judged without asking the allocator for anything.
//!
//! One test alone in its file: the allocator counts for the whole process.

use bedrock_watch_engine::{Engine, Settings};
use bedrock_watch_load_tests::{
    generator::{Generator, Population, Stream},
    rules,
};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Records before those that count: they make the accounts known and fill what remembers names.
const FIRST: usize = 5_000;
const RECORDS: usize = 5_000;
/// Bytes asked for while a record is judged, given back or not, and whether it was left to the prefilter.
fn judge(engine: &mut Engine, record: &[u8]) -> (usize, bool) {
    let (bytes, prefiltered) = (ALLOCATOR.total_allocated(), engine.stats().prefiltered);
    assert!(engine.judge_recorded(record).is_ok_and(|changes| changes.is_empty()), "a record raised something");
    (ALLOCATOR.total_allocated().saturating_sub(bytes), engine.stats().prefiltered > prefiltered)
}

#[test]
fn records_of_no_interest_allocate_nothing() {
    let mut engine = Engine::new(rules::compile(&rules::pack().unwrap()).unwrap(), Settings::standard());
    let mut generator = Generator::new(7, Stream::Unrelated, Population::new(20_000));
    for (record, _) in generator.chunk(FIRST).iter() {
        judge(&mut engine, record);
    }
    let records = generator.chunk(RECORDS);
    // The few others are log groups that come to be: invocation logs may go there.
    let prefiltered =
        records.iter().map(|(record, _)| judge(&mut engine, record)).filter(|(_, prefiltered)| *prefiltered);
    let allocated = prefiltered.map(|(bytes, _)| bytes).collect::<Vec<_>>();
    assert!(allocated.len() > RECORDS * 9 / 10, "only {} records were left to the prefilter", allocated.len());
    let asking = allocated.iter().filter(|bytes| **bytes > 0).count();
    assert_eq!(asking, 0, "so many records of no interest allocated");

    let call = Generator::new(8, Stream::AllBedrock, Population::new(20_000)).chunk(1);
    assert!(call.iter().all(|(record, _)| judge(&mut engine, record).0 > 0), "the allocator does not count");
}
