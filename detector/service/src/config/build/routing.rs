//! `[[route]]`, `[[account]]`, `[[account_group]]`, `[[suppress]]` and `[links]`, and whether they fit together.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::alert::Severity;

use super::{
    super::{
        AccountConfig, GroupConfig, Mention, Route, RoutingConfig, SinkConfig, Suppression,
        problem::{listed, suggestion},
        read::{Document, Table},
    },
    Findings, aws,
    delivery::check_address,
};

/// Digits of an account id.
const ACCOUNT_DIGITS: usize = 12;

/// The routing.
pub(super) fn routing(document: &Document, sinks: &[SinkConfig], found: &mut Findings) -> RoutingConfig {
    let accounts = accounts(document, found);
    let groups = groups(document, &accounts, found);
    let routes = routes(document, sinks, &accounts, found);
    let links = document.table("links");
    for key in ["runbook_url", "console_url"] {
        if let Some(url) = links.text(key) {
            check_address(document, &links, key, &url, found);
        }
    }
    RoutingConfig {
        routes,
        accounts,
        groups,
        suppressions: suppressions(document, found),
        runbook_url: links.text("runbook_url"),
        console_url: links.text("console_url"),
    }
}

fn accounts(document: &Document, found: &mut Findings) -> BTreeMap<String, AccountConfig> {
    let mut accounts = BTreeMap::new();
    for table in document.tables("account") {
        let Some(id) = table.text("id") else { continue };
        check_account(document, table, "id", &id, found);
        let account = AccountConfig {
            name: table.text("name"),
            owner: table.text("owner"),
            group: table.text("group"),
            access: aws::access(document, table, found),
        };
        if accounts.insert(id.clone(), account).is_some() {
            found.error(document, table, "id", format!("account {id} is there already"));
        }
    }
    accounts
}

fn check_account(document: &Document, table: &Table, key: &str, id: &str, found: &mut Findings) {
    if id.len() != ACCOUNT_DIGITS || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("an account id has {ACCOUNT_DIGITS} digits, `{id}` is none");
        found.error(document, table, key, message);
    }
}

fn groups(
    document: &Document,
    accounts: &BTreeMap<String, AccountConfig>,
    found: &mut Findings,
) -> BTreeMap<String, GroupConfig> {
    let mut groups = BTreeMap::new();
    for table in document.tables("account_group") {
        let Some(name) = table.text("name") else { continue };
        let group = GroupConfig {
            severity_shift: i8::try_from(table.signed("severity_shift")).unwrap_or_default(),
            severity_max: severity(table, "severity_max"),
        };
        if !accounts.values().any(|account| account.group.as_deref() == Some(&name)) {
            found.warning(document, table, "name", format!("no [[account]] belongs to the group `{name}`"));
        }
        if groups.insert(name.clone(), group).is_some() {
            found.error(document, table, "name", format!("the group `{name}` is there already"));
        }
    }
    groups
}

fn severity(table: &Table, key: &str) -> Option<Severity> {
    let name = table.text(key)?;
    Severity::ALL.into_iter().find(|severity| severity.as_str() == name)
}

