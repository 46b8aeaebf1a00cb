//! Addresses in messages: only ones that are whole and harmless.

use bedrock_watch_engine::alert::Alert;
use serde_json::Value;

/// Slack's limit for the address of a button, in characters.
const URL_CHARACTERS_MAX: usize = 3_000;

/// The address, if it can stand in a message: HTTP, of bounded length, and of characters that end no markup.
pub(super) fn checked(url: &str) -> Option<String> {
    let scheme = url.starts_with("https://") || url.starts_with("http://");
    let harmless = |character: char| character.is_ascii_graphic() && !matches!(character, '<' | '>' | '|' | '"' | '`');
    (scheme && url.len() <= URL_CHARACTERS_MAX && url.chars().all(harmless)).then(|| url.to_owned())
}

/// Where CloudTrail's console shows the first event the alert rests on; people must be signed in to its account.
///
/// `None` where the event's region is not known for certain.
pub(super) fn cloudtrail(alert: &Alert) -> Option<String> {
    let event = alert.event_ids.first().filter(|id| is_word(id, 64))?;
    let region = event_region(alert)?;
    let console = match region {
        china if china.starts_with("cn-") => "console.amazonaws.cn",
        gov if gov.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    Some(format!("https://{region}.{console}/cloudtrailv2/home?region={region}#/events/{event}"))
}

/// The region that recorded the event: the alert's, except that IAM reports from one region of its partition.
fn event_region(alert: &Alert) -> Option<&str> {
    let region = alert.region.as_deref().filter(|region| is_word(region, 32))?;
    let kind = ["dependency_kind", "destination_kind"].into_iter().find_map(|name| alert.facts.get(name));
    if kind.and_then(Value::as_str) != Some("role") {
        return Some(region);
    }
    Some(match region {
        china if china.starts_with("cn-") => "cn-north-1",
        gov if gov.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    })
}

fn is_word(text: &str, characters_max: usize) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '-';
    !text.is_empty() && text.len() <= characters_max && text.chars().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn the_event_is_found_in_its_partition() {
        let check = |region: Option<&str>, event: &str, kind: &str, expected: Option<&str>| {
            let mut alert = sample::alert();
            alert.region = region.map(str::to_owned);
            alert.event_ids = vec![event.to_owned()];
            alert.facts.insert("dependency_kind".to_owned(), kind.into());
            assert_eq!(cloudtrail(&alert).as_deref(), expected);
        };
        check(
            Some("eu-west-1"),
            "6b2f-1",
            "security_group",
            Some("https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/6b2f-1"),
        );
        check(
            Some("cn-north-1"),
            "e",
            "key",
            Some("https://cn-north-1.console.amazonaws.cn/cloudtrailv2/home?region=cn-north-1#/events/e"),
        );
        check(
            Some("us-gov-east-1"),
            "e",
            "role",
            Some("https://us-gov-west-1.console.amazonaws-us-gov.com/cloudtrailv2/home?region=us-gov-west-1#/events/e"),
        );
        check(
            Some("eu-west-1"),
            "e",
            "role",
            Some("https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events/e"),
        );
        check(None, "e", "", None);
        check(Some("eu-west-1"), "e|<!channel>", "", None);
        check(Some("evil.example/"), "e", "", None);
    }

    #[test]
    fn only_whole_and_harmless_addresses_are_linked() {
        let check = |url: &str, linked: bool| assert_eq!(checked(url).is_some(), linked, "{url}");
        check("https://wiki.example.com/runbooks/a.md#contain", true);
        check("http://10.0.0.1:8787/", true);
        check("javascript:alert(1)", false);
        check("https://example.com/|text>", false);
        check("https://example.com/a b", false);
        check(&format!("https://example.com/{}", "a".repeat(3_000)), false);
    }
}
