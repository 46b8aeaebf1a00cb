//! Tests of the configuration as a whole.

use super::*;

const SECRET: &str = "correct-horse-battery";

fn environment(name: &str) -> Option<String> {
    match name {
        "BEDROCK_WATCH_API_KEY" => Some(SECRET.to_owned()),
        "PORT_LIMIT" => Some("4096".to_owned()),
        _ => None,
    }
}

fn load(text: &str) -> Result<Config, Vec<String>> {
    Config::load("c.toml", text, &environment)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
}

#[test]
fn reports_every_problem_with_its_place_and_what_is_valid() {
    let text = "[engine]\nlateness = 5\nquiet_s = \"soon\"\n\n[htpp]\n\n[http]\nlisten = \"everywhere\"\n\n[[source]]\n\
                kind = \"kafka\"\n\n[[source]]\nkind = \"file\"\n\n[[sink]]\nkind = \"stdout\"\nformat = \"xml\"\n\n\
                [log]\nlevel = \"${UNSET_LEVEL}\"\n\n[rules]\ndisabled = [1]\n";
    let problems = load(text).unwrap_err();
    let expected = [
        "c.toml:2:1: unknown key `lateness`; did you mean `lateness_s`?; valid: lateness_s, ",
        "c.toml:3:11: `quiet_s` must be a whole number from 60 to 86400",
        "c.toml:5:2: unknown section `htpp`; did you mean `http`?; valid: engine, ",
        "c.toml:8:10: `listen` must be an address and a port such as 127.0.0.1:8787, not `everywhere`",
        "c.toml:11:8: unknown kind of source `kafka`; valid: http, stdin, file",
        "c.toml:13:1: `path` is missing",
        "c.toml:18:10: unknown value of `format`: `xml`; valid: human, json, ocsf",
        "c.toml:21:9: environment variable UNSET_LEVEL is not set",
        "c.toml:24:13: `disabled` is a list of texts in quotes",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}\nshould begin with\n{expected}");
    }
}

#[test]
fn reports_text_that_is_no_toml() {
    let problems = load("[engine\nlateness_s = = 5\n[log]\nlevl = \"info\"\n").unwrap_err();
    assert!(problems.iter().any(|problem| problem.starts_with("c.toml:1:")), "{problems:#?}");
    assert!(problems.iter().any(|problem| problem.starts_with("c.toml:2:")), "{problems:#?}");
    assert!(problems.iter().any(|problem| problem.contains("did you mean `level`")), "{problems:#?}");
}

