//! Names of fields, resolved once: to a field every record has decoded, to a path, or to a computed field.
//!
//! Deliberately no field mapping and no pipelines: rules for CloudTrail name CloudTrail's own fields.

use super::{
    problem::{listed, nearest},
    value::{Field, Metric, RecordField},
    vocabulary::{Domain, FIELDS, METRICS, WINDOW_MAX_S},
};

const RECORD_FIELDS: [(&str, RecordField); 16] = [
    ("eventSource", RecordField::EventSource),
    ("eventName", RecordField::EventName),
    ("eventID", RecordField::EventId),
    ("awsRegion", RecordField::AwsRegion),
    ("sourceIPAddress", RecordField::SourceIpAddress),
    ("userAgent", RecordField::UserAgent),
    ("errorCode", RecordField::ErrorCode),
    ("errorMessage", RecordField::ErrorMessage),
    ("userIdentity.type", RecordField::IdentityType),
    ("userIdentity.arn", RecordField::IdentityArn),
    ("userIdentity.accountId", RecordField::IdentityAccountId),
    ("userIdentity.accessKeyId", RecordField::IdentityAccessKeyId),
    ("userIdentity.principalId", RecordField::IdentityPrincipalId),
    ("userIdentity.userName", RecordField::IdentityUserName),
    ("userIdentity.invokedBy", RecordField::IdentityInvokedBy),
    ("userIdentity.sessionContext.sessionIssuer.arn", RecordField::IdentityIssuerArn),
];

impl RecordField {
    /// The field's path in the record, its parts joined by dots.
    #[must_use]
    pub fn name(self) -> &'static str {
        RECORD_FIELDS.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }
}

/// The field a rule of `domain` means by `name`; the error says what would be valid.
pub(super) fn resolve(name: &str, domain: Domain) -> Result<Field, String> {
    if let Some(watch) = name.strip_prefix("watch.") {
        return computed(watch, domain);
    }
    if domain != Domain::CloudTrail {
        return Err(format!(
            "`{name}` is a field of CloudTrail records; {} can use {}",
            plural(domain),
            listed(available(domain).iter().map(String::as_str))
        ));
    }
    let name = name.strip_prefix("detail.").unwrap_or(name);
    if name.is_empty() || name.split('.').any(str::is_empty) {
        return Err(format!("`{name}` is no field; parts of a path are separated by single dots"));
    }
    match RECORD_FIELDS.iter().find(|(known, _)| *known == name) {
        Some((_, field)) => Ok(Field::Record(*field)),
        None => Ok(Field::Path(name.split('.').map(str::to_owned).collect())),
    }
}

fn computed(name: &str, domain: Domain) -> Result<Field, String> {
    if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
        if field.domains.contains(&domain) {
            return Ok(Field::Watch(field.name));
        }
        return Err(unavailable(name, domain, field.domains));
    }
    if let Some((metric, duration)) = window(name) {
        if domain == Domain::State {
            return Err(unavailable(name, domain, &[Domain::CloudTrail, Domain::Principal]));
        }
        if metric.is_of_usage() && domain != Domain::Principal {
            return Err(unavailable(name, domain, &[Domain::Principal]));
        }
        let seconds = seconds(duration).ok_or_else(|| {
            format!("`{duration}` is no window for watch.{name}; write 60s, 10m or 1h, at most {}m", WINDOW_MAX_S / 60)
        })?;
        return Ok(Field::Window { metric, seconds });
    }
    Err(unknown(name, domain))
}

fn window(name: &str) -> Option<(Metric, &str)> {
    let (metric, duration) = name.strip_prefix("principal.")?.rsplit_once('_')?;
    METRICS.iter().find(|known| known.name == metric).map(|known| (known.metric, duration))
}

fn seconds(duration: &str) -> Option<u32> {
    let unit = match duration.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    let count = duration.get(..duration.len().saturating_sub(1))?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = count.parse::<u32>().ok()?.checked_mul(unit)?;
    (1..=WINDOW_MAX_S).contains(&seconds).then_some(seconds)
}

