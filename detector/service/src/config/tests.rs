//! Tests of the configuration as a whole.

use bedrock_watch_engine::alert::Severity;

use super::*;

const SECRET: &str = "correct-horse-battery";

fn environment(name: &str) -> Option<String> {
    match name {
        "UNSET_LEVEL" => None,
        "PORT_LIMIT" => Some("4096".to_owned()),
        _ => Some(SECRET.to_owned()),
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
    check("[http]\ntls_cert = \"a\"", "give both `tls_cert` and `tls_key`");
    let key = "[[api_key]]\nname = \"a\"\nkey = \"${A}\"\n";
    check(&key.repeat(2), "another API key is called `a`");
    check(&key.repeat(2), "the same key as another one");
}

#[test]
fn leases_share_streams_and_nothing_else() {
    const SHARED: &str =
        "[leases]\nenabled = true\n[store]\nkind = \"dynamodb\"\ntable = \"t\"\nsnapshot_bucket = \"b\"\n";
    let stream = |name: &str, carries: &str| {
        format!("[[source]]\nkind = \"kinesis\"\nstream = \"{name}\"\ncarries = \"{carries}\"\n")
    };
    let (activity, state) = (stream("a", "activity"), stream("s", "state"));
    let good = format!("{SHARED}{activity}{state}");
    assert!(load(&good).unwrap().leases.enabled);
    let check = |text: &str, expected: &str| {
        let problems = load(text).expect_err(text);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:#?}");
    };
    check(&format!("[leases]\nenabled = true\n{activity}{state}"), "need a store that workers share");
    check(&format!("{SHARED}{state}"), "carries = \"activity\"");
    check(&format!("{SHARED}{activity}"), "carries = \"state\"");
    check(SHARED, "carries = \"activity\"");
    check(&format!("{good}{}", stream("b", "activity")), "one activity stream");
    check(&format!("{good}{}", stream("b", "both")), "every worker reads whole");
    for other in ["kind = \"http\"", "kind = \"stdin\"", "kind = \"file\"\npath = \"x\""] {
        check(&format!("{good}[[source]]\n{other}\n"), "every source is a Kinesis stream");
    }
}

#[test]
fn checks_sinks() {
    let check = |text: &str, expected: &str| {
        let problems = load(text).expect_err(text);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:#?}");
    };
    let slack = "[[sink]]\nkind = \"slack\"\n";
    check(slack, "give exactly one of `token`, `token_file`, `webhook_url` and `webhook_url_file`");
    check(&format!("{slack}token = \"${{T}}\""), "needs a `channel`");
    check(&format!("{slack}token = \"${{T}}\"\nwebhook_url = \"https://x.example\""), "exactly one of");
    check(&format!("{slack}webhook_url = \"${{T}}\""), "must be an address that begins with https://");
    check(&format!("{slack}token = \"\"\nchannel = \"c\""), "`token` is empty");
    check("[[sink]]\nkind = \"pagerduty\"", "c.toml:1:1: give exactly one of `routing_key` and `routing_key_file`");
    check("[[sink]]\nkind = \"pagerduty\"\nrouting_key = \"${UNSET_LEVEL}\"", "UNSET_LEVEL is not set");
    check("[[sink]]\nkind = \"webhook\"\nurl_file = \"/nonexistent\"", "cannot read `/nonexistent`");
    check("[[sink]]\nkind = \"webhook\"\nurl = \"https://x.example\"\nformat = \"human\"", "valid: json, ocsf");
    check("[[sink]]\nkind = \"webhook\"\nurl = \"https://x.example\"\nheaders = { a = 1 }", "a text in quotes");
    check("[[sink]]\nkind = \"file\"\npath = \"a\"\nname = \"a b\"", "letters, digits");
    let file = "[[sink]]\nkind = \"file\"\npath = \"a\"\n";
    check(&file.repeat(2), "another sink is called `file`");
    check(&format!("{file}{file}name = \"b\"\n"), "another sink writes to this file");
    check("[[sink]]\nkind = \"kafka\"", "valid: stdout, file, slack, pagerduty, webhook");
}

#[test]
fn checks_routes_and_accounts() {
    let check = |text: &str, expected: &str| {
        let problems = load(text).expect_err(text);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:#?}");
    };
    check("[[route]]\nsinks = [\"stdot\"]", "unknown sink `stdot`; did you mean `stdout`?; valid: stdout");
    check("[[route]]\n", "`sinks` is missing");
    check("[[route]]\nsinks = []", "at least one sink");
    let all = "[[route]]\nsinks = [\"stdout\"]\n";
    check(&all.repeat(2), "c.toml:4:9: no alert can reach this route");
    check(&format!("{all}groups = [\"prod\"]"), "unknown group of an [[account]] `prod`; there is none");
    check(&format!("{all}severity_min = \"huge\""), "valid: informational, low");
    check(&format!("{all}accounts = [\"12\"]"), "has 12 digits, `12` is none");
    check(&format!("{all}group_by = [\"day\"]"), "valid: rule, account, region, principal");
    let account = "[[account]]\nid = \"111122223333\"\n";
    check(&account.repeat(2), "account 111122223333 is there already");
    check("[[account_group]]\nname = \"a\"\n[[account_group]]\nname = \"a\"", "the group `a` is there already");
    check("[[account_group]]\nname = \"a\"\nseverity_shift = 9", "a whole number from -4 to 4");
    check("[[suppress]]\nprincipals = [\"*\"]\nreason = \"x\"", "everything from everybody");
    check("[[suppress]]\nprincipals = [\"a\"]\nreason = \" \"", "say why");
    check("[[suppress]]\nreason = \"x\"", "`principals` is missing");
    check("[links]\nrunbook_url = \"runbooks\"", "must be an address");
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    let check = |text: &str, expected: &[&str]| {
        let warnings = load(text).expect(text).warnings;
        assert_eq!(warnings.len(), expected.len(), "{text}: {warnings:#?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.to_string().contains(expected), "{text}: {warning}");
        }
    };
    let all = "[[route]]\nsinks = [\"stdout\"]\n";
    check(all, &[]);
    check(&format!("{all}continue = true\n{all}"), &[]);
    check(&format!("{all}rules = [\"a\"]\n"), &["alerts that no route matches"]);
    check(&format!("{all}learning = \"left_out\"\n"), &["alerts that no route matches"]);
    let file = "[[sink]]\nkind = \"stdout\"\n[[sink]]\nkind = \"file\"\npath = \"a\"\n";
    check(&format!("{file}{all}"), &["c.toml:3:1: no [[route]] names the sink `file`"]);
    check("[[account_group]]\nname = \"a\"", &["no [[account]] belongs to the group `a`"]);
    check("[[sink]]\nkind = \"webhook\"\nurl = \"http://collector:9/\"", &["can be read on its way"]);
    check("[[sink]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"", &[]);
}

#[test]
fn names_of_rules_are_compared_with_those_there_are() {
    let text = "[[route]]\nsinks = [\"stdout\"]\nrules = [\"invocation-*\", \"invocation-brust\"]\n\
                [[suppress]]\nprincipals = [\"a\"]\nreason = \"x\"\nrules = [\"guard*\"]\n";
    let unknown = load(text).unwrap().unknown_rules(["invocation-burst", "invocation-probing"]);
    let unknown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let expected = [
        "c.toml:3:9: there is no rule `invocation-brust`; did you mean `invocation-burst`?",
        "c.toml:7:9: there is no rule `guard*`",
    ];
    assert_eq!(unknown, expected);
}

#[test]
fn reads_sinks_and_routing() {
    let text = "[[sink]]\nkind = \"slack\"\ntoken = \"${T}\"\nchannel = \"C1\"\napi_url = \"http://127.0.0.1:1/api\"\n\
                repeat_s = 60\n[[sink]]\nkind = \"webhook\"\nname = \"siem\"\nurl = \"https://x.example/${T}\"\n\
                headers = { x-a = \"${T}\" }\n\
                [[route]]\nsinks = [\"siem\"]\nlearning = \"told\"\nseverity_min = \"high\"\ncontinue = true\n\
                [[account]]\nid = \"111122223333\"\ngroup = \"sandbox\"\n\
                [[account_group]]\nname = \"sandbox\"\nseverity_shift = -2\nseverity_max = \"low\"\n";
    let config = load(text).unwrap();
    assert!(!format!("{config:?}").contains(SECRET));
    let [slack, siem] = &config.sinks[..] else { panic!("{:?}", config.sinks) };
    let pace = Pace { per_minute: 60, timeout_ms: 10_000, backoff_max_s: 60, give_up_s: 86_400, repeat_s: Some(60) };
    assert_eq!((slack.name.as_str(), slack.pace), ("slack", pace));
    let SinkKind::Slack { access: SlackAccess::Bot { token, channel, api_url }, .. } = &slack.kind else { panic!() };
    assert_eq!((token.expose(), channel.as_str(), api_url.as_str()), (SECRET, "C1", "http://127.0.0.1:1/api/"));
    let SinkKind::Webhook { url, headers, signing_secret: None, .. } = &siem.kind else { panic!("{:?}", siem.kind) };
    assert_eq!((url.expose(), headers["x-a"].expose()), (format!("https://x.example/{SECRET}").as_str(), SECRET));
    assert_eq!((siem.pace.per_minute, siem.pace.repeat_s), (600, None));
    let route = &config.routing.routes[0];
    assert_eq!((route.learning, route.severity_min, route.r#continue), (Some(true), Some(Severity::High), true));
    let group = GroupConfig { severity_shift: -2, severity_max: Some(Severity::Low) };
    assert_eq!(config.routing.groups["sandbox"], group);
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

#[test]
fn the_reference_is_that_of_the_documentation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    assert!(
        std::fs::read_to_string(file).unwrap_or_default() == reference(),
        "docs/configuration.md differs from the list of keys; write it with\n\
         cargo run -p bedrock-watch --no-default-features -- config reference > docs/configuration.md"
    );
}

#[test]
fn the_reference_names_every_key() {
    let text = reference();
    for line in full_example().lines().filter(|line| !line.starts_with('#')) {
        if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| *key != "kind") {
            assert!(text.contains(&format!("| `{key}` |")), "`{key}` is missing");
        }
    }
}

/// The example with every possibility switched on.
fn full_example() -> String {
    let key = |line: &str| line.split_once(" = ").is_some_and(|(name, _)| !name.contains([' ', '.']));
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || key(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    example()
        .lines()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
        .replace("key_file = ", "# key_file = ")
        .replace("token_file = ", "# token_file = ")
        .replace("webhook_url", "# webhook_url")
        .replace("routing_# key_file", "# routing_key_file")
        .replace("url_file = ", "# url_file = ")
        .replace("signing_secret_file = ", "# signing_secret_file = ")
}

#[test]
fn every_possibility_of_the_example_loads() {
    let config = load(&full_example()).unwrap();
    assert_eq!((config.sources.len(), config.sinks.len(), config.api_keys.len()), (6, 8, 1));
    assert_eq!((config.routing.routes.len(), config.routing.accounts.len(), config.routing.groups.len()), (1, 1, 1));
}

#[test]
fn the_schema_covers_exactly_the_keys() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let document: toml::Table = full_example().parse().unwrap();
    let value = serde_json::to_value(document).unwrap();
    let violations: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(violations, Vec::<String>::new());
    let places = ["/engine/lateness_s", "/log/level", "/source/1/kind", "/sink/2/per_minute", "/route/0/learning"];
    for place in places {
        let mut broken = value.clone();
        *broken.pointer_mut(place).unwrap() = serde_json::Value::from("x");
        assert!(!validator.is_valid(&broken), "{place}");
    }
    let mut broken = value;
    broken["http"]["lissten"] = serde_json::Value::from(1);
    assert!(!validator.is_valid(&broken));
}
