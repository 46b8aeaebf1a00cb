//! Rule files to compiled rules: every document of every file, and every problem of all of them at once.
//!
//! Deliberately refused rather than ignored: collection actions and logs of other products.

use super::{
    RuleFile, condition,
    correlation::{self, CorrelationRule, Draft},
    correlation_link,
    definition::{About, Counts, Rule},
    detection,
    extension::{self, Extension, Speaker},
    filter::{self, Filter},
    first_times,
    floors::Floors,
    logic::{Logic, Search},
    metadata,
    placeholder::{self, Placeholders},
    problem::{Place, Problem, Problems, listed},
    set::state_bound,
    value::{Field, Metric},
    vocabulary::{Domain, STATE_EVENTS, USAGE_FIELDS},
    yaml::{self, Node},
};
use crate::alert::SubjectKind;

const LOGSOURCES: &str = "only product aws with service cloudtrail, and product bedrock-watch with service principal or \
                          state, are judged";

/// Compiles files.
pub(super) fn compile(
    files: &[RuleFile],
    placeholders: &Placeholders,
) -> Result<(Vec<Rule>, Vec<CorrelationRule>), Vec<Problem>> {
    let mut compiled = Compiled::default();
    let mut found = Vec::new();
    let mut declared = Vec::new();
    for file in files {
        let mut problems = Problems::new(&file.path);
        read_file(file, placeholders, &mut compiled, &mut declared, &mut problems);
        let mut of_file = problems.into_found();
        of_file.sort_by_key(|problem| (problem.line, problem.column));
        found.extend(of_file);
    }
    let Compiled { mut rules, drafts, filters } = compiled;
    if !filters.is_empty() {
        filter::apply(filters, &mut rules, &declared, &mut found);
        rules.iter_mut().for_each(follow);
    }
    let ids = rules.iter().map(|rule: &Rule| &rule.about).chain(drafts.iter().map(Draft::about));
    found.extend(duplicates(ids));
    let correlations = correlation_link::link(drafts, &mut rules, &declared, &mut found);
    if found.is_empty() { Ok((rules, correlations)) } else { Err(found) }
}

fn duplicates<'a>(all: impl Iterator<Item = &'a About>) -> Vec<Problem> {
    let mut seen: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
    let mut found = Vec::new();
    for about in all {
        match seen.get(about.id.as_str()) {
            Some(file) => found.push(Problem {
                file: about.file.clone(),
                line: 1,
                column: 1,
                message: format!("the rule id `{}` is taken by {file}; rename the folder or the file", about.id),
            }),
            None => {
                seen.insert(&about.id, &about.file);
            }
        }
    }
    found
}

/// What has been compiled so far.
#[derive(Default)]
struct Compiled {
    rules: Vec<Rule>,
    drafts: Vec<Draft>,
    filters: Vec<Filter>,
}

/// Reads a file; `declared` gets every name by which its documents can be referred to, whether they compile or not.
fn read_file(
    file: &RuleFile,
    placeholders: &Placeholders,
    compiled: &mut Compiled,
    declared: &mut Vec<String>,
    problems: &mut Problems<'_>,
) {
    let mut documents = yaml::documents(&file.text, problems);
    if file.text.contains("|expand") {
        let fill = |document: &Node| placeholder::filled(document, placeholders, problems);
        documents = documents.iter().map(fill).collect();
    }
    let documents: Vec<&Node> = documents.iter().filter(|node| node.kind != yaml::Kind::Null).collect();
    if documents.is_empty() && problems.count() == 0 {
        problems.add(Place::START, "the file holds no rule");
    }
    let main = main_document(&documents);
    for (number, document) in documents.iter().enumerate() {
        let id = if number == main {
            file.id.clone()
        } else {
            let name = document.get("name").and_then(Node::text).map(str::to_owned);
            format!("{}/{}", file.id, name.unwrap_or_else(|| number.saturating_add(1).to_string()))
        };
        declared.extend(["name", "id"].into_iter().filter_map(|key| document.get(key)?.text()).map(str::to_owned));
        declared.push(id.clone());
        read_document(document, &id, file, compiled, problems);
    }
}

/// The document that gets the file's id, because it alerts: the only correlation that no other in the file names, else
/// the first document.
fn main_document(documents: &[&Node]) -> usize {
    let inputs = |document: &Node| -> Vec<String> {
        let rules = document.get("correlation").and_then(|correlation| correlation.get("rules"));
        rules.map_or_else(Vec::new, |rules| match &rules.kind {
            yaml::Kind::List(names) => names.iter().filter_map(Node::text).map(str::to_owned).collect(),
            _ => rules.text().map(str::to_owned).into_iter().collect(),
        })
    };
    let names = |document: &Node, other: &Node| {
        let mut own = ["name", "id"].into_iter().filter_map(|key| other.get(key)?.text());
        own.any(|own| inputs(document).iter().any(|name| name == own))
    };
    let is_outermost = |(place, document): &(usize, &&Node)| {
        let mut others = documents.iter().enumerate().filter(|(other, _)| other != place);
        document.get("correlation").is_some() && !others.any(|(_, other)| names(other, document))
    };
    let mut outermost = documents.iter().enumerate().filter(is_outermost);
    match (outermost.next(), outermost.next()) {
        (Some((main, _)), None) => main,
        _ => 0,
    }
}

