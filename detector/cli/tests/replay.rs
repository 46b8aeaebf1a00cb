//! `replay`: what it prints, and that it depends only on the records.

mod support;

use std::{
    fs,
    io::Read,
    process::{Output, Stdio},
};

use support::{RULE, create_job, delete_group, noise, program, run, run_with_input, stderr, stdout};

/// The recording of the demo: an afternoon with an attack, delivered out of order and with copies.
const RECORDING: &str = include_str!("../demo/afternoon.jsonl");

fn replayed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    stdout(output)
}

#[test]
fn prints_json_where_nobody_looks_and_a_block_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let attack = format!("{}\n{}\n", create_job(), delete_group());
    let text = replayed(&run_with_input(folder.path(), &["replay", "-"], attack.as_bytes()));
    let alert: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!((alert["rule"].as_str(), alert["status"].as_str()), (Some(RULE), Some("firing")));
    assert!(text.starts_with("{\"id\":"), "fields keep their order: {text}");
    let text = replayed(&run_with_input(folder.path(), &["replay", "--format", "human", "-"], attack.as_bytes()));
    assert!(text.starts_with("CRITICAL firing"), "no colour where nobody looks: {text}");
    let text = replayed(&run_with_input(folder.path(), &["replay", "--format", "ocsf", "-"], attack.as_bytes()));
    assert_eq!(serde_json::from_str::<serde_json::Value>(text.trim()).unwrap()["class_uid"], 2004);
}

#[test]
fn the_final_alerts_do_not_depend_on_order_copies_or_splitting() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let final_of = |arguments: &[&str]| {
        let arguments = [&["replay", "--final", "--format", "json"], arguments].concat();
        replayed(&run(folder.path(), &arguments))
    };
    fs::write(path("whole"), RECORDING).unwrap();
    let whole = final_of(&["whole"]);
    assert!(whole.lines().count() >= 9, "{whole}");

    let lines: Vec<&str> = RECORDING.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n");
    // Each block of records backwards: far less than the allowed lateness out of order.
    let shuffled: Vec<&str> = lines.chunks(16).flat_map(|block| block.iter().rev().copied()).collect();
    fs::write(path("shuffled"), joined(&shuffled)).unwrap();
    assert_eq!(final_of(&["shuffled"]), whole);
    let twice: Vec<&str> = lines.iter().flat_map(|line| [*line, *line]).collect();
    fs::write(path("twice"), joined(&twice)).unwrap();
    assert_eq!(final_of(&["twice"]), whole);

    fs::create_dir(path("split")).unwrap();
    for part in 0..3 {
        let every_third: Vec<&str> = lines.iter().skip(part).step_by(3).copied().collect();
        fs::write(path("split").join(format!("{part}.jsonl")), joined(&every_third)).unwrap();
    }
    assert_eq!(final_of(&["split"]), whole);
    let backwards: Vec<&str> = lines.iter().rev().copied().collect();
    fs::write(path("backwards"), joined(&backwards)).unwrap();
    assert_eq!(final_of(&["--sort", "backwards"]), whole);
}

#[test]
fn bad_records_are_named_and_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let records = format!("{}\nnot json\n{{\"eventName\": 3}}\n{}\n", create_job(), delete_group());
    fs::write(folder.path().join("mixed.jsonl"), records).unwrap();
    let output = run(folder.path(), &["replay", "mixed.jsonl"]);
    assert_eq!(replayed(&output).lines().count(), 1);
    for part in ["rejected: mixed.jsonl:2: ", "rejected: mixed.jsonl:3: ", "2 rejected", "1 alert: 1 critical"] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
}

#[test]
fn judges_a_span_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let attack = format!("{}\n{}\n", create_job(), delete_group());
    let check = |arguments: &[&str], alerts: usize| {
        let arguments = [&["replay", "-"], arguments].concat();
        let output = run_with_input(folder.path(), &arguments, attack.as_bytes());
        assert_eq!(replayed(&output).lines().count(), alerts, "{arguments:?}");
    };
    check(&["--since", "2026-11-20"], 1);
    check(&["--until", "2026-11-20T10:10:00Z"], 0);
    check(&["--until", "2026-11-20T10:10:01Z"], 1);
    check(&["--since", "2026-11-20T10:00:01Z"], 0);
}

