//! Tries the whole way: puts a canary on the bus and reads it from the stream, beside whoever else reads it.
//!
//! A queue is not read, because what is received there is hidden from the daemon.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_kinesis::{Client, types::ShardIteratorType};
use bedrock_watch_service::canary::Canary as Event;
use tokio::time::{Instant, sleep, timeout_at};

use super::refused;
use crate::{
    Aws, canary,
    doctor::facts::{Asked, Canary, Entry},
};

/// How often every shard is read: a fifth of what a shard allows all its readers.
const EVERY: Duration = Duration::from_secs(1);
/// Shards that are read at most.
const SHARDS_MAX: usize = 1_000;

/// Sends a canary and waits for it at every stream of `entries`.
pub async fn send(aws: &Aws, bus: &str, within: Duration, entries: &[Entry]) -> Canary {
    let streams: Vec<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Stream { stream: Ok(stream), .. } => Some(stream.name.as_str()),
            _ => None,
        })
        .collect();
    if streams.is_empty() {
        let why =
            "only a Kinesis stream can be read beside the daemon; switch [canary] on and let the daemon wait for it";
        return Canary::NotTried(why.to_owned());
    }
    let mut readers = Vec::new();
    for stream in streams {
        match Reader::all(aws.own(), stream).await {
            Ok(found) => readers.extend(found),
            Err(error) => return Canary::NotTried(format!("{stream} cannot be read: {error}")),
        }
    }
    let event = canary::hatch("doctor");
    let began = Instant::now();
    if let Err(error) = canary::put(aws, bus, &event).await {
        return Canary::NotTried(format!("it could not be sent: {error}"));
    }
    let found = timeout_at(began + within, wait(&mut readers, &event)).await;
    match found {
        Ok(Ok(through)) => {
            let after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            Canary::Back { after_ms, through }
        }
        Ok(Err(error)) => Canary::NotTried(format!("the stream cannot be read: {error}")),
        Err(_) => Canary::Lost { waited_s: within.as_secs() },
    }
}

async fn wait(readers: &mut [Reader], event: &Event) -> Asked<String> {
    loop {
        for reader in readers.iter_mut() {
            if reader.finds(event).await? {
                return Ok(reader.stream.clone());
            }
        }
        sleep(EVERY).await;
    }
}

/// Reads one shard from now on.
struct Reader {
    client: Client,
    stream: String,
    iterator: Option<String>,
}

impl Reader {
    /// One for each shard of a stream.
    async fn all(config: &SdkConfig, stream: &str) -> Asked<Vec<Self>> {
        let client = Client::new(config);
        let mut readers = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // A token stands for the stream; both together are refused.
            let call = client.list_shards().set_stream_name(next.is_none().then(|| stream.to_owned()));
            let page = call.set_next_token(next).send().await;
            let page = page.map_err(|error| refused("kinesis:ListShards", &error))?;
            for shard in page.shards() {
                let call = client.get_shard_iterator().stream_name(stream).shard_id(shard.shard_id());
                let asked = call.shard_iterator_type(ShardIteratorType::Latest).send().await;
                let asked = asked.map_err(|error| refused("kinesis:GetShardIterator", &error))?;
                let iterator = asked.shard_iterator;
                readers.push(Self { client: client.clone(), stream: stream.to_owned(), iterator });
            }
            next = page.next_token;
            if next.is_none() || readers.len() >= SHARDS_MAX {
                return Ok(readers);
            }
        }
    }

    async fn finds(&mut self, event: &Event) -> Asked<bool> {
        let Some(iterator) = self.iterator.take() else { return Ok(false) };
        let asked = self.client.get_records().shard_iterator(&iterator).send().await;
        let asked = match asked {
            Ok(asked) => asked,
            // Others read the same shard; the next time there is room.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_provisioned_throughput_exceeded_exception()) =>
            {
                self.iterator = Some(iterator);
                return Ok(false);
            }
            Err(error) => return Err(refused("kinesis:GetRecords", &error)),
        };
        self.iterator = asked.next_shard_iterator;
        let ids = asked.records.iter().filter_map(|record| Event::read(record.data().as_ref()));
        Ok(ids.into_iter().any(|found| found.id == event.id))
    }
}
