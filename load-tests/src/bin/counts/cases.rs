//! What is counted: a prepared engine and the records it judges.

use anyhow::anyhow;
use bedrock_watch_engine::{Engine, Settings, rule::RuleFile};
use bedrock_watch_load_tests::{
    generator::{Chunk, Generator, Population, START, Stream},
    rules,
};

/// A case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    about: &'static str,
    /// Records that are counted.
    pub(crate) records: u64,
    rules: Rules,
    work: Work,
}

#[derive(Debug, Clone, Copy)]
enum Rules {
    Flagship,
    Pack,
    PackAnd1000,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    /// Records of a stream, after as many to get going.
    Stream(Stream),
    /// Deletions of groups that no job names, with so many jobs alive.
    DeleteUnused { jobs: u64 },
    /// Deletions of groups that a job names.
    DeleteUsed { jobs: u64 },
}

const fn case(name: &'static str, about: &'static str, records: u64, rules: Rules, work: Work) -> Case {
    Case { name, about, records, rules, work }
}

/// All cases.
pub(crate) const CASES: [Case; 11] = [
    case("uninteresting", "services of no interest", 4_000, Rules::Pack, Work::Stream(Stream::Unrelated)),
    case("mix", "90 % of no interest, 8 % invocations", 4_000, Rules::Pack, Work::Stream(Stream::Mix)),
    case("invocations", "invocations only", 2_000, Rules::Pack, Work::Stream(Stream::AllBedrock)),
    case("group-rules", "rules added to security groups", 1_000, Rules::Pack, Work::Stream(Stream::GroupRules)),
    case(
        "delete-unused-1000",
        "DeleteSecurityGroup, 1,000 jobs live",
        500,
        Rules::Pack,
        Work::DeleteUnused { jobs: 1_000 },
    ),
    case("delete-unused-5000", "the same, 5,000 jobs live", 500, Rules::Pack, Work::DeleteUnused { jobs: 5_000 }),
    case("delete-used-1000", "the group of a live job: an alert", 500, Rules::Pack, Work::DeleteUsed { jobs: 1_000 }),
    case("mix-14-rules", "the mix with the flagship rules", 4_000, Rules::Flagship, Work::Stream(Stream::Mix)),
    case("mix-1000-more", "the mix with 1,000 rules more", 4_000, Rules::PackAnd1000, Work::Stream(Stream::Mix)),
    case(
        "invocations-14-rules",
        "invocations, flagship rules",
        2_000,
        Rules::Flagship,
        Work::Stream(Stream::AllBedrock),
    ),
    case(
        "invocations-1000-more",
        "invocations, 1,000 rules more",
        2_000,
        Rules::PackAnd1000,
        Work::Stream(Stream::AllBedrock),
    ),
];

/// The case of that name.
pub(crate) fn find(name: &str) -> anyhow::Result<Case> {
    let names = || CASES.map(|case| case.name).join(", ");
    CASES.into_iter().find(|case| case.name == name).ok_or_else(|| anyhow!("no case {name}; there are {}", names()))
}

impl Case {
    /// A row of the list.
    pub(crate) fn described(&self) -> Vec<String> {
        vec![self.name.to_owned(), self.records.to_string(), self.about.to_owned()]
    }

    /// An engine that is in the middle of its work, and what it is given next.
    pub(crate) fn prepare(&self) -> anyhow::Result<(Engine, Chunk)> {
        let files: Vec<RuleFile> = match self.rules {
            Rules::Flagship => rules::flagship()?,
            Rules::Pack => rules::pack()?,
            Rules::PackAnd1000 => rules::pack_and(1_000)?,
        };
        let mut engine = Engine::new(rules::compile(&files)?, Settings::standard());
        let records = usize::try_from(self.records)?;
        let stream = if let Work::Stream(stream) = self.work { stream } else { Stream::Mix };
        let mut generator = Generator::new(7, stream, Population::new(20_000));
        let mut next = Chunk::default();
        match self.work {
            Work::Stream(_) => {
                play(&mut engine, &generator.chunk(records));
                next = generator.chunk(records);
            }
            Work::DeleteUnused { jobs } => {
                play(&mut engine, &jobs_of(&mut generator, jobs));
                let unused = jobs..jobs.saturating_add(self.records);
                unused.for_each(|number| next.push(|out| generator.append_group_deletion(out, number, START.plus(60))));
            }
            Work::DeleteUsed { jobs } => {
                play(&mut engine, &jobs_of(&mut generator, jobs));
                let used = 0..self.records.min(jobs);
                used.for_each(|number| next.push(|out| generator.append_group_deletion(out, number, START.plus(60))));
            }
        }
        Ok((engine, next))
    }
}

fn jobs_of(generator: &mut Generator, jobs: u64) -> Chunk {
    let mut chunk = Chunk::default();
    (0..jobs).for_each(|number| chunk.push(|out| generator.append_job(out, number, START)));
    chunk
}

fn play(engine: &mut Engine, chunk: &Chunk) {
    for (record, _) in chunk.iter() {
        drop(engine.judge_recorded(record));
    }
}
