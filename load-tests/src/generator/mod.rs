//! Synthetic CloudTrail events in EventBridge envelopes, one a record, the same for the same seed.
//!
//! The shape is that of a busy organisation trail: 90 % services that have nothing to do with Bedrock, 8 % model
//! invocations, 2 % events that rules and the world look at. Records are about 2 kB, and one in fifteen has escapes and
//! letters beyond ASCII. Deliberately no attack: what is measured is the cost of ordinary traffic.

mod bedrock;
mod chunk;
mod jobs;
mod other;
mod population;
mod words;
mod writer;

use bedrock_watch_engine::Second;
pub use chunk::Chunk;
pub use population::Population;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Which records a stream consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// 90 % unrelated services, 8 % invocations, 2 % events that rules and the world look at.
    Mix,
    /// Invocations only: what is left when EventBridge filters on the source.
    AllBedrock,
    /// Services that have nothing to do with Bedrock only.
    Unrelated,
    /// Rules added to security groups only: EC2 events that the world follows.
    GroupRules,
    /// As it says.
    Shares(Shares),
}

/// A mix of records; what is left to a thousand are events that rules and the world look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Records of unrelated services, of 1,000.
    pub unrelated: u32,
    /// Invocations, of 1,000.
    pub invocations: u32,
}

/// What a single record is about.
enum Kind {
    Unrelated,
    Invocation,
    Interesting,
    GroupRules,
}

impl Stream {
    fn kind(self, random: &mut impl Rng) -> Kind {
        let shares = match self {
            Self::Mix => Shares { unrelated: 900, invocations: 80 },
            Self::AllBedrock => return Kind::Invocation,
            Self::Unrelated => return Kind::Unrelated,
            Self::GroupRules => return Kind::GroupRules,
            Self::Shares(shares) => shares,
        };
        let point = random.random_range(0..1_000_u32);
        match point.checked_sub(shares.unrelated) {
            None => Kind::Unrelated,
            Some(point) if point < shares.invocations => Kind::Invocation,
            Some(_) => Kind::Interesting,
        }
    }
}

/// How the caller of a record is picked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Callers {
    /// By Zipf's law with exponent 0.9: few callers make most of the calls.
    #[default]
    Zipf,
    /// One after the other, so that each has made the same number of calls.
    RoundRobin,
    /// Nine of ten calls are made by one of them.
    Hot,
    /// By Zipf's law, but each call comes from a session and an access key that were never seen before.
    NewSessions,
}

/// Accounts in which jobs run.
const JOB_ACCOUNTS: u64 = 36;

/// The number of the hot caller: a session of a role.
const HOT: usize = 1;

/// The first event time of a stream: 2026-11-01T00:00:00Z.
pub const START: Second = Second(1_793_491_200);

/// A part of a record that depends on the kind of event.
#[derive(Debug)]
struct Event {
    service: &'static str,
    name: &'static str,
    /// `"errorCode":..,"errorMessage":..,` or nothing.
    error: String,
    request: String,
    response: String,
    /// `"additionalEventData":..,` or nothing.
    additional: String,
    /// `"resources":..,` or nothing.
    resources: String,
    read_only: bool,
}

impl Event {
    /// A call that succeeded and says no more than what it asked for and what it got.
    const fn new(
        service: &'static str,
        name: &'static str,
        request: String,
        response: String,
        read_only: bool,
    ) -> Self {
        Self {
            service,
            name,
            error: String::new(),
            request,
            response,
            additional: String::new(),
            resources: String::new(),
            read_only,
        }
    }
}

/// Makes one record after the other.
#[derive(Debug)]
pub struct Generator {
    random: StdRng,
    population: Population,
    stream: Stream,
    callers: Callers,
    made: u64,
    micros: u64,
    step_micros: u64,
}