#[test]
fn checks_what_concerns_several_keys() {
    let check = |text: &str, expected: &str| {
        let problems = load(text).expect_err(text);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{problems:#?}");
    };
    check("[http]\nlisten = \"0.0.0.0:80\"", "needs at least one [[api_key]]");
    check("[http]\nenabled = false", "there is no source");
    check("[http]\nenabled = false\n[[source]]\nkind = \"http\"", "needs the HTTP server");
    check("[[source]]\nkind = \"stdin\"\n[[source]]\nkind = \"stdin\"", "there already");
    check("[[sink]]\nkind = \"stdout\"\n[[sink]]\nkind = \"stdout\"", "a sink already");
    check("[[api_key]]\nname = \"a\"", "exactly one of `key` and `key_file`");
    check("[[api_key]]\nname = \"a\"\nkey_file = \"/nonexistent\"", "cannot read `/nonexistent`");
    check("[[api_key]]\nname = \"a\"\nkey = \"short\"", "at least 16 characters");
    check("source = 1", "write [[source]]");
    check("log = 1", "write [log]");
    check("[[source]]\n", "needs `kind`");
}

#[test]
fn no_secret_is_echoed() {
    let text = "[[api_key]]\nname = \"a\"\nkey = \"${BEDROCK_WATCH_API_KEY}\"\nkey_file = \"/x\"\n[log]\nlevel = \"x\"";
    let problems = load(text).unwrap_err();
    assert!(!format!("{problems:?}").contains(SECRET));
    let config = load("[[api_key]]\nname = \"a\"\nkey = \"${BEDROCK_WATCH_API_KEY}\"").unwrap();
    assert!(!format!("{config:?}").contains(SECRET));
    assert!(config.api_keys[0].key.matches(SECRET.as_bytes()));
}

#[test]
fn numbers_may_come_from_the_environment() {
    assert_eq!(load("[http]\nbody_bytes_max = \"${PORT_LIMIT}\"").unwrap().http.unwrap().body_bytes_max, 4096);
}

#[test]
fn the_example_says_what_holds_without_a_file() {
    assert_eq!(load(&example()).unwrap(), Config::standard());
    let standard = Config::standard();
    assert_eq!(standard.engine, Settings::standard());
    assert_eq!(standard.http.unwrap().listen.to_string(), "127.0.0.1:8787");
    assert_eq!(standard.sources, [SourceConfig::Http]);
}

/// The example with every possibility switched on.
fn full_example() -> String {
    let key = |line: &str| line.split_once(" = ").is_some_and(|(name, _)| !name.contains([' ', '.']));
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with("[[") || key(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    example().lines().map(line).collect::<Vec<_>>().join("\n").replace("key_file = ", "# key_file = ")
}

#[test]
fn every_possibility_of_the_example_loads() {
    let config = load(&full_example()).unwrap();
    assert_eq!((config.sources.len(), config.sinks.len(), config.api_keys.len()), (3, 1, 1));
}

#[test]
fn the_schema_covers_exactly_the_keys() {
    let schema = schema();
    let document: toml::Table = full_example().parse().unwrap();
    let value = serde_json::to_value(document).unwrap();
    assert_eq!(violations(&schema, &value, ""), Vec::<String>::new());
    for (pointer, wrong) in [("/engine/lateness_s", "x"), ("/log/level", "loud"), ("/source/1/kind", "kafka")] {
        let mut broken = value.clone();
        *broken.pointer_mut(pointer).unwrap() = serde_json::Value::from(wrong);
        assert!(!violations(&schema, &broken, "").is_empty(), "{pointer}");
    }
    let mut broken = value;
    broken["http"]["lissten"] = serde_json::Value::from(1);
    assert!(!violations(&schema, &broken, "").is_empty());
}

/// What of a JSON Schema the schema here uses, checked.
fn violations(schema: &serde_json::Value, value: &serde_json::Value, at: &str) -> Vec<String> {
    use serde_json::Value;
    let mut found = Vec::new();
    for alternatives in ["oneOf", "anyOf"].iter().filter_map(|name| schema[*name].as_array()) {
        if !alternatives.iter().any(|alternative| violations(alternative, value, at).is_empty()) {
            found.push(format!("{at}: no alternative fits"));
        }
    }
    let fits = match (schema["type"].as_str(), value) {
        (None, _)
        | (Some("object"), Value::Object(_))
        | (Some("array"), Value::Array(_))
        | (Some("string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_)) => true,
        (Some("integer"), number) => number.as_u64().is_some_and(|number| {
            schema["minimum"].as_u64().unwrap() <= number && number <= schema["maximum"].as_u64().unwrap()
        }),
        _ => false,
    };
    let allowed = |list: &Value| list.as_array().is_none_or(|list| list.contains(value));
    let pattern = schema["pattern"].is_null() || value.as_str().is_some_and(|text| text.contains("${"));
    if !fits || !pattern || !allowed(&schema["enum"]) || (!schema["const"].is_null() && schema["const"] != *value) {
        found.push(format!("{at}: {value} does not fit {schema}"));
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(property) => found.extend(violations(property, value, &format!("{at}/{name}"))),
            None if schema["properties"].is_null() => {}
            None => found.push(format!("{at}: {name} is not in the schema")),
        }
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            found.push(format!("{at}: {required} is missing"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        found.extend(violations(&schema["items"], item, &format!("{at}[]")));
    }
    found
}
