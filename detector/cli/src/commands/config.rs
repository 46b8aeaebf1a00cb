//! `config check|schema|example|reference`, and how every command reads a configuration.

use std::{path::Path, sync::Arc};

use bedrock_watch_engine::rule::RuleSet;
use bedrock_watch_service::{
    cases::RulePack,
    config::{self, Config, SecretNames, Secrets},
};

use super::{Failure, Outcome, print, secrets};
use crate::{args::ConfigCommand, builtin, terminal};

/// Runs the command.
pub(super) fn run(command: ConfigCommand) -> Result<Outcome, Failure> {
    match command {
        ConfigCommand::Check { file } => check(&file),
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&config::schema()).map_err(anyhow::Error::from)?;
            print(&(schema + "\n"))?;
            Ok(Outcome::Fine)
        }
        ConfigCommand::Example => {
            print(&config::example())?;
            Ok(Outcome::Fine)
        }
        ConfigCommand::Reference => {
            print(&config::reference())?;
            Ok(Outcome::Fine)
        }
    }
}

/// The same loading as `run`, so that what passes here starts there.
fn check(file: &Path) -> Result<Outcome, Failure> {
    let config = load(Some(file))?;
    rules(&config, None)?;
    for warning in &config.warnings {
        terminal::say(&format!("warning: {warning}"));
    }
    terminal::say(&format!("{}: fine", file.display()));
    Ok(Outcome::Fine)
}

/// Reads the configuration, or takes what holds without one.
pub(super) fn load(file: Option<&Path>) -> Result<Config, Failure> {
    read(file, secrets::fetch)
}

/// The same for commands that use nothing that is secret in it, so that none is fetched for them.
pub(super) fn load_without_secrets(file: Option<&Path>) -> Result<Config, Failure> {
    read(file, |_| Ok(Secrets::Unneeded))
}

fn read(
    file: Option<&Path>,
    secrets: impl FnOnce(&SecretNames) -> Result<Secrets, Failure>,
) -> Result<Config, Failure> {
    let environment = |variable: &str| std::env::var(variable).ok();
    let Some(file) = file else { return Ok(Config::standard().heeding(&environment)) };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Configuration(vec![format!("{name}: cannot read it: {error}")]))?;
    let secrets = secrets(&SecretNames::of(&name, &text, &environment))?;
    Config::load_with(&name, &text, &environment, &secrets)
        .map(|config| config.heeding(&environment))
        .map_err(|problems| Failure::Configuration(problems.iter().map(ToString::to_string).collect()))
}

/// The rules the configuration asks for; `folder` stands in for its own.
pub(super) fn rules(config: &Config, folder: Option<&Path>) -> Result<Arc<RuleSet>, Failure> {
    tuned(config, &pack(config, folder)?)
}

/// The same with the rules of `more` added; a rule of the same id is replaced.
pub(super) fn rules_with(config: &Config, folder: Option<&Path>, more: &Path) -> Result<Arc<RuleSet>, Failure> {
    tuned(config, &pack(config, folder)?.overlaid(builtin::read(more)?))
}

fn tuned(config: &Config, pack: &RulePack) -> Result<Arc<RuleSet>, Failure> {
    // A route for a rule that was left out is as empty as one for a rule that never was.
    let ids = pack.rule_ids();
    let unknown = config.unknown_rules(ids.iter().map(String::as_str));
    if !unknown.is_empty() {
        return Err(Failure::Configuration(unknown.iter().map(ToString::to_string).collect()));
    }
    builtin::compile_tuned(pack, config)
}

/// The rule files the configuration asks for; `folder` stands in for its own.
pub(super) fn pack(config: &Config, folder: Option<&Path>) -> Result<RulePack, Failure> {
    match (config.rules.builtin, folder.or(config.rules.dir.as_deref())) {
        (true, folder) => builtin::pack_with(folder),
        (false, Some(folder)) => builtin::read(folder),
        (false, None) => {
            let message = "[rules] builtin is false and there is no dir: there would be no rule at all".to_owned();
            Err(Failure::Configuration(vec![message]))
        }
    }
}
