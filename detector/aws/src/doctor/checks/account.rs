//! Settings of the account: invocation logging, the security contact, the clock.

use super::{Facts, Finding, aws};
use crate::doctor::finding::Level;

/// Seconds that the own clock may differ from AWS's. Signatures are refused from 300 on.
const CLOCK_MAX_S: i64 = 60;

/// All three.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    vec![logging(facts), contact(facts), clock(facts)]
}

fn logging(facts: &Facts) -> Finding {
    const LINK: &str = "invocation-logging";
    match &facts.invocation_logging {
        Ok(true) => Finding::fine(LINK, "", format!("invocations are logged in {}", facts.region)),
        Ok(false) => {
            let what =
                format!("invocations are not logged in {}: what was asked and answered is nowhere", facts.region);
            let configuration = r#"{"s3Config":{"bucketName":"YOUR-BUCKET","keyPrefix":"invocations"},"textDataDeliveryEnabled":true,"imageDataDeliveryEnabled":true,"embeddingDataDeliveryEnabled":true}"#;
            Finding::broken(LINK, "", Level::Medium, what).mended_by(
                "Log them",
                aws(
                    "bedrock put-model-invocation-logging-configuration",
                    &facts.region,
                    &[("--logging-config", configuration)],
                ),
            )
        }
        Err(error) => Finding::not_asked(LINK, "", error),
    }
}

fn contact(facts: &Facts) -> Finding {
    const LINK: &str = "security-contact";
    match &facts.security_contact {
        Ok(true) => Finding::fine(LINK, "", "the account has an alternate security contact"),
        Ok(false) => {
            let options = [
                ("--alternate-contact-type", "SECURITY"),
                ("--name", "YOUR-TEAM"),
                ("--title", "Security"),
                ("--email-address", "security@example.com"),
                ("--phone-number", "+1-555-0100"),
            ];
            let what = "no alternate security contact is set: AWS's own warnings go to the root user's address";
            Finding::broken(LINK, "", Level::Low, what)
                .mended_by("Set it", aws("account put-alternate-contact", &facts.region, &options))
        }
        Err(error) => Finding::not_asked(LINK, "", error),
    }
}

fn clock(facts: &Facts) -> Finding {
    const LINK: &str = "clock";
    match facts.clock_ahead_s {
        Ok(ahead) if ahead.abs() <= CLOCK_MAX_S => {
            Finding::fine(LINK, "", format!("differs from AWS's by {} s", ahead.abs()))
        }
        Ok(ahead) => {
            let direction = if ahead > 0 { "ahead of" } else { "behind" };
            let what = format!(
                "is {} s {direction} AWS's: delays are measured wrongly, and from 300 s on AWS refuses calls",
                ahead.abs()
            );
            Finding::broken(LINK, "", Level::Medium, what).mended_by("Set it by NTP", "chronyc makestep")
        }
        Err(ref error) => Finding::not_asked(LINK, "", error),
    }
}