fn unavailable(name: &str, domain: Domain, domains: &[Domain]) -> String {
    format!(
        "watch.{name} is not known to {}, only to {}; they can use {}",
        plural(domain),
        listed(domains.iter().map(|domain| plural(*domain))),
        listed(available(domain).iter().map(String::as_str))
    )
}

fn unknown(name: &str, domain: Domain) -> String {
    let known = available(domain);
    // A duration at the end must not make a window count look like something else.
    let stem = match name.rsplit_once('_') {
        Some((stem, end)) if end.starts_with(|c: char| c.is_ascii_digit()) => format!("watch.{stem}_<duration>"),
        _ => format!("watch.{name}"),
    };
    let near = nearest(&stem, known.iter().map(String::as_str));
    let hint = match near.as_slice() {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    };
    format!(
        "unknown field watch.{name}{hint} {} can use {}",
        capitalised(plural(domain)),
        listed(known.iter().map(String::as_str))
    )
}

/// The computed fields of a domain, as rules write them.
fn available(domain: Domain) -> Vec<String> {
    let fields = FIELDS.iter().filter(|field| field.domains.contains(&domain));
    let mut names: Vec<String> = fields.map(|field| format!("watch.{}", field.name)).collect();
    if domain != Domain::State {
        let metrics = METRICS.iter().filter(|known| domain == Domain::Principal || !known.metric.is_of_usage());
        names.extend(metrics.map(|metric| format!("watch.principal.{}_<duration>", metric.name)));
    }
    names
}

const fn plural(domain: Domain) -> &'static str {
    match domain {
        Domain::CloudTrail => "rules for aws/cloudtrail",
        Domain::Principal => "rules for bedrock-watch/principal",
        Domain::State => "rules for bedrock-watch/state",
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves() {
        let check = |name: &str, domain, expected: Result<Field, &str>| {
            let found = resolve(name, domain);
            match (&found, &expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(message), Err(part)) => assert!(message.contains(part), "{name}: {message}"),
                _ => panic!("{name}: {found:?}"),
            }
        };
        let path = |parts: &[&str]| Ok(Field::Path(parts.iter().map(|part| (*part).to_owned()).collect()));
        let calls = Domain::CloudTrail;
        check("eventName", calls, Ok(Field::Record(RecordField::EventName)));
        check("detail.eventName", calls, Ok(Field::Record(RecordField::EventName)));
        check("detail.requestParameters.x", calls, path(&["requestParameters", "x"]));
        check("requestParameters..x", calls, Err("single dots"));
        check("watch.credential", calls, Ok(Field::Watch("credential")));
        check("watch.credentials", calls, Err("did you mean watch.credential"));
        check("watch.event", calls, Err("only to rules for bedrock-watch/state"));
        check("watch.event", Domain::State, Ok(Field::Watch("event")));
        check("eventName", Domain::Principal, Err("field of CloudTrail records"));
        let window = |metric, seconds| Ok(Field::Window { metric, seconds });
        check("watch.principal.invocations_60s", Domain::Principal, window(Metric::Invocations, 60));
        check("watch.principal.successes_before_1h", Domain::Principal, window(Metric::SuccessesBefore, 3600));
        check("watch.principal.refused_models_10m", calls, window(Metric::RefusedModels, 600));
        check("watch.principal.models_61m", calls, Err("at most 60m"));
        check("watch.principal.models_0s", calls, Err("at most 60m"));
        check("watch.principal.models_+1s", calls, Err("at most 60m"));
        check("watch.principal.modles_10m", calls, Err("did you mean watch.principal.models_<duration>"));
        check("watch.principal.models_10m", Domain::State, Err("not known to"));
        check("watch.principal.cost_usd_1h", Domain::Principal, window(Metric::CostUsd, 3600));
        check("watch.principal.cost_usd_1h", calls, Err("only to rules for bedrock-watch/principal"));
    }
}
