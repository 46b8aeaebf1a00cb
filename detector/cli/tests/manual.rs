//! `man` and `completions`: every command has a page, and bash completes what there is.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::{collections::BTreeSet, fs, process::Command};

use support::{run, stderr, stdout};

/// The names that `COMMAND --help` lists.
fn commands_of(command: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let help = stdout(&run(folder.path(), &[command, &["--help"]].concat()));
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

/// The names of the pages, as the help texts have them.
fn pages_wanted(command: &[&str], pages: &mut BTreeSet<String>) {
    pages.insert([&["bedrock-watch"], command].concat().join("-") + ".1");
    for name in commands_of(command) {
        pages_wanted(&[command, &[name.as_str()]].concat(), pages);
    }
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["man", "--dir", "share/man/man1"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""), "{}", stderr(&output));
    let pages = fs::read_dir(folder.path().join("share/man/man1")).unwrap();
    let pages: BTreeSet<String> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted = BTreeSet::new();
    pages_wanted(&[], &mut wanted);
    assert!(wanted.contains("bedrock-watch-rules-check.1"), "the help texts were not understood: {wanted:?}");
    assert_eq!(pages, wanted);
}

#[test]
fn a_page_says_what_help_says() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], texts: &[&str]| {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        for text in texts {
            assert!(stdout(&output).contains(text), "{arguments:?}: no `{text}` in\n{}", stdout(&output));
        }
    };
    check(&["man"], &[".TH bedrock-watch 1 ", "Exit codes: 0 fine", "bedrock\\-watch\\-doctor(1)"]);
    check(&["man", "run"], &[".TH bedrock-watch-run 1 ", "BEDROCK_WATCH_CONFIG", "curl \\-\\-data\\-binary"]);
    check(&["man", "rules", "test"], &["bedrock-watch-rules-test", "junit"]);
}

#[test]
fn a_command_that_does_not_exist_has_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["man", "rules", "bake"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("`bedrock-watch rules` has no command `bake`"), "{}", stderr(&output));
}

#[test]
fn bash_completes_commands_and_choices() {
    let folder = tempfile::tempdir().unwrap();
    let script = stdout(&run(folder.path(), &["completions", "bash"]));
    fs::write(folder.path().join("completions.bash"), script).unwrap();
    let check = |words: &[&str], wanted: &str| {
        let line = "source completions.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))
                    function=$(complete -p bedrock-watch | grep -o -- '-F [^ ]*' | cut -c4-)
                    $function bedrock-watch \"${!#}\" \"${@:(-2):1}\"; echo ${COMPREPLY[*]}";
        let bash = Command::new("bash").current_dir(folder.path()).args(["-c", line, "bash"]).args(words).output();
        let bash = bash.expect("bash, which runs the other checks of this repository too");
        assert_eq!(stdout(&bash).trim(), wanted, "{words:?}: {}", stderr(&bash));
    };
    check(&["bedrock-watch", "com"], "completions");
    check(&["bedrock-watch", "rules", "ch"], "check");
    check(&["bedrock-watch", "replay", "--fi"], "--final");
    check(&["bedrock-watch", "replay", "--format", ""], "human json ocsf");
}

#[test]
fn every_shell_gets_a_script() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(folder.path(), &["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}: {}", stderr(&output));
        for command in commands_of(&[]) {
            assert!(stdout(&output).contains(&command), "{shell} does not know `{command}`");
        }
    }
    assert_eq!(run(folder.path(), &["completions", "tcsh"]).status.code(), Some(2));
}
