//! What any program has to do at least: read the memory, find the lines, tell by a few searches that a record is not
//! about Bedrock, parse.

use std::hint::black_box;

use bedrock_watch_engine::decode;
use memchr::{memchr_iter, memmem};
use serde_json::Value;

use super::{
    Answer,
    corpus::Corpus,
    typed::{Envelope, Found},
};

/// One of these is in every record that one of the five rules may match.
const NEEDLES: [&str; 3] = ["bedrock.amazonaws.com", "AuthorizeSecurityGroup", "/AmazonBedrockFullAccess"];

/// Adds up all bytes, eight at a time.
pub(super) fn read_memory(corpus: &Corpus) -> anyhow::Result<Answer> {
    let (words, _) = corpus.bytes().as_chunks::<8>();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    black_box(sum);
    Ok(Answer::default())
}

pub(super) fn count_lines(corpus: &Corpus) -> anyhow::Result<Answer> {
    black_box(memchr_iter(b'\n', corpus.bytes()).count());
    Ok(Answer::default())
}

pub(super) fn prefilter(corpus: &Corpus) -> anyhow::Result<Answer> {
    let needles = NEEDLES.map(memmem::Finder::new);
    let admitted = corpus.lines().filter(|line| needles.iter().any(|needle| needle.find(line).is_some())).count();
    black_box(admitted);
    Ok(Answer::default())
}

/// The engine's parser, for every record.
pub(super) fn decode(corpus: &Corpus) -> anyhow::Result<Answer> {
    for line in corpus.lines() {
        black_box(decode::decode(line)?);
    }
    Ok(Answer::default())
}

pub(super) fn sonic_typed(corpus: &Corpus) -> anyhow::Result<Answer> {
    let mut found = Found::default();
    for line in corpus.lines() {
        found.judge(&sonic_rs::from_slice::<Envelope<'_>>(line)?.detail);
    }
    Ok(Answer::of(&found))
}

/// What the fastest program one would write for five fixed rules does.
pub(super) fn by_hand(corpus: &Corpus) -> anyhow::Result<Answer> {
    let needles = NEEDLES.map(memmem::Finder::new);
    let mut found = Found::default();
    for line in corpus.lines().filter(|line| needles.iter().any(|needle| needle.find(line).is_some())) {
        found.judge(&sonic_rs::from_slice::<Envelope<'_>>(line)?.detail);
    }
    Ok(Answer::of(&found))
}

pub(super) fn serde_typed(corpus: &Corpus) -> anyhow::Result<Answer> {
    let mut found = Found::default();
    for line in corpus.lines() {
        found.judge(&serde_json::from_slice::<Envelope<'_>>(line)?.detail);
    }
    Ok(Answer::of(&found))
}

pub(super) fn serde_value(corpus: &Corpus) -> anyhow::Result<Answer> {
    for line in corpus.lines() {
        black_box(serde_json::from_slice::<Value>(line)?);
    }
    Ok(Answer::default())
}
