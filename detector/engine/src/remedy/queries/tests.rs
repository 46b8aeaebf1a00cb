//! Queries of whole investigations, and names chosen by an attacker.

use proptest::prelude::*;

use super::*;
use crate::time::Second;

const ACCOUNT: &str = "111122223333";

fn inquiry(principal: &str) -> Inquiry {
    Inquiry::of_principal(principal, Second(1_000_000), Second(1_100_000))
}

fn texts(inquiry: &Inquiry, language: Language) -> String {
    let queries = inquiry.queries(None, &[language]);
    queries.iter().map(|query| format!("## {}\n{}\n", query.title, query.text)).collect()
}

#[test]
fn every_language_asks_the_whole_set() {
    let role = inquiry("arn:aws:iam::111122223333:role/app/web");
    let titles = [
        "Everything the principal did",
        "Bedrock calls by hour, model and region",
        "From where",
        "refused or failed",
        "changed in Amazon Bedrock",
        "Credentials made",
        "Resources touched",
        "what is logged",
    ];
    for language in Language::ALL {
        let text = texts(&role, language);
        for title in titles {
            assert!(text.contains(title), "{} does not ask `{title}`", language.as_str());
        }
        // Lake has no invocation log.
        assert_eq!(text.contains("Tokens by model"), language != Language::Lake);
    }
}

#[test]
fn a_search_is_written_as_each_language_wants_it() {
    let check = |language: Language, present: &[&str]| {
        let mut asked = inquiry("arn:aws:iam::111122223333:role/app/web");
        (asked.account, asked.region) = (Some(ACCOUNT.to_owned()), Some("eu-central-1".to_owned()));
        let text = texts(&asked, language);
        present.iter().for_each(|wanted| assert!(text.contains(wanted), "no {wanted}\n{text}"));
    };
    check(
        Language::Athena,
        &[
            "PARTITIONED BY (account string, region string, day string)",
            "'projection.account.values' = '111122223333'",
            "day BETWEEN '1970/01/12' AND '1970/01/13'",
            "AND awsRegion = 'eu-central-1'",
            "NOT regexp_like(eventName, '^(Get|",
            "sum(input.inputTokenCount) AS input_tokens",
        ],
    );
    check(Language::Lake, &["FROM $EDS_ID", "element_at(requestParameters, 'modelId') AS model"]);
    check(
        Language::Insights,
        &[
            "--start-time 1000000 --end-time 1100000",
            "filter userIdentity.sessionContext.sessionIssuer.arn = \"arn:aws:iam::111122223333:role/app/web\"",
            "eventSource like /^bedrock/",
            "| stats count(*) as calls",
            "identity.arn like /^arn:aws:sts::111122223333:assumed-role\\/web\\//",
            "bin(1h)",
        ],
    );
}

#[test]
fn an_account_that_is_none_enters_no_definition() {
    let mut asked = inquiry("x");
    asked.account = Some("1'; DROP TABLE x".to_owned());
    assert!(tables::trail(asked.account.as_deref(), None).contains("'<insert_account_ids>'"));
}

/// SQL without the insides of its literals.
fn sql_skeleton(text: &str) -> String {
    let mut skeleton = String::new();
    let mut inside = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (inside, character) {
            (true, '\'') if characters.peek() == Some(&'\'') => drop(characters.next()),
            (_, '\'') => {
                inside = !inside;
                skeleton.push('\'');
            }
            (true, _) => {}
            (false, other) => skeleton.push(other),
        }
    }
    assert!(!inside, "a literal does not end: {text}");
    skeleton.replace("U&''", "''")
}

/// A query of Insights without the insides of its texts; a text may be a literal or a pattern.
fn insights_skeleton(text: &str) -> String {
    // The first line is a comment about the time range.
    let (_, text) = text.split_once('\n').unwrap();
    let mut skeleton = String::new();
    let mut end = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (end, character) {
            (None, '"' | '/') => {
                end = Some(character);
                skeleton.push('?');
            }
            (None, other) => skeleton.push(other),
            (Some('/'), '\\') => drop(characters.next()),
            (Some('"'), '\\') => panic!("an escape in a literal: {text}"),
            (Some(quote), other) if quote == other => end = None,
            (Some(_), _) => {}
        }
    }
    assert_eq!(end, None, "a text does not end: {text}");
    skeleton.replace(" like ?", " = ?")
}

fn skeletons(inquiry: &Inquiry) -> Vec<String> {
    let one = |query: Query| {
        let harmless = |character: char| !character.is_control() || character == '\n';
        assert!(query.text.chars().all(harmless), "{:?}", query.text);
        if query.language == Language::Insights.as_str() {
            insights_skeleton(&query.text)
        } else {
            sql_skeleton(&query.text)
        }
    };
    inquiry.queries(None, &Language::ALL).into_iter().map(one).collect()
}

proptest! {
    /// Whatever a principal, a key or an address is called, the statements are the same; only their texts differ.
    #[test]
    fn hostile_names_stay_texts(
        kind in prop::sample::select(vec![
            "arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:role/app/", "service:", "identitycenter:",
            "unknown@", "X",
        ]),
        name in r#"(['"\\/\n\r\t%_;$`{}()\[\]*?^|.-]|--|/\*|[a-z]|\u{202e}|\PC){1,24}"#,
        other in any::<String>(),
    ) {
        let asked = |name: &str, other: &str| {
            let mut asked = inquiry(&format!("{kind}x{name}"));
            asked.access_key_id = Some(other.to_owned());
            asked.source_ip = Some(other.to_owned());
            asked.account = Some(format!("a{other}"));
            asked.region = Some(format!("r{other}"));
            asked.session_arn = Some(format!("arn:{other}"));
            asked
        };
        prop_assert_eq!(skeletons(&asked(&name, &other)), skeletons(&asked("y", "z")));
    }
}
