//! `${secretsmanager:...}` in a configuration, against moto: fetched where the program runs, never shown, and every
//! problem named with its place.

#![expect(clippy::unwrap_used, reason = "all of it is a test, its helpers too")]

use std::process::Command;

use bedrock_watch_tests::{
    emulators::{self, ACCOUNT, Emulator, REGION},
    program::binary,
};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn check(emulator: &Emulator, text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watch.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(binary());
    command.args(["config", "check"]).arg(&file).envs(emulator.environment());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains(SECRET), "{said}");
    (output.status.code(), said)
}

fn config(url: &str, key: &str) -> String {
    format!("[[sink]]\nkind = \"webhook\"\nurl = \"{url}\"\nsigning_secret = \"{key}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_fetched_and_problems_have_a_place() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let client = aws_sdk_secretsmanager::Client::new(aws.own());
    let value = serde_json::json!({ "url": "https://hooks.example.com/x", "key": SECRET }).to_string();
    let made = client.create_secret().name("prod/hook").secret_string(value).send().await.unwrap();
    let arn = made.arn.unwrap();
    assert!(arn.starts_with(&format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/hook")), "{arn}");
    client.create_secret().name("prod/key").secret_string(SECRET).send().await.unwrap();

    let whole = config("${secretsmanager:prod/hook#url}", "${secretsmanager:prod/key}");
    let (code, said) = check(&emulator, &whole).await;
    assert_eq!(code, Some(0), "{said}");
    let by_arn = config(&format!("${{secretsmanager:{arn}#url}}"), &format!("${{secretsmanager:{arn}#key}}"));
    let (code, said) = check(&emulator, &by_arn).await;
    assert_eq!(code, Some(0), "{said}");

    let wrong = config("${secretsmanager:prod/missing}", "${secretsmanager:prod/hook#other}");
    let (code, said) = check(&emulator, &wrong).await;
    assert_eq!(code, Some(64), "{said}");
    for expected in [
        "watch.toml:3:7: secret `prod/missing`: cannot fetch it from Secrets Manager: ResourceNotFoundException",
        "is the name right",
        "watch.toml:4:18: secret `prod/hook` has no key `other`",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let (code, said) = check(&emulator, "[log]\nlevel = \"${secretsmanager:prod/key}\"\n").await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("watch.toml:2:9: `${secretsmanager:prod/key}` stands where a value is no secret"), "{said}");
}
