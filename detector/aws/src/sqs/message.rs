//! What a message's body holds: itself, or what SNS wrapped in it.

use std::borrow::Cow;

use serde::Deserialize;

/// SNS's envelope of a message to a queue, where delivery is not raw.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "TopicArn", borrow)]
    _topic: Cow<'a, str>,
    #[serde(rename = "Message", borrow)]
    message: Cow<'a, str>,
}

/// The message that SNS was given, or the body itself if it is not SNS's.
pub(crate) fn unwrapped(body: &str) -> Cow<'_, str> {
    // Most bodies are not, and need not be read twice.
    if !body.contains("\"TopicArn\"") {
        return Cow::Borrowed(body);
    }
    match serde_json::from_str::<Notification<'_>>(body) {
        Ok(notification) if notification.kind == "Notification" => notification.message,
        _ => Cow::Borrowed(body),
    }
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn only_notifications_are_unwrapped() {
        let check = |body: &str, expected: &str| assert_eq!(unwrapped(body), expected);
        check(r#"{"Type":"Notification","TopicArn":"arn:t","Message":"{\"a\":\"\\n\"}","X":1}"#, r#"{"a":"\n"}"#);
        check(r#"{"Message":"plain","MessageId":"1","TopicArn":"arn:t","Type":"Notification"}"#, "plain");
        let others = [
            r#"{"Type":"SubscriptionConfirmation","TopicArn":"arn:t","Message":"x"}"#,
            r#"{"Type":"Notification","Message":"x"}"#,
            r#"{"detail":{"TopicArn":"arn:t"}}"#,
            r#"{"Type":"Notification","TopicArn":"#,
            "",
        ];
        for other in others {
            check(other, other);
        }
    }
}
