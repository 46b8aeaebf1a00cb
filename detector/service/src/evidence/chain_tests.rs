//! Whatever single thing is done to archived evidence is found, and named where it is.

use proptest::prelude::*;

use super::{
    Witness,
    chain::{Head, next_lines, read_line},
    fact::{Counted, Fact, SilenceEnded, Stopped},
    verify::{File, Finding, Verdict, Verifier},
};
use jiff::Timestamp;

fn at(second: usize) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + i64::try_from(second).unwrap()).unwrap()
}

fn facts(number: usize) -> Vec<Fact> {
    let fact = |index: usize| match index % 3 {
        0 => Fact::SilenceEnded(SilenceEnded { silence: format!("s-{index} \u{1F980} \"x\"\n") }),
        1 => Fact::Stopped(Stopped::default()),
        _ => Fact::Counted(Counted {
            since: at(index),
            canaries_sent: 60,
            canaries_back: 59,
            canaries_lost: 1,
            counts: [("records".to_owned(), u64::MAX)].into(),
            others: Vec::new(),
        }),
    };
    (0..number).map(fact).collect()
}

/// The files of a chain, with the number of their first entry.
fn files(worker: &str, entries: usize, per_file: usize) -> Vec<(u64, Vec<u8>)> {
    let mut head = Head::default();
    let lines = next_lines(&mut head, worker, at(0), &facts(entries)).unwrap();
    let files = lines.chunks(per_file).map(|lines| {
        let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        (lines[0].0, text.into_bytes())
    });
    files.collect()
}

fn verify(files: &[(u64, Vec<u8>)]) -> Verdict {
    let mut verifier = Verifier::default();
    for (index, (first, bytes)) in files.iter().enumerate() {
        let name = format!("{first:03}.jsonl");
        verifier.read(File { worker: "w", first: *first, name: &name, begins: index == 0 }, bytes, &mut |_| {});
    }
    verifier.finish()
}

/// The first finding is there, in this file and line.
fn is_named(files: &[(u64, Vec<u8>)], file: usize, line: usize) {
    let verdict = verify(files);
    let first = verdict.findings.first().expect("it is found");
    let place = (first.worker.as_str(), first.file.as_str(), first.line);
    assert_eq!(place, ("w", format!("{:03}.jsonl", files[file].0).as_str(), Some(line)), "{first:?}");
}

#[test]
fn what_was_not_touched_is_whole() {
    for (entries, per_file) in [(1, 1), (7, 3), (9, 3), (20, 100)] {
        let verdict = verify(&files("w", entries, per_file));
        assert_eq!(verdict, Verdict { entries: entries as u64, ..Verdict::default() });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_single_byte_that_changes_is_found(place in any::<prop::sample::Index>(), by in 1_u8..=255, file in 0_usize..3) {
        let mut files = files("w", 7, 3);
        let bytes = &mut files[file].1;
        let index = place.index(bytes.len());
        let line = bytes[..index].iter().filter(|byte| **byte == b'\n').count() + 1;
        bytes[index] ^= by;
        is_named(&files, file, line);
    }

    #[test]
    fn any_byte_that_is_lost_or_added_is_found(place in any::<prop::sample::Index>(), added in proptest::option::of(any::<u8>()), file in 0_usize..3) {
        let mut files = files("w", 7, 3);
        let before = files.clone();
        let bytes = &mut files[file].1;
        let index = place.index(bytes.len());
        match added {
            Some(byte) => bytes.insert(index, byte),
            None => drop(bytes.remove(index)),
        }
        prop_assume!(files != before);
        prop_assert!(!verify(&files).findings.is_empty());
    }

    #[test]
    fn entries_that_are_gone_or_stand_elsewhere_are_named(one in 0_usize..7, other in 0_usize..7) {
        let of = |lines: &[&[u8]]| vec![(1, lines.concat())];
        let whole = files("w", 7, 7).remove(0).1;
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let mut fewer = lines.clone();
        fewer.remove(one);
        // The last one leaves nothing behind; see the witnesses.
        if one < 6 {
            is_named(&of(&fewer), 0, one + 1);
        }
        let mut swapped = lines.clone();
        swapped.swap(one, other);
        if one != other {
            is_named(&of(&swapped), 0, one.min(other) + 1);
        }
        let mut twice = lines.clone();
        twice.insert(other, lines[one]);
        prop_assert!(!verify(&of(&twice)).findings.is_empty());
    }
}

#[test]
fn files_that_are_gone_renamed_or_foreign_are_named() {
    let whole = files("w", 9, 3);
    let mut gone = whole.clone();
    gone.remove(1);
    is_named(&gone, 1, 1);
    let mut beginning = whole.clone();
    beginning.remove(0);
    is_named(&beginning, 0, 1);
    let mut foreign = whole.clone();
    foreign[1] = files("x", 9, 3).remove(1);
    is_named(&foreign, 1, 1);
    assert!(verify(&foreign).findings[0].what.contains("belongs to the chain of x (its entry 4)"));
}

#[test]
fn a_rewritten_entry_is_found_by_the_one_after_it() {
    let mut files = files("w", 3, 3);
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut head = Head { seq: 1, hash: read_line(&lines[0]).unwrap().hash };
    let forged = Fact::SilenceEnded(SilenceEnded { silence: "s-forged".to_owned() });
    lines[1] = next_lines(&mut head, "w", at(0), &[forged]).unwrap().remove(0).1;
    files[0].1 = lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
    is_named(&files, 0, 3);
}

#[test]
fn a_chain_that_was_cut_off_is_found_by_its_witness() {
    let mut all = files("w", 9, 3);
    let last = all.pop().unwrap().1;
    let last = String::from_utf8(last).unwrap();
    let hash = read_line(last.lines().last().unwrap()).unwrap().hash;
    let check = |files: &[(u64, Vec<u8>)], worker: &str, hash: &str, expected: &str| {
        let mut verifier = Verifier::default();
        for (index, (first, bytes)) in files.iter().enumerate() {
            verifier.read(File { worker: "w", first: *first, name: "w.jsonl", begins: index == 0 }, bytes, &mut |_| {});
        }
        let witness = Witness { worker: worker.to_owned(), seq: 9, hash: hash.to_owned() };
        let stopped = Fact::Stopped(Stopped { in_order: true, others: vec![witness] });
        let line = next_lines(&mut Head::default(), "v", at(0), &[stopped]).unwrap().remove(0).1;
        let bytes = format!("{line}\n").into_bytes();
        verifier.read(File { worker: "v", first: 1, name: "v.jsonl", begins: true }, &bytes, &mut |_| {});
        let findings = verifier.finish().findings;
        let found: Vec<&Finding> = findings.iter().collect();
        match expected {
            "" => assert!(found.is_empty(), "{found:?}"),
            _ => assert!(found.len() == 1 && found[0].what.starts_with(expected), "{found:?}"),
        }
    };
    check(&all, "w", &hash, "the chain ends with entry 6, and entry 1 of v knows its entry 9");
    check(&all, "u", &hash, "no entry of this chain is there");
    let whole = files("w", 9, 3);
    check(&whole, "w", &hash, "");
    check(&whole, "w", "00", "that entry is another one here");
}