fn read_document(document: &Node, id: &str, file: &RuleFile, compiled: &mut Compiled, problems: &mut Problems<'_>) {
    let Some(entries) = document.entries() else {
        problems.add(document.place, format!("a rule is a mapping, and this is {}", document.noun()));
        return;
    };
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.text == "action") {
        problems.add(key.place, "collection actions are not supported; write every rule out");
        return;
    }
    if document.get("correlation").is_some() {
        compiled.drafts.extend(correlation::draft(document, id, file, problems));
    } else if document.get("filter").is_some() {
        let domain = domain(document, problems);
        compiled.filters.extend(domain.and_then(|domain| filter::read(document, domain, &file.path, problems)));
    } else {
        compiled.rules.extend(rule(document, id, file, problems));
    }
}

fn rule(document: &Node, id: &str, file: &RuleFile, problems: &mut Problems<'_>) -> Option<Rule> {
    let before = problems.count();
    let about = metadata::read(document, id, file, problems);
    let domain = domain(document, problems);
    version(document, problems);
    let Some(node) = document.get("detection") else {
        problems.add(document.place, "the detection is missing; it holds the searches and the condition");
        return None;
    };
    let domain = domain?;
    let searches = searches(node, domain, problems);
    let condition = match node.get("condition") {
        Some(condition) => condition::condition(condition, &searches, problems),
        None => {
            problems.add(node.place, "the condition is missing; it says which searches must hold");
            return None;
        }
    };
    let extension = extension::read(document, Speaker::Rule(domain, &searches), problems);
    let first_times = first_times::read(&searches, &extension, node.place, problems);
    let Extension { subject, counts, levels, summary, facts, .. } = extension;
    let counts = match usage_of(&searches) {
        Ok(of_usage) => counts_of(counts, domain, of_usage),
        Err(message) => Err(message),
    };
    let counts = counts.map_err(|message| problems.add(node.place, message)).unwrap_or(Counts::Calls);
    let subject = match domain {
        Domain::CloudTrail if first_times.is_some() => SubjectKind::Principal,
        Domain::CloudTrail => subject.unwrap_or(SubjectKind::Event),
        Domain::Principal | Domain::State => SubjectKind::Principal,
    };
    let about = About { summary, ..about? };
    if problems.count() > before {
        return None;
    }
    let windows = Vec::new();
    let mut rule = Rule {
        about,
        domain,
        subject,
        counts,
        levels,
        facts,
        searches,
        condition,
        windows,
        refusals_only: false,
        wants_history: false,
        alerts: true,
        first_times,
        exclusions: Vec::new(),
        plan: Logic::Any(Vec::new()),
        floors: Floors::default(),
    };
    follow(&mut rule);
    if domain == Domain::State {
        rule.subject = state_subject(&rule).map_err(|message| problems.add(node.place, message)).ok()?;
    }
    Some(rule)
}

/// Sets what follows from the searches and the condition.
fn follow(rule: &mut Rule) {
    rule.windows = windows_of(rule);
    rule.refusals_only = asks_for_refusals_only(rule);
    let of_history = |field: &&Field| matches!(field, Field::Watch(name) if name.starts_with("principal."));
    rule.wants_history = !rule.windows.is_empty() || rule.fields().iter().any(of_history);
}

/// Whether searches ask for model invocation logs; an error if they ask for CloudTrail's records as well, because the two
/// are judged each in its own time.
fn usage_of(searches: &[Search]) -> Result<bool, String> {
    let (mut of_usage, mut of_calls) = (false, false);
    let mut note = |field: &Field| match field {
        Field::Window { metric, .. } if metric.is_of_usage() => of_usage = true,
        Field::Watch(name) if USAGE_FIELDS.contains(name) => of_usage = true,
        Field::Window { .. } => of_calls = true,
        Field::Watch(name) if name.starts_with("principal.") => of_calls = true,
        Field::Watch(_) | Field::Record(_) | Field::Path(_) => {}
    };
    for search in searches {
        search.logic.each_item(&mut |item| item.each_field(&mut note));
    }
    if of_usage && of_calls {
        return Err(
            "a rule asks either for tokens and cost, which invocation logs say, or for calls, which CloudTrail \
                    says; write two rules"
                .to_owned(),
        );
    }
    Ok(of_usage)
}