#[test]
fn what_was_taught_is_remembered_and_nothing_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let teach = run_with_input(
        folder.path(),
        &["replay", "--teach", "--state", "memory", "-"],
        format!("{}\n", create_job()).as_bytes(),
    );
    assert_eq!(replayed(&teach), "");
    assert!(stderr(&teach).contains("taught"), "{}", stderr(&teach));
    let deletion = format!("{}\n", delete_group());
    let without = run_with_input(folder.path(), &["replay", "-"], deletion.as_bytes());
    assert_eq!(replayed(&without), "");
    let with = run_with_input(folder.path(), &["replay", "--state", "memory", "-"], deletion.as_bytes());
    assert!(replayed(&with).contains(RULE), "{}", stderr(&with));
    fs::write(folder.path().join("memory"), "something else").unwrap();
    let foreign = run_with_input(folder.path(), &["replay", "--state", "memory", "-"], deletion.as_bytes());
    assert_eq!(foreign.status.code(), Some(1));
    assert!(stderr(&foreign).contains("is no state file"), "{}", stderr(&foreign));
}

#[test]
fn late_records_are_counted_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let deletion = |minute| noise(minute).replace("DescribeSecurityGroups", "DeleteSecurityGroup");
    let records = format!("{}\n{}\n{}\n", create_job(), deletion(59), deletion(1));
    let output = run_with_input(folder.path(), &["replay", "-"], records.as_bytes());
    for part in ["1 late", "use --sort"] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
    let output = run_with_input(folder.path(), &["replay", "--sort", "-"], records.as_bytes());
    assert!(!stderr(&output).contains("late"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("afternoon.jsonl"), RECORDING).unwrap();
    let mut child = program(folder.path())
        .args(["replay", "afternoon.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0_u8; 1];
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("error"), "{}", stderr(&output));
}

#[test]
fn tells_the_configured_sinks_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("recording"), RECORDING).unwrap();
    let configuration = "[[sink]]\nkind = \"file\"\nname = \"told\"\npath = \"told.jsonl\"\nformat = \"json\"\n\
                         [[route]]\nrules = [\"customization-job-security-group-*\"]\nsinks = [\"told\"]\n";
    fs::write(folder.path().join("notify.toml"), configuration).unwrap();
    let arguments = ["replay", "--final", "--format", "json", "recording"];
    let printed = replayed(&run(folder.path(), &arguments));
    assert!(!folder.path().join("told.jsonl").exists(), "nobody asked");
    let output = run(folder.path(), &[&arguments[..], &["--notify", "--config", "notify.toml"]].concat());
    assert_eq!(replayed(&output), printed);
    let ids = |text: &str, rules: &str| {
        let alerts = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let wanted = alerts.filter(|alert| alert["rule"].as_str().unwrap().starts_with(rules));
        let mut ids: Vec<String> = wanted.map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let told = fs::read_to_string(folder.path().join("told.jsonl")).unwrap();
    assert_eq!(ids(&told, ""), ids(&printed, "customization-job-security-group-"), "{}", stderr(&output));
    assert!(!ids(&told, "").is_empty());
    let output = run(folder.path(), &["replay", "recording", "--notify"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_bad_configuration_of_sinks_is_told_before_anything_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("recording"), RECORDING).unwrap();
    let rows = [
        ("[[sink]]\nkind = \"file\"\nname = \"told\"\npth = \"told.jsonl\"\n", "pth"),
        ("[[sink]]\nkind = \"stdout\"\nname = \"console\"\n", "--notify needs a [[sink]]"),
        ("[[sink]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"nowhere\"\n", "url"),
    ];
    for (configuration, reason) in rows {
        fs::write(folder.path().join("notify.toml"), configuration).unwrap();
        let output = run(folder.path(), &["replay", "recording", "--notify", "--config", "notify.toml"]);
        assert_eq!(output.status.code(), Some(64), "{configuration}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{configuration}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{configuration}: nothing was replayed");
    }
}
