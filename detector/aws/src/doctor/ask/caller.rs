//! Who asks, and what time it is for AWS.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{DateTime, config_bag::ConfigBag, date_time::Format};

use super::refused;
use crate::doctor::facts::{Asked, Caller, NotAsked, Why};

/// The caller, and how far the own clock is ahead of AWS's.
pub(super) async fn ask(own: &SdkConfig) -> (Asked<Caller>, Asked<i64>) {
    const ACTION: &str = "sts:GetCallerIdentity";
    let clock = Clock::default();
    let client = aws_sdk_sts::Client::new(own);
    let asked = client.get_caller_identity().customize().interceptor(clock.clone()).send().await;
    let caller = match asked {
        Ok(answer) => Ok(Caller {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        }),
        Err(error) => Err(refused(ACTION, &error)),
    };
    let ahead = clock.ahead().ok_or_else(|| NotAsked {
        action: ACTION.to_owned(),
        why: Why::Failed,
        message: "no answer with a Date header came".to_owned(),
    });
    (caller, ahead)
}

/// Reads the Date header of an answer.
#[derive(Debug, Clone, Default)]
struct Clock {
    ahead_s: Arc<Mutex<Option<i64>>>,
}

impl Clock {
    fn ahead(&self) -> Option<i64> {
        *self.ahead_s.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(parse);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_secs()).ok());
        if let (Some(date), Some(now)) = (date, now) {
            *self.ahead_s.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.saturating_sub(date));
        }
        Ok(())
    }
}

fn parse(date: &str) -> Option<i64> {
    DateTime::from_str(date, Format::HttpDate).ok().map(|date| date.secs())
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_header() {
        assert_eq!(super::parse("Sun, 22 Nov 2026 13:00:00 GMT"), Some(1_795_352_400));
        assert_eq!(super::parse("soon"), None);
    }
}
