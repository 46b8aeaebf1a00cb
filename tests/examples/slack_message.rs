//! Prints the Slack message of an alert of the demo's recording, for the picture in the documentation:
//!
//! ```sh
//! cargo run -p bedrock-watch-tests --example slack_message -- RULE | detector/docs/slack_picture.py PICTURE.png
//! ```

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
};

use bedrock_watch_engine::{
    Engine, Settings,
    alert::{Alert, AlertChange, ChangeKind},
};
use bedrock_watch_service::{
    config::delivery::{AccountConfig, RoutingConfig},
    input::{Merge, walk},
    replay::{Span, Summary, Watcher, replay},
    sink::payload::{Context, slack},
};
use bedrock_watch_tests::{
    receivers::alerts::claim,
    repository::{compiled, root, rule_pack},
};

/// Looks at nothing: the end is what counts.
struct Blind;

impl Watcher for Blind {
    fn changed(&mut self, _: &AlertChange) -> io::Result<()> {
        Ok(())
    }

    fn advanced(&mut self, _: &Summary) {}
}

fn message(rule: &str) -> Result<String, String> {
    let mut engine = Engine::new(compiled(&rule_pack()?)?, Settings::standard());
    let (inputs, notes) = walk(&[root().join("detector/cli/demo/afternoon.jsonl")]);
    let span = Span { since: None, until: None };
    replay(&mut engine, &mut Merge::new(inputs, notes), span, &mut Blind).map_err(|error| error.to_string())?;
    let alerts: Vec<Alert> = engine.alerts();
    let found = alerts.into_iter().find(|alert| alert.rule == rule).ok_or("the recording raises no such alert")?;
    let account = AccountConfig {
        name: Some("ml-production".to_owned()),
        owner: Some("team-ml@example.com".to_owned()),
        group: Some("production".to_owned()),
        access: None,
    };
    let routing = RoutingConfig {
        accounts: BTreeMap::from([(found.account.clone(), account)]),
        runbook_url: Some("https://wiki.example.com/bedrock-watch".to_owned()),
        console_url: Some("https://bedrock-watch.example.com".to_owned()),
        ..RoutingConfig::default()
    };
    let claim = claim(&[(ChangeKind::Fired, found)], 0, None).ok_or("there is no state to tell")?;
    Ok(slack::alert(&claim, &Context::new(&routing), false).body().to_string())
}

fn main() -> ExitCode {
    let rule = std::env::args().nth(1).unwrap_or_else(|| "customization-job-security-group-deleted".to_owned());
    let written = match message(&rule) {
        Ok(text) => writeln!(io::stdout(), "{text}"),
        Err(error) => writeln!(io::stderr(), "{error}").and_then(|()| Err(io::ErrorKind::Other.into())),
    };
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
