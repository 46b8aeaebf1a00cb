//! EventBridge: an event for each revision of an alert, which rules can match and act on.

use async_trait::async_trait;
use aws_sdk_eventbridge::{
    Client,
    config::Builder,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use aws_smithy_types::DateTime;
use bedrock_watch_engine::alert::{Alert, ChangeKind};
use bedrock_watch_service::sink::{Messaging, Sink, SinkError, Telling, Told};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Said, Way, detail, fault::fault, said};
use crate::failure::{Failure, Kind};

/// Entries of one call (EventBridge API reference).
const ENTRIES_MAX: usize = 10;
/// Bytes of one call, all entries together (EventBridge quotas: 256 KB), less a margin.
const CALL_BYTES_MAX: usize = 250_000;
/// Bytes of an alert in one entry.
const DETAIL_BYTES_MAX: usize = 200_000;
/// ARNs that an entry names.
const RESOURCES_MAX: usize = 20;
/// Characters of an ARN; a longer one is none.
const ARN_CHARACTERS_MAX: usize = 1_000;
/// Calls of one telling.
const CALLS_MAX: u32 = 8;
/// What the role needs.
const NEEDS: &str = "events:PutEvents on the bus";

/// Puts events on a bus.
#[derive(Debug)]
pub(super) struct EventBridge {
    name: String,
    way: Way,
    bus: String,
    source: String,
    client: OnceCell<Client>,
}

impl EventBridge {
    pub(super) fn new(name: &str, way: Way, bus: &str, source: &str) -> Self {
        Self { name: name.to_owned(), way, bus: bus.to_owned(), source: source.to_owned(), client: OnceCell::new() }
    }

    async fn client(&self) -> &Client {
        let make = async || Client::from_conf(Builder::from(&self.way.sdk().await).build());
        self.client.get_or_init(make).await
    }

    fn entry(&self, said: &Said<'_>) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(&self.source)
            .detail_type(detail_type(said.kind))
            .time(DateTime::from_millis(said.at.as_millisecond()))
            .set_resources(Some(resources(said.alert)))
            .detail(detail::line(said.alert, said.incident, DETAIL_BYTES_MAX))
            .build()
    }

    /// Puts entries, and says what EventBridge calls the last; or how many of them, from the first on, were taken.
    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Option<String>, (usize, SinkError)> {
        let sent = entries.len();
        let answer = self.client().await.put_events().set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| (0, fault(&Failure::of(&error), &self.what(), NEEDS)))?;
        let is_taken = |entry: &PutEventsResultEntry| entry.error_code().is_none();
        let refused = answer.entries().iter().position(|entry| !is_taken(entry));
        match refused.and_then(|position| Some((position, answer.entries().get(position)?))) {
            Some((position, entry)) => Err((position, self.refusal(entry))),
            None if answer.failed_entry_count() == 0 && answer.entries().len() == sent => {
                Ok(answer.entries().last().and_then(PutEventsResultEntry::event_id).map(str::to_owned))
            }
            None => {
                Err((0, SinkError::sink(&format!("{}: the answer does not say what was taken", self.what()), true)))
            }
        }
    }

    /// Each entry has an error of its own, though the call succeeded.
    fn refusal(&self, entry: &PutEventsResultEntry) -> SinkError {
        let (code, message) = (entry.error_code().unwrap_or_default(), entry.error_message().unwrap_or_default());
        let mut failure = Failure::answered(400, code, message);
        // A fault of this entry is no fault of the bus.
        failure.may_have_happened = false;
        if failure.kind == Kind::Service {
            return SinkError::alert(&format!("{}: {failure}", self.what()), false);
        }
        fault(&failure, &self.what(), NEEDS)
    }

    fn what(&self) -> String {
        format!("event bus {}", self.bus)
    }
}

const fn detail_type(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Fired => "Bedrock Watch Alert Fired",
        ChangeKind::Updated => "Bedrock Watch Alert Updated",
        ChangeKind::Resolved => "Bedrock Watch Alert Resolved",
        ChangeKind::Withdrawn => "Bedrock Watch Alert Withdrawn",
    }
}

/// The jobs that the alert is about.
fn resources(alert: &Alert) -> Vec<String> {
    let jobs = alert.facts.get("jobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let arns = jobs.iter().filter_map(|job| job.get("arn").and_then(Value::as_str));
    let is_plain = |arn: &&str| {
        arn.starts_with("arn:")
            && arn.len() <= ARN_CHARACTERS_MAX
            && arn.chars().all(|character| character.is_ascii_graphic())
    };
    arns.filter(is_plain).take(RESOURCES_MAX).map(str::to_owned).collect()
}

/// Bytes of an entry as EventBridge counts them, the time included.
fn bytes(entry: &PutEventsRequestEntry) -> usize {
    let texts = [entry.source(), entry.detail_type(), entry.detail()];
    let texts = texts.iter().flatten().map(|text| text.len());
    let resources = entry.resources().iter().map(String::len);
    texts.chain(resources).fold(14, usize::saturating_add)
}

#[async_trait]
impl Sink for EventBridge {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "eventbridge"
    }

    fn messaging(&self) -> Option<Messaging<'_>> {
        let destination = self.bus.rsplit('/').next().unwrap_or(&self.bus);
        Some(Messaging { system: "aws_eventbridge", operation: "put_events", destination })
    }

    fn tells_incidents(&self) -> bool {
        true
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let [claim] = telling.claims.as_slice() else {
            return Err(SinkError::permanent("EventBridge is told of one alert at a time"));
        };
        let said = said(claim, telling);
        let mut told = Told::default();
        let mut rest = said.as_slice();
        while !rest.is_empty() && told.requests < CALLS_MAX {
            let (mut entries, mut size) = (Vec::new(), 0_usize);
            for one in rest.iter().take(ENTRIES_MAX) {
                let entry = self.entry(one);
                size = size.saturating_add(bytes(&entry));
                if size > CALL_BYTES_MAX && !entries.is_empty() {
                    break;
                }
                entries.push(entry);
            }
            let sent = entries.len();
            let put = self.put(entries).await;
            let taken = put.as_ref().map_or_else(|(taken, _)| *taken, |_| sent);
            let has_told = taken > 0 || told.requests > 0;
            told.through = rest.iter().take(taken).next_back().and_then(|one| one.revision).or(told.through);
            told.requests = told.requests.saturating_add(1);
            match put {
                Ok(reference) => told.reference = reference,
                // What was taken before is settled; the rest is tried again.
                Err((_, error)) => return Err(error.after((has_told && told.through.is_some()).then_some(told))),
            }
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(told)
    }
}