/// What a rule counts.
fn counts_of(written: Option<Counts>, domain: Domain, of_usage: bool) -> Result<Counts, String> {
    match (written, of_usage) {
        (None | Some(Counts::Usage), true) => Ok(Counts::Usage),
        (Some(other), true) => {
            Err(format!("x-watch counts {}, and the rule asks for tokens and cost; it counts usage", other.as_str()))
        }
        (Some(Counts::Usage), false) => Err("x-watch counts usage, and the rule asks for no tokens or cost".to_owned()),
        (Some(written), false) => Ok(written),
        (None, false) => Ok(if domain == Domain::Principal { Counts::Calls } else { Counts::Matches }),
    }
}

/// Whether a rule asks for nothing but a principal's refused calls and what it did in earlier seconds.
fn asks_for_refusals_only(rule: &Rule) -> bool {
    let of_refusals = |field: &&Field| match field {
        Field::Window { metric, .. } => matches!(
            metric,
            Metric::Refusals
                | Metric::LongLivedRefusals
                | Metric::LimitProbes
                | Metric::RefusedModels
                | Metric::RefusedRegions
                | Metric::SuccessesBefore
        ),
        Field::Watch(name) => !name.starts_with("principal."),
        Field::Record(_) | Field::Path(_) => true,
    };
    rule.counts == Counts::Refusals && rule.fields().iter().all(of_refusals)
}

fn windows_of(rule: &Rule) -> Vec<(Metric, u32)> {
    let mut windows: Vec<_> = rule
        .fields()
        .into_iter()
        .filter_map(
            |field| if let Field::Window { metric, seconds } = field { Some((*metric, *seconds)) } else { None },
        )
        .collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// What a state rule is about follows from the events it can match.
pub(super) fn state_subject(rule: &Rule) -> Result<SubjectKind, String> {
    let bound = state_bound(rule);
    let matched = || STATE_EVENTS.iter().filter(|event| bound.admits("", event));
    let count = |beginning: &str| matched().filter(|event| event.starts_with(beginning)).count();
    let (jobs, logging, all) = (count("JobDependency"), count("InvocationLogging"), matched().count());
    let dependents = count("Dependency").saturating_add(count("DataExposed"));
    match all {
        0 => Err(format!("no state event matches; watch.event is {}", listed(STATE_EVENTS.iter().copied()))),
        all if all == jobs => Ok(SubjectKind::CustomizationJobDependency),
        all if all == logging => Ok(SubjectKind::InvocationLogging),
        all if all == dependents => Ok(SubjectKind::Dependency),
        _ if jobs == 0 && logging == 0 && dependents == 0 => Ok(SubjectKind::Event),
        _ => {
            Err("a state rule is about customization jobs, about other dependents, about logging or about the service itself; \
                 test watch.event for one kind"
                .to_owned())
        }
    }
}

fn domain(document: &Node, problems: &mut Problems<'_>) -> Option<Domain> {
    let Some(node) = document.get("logsource") else {
        problems.add(document.place, format!("the logsource is missing; {LOGSOURCES}"));
        return None;
    };
    let part = |key: &str| node.get(key).and_then(Node::text);
    match (part("product"), part("service")) {
        (Some("aws"), Some("cloudtrail")) => Some(Domain::CloudTrail),
        (Some("bedrock-watch"), Some("principal")) => Some(Domain::Principal),
        (Some("bedrock-watch"), Some("state")) => Some(Domain::State),
        _ => {
            let parts: Vec<&str> = ["product", "category", "service"].into_iter().filter_map(part).collect();
            let named = if parts.is_empty() { "nothing in particular".to_owned() } else { parts.join("/") };
            problems.add(node.place, format!("this rule is for {named}; {LOGSOURCES}"));
            None
        }
    }
}

fn version(document: &Node, problems: &mut Problems<'_>) {
    if let Some(node) = document.get("sigma-version") {
        let text = match &node.kind {
            yaml::Kind::Int(number) => number.to_string(),
            yaml::Kind::Float(number) => number.to_string(),
            yaml::Kind::Text(text) => text.clone(),
            _ => String::new(),
        };
        if !matches!(text.trim_start_matches('v').split('.').next(), Some("1" | "2")) {
            problems.add(node.place, format!("sigma-version {text} is not supported; rules are read as Sigma 2"));
        }
    }
}

fn searches(node: &Node, domain: Domain, problems: &mut Problems<'_>) -> Vec<Search> {
    let Some(entries) = node.entries() else {
        problems.add(node.place, format!("the detection is a mapping, and this is {}", node.noun()));
        return Vec::new();
    };
    let mut searches = Vec::new();
    for (key, value) in entries {
        match key.text.as_str() {
            "condition" => {}
            "timeframe" => problems.add(
                key.place,
                "timeframe belonged to aggregations, which are no longer part of Sigma; write a correlation rule",
            ),
            name => {
                let logic = detection::search(value, domain, problems);
                searches.push(Search { name: name.to_owned(), logic });
            }
        }
    }
    searches
}
