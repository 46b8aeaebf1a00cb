//! `${secretsmanager:NAME}` and `${secretsmanager:NAME#KEY}`: which secrets a configuration names, and what they are.
//!
//! They are fetched between two readings of the file: the first finds the names and how AWS is reached, the second puts
//! the values in. Deliberately no fetching here; that is for whoever has AWS.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    Secret,
    aws::AwsConfig,
    build,
    environment::of_environment,
    read::{SECRETS_MANAGER, read},
};

/// What a configuration wants of Secrets Manager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretNames {
    /// The secrets by name or ARN, without the key behind `#`.
    pub names: BTreeSet<String>,
    /// How AWS is reached, as far as the file says.
    pub aws: AwsConfig,
}

/// Stands for every secret where none is needed; whatever is expected of a secret, it passes for one.
const UNFETCHED: &str = "https://unfetched.invalid/bedrock-watch";

/// What became of the secrets that a configuration names.
#[derive(Debug, Clone)]
pub enum Secrets {
    /// Each by name or ARN, without the key: itself, or why it could not be had.
    Fetched(BTreeMap<String, Result<Secret, String>>),
    /// None is needed: whoever reads the configuration uses nothing that is secret in it.
    Unneeded,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::Fetched(BTreeMap::new())
    }
}

impl SecretNames {
    /// The secrets that `text` names. Problems of the text are left to [`super::Config::load_with`].
    #[must_use]
    pub fn of(file: &str, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let names = RefCell::new(BTreeSet::new());
        let environment = of_environment(environment);
        let (document, _) = read(file, text, &|name| match name.strip_prefix(SECRETS_MANAGER) {
            Some(reference) => {
                names.borrow_mut().insert(split(reference).0.to_owned());
                Ok(String::new())
            }
            None => environment(name),
        });
        let aws = build::aws_of(&document);
        Self { names: names.into_inner(), aws }
    }
}

impl Secrets {
    /// The names of an environment, and these secrets.
    pub(super) fn beside(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> impl Fn(&str) -> Result<String, String> {
        let environment = of_environment(environment);
        move |name| match name.strip_prefix(SECRETS_MANAGER) {
            Some(reference) => self.get(reference),
            None => environment(name),
        }
    }

    fn get(&self, reference: &str) -> Result<String, String> {
        let (name, key) = split(reference);
        let Self::Fetched(secrets) = self else { return Ok(UNFETCHED.to_owned()) };
        let secret = match secrets.get(name) {
            Some(Ok(secret)) => secret,
            Some(Err(reason)) => return Err(format!("secret `{name}`: {reason}")),
            None => return Err(format!("secret `{name}` was not fetched; this command does not ask Secrets Manager")),
        };
        let Some(key) = key else { return Ok(secret.expose().to_owned()) };
        // The errors of the parser quote what they read, so they are not passed on.
        let wrong = |what: &str| format!("secret `{name}` {what}; correct it, or name it without `#{key}`");
        let value: serde_json::Value =
            serde_json::from_str(secret.expose()).map_err(|_| wrong("is no JSON, and so has no keys"))?;
        let fields = value.as_object().ok_or_else(|| wrong("is no JSON object, and so has no keys"))?;
        match fields.get(key) {
            Some(serde_json::Value::String(text)) => Ok(text.clone()),
            Some(number @ serde_json::Value::Number(_)) => Ok(number.to_string()),
            Some(_) => Err(wrong(&format!("has a key `{key}` that is no text"))),
            None => Err(wrong(&format!("has no key `{key}`"))),
        }
    }
}

fn split(reference: &str) -> (&str, Option<&str>) {
    reference.split_once('#').map_or((reference, None), |(name, key)| (name, Some(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const TEXT: &str = r#"
        [aws]
        region = "${REGION}"
        [[sink]]
        kind = "webhook"
        url = "https://${secretsmanager:prod/hook#host}/x"
        headers = { a = "${secretsmanager:prod/token}", b = "${secretsmanager:prod/hook#token}" }
    "#;

    fn environment(name: &str) -> Option<String> {
        (name == "REGION").then(|| "eu-west-1".to_owned())
    }

    #[test]
    fn names_are_found_where_values_stand() {
        let comment = format!("# ${{secretsmanager:not-this}}\n{TEXT}");
        let found = SecretNames::of("f", &comment, &environment);
        assert_eq!(found.names.iter().collect::<Vec<_>>(), ["prod/hook", "prod/token"]);
        assert_eq!(found.aws.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn a_configuration_can_be_read_without_them() {
        assert!(Config::load_with("f", TEXT, &environment, &Secrets::Unneeded).is_ok());
        assert!(Config::load("f", TEXT, &environment).is_err());
    }

    #[test]
    fn values_are_put_in_and_never_shown() {
        let hook = r#"{"host":"hooks.example.com","token":"hunter2","other":[]}"#;
        let check = |hook: Result<&str, &str>, token: Result<&str, &str>, text: &str, expected: Result<(), &[&str]>| {
            let own = |value: Result<&str, &str>| match value {
                Ok(value) => Ok(Secret::new(value.to_owned())),
                Err(reason) => Err(reason.to_owned()),
            };
            let secrets = [("prod/hook".to_owned(), own(hook)), ("prod/token".to_owned(), own(token))];
            let loaded = Config::load_with("f", text, &environment, &Secrets::Fetched(secrets.into()));
            let shown = format!("{loaded:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("hunter3"), "{shown}");
            match (loaded, expected) {
                (Ok(_), Ok(())) => {}
                (Err(problems), Err(expected)) => {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    assert_eq!(problems, expected);
                }
                (loaded, _) => panic!("{loaded:?}"),
            }
        };
        check(Ok(hook), Ok("hunter3"), TEXT, Ok(()));
        check(
            Ok("hunter2"),
            Err("access was denied; allow it"),
            TEXT,
            Err(&[
                "f:6:15: secret `prod/hook` is no JSON, and so has no keys; correct it, or name it without `#host`",
                "f:7:25: secret `prod/token`: access was denied; allow it",
                "f:7:61: secret `prod/hook` is no JSON, and so has no keys; correct it, or name it without `#token`",
            ]),
        );
        check(
            Ok(r#"{"host":"hunter2","token":{}}"#),
            Ok("hunter3"),
            TEXT,
            Err(&[
                "f:7:61: secret `prod/hook` has a key `token` that is no text; correct it, or name it without `#token`",
            ]),
        );
        check(
            Ok("hunter2"),
            Ok("hunter3"),
            "[log]\nlevel = \"${secretsmanager:prod/token}\"",
            Err(&[
                "f:2:9: `${secretsmanager:prod/token}` stands where a value is no secret and may be shown; write the value",
            ]),
        );
    }
}