fn routes(
    document: &Document,
    sinks: &[SinkConfig],
    accounts: &BTreeMap<String, AccountConfig>,
    found: &mut Findings,
) -> Vec<Route> {
    // A sink with a problem of its own is not unknown: one problem is told once.
    let named: Vec<String> = document.tables("sink").iter().filter_map(|table| table.text("name")).collect();
    let names: BTreeSet<&str> =
        sinks.iter().map(|sink| sink.name.as_str()).chain(named.iter().map(String::as_str)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let groups: BTreeSet<&str> = accounts.values().filter_map(|account| account.group.as_deref()).collect();
    let groups: Vec<&str> = groups.into_iter().collect();
    let tables = document.tables("route");
    let mut routes: Vec<Route> = Vec::new();
    for table in tables {
        let route = route(table);
        check_names(document, table, "sinks", ("sink", &route.sinks, &names), found);
        check_names(document, table, "groups", ("group of an [[account]]", &route.groups, &groups), found);
        if route.sinks.is_empty() && table.has("sinks") {
            found.error(document, table, "sinks", "a route names at least one sink; [[suppress]] tells nobody");
        }
        for account in &route.accounts {
            check_account(document, table, "accounts", account, found);
        }
        mention(document, table, &route.rules, found);
        if routes.iter().any(takes_all) {
            let message = "no alert can reach this route: one before it matches every alert and does not continue";
            found.error(document, table, "sinks", message);
        }
        routes.push(route);
    }
    check_coverage(document, &routes, &names, found);
    routes
}

fn route(table: &Table) -> Route {
    Route {
        severity_min: severity(table, "severity_min"),
        rules: table.texts("rules"),
        accounts: table.texts("accounts"),
        groups: table.texts("groups"),
        regions: table.texts("regions"),
        principals: table.texts("principals"),
        learning: match table.text("learning").as_deref() {
            Some("told") => Some(true),
            Some("left_out") => Some(false),
            _ => None,
        },
        sinks: table.texts("sinks"),
        r#continue: table.flag("continue"),
        group_by: table.texts("group_by"),
        group_wait_s: table.number("group_wait_s"),
    }
}

/// What a route leaves to later ones: nothing.
fn takes_all(route: &Route) -> bool {
    let is_open = |names: &[String]| names.is_empty() || names.iter().any(|name| name == "*");
    let severity = route.severity_min.is_none_or(|severity| severity == Severity::Informational);
    // An alert about several regions has none, so even `*` leaves something.
    let conditions = [&route.rules, &route.accounts, &route.groups].into_iter().all(|names| is_open(names));
    severity
        && conditions
        && route.regions.is_empty()
        && route.principals.is_empty()
        && route.learning != Some(false)
        && !route.r#continue
}

fn check_coverage(document: &Document, routes: &[Route], sinks: &[&str], found: &mut Findings) {
    let Some(last) = document.tables("route").last() else { return };
    for sink in sinks.iter().filter(|sink| !routes.iter().any(|route| route.sinks.iter().any(|name| name == *sink))) {
        let place =
            document.tables("sink").iter().find(|table| table.text("name").as_deref().unwrap_or(table.kind) == *sink);
        let message = format!("no [[route]] names the sink `{sink}`, so it is never told of anything");
        found.warning(document, place.unwrap_or(last), "name", message);
    }
    let continues_to_all = |route: &Route| takes_all(&Route { r#continue: false, ..route.clone() });
    if !routes.iter().any(continues_to_all) {
        let message = "alerts that no route matches are stored and nobody is told of them; end with a route that \
                       names only `sinks`";
        found.warning(document, last, "sinks", message);
    }
}

fn check_names(
    document: &Document,
    table: &Table,
    key: &str,
    (what, given, valid): (&str, &[String], &[&str]),
    found: &mut Findings,
) {
    for name in given.iter().filter(|name| !valid.contains(&name.as_str())) {
        let valid_names =
            if valid.is_empty() { "there is none".to_owned() } else { format!("valid: {}", listed(valid)) };
        let message = format!("unknown {what} `{name}`{}; {valid_names}", suggestion(name, valid));
        found.error(document, table, key, message);
    }
}

fn mention(document: &Document, table: &Table, rules: &[String], found: &mut Findings) {
    for rule in rules {
        let place = document.problem(table, "rules", String::new());
        found.mentions.push(Mention { rule: rule.clone(), place });
    }
}

fn suppressions(document: &Document, found: &mut Findings) -> Vec<Suppression> {
    let mut suppressions = Vec::new();
    for table in document.tables("suppress") {
        let suppression = Suppression {
            rules: table.texts("rules"),
            principals: table.texts("principals"),
            accounts: table.texts("accounts"),
            reason: table.text("reason").unwrap_or_default(),
        };
        if suppression.principals.is_empty() && table.has("principals") {
            found.error(document, table, "principals", "name at least one principal");
        }
        if table.has("reason") && suppression.reason.trim().is_empty() {
            found.error(document, table, "reason", "say why, for those who wonder later");
        }
        let is_open = |names: &[String]| names.is_empty() || names.iter().any(|name| name == "*");
        let is_any =
            suppression.principals.iter().any(|name| !name.is_empty() && name.bytes().all(|byte| byte == b'*'));
        if is_any && is_open(&suppression.rules) && suppression.accounts.is_empty() {
            found.error(document, table, "principals", "this would keep everything from everybody; name rules too");
        }
        for account in &suppression.accounts {
            check_account(document, table, "accounts", account, found);
        }
        mention(document, table, &suppression.rules, found);
        suppressions.push(suppression);
    }
    suppressions
}
