//! How a history reaches the engine: late, twice, in other wrappings, over several inputs.

use serde_json::{Value, json};

use super::dice::Dice;

/// How far a record may lie behind the newest one of its account that was delivered before it.
const LATENESS: i64 = 900;

/// Records in the order and form in which they arrive.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Each record's bytes with its event time.
    pub records: Vec<(i64, Vec<u8>)>,
    /// Positions after which the reader stops and starts again from its snapshot.
    pub restarts: Vec<usize>,
}

/// Every record once, bare, in event order: the plainest delivery.
#[must_use]
pub fn in_event_order(records: &[Value]) -> Delivery {
    let mut timed: Vec<(i64, Vec<u8>)> = records.iter().map(|record| (time(record), bytes(record))).collect();
    timed.sort_by_key(|(time, _)| *time);
    Delivery { records: timed, restarts: Vec::new() }
}

/// One of the many ways to deliver `records` within the allowed lateness; the same seed gives the same way.
#[must_use]
pub fn deliver(records: &[Value], seed: u64) -> Delivery {
    let mut dice = Dice::new(seed);
    let inputs = dice.one_of([1, 1, 2, 3]);
    let disorder = Disorder::random(&mut dice);
    let copies = dice.one_of([0, 0, 5, 30]);
    let mut queues: Vec<Vec<(i64, i64, Vec<u8>)>> = vec![Vec::new(); inputs];
    for record in records {
        let count = if dice.chance(copies) { dice.between(2, 3) } else { 1 };
        for _ in 0..count {
            let (time, queue) = (time(record), dice.index(inputs));
            let arrives = disorder.arrival(time, &mut dice);
            let form = form(record, &mut dice);
            if let Some(queue) = queues.get_mut(queue) {
                queue.push((arrives, time, form));
            }
        }
    }
    for queue in &mut queues {
        dice.shuffle(queue);
        queue.sort_by_key(|(arrives, ..)| *arrives);
    }
    let records = merge(queues);
    let restarts = (0..dice.one_of([0, 0, 1, 3])).map(|_| dice.index(records.len())).collect();
    Delivery { records, restarts }
}

/// A record that arrives at its time plus a delay of at most the lateness is never further behind another than that.
#[derive(Debug, Clone, Copy)]
enum Disorder {
    None,
    UpTo(i64),
    /// Most at once, a few at the last moment.
    Stragglers,
    /// Each quarter of an hour backwards.
    Backwards,
}

impl Disorder {
    fn random(dice: &mut Dice) -> Self {
        dice.one_of([
            Self::None,
            Self::UpTo(5),
            Self::UpTo(60),
            Self::UpTo(LATENESS),
            Self::Stragglers,
            Self::Backwards,
        ])
    }

    fn arrival(self, time: i64, dice: &mut Dice) -> i64 {
        let delay = match self {
            Self::None => 0,
            Self::UpTo(longest) => dice.between(0, longest),
            Self::Stragglers => {
                if dice.chance(5) {
                    LATENESS
                } else {
                    0
                }
            }
            Self::Backwards => (LATENESS - 1) - 2 * time.rem_euclid(LATENESS),
        };
        // Backwards: the first second of a quarter arrives where its last would, and the other way round.
        time + delay
    }
}

/// As `replay` merges several inputs: the one whose next record is the oldest goes next.
fn merge(queues: Vec<Vec<(i64, i64, Vec<u8>)>>) -> Vec<(i64, Vec<u8>)> {
    let mut heads: Vec<_> = queues.into_iter().map(|queue| queue.into_iter().peekable()).collect();
    let mut merged = Vec::new();
    loop {
        let times = heads.iter_mut().enumerate().filter_map(|(index, head)| Some((head.peek()?.1, index)));
        let Some((_, index)) = times.min() else { return merged };
        let Some(head) = heads.get_mut(index) else { return merged };
        merged.extend(head.next().map(|(_, time, bytes)| (time, bytes)));
    }
}

/// Bare or in an envelope, compact or pretty.
fn form(record: &Value, dice: &mut Dice) -> Vec<u8> {
    let enveloped = record.get("detail").is_none() && dice.chance(40);
    let wrapped = if enveloped { envelope(record, dice) } else { record.clone() };
    let pretty = dice.chance(10).then(|| serde_json::to_vec_pretty(&wrapped));
    pretty.and_then(Result::ok).unwrap_or_else(|| bytes(&wrapped))
}

fn envelope(record: &Value, dice: &mut Dice) -> Value {
    let source = text(record, "eventSource").split('.').next().unwrap_or_default().to_owned();
    json!({
        "version": "0",
        "id": dice.uuid(),
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{source}"),
        "account": text(record, "recipientAccountId"),
        "time": text(record, "eventTime"),
        "region": text(record, "awsRegion"),
        "resources": [],
        "detail": record,
    })
}

fn bytes(record: &Value) -> Vec<u8> {
    record.to_string().into_bytes()
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn time(record: &Value) -> i64 {
    let text = record.get("eventTime").or_else(|| record.get("time")).and_then(Value::as_str).unwrap_or_default();
    bedrock_watch_engine::Second::parse(text).map_or(0, |second| i64::from(second.0))
}