impl Generator {
    /// A generator of a stream of about 500 records a second.
    #[must_use]
    pub fn new(seed: u64, stream: Stream, population: Population) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            population,
            stream,
            callers: Callers::Zipf,
            made: 0,
            micros: 0,
            step_micros: 2_000,
        }
    }

    /// Picks callers in another way.
    #[must_use]
    pub const fn with_callers(mut self, callers: Callers) -> Self {
        self.callers = callers;
        self
    }

    /// Spreads the records otherwise over event time; the distance is random between 0 and twice this.
    #[must_use]
    pub const fn with_step_micros(mut self, step_micros: u64) -> Self {
        self.step_micros = step_micros;
        self
    }

    /// Appends the next record to `out` and returns its event time.
    pub fn append_to(&mut self, out: &mut Vec<u8>) -> Second {
        self.micros = self.micros.saturating_add(self.random.random_range(0..=self.step_micros.saturating_mul(2)));
        let at = START.plus(u32::try_from(self.micros / 1_000_000).unwrap_or(u32::MAX));
        let caller = self.next_caller();
        let region = words::pick(&mut self.random, &words::REGIONS);
        let random = &mut self.random;
        let event = match self.stream.kind(random) {
            Kind::Unrelated => other::unrelated(random, region, &caller.account),
            Kind::Invocation => bedrock::invocation(random, region, &caller),
            Kind::Interesting => bedrock::interesting(random, region, &caller.account),
            Kind::GroupRules => bedrock::group_rule(random, &caller.account),
        };
        writer::write(&mut self.random, out, &writer::Parts { at, caller: &caller, region, event: &event });
        self.made = self.made.saturating_add(1);
        at
    }

    fn next_caller(&mut self) -> population::Caller {
        let made = usize::try_from(self.made).unwrap_or_default();
        let zipf = self.population.pick(&mut self.random);
        match self.callers {
            Callers::Zipf => self.population.caller(zipf),
            Callers::RoundRobin => self.population.caller(made % self.population.len()),
            Callers::Hot => self.population.caller(if self.random.random_bool(0.9) { HOT } else { zipf }),
            Callers::NewSessions => self.population.new_session(zipf, self.made),
        }
    }

    /// Appends an invocation by the caller of that number at that time.
    pub fn append_call(&mut self, out: &mut Vec<u8>, caller: usize, at: Second) -> Second {
        let caller = self.population.caller(caller);
        let region = words::pick(&mut self.random, &words::REGIONS);
        let event = bedrock::invocation(&mut self.random, region, &caller);
        writer::write(&mut self.random, out, &writer::Parts { at, caller: &caller, region, event: &event });
        at
    }

    /// Jobs of an account are started by one session of a role, so that what is remembered of callers, and alerts about
    /// users with long-term keys, are little beside the jobs.
    fn job_owner(&self, number: u64) -> population::Caller {
        // Nine of ten callers are such sessions.
        let session = usize::try_from(number % JOB_ACCOUNTS).unwrap_or_default();
        self.population.caller(session + session / 9 + 1)
    }

    /// Appends the start of a customization job with a security group of its own, both of that number.
    pub fn append_job(&mut self, out: &mut Vec<u8>, number: u64, at: Second) -> Second {
        let caller = self.job_owner(number);
        let event = jobs::start(&mut self.random, number, &caller.account);
        writer::write(
            &mut self.random,
            out,
            &writer::Parts { at, caller: &caller, region: jobs::REGION, event: &event },
        );
        at
    }

    /// Appends the deletion of the security group of that number.
    pub fn append_group_deletion(&mut self, out: &mut Vec<u8>, number: u64, at: Second) -> Second {
        let caller = self.job_owner(number);
        let event = jobs::delete_group(&mut self.random, number);
        writer::write(
            &mut self.random,
            out,
            &writer::Parts { at, caller: &caller, region: jobs::REGION, event: &event },
        );
        at
    }

    /// The next `records` records, one a line.
    pub fn lines(&mut self, records: usize) -> Vec<u8> {
        let mut lines = Vec::new();
        for _ in 0..records {
            self.append_to(&mut lines);
            lines.push(b'\n');
        }
        lines
    }

    /// The next `records` records.
    pub fn chunk(&mut self, records: usize) -> Chunk {
        let mut chunk = Chunk::default();
        for _ in 0..records {
            chunk.push(|out| self.append_to(out));
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_live_in_groups_of_their_own_and_raise_nothing_until_one_is_deleted() {
        let rules = crate::rules::compile(&crate::rules::pack().unwrap()).unwrap();
        let mut engine = bedrock_watch_engine::Engine::new(rules, bedrock_watch_engine::Settings::standard());
        let mut generator = Generator::new(7, Stream::Mix, Population::new(20_000));
        let mut chunk = Chunk::default();
        (0..500).for_each(|number| chunk.push(|out| generator.append_job(out, number, START)));
        chunk.push(|out| generator.append_group_deletion(out, 500, START.plus(60)));
        for (record, _) in chunk.iter() {
            assert_eq!(engine.judge_recorded(record).unwrap(), []);
        }
        let mut deletion = Vec::new();
        generator.append_group_deletion(&mut deletion, 7, START.plus(60));
        let changes = engine.judge_recorded(&deletion).unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].alert.rule, "customization-job-security-group-deleted");
    }

    #[test]
    fn is_the_same_for_the_same_seed_and_every_record_is_an_event() {
        let make = |seed| Generator::new(seed, Stream::Mix, Population::new(20_000)).chunk(5_000);
        let (one, same, other) = (make(7), make(7), make(8));
        assert_eq!(one.bytes(), same.bytes());
        assert_ne!(one.bytes(), other.bytes());
        let mut invocations = 0;
        for (record, at) in one.iter() {
            let value: serde_json::Value = serde_json::from_slice(record).unwrap();
            assert_eq!(value["detail"]["eventTime"], at.to_rfc3339());
            invocations += usize::from(value.pointer("/detail/requestParameters/modelId").is_some());
        }
        assert!((300..500).contains(&invocations), "{invocations} of 5000 are invocations");
        let average = one.bytes().len() / 5_000;
        assert!((1_700..2_500).contains(&average), "{average} bytes a record");
    }
}
