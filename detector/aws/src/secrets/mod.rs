//! Fetches the secrets that a configuration names, each once.

use bedrock_watch_service::config::{Secret, SecretNames, Secrets};
use futures_util::{StreamExt as _, stream};

use crate::{
    clients::Aws,
    failure::{Failure, Kind},
};

/// Secrets fetched at once.
const FETCHES_MAX: usize = 8;

impl Aws {
    /// Fetches every secret of `names`; what could not be had says why, so that every problem is known at once.
    pub async fn secrets(&self, names: &SecretNames) -> Secrets {
        let fetched = stream::iter(&names.names).map(|name| async move { (name.clone(), self.secret(name).await) });
        Secrets::Fetched(fetched.buffer_unordered(FETCHES_MAX).collect().await)
    }

    async fn secret(&self, name: &str) -> Result<Secret, String> {
        let mut sdk = self.own().clone();
        // An ARN says in which region it is.
        if let Some(region) = region_of(name).filter(|region| *region != self.region()) {
            sdk = self.at(&crate::clients::Place { account: None, region: region.to_owned() }).await;
        }
        let client = aws_sdk_secretsmanager::Client::new(&sdk);
        let answer = client.get_secret_value().secret_id(name).send().await;
        let answer = answer.map_err(|error| explained(&Failure::of(&error)))?;
        // A binary one is of no use in a text.
        answer.secret_string.map(Secret::new).ok_or_else(|| "it is binary; store it as text".to_owned())
    }
}

fn region_of(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix("arn:")?.split(':');
    let (_, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    (service == "secretsmanager" && !region.is_empty()).then_some(region)
}

fn explained(failure: &Failure) -> String {
    let hint = match failure.kind {
        Kind::Missing => "; is the name right, and the region that of the secret?",
        Kind::Denied => {
            "; allow secretsmanager:GetSecretValue on it, and kms:Decrypt where it is encrypted with a key of yours"
        }
        _ => "",
    };
    format!("cannot fetch it from Secrets Manager: {failure}{hint}")
}

#[cfg(test)]
mod tests {
    use super::region_of;

    #[test]
    fn an_arn_says_where_it_is() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(region_of(name), expected, "{name}");
        check("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/slack-AbCdEf", Some("eu-west-1"));
        check("arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:x", Some("cn-north-1"));
        check("arn:aws:s3:::bucket", None);
        check("prod/slack", None);
    }
}
