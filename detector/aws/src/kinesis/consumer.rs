//! The registered consumer of enhanced fan-out: found, or registered if it is new.

use aws_sdk_kinesis::types::ConsumerStatus;

use super::{
    failure::{Failure, Meaning},
    stream::Stream,
};

/// The ARN of the consumer called `consumer` (by name or ARN), once Kinesis has it ready.
///
/// # Errors
/// When it is not ready yet, or cannot be had.
pub(super) async fn ready(stream: &Stream, consumer: &str) -> Result<String, Failure> {
    let call = "DescribeStreamConsumer";
    let describe = stream.client().describe_stream_consumer();
    let (describe, stream_arn) = if consumer.starts_with("arn:") {
        (describe.consumer_arn(consumer), None)
    } else {
        let arn = stream.find_arn().await?;
        (describe.stream_arn(&arn).consumer_name(consumer), Some(arn))
    };
    match describe.send().await {
        Ok(answer) => match answer.consumer_description {
            Some(found) if found.consumer_status == ConsumerStatus::Active => Ok(found.consumer_arn),
            Some(found) => Err(Failure::passing(call, &format!("the consumer is {} yet", found.consumer_status))),
            None => Err(Failure::passing(call, "the answer names no consumer")),
        },
        Err(error) => {
            let failure = Failure::new(call, &error);
            match stream_arn {
                Some(arn) if failure.meaning == Meaning::Missing => register(stream, &arn, consumer).await,
                _ => Err(failure),
            }
        }
    }
}

/// Registers it; it is ready some seconds later.
async fn register(stream: &Stream, stream_arn: &str, name: &str) -> Result<String, Failure> {
    let call = "RegisterStreamConsumer";
    let request = stream.client().register_stream_consumer().stream_arn(stream_arn).consumer_name(name);
    match request.send().await {
        Ok(_) => tracing::info!(stream = stream.configured(), consumer = name, "registered as a consumer"),
        Err(error) => {
            let failure = Failure::new(call, &error);
            // Another worker was quicker.
            if failure.meaning != Meaning::InUse {
                return Err(failure);
            }
        }
    }
    Err(Failure::passing(call, "the consumer is registered and not ready yet"))
}
