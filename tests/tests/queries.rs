//! Queries parse as the engines that run them would: those of investigations, of alerts and of runbooks.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use bedrock_watch_engine::{Inquiry, Language, Second, alert::Query};
use bedrock_watch_service::cases::alerts;
use bedrock_watch_tests::{
    insights, peers,
    repository::{cases_of, compiled, rule_pack},
};
use serde_json::json;

/// Names that end a literal early where quoting is wrong.
const HOSTILE: [&str; 6] =
    ["it's", "'; DROP TABLE x; --", "\\' OR 1=1", "a\nb\u{202e}c", "*/ \" $EDS_ID ${x} `y`", "日本語"];

fn hostile() -> Vec<(Inquiry, String)> {
    let (since, until) = (Second(1_794_960_000), Second(1_795_046_400));
    let mut all = Vec::new();
    for name in HOSTILE {
        for kind in ["arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:role/app/", ""] {
            let principal = format!("{kind}{name}");
            let mut inquiry = Inquiry::of_principal(&principal, since, until);
            inquiry.access_key_id = Some(name.to_owned());
            inquiry.source_ip = Some(name.to_owned());
            inquiry.account = Some(name.to_owned());
            inquiry.region = Some(name.to_owned());
            all.push((inquiry, principal));
        }
    }
    all
}

fn line(query: &Query, holds: Option<&str>) -> String {
    let line = match holds {
        Some(holds) => {
            json!({ "title": query.title, "language": query.language, "text": query.text, "holds": holds })
        }
        None => json!({ "title": query.title, "language": query.language, "text": query.text }),
    };
    format!("{line}\n")
}

/// The queries of every alert that a case makes.
fn of_alerts() -> Vec<Query> {
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let mut queries = Vec::new();
    for rule in pack.rule_ids() {
        for case in cases_of(&pack, &rule).unwrap().iter().filter(|case| !case.expect.is_empty()).take(2) {
            for alert in alerts(case, &rules).iter().take(1) {
                queries.extend(alert.queries());
                queries.extend(Inquiry::of_alert(alert).queries(Some(alert), &Language::ALL));
            }
        }
    }
    queries
}

/// The queries that runbooks spell out; what stands for a value there is left to the reader.
fn of_runbooks() -> Vec<Query> {
    let pack = rule_pack().unwrap();
    let mut queries = Vec::new();
    for path in pack.paths().filter(|path| path.ends_with("/runbook.md")) {
        let text = String::from_utf8_lossy(pack.file(path).unwrap()).into_owned();
        for block in text.split("```sql\n").skip(1) {
            let text = block.split("```").next().unwrap().trim().trim_end_matches(';').to_owned();
            let language = if text.contains("$EDS_ID") { Language::Lake } else { Language::Athena };
            queries.push(Query { title: path.to_owned(), language: language.as_str().to_owned(), text });
        }
    }
    queries
}

#[tokio::test]
async fn every_query_parses() {
    let python = peers::aws_python(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut input = String::new();
    let mut count = 0;
    for (inquiry, principal) in hostile() {
        for query in inquiry.queries(None, &[Language::Athena, Language::Lake]) {
            // The principal is in it whole, as one literal.
            let whole = query.title.starts_with("Everything") && inquiry.principal.as_deref() == Some(&principal);
            input.push_str(&line(&query, whole.then_some(principal.as_str())));
            count += 1;
        }
    }
    let others: Vec<Query> = of_alerts().into_iter().chain(of_runbooks()).collect();
    for query in others.iter().filter(|query| query.language != Language::Insights.as_str()) {
        input.push_str(&line(query, None));
        count += 1;
    }
    let faults = peers::script(&python, "check_sql.py", &[], &input).await.unwrap();
    assert_eq!(faults, "", "of {count} queries");
    assert!(count > 200, "only {count} queries");
}

#[test]
fn every_query_of_insights_is_one_it_takes() {
    let mut count = 0;
    let mut faults = Vec::new();
    for (inquiry, principal) in hostile() {
        for query in inquiry.queries(None, &[Language::Insights]) {
            count += 1;
            let whole = query.title.starts_with("Everything") && inquiry.principal.as_deref() == Some(&principal);
            match insights::texts(&query.text) {
                // The principal is in it whole, as one literal or pattern.
                Ok(texts) if !whole || texts.contains(&principal) => {}
                Ok(texts) => faults.push(format!("{}: not {principal:?}, but {texts:?}", query.title)),
                Err(fault) => faults.push(format!("{}: {fault}\n{}", query.title, query.text)),
            }
        }
    }
    for query in of_alerts().iter().filter(|query| query.language == Language::Insights.as_str()) {
        count += 1;
        faults.extend(
            insights::texts(&query.text).err().map(|fault| format!("{}: {fault}\n{}", query.title, query.text)),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 200, "only {count} queries");
}

#[tokio::test]
async fn the_parser_refuses_what_is_wrong() {
    let python = peers::aws_python(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for wrong in ["SELECT FROM WHERE", "SELECT 'a", "SELECT 1; DROP TABLE x", "CREATE EXTERNAL TABLE (", "hello"] {
        let query = Query { title: "t".to_owned(), language: "athena".to_owned(), text: wrong.to_owned() };
        let faults = peers::script(&python, "check_sql.py", &[], &line(&query, None)).await.unwrap();
        assert!(faults.starts_with("t (athena): "), "{wrong}: {faults}");
    }
}
