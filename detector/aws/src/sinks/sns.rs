//! SNS: a message for each revision of an alert.

use async_trait::async_trait;
use aws_sdk_sns::{Client, config::Builder, types::MessageAttributeValue};
use bedrock_watch_service::{
    sink::{Messaging, Sink, SinkError, Telling, Told},
    store::Claim,
};
use tokio::sync::OnceCell;

use super::{Said, Way, fault::fault, message, said};
use crate::failure::Failure;

/// Messages of one telling.
const MESSAGES_MAX: usize = 8;
/// Characters of an alert's id in those of messages.
const ID_CHARACTERS_MAX: usize = 90;
/// What the role needs.
const NEEDS: &str = "sns:Publish on the topic, and kms:GenerateDataKey and kms:Decrypt where it is encrypted";

/// Publishes to a topic.
#[derive(Debug)]
pub(super) struct Sns {
    name: String,
    way: Way,
    topic: String,
    client: OnceCell<Client>,
}

impl Sns {
    pub(super) fn new(name: &str, way: Way, topic: &str) -> Self {
        Self { name: name.to_owned(), way, topic: topic.to_owned(), client: OnceCell::new() }
    }

    /// Publishes a message; SNS says what it is called.
    async fn publish(&self, claim: &Claim, said: &Said<'_>) -> Result<Option<String>, SinkError> {
        let make = async || Client::from_conf(Builder::from(&self.way.sdk().await).build());
        let mut request = self.client.get_or_init(make).await.publish().topic_arn(&self.topic);
        request = request.subject(message::subject(said)).message(message::message(said)).message_structure("json");
        for (name, value) in message::attributes(said) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let value = value.map_err(|error| SinkError::permanent(&format!("attribute {name}: {error}")))?;
            request = request.message_attributes(name, value);
        }
        if self.topic.ends_with(".fifo") {
            // One alert's messages stay in order, and one that was sent twice arrives once.
            let id = plain_id(&said.alert.id);
            let revision = said.revision.unwrap_or(claim.alert.revision);
            let repeat = if said.revision.is_none() { format!(".{}", claim.fence) } else { String::new() };
            request = request.message_group_id(&id).message_deduplication_id(format!("{id}.{revision}{repeat}"));
        }
        let what = format!("topic {}", self.topic);
        let sent = request.send().await;
        sent.map(|sent| sent.message_id).map_err(|error| fault(&Failure::of(&error), &what, NEEDS))
    }
}

/// The characters that SNS takes in ids, of which it takes 128; alerts' own ids have no others.
fn plain_id(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(ID_CHARACTERS_MAX).collect()
}

#[async_trait]
impl Sink for Sns {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "sns"
    }

    fn messaging(&self) -> Option<Messaging<'_>> {
        let destination = self.topic.rsplit(':').next().unwrap_or(&self.topic);
        Some(Messaging { system: "aws.sns", operation: "publish", destination })
    }

    fn tells_incidents(&self) -> bool {
        true
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let [claim] = telling.claims.as_slice() else {
            return Err(SinkError::permanent("SNS is told of one alert at a time"));
        };
        let mut told = Told::default();
        if claim.is_moot() {
            return Ok(told);
        }
        for one in said(claim, telling).iter().take(MESSAGES_MAX) {
            let so_far = (told.requests > 0).then(|| told.clone());
            told.reference = self.publish(claim, one).await.map_err(|error| error.after(so_far))?;
            told.through = one.revision;
            told.requests = told.requests.saturating_add(1);
        }
        Ok(told)
    }
}
