//! A record nobody is interested in is judged without asking the allocator for anything.
//!
//! One test alone in its file: the allocator counts for the whole process.

use bedrock_watch_engine::{Engine, Settings};
use bedrock_watch_load_tests::{
    generator::{Chunk, Generator, Population, Stream},
    rules,
};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Bytes asked for while the records are judged, given back or not.
fn allocated(engine: &mut Engine, chunk: &Chunk) -> usize {
    let before = ALLOCATOR.total_allocated();
    for (record, _) in chunk.iter() {
        assert!(engine.judge_recorded(record).is_ok_and(|changes| changes.is_empty()), "a record raised something");
    }
    ALLOCATOR.total_allocated().saturating_sub(before)
}

#[test]
fn records_of_no_interest_allocate_nothing() {
    let mut engine = Engine::new(rules::compile(&rules::pack().unwrap()).unwrap(), Settings::standard());
    let mut generator = Generator::new(7, Stream::Unrelated, Population::new(20_000));
    let (first, second) = (generator.chunk(5_000), generator.chunk(5_000));
    let calls = Generator::new(8, Stream::AllBedrock, Population::new(20_000)).chunk(1);
    // The first records make the accounts known and fill what remembers names.
    allocated(&mut engine, &first);
    let prefiltered = engine.stats().prefiltered;
    assert_eq!(allocated(&mut engine, &second), 0, "bytes were allocated");
    assert_eq!(engine.stats().prefiltered - prefiltered, 5_000, "a record was decoded");
    assert!(allocated(&mut engine, &calls) > 0, "the allocator does not count");
}
