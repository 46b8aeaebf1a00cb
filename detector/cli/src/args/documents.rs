//! Every command that a document names is one: what people copy must not fail because of its arguments.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser, error::ErrorKind};

use super::Arguments;

/// Folders whose documents are read, from the repository's root.
const FOLDERS: [&str; 7] = ["", "docs", "detector", "detector/docs", "rules", "infra", "load-tests"];
/// What a command may begin with where it stands in a document.
const BEGINNINGS: [&str; 3] =
    ["bedrock-watch ", "cargo run --release -- ", "docker exec bedrock-watch /bedrock-watch "];
/// What ends a command within its line: another command, a file, a remark.
const ENDS: [&str; 7] = [" | ", " > ", " && ", "; ", " || ", "  ", "\t"];

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = FOLDERS.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "md"));
    files
}

/// The commands of a text: what stands in code blocks, to be copied, and what sentences mention.
fn commands(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut copied, mut mentioned) = (Vec::new(), Vec::new());
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            copied.extend(command(line.trim_start()));
        } else {
            mentioned.extend(line.split('`').skip(1).step_by(2).filter_map(command));
        }
    }
    (copied, mentioned)
}

/// The arguments, where `code` is a command without alternatives.
fn command(code: &str) -> Option<String> {
    let arguments = BEGINNINGS.iter().find_map(|beginning| code.strip_prefix(beginning))?;
    let end = ENDS.iter().filter_map(|end| arguments.find(end)).min().unwrap_or(arguments.len());
    let arguments = arguments.get(..end)?.trim();
    let is_pattern = ["[", " / ", "|", "..."].iter().any(|sign| arguments.contains(sign));
    (!is_pattern).then(|| arguments.to_owned())
}

/// Words as a shell sees them, with something valid for what a reader fills in.
fn words(arguments: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in arguments.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if character == '\'' || character == '"' => quote = Some(character),
            None if character == ' ' => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(character);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    for word in &mut words {
        match word.as_str() {
            "TIME" => "2026-11-18T14:00:00Z".clone_into(word),
            "LEVEL" => "high".clone_into(word),
            _ => {}
        }
    }
    if words.iter().any(|word| word == "--reason") {
        // Who it is says the environment, which not every machine does.
        words.extend(["--author".to_owned(), "somebody".to_owned()]);
    }
    words
}

#[test]
fn every_command_in_the_documents_is_one() {
    let (mut read, mut wrong) = (0, Vec::new());
    for document in documents() {
        let (copied, mentioned) = commands(&fs::read_to_string(&document).unwrap());
        let copied = copied.into_iter().map(|command| (command, false));
        for (command, is_mention) in copied.chain(mentioned.into_iter().map(|command| (command, true))) {
            read += 1;
            let words = ["bedrock-watch".to_owned()].into_iter().chain(words(&command));
            let Err(error) = Arguments::try_parse_from(words) else { continue };
            // A sentence may name a command without its arguments.
            let is_fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
                || is_mention && error.kind() == ErrorKind::MissingRequiredArgument;
            if !is_fine {
                wrong.push(format!("{}: `bedrock-watch {command}`: {error}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 60, "only {read} commands were found: are they still written as this test expects?");
}

#[test]
fn finds_commands_where_they_stand() {
    let check = |text: &str, copied: &[&str], mentioned: &[&str]| {
        let found = commands(text);
        assert_eq!(
            (found.0.as_slice(), found.1.as_slice()),
            (owned(copied).as_slice(), owned(mentioned).as_slice()),
            "{text}"
        );
    };
    check("Use `bedrock-watch health` now.", &[], &["health"]);
    check("    bedrock-watch incident list          the newest first", &["incident list"], &[]);
    check("```sh\nbedrock-watch man | man -l -\n```\nbedrock-watch is", &["man"], &[]);
    check("`bedrock-watch rules check [DIR]` and `bedrock-watch`", &[], &[]);
    assert_eq!(words("silences add --rule 'a b' --until TIME")[3], "a b");
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
