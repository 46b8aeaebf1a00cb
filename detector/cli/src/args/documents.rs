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

/// The commands of a text: lines of code blocks, and code within sentences.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.extend(command(line.trim_start()));
        } else {
            found.extend(line.split('`').skip(1).step_by(2).filter_map(command));
        }
    }
    found
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
            _ => words.extend(words.pop().map(|word| word + &character.to_string())),
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
    words
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut read = 0;
    for document in documents() {
        for command in commands(&fs::read_to_string(&document).unwrap()) {
            read += 1;
            let words = ["bedrock-watch".to_owned()].into_iter().chain(words(&command));
            let Err(error) = Arguments::try_parse_from(words) else { continue };
            let is_fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            assert!(is_fine, "{}: `bedrock-watch {command}`: {error}", document.display());
        }
    }
    assert!(read > 100, "only {read} commands were found: are they still written as this test expects?");
}

#[test]
fn finds_commands_where_they_stand() {
    let check = |text: &str, wanted: &[&str]| assert_eq!(commands(text), wanted, "{text}");
    check("Use `bedrock-watch health` now.", &["health"]);
    check("    bedrock-watch incident list          the newest first", &["incident list"]);
    check("```sh\nbedrock-watch man | man -l -\n```\nbedrock-watch is", &["man"]);
    check("`bedrock-watch rules check [DIR]` and `bedrock-watch`", &[]);
    assert_eq!(words("silences add --rule 'a b' --until TIME")[3], "a b");
}
