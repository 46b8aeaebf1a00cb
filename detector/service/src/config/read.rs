//! From TOML text to checked values, each with its place.
//!
//! Nothing stops at the first problem: what cannot be read takes its default so that the rest is still checked.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    environment::{Names, expand, names},
    keys::{Form, Key, Kind, SECTIONS, Section},
    named::NamedTable,
    problem::{Problem, listed, position, suggestion},
    secret::Secret,
};

/// How the names of secrets in Secrets Manager begin.
pub(super) const SECRETS_MANAGER: &str = "secretsmanager:";

/// A value that was given.
#[derive(Debug)]
pub(super) enum Given {
    Number(u64),
    Signed(i64),
    Flag(bool),
    Text(String),
    Texts(Vec<String>),
    Secret(Secret),
    Secrets(BTreeMap<String, Secret>),
    Numbers(BTreeMap<String, f64>),
    TextLists(BTreeMap<String, Vec<String>>),
}

/// The values of one table.
#[derive(Debug)]
pub(super) struct Table {
    /// The value of `kind`, for sources and sinks.
    pub(super) kind: &'static str,
    keys: &'static [Key],
    given: BTreeMap<&'static str, (Given, Range<usize>)>,
    /// Keys that were written, readable or not.
    written: Vec<&'static str>,
    span: Range<usize>,
}

/// Everything that was given.
#[derive(Debug)]
pub(super) struct Document {
    file: String,
    text: String,
    tables: BTreeMap<&'static str, Vec<Table>>,
    named: BTreeMap<&'static str, Vec<NamedTable>>,
}

impl Document {
    /// A section written once; its defaults if it was not written.
    pub(super) fn table(&self, name: &str) -> Table {
        let section = SECTIONS.iter().find(|section| section.name == name);
        let keys = match section.map(|section| &section.form) {
            Some(Form::Table(keys) | Form::Named(keys, _)) => *keys,
            _ => &[],
        };
        let mut merged = Table { kind: "", keys, given: BTreeMap::new(), written: Vec::new(), span: 0..0 };
        for table in self.tables(name) {
            merged.span = table.span.clone();
            merged.written.extend(&table.written);
            for (key, (given, span)) in &table.given {
                merged.given.insert(key, (given.copy(), span.clone()));
            }
        }
        merged
    }

    /// Each occurrence of a section, in the order of the text.
    pub(super) fn tables(&self, name: &str) -> &[Table] {
        self.tables.get(name).map_or(&[], Vec::as_slice)
    }

    /// Each `[section.NAME]`, in the order of the names.
    pub(super) fn named(&self, section: &str) -> &[NamedTable] {
        self.named.get(section).map_or(&[], Vec::as_slice)
    }

    /// A problem with the value of `key` in `table`, or with the table when the key was not given.
    pub(super) fn problem(&self, table: &Table, key: &str, message: String) -> Problem {
        let span = table.given.get(key).map_or(&table.span, |(_, span)| span);
        let (line, column) = position(&self.text, span.start);
        Problem { file: self.file.clone(), line, column, message }
    }
}

impl Given {
    fn copy(&self) -> Self {
        match self {
            Self::Number(number) => Self::Number(*number),
            Self::Signed(number) => Self::Signed(*number),
            Self::Flag(flag) => Self::Flag(*flag),
            Self::Text(text) => Self::Text(text.clone()),
            Self::Texts(texts) => Self::Texts(texts.clone()),
            Self::Secret(secret) => Self::Secret(secret.clone()),
            Self::Secrets(secrets) => Self::Secrets(secrets.clone()),
            Self::Numbers(numbers) => Self::Numbers(numbers.clone()),
            Self::TextLists(texts) => Self::TextLists(texts.clone()),
        }
    }
}

impl Table {
    /// A table of that kind in which nothing was given.
    pub(super) fn of_kind(section: &str, kind: &'static str) -> Self {
        let section = SECTIONS.iter().find(|candidate| candidate.name == section);
        let keys = match section.map(|section| &section.form) {
            Some(Form::Kinds(variants)) => variants.iter().find(|variant| variant.kind == kind).map(|found| found.keys),
            _ => None,
        };
        Self { kind, keys: keys.unwrap_or_default(), given: BTreeMap::new(), written: Vec::new(), span: 0..0 }
    }

    fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Whether the key is in the text, even if its value could not be read.
    pub(super) fn was_written(&self, name: &str) -> bool {
        self.written.contains(&name)
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        match (self.given.get(name), self.key(name).map(|key| &key.kind)) {
            (Some((Given::Number(number), _)), _) => *number,
            (_, Some(Kind::Number { default, .. })) => *default,
            _ => 0,
        }
    }

    pub(super) fn number_u32(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(u32::MAX)
    }

    pub(super) fn number_usize(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    pub(super) fn signed(&self, name: &str) -> i64 {
        match (self.given.get(name), self.key(name).map(|key| &key.kind)) {
            (Some((Given::Signed(number), _)), _) => *number,
            (_, Some(Kind::Signed { default, .. })) => *default,
            _ => 0,
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match (self.given.get(name), self.key(name).map(|key| &key.kind)) {
            (Some((Given::Flag(flag), _)), _) => *flag,
            (_, Some(Kind::Flag { default })) => *default,
            _ => false,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match (self.given.get(name), self.key(name).map(|key| &key.kind)) {
            (Some((Given::Text(text), _)), _) => Some(text.clone()),
            (_, Some(Kind::Text { default } | Kind::Choice { default, .. })) => default.map(str::to_owned),
            _ => None,
        }
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        match (self.given.get(name), self.key(name).map(|key| &key.kind)) {
            (Some((Given::Texts(texts), _)), _) => texts.clone(),
            (_, Some(Kind::Texts { default, .. })) => default.iter().map(|text| (*text).to_owned()).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn numbers(&self, name: &str) -> BTreeMap<String, f64> {
        match self.given.get(name) {
            Some((Given::Numbers(numbers), _)) => numbers.clone(),
            _ => BTreeMap::new(),
        }
    }

    pub(super) fn text_lists(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        match self.given.get(name) {
            Some((Given::TextLists(texts), _)) => texts.clone(),
            _ => BTreeMap::new(),
        }
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        match self.given.get(name) {
            Some((Given::Secret(secret), _)) => Some(secret.clone()),
            _ => None,
        }
    }

    pub(super) fn secrets(&self, name: &str) -> BTreeMap<String, Secret> {
        match self.given.get(name) {
            Some((Given::Secrets(secrets), _)) => secrets.clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// Reads the text; the second part is everything that is wrong with it.
pub(super) fn read(file: &str, text: &str, names: &Names<'_>) -> (Document, Vec<Problem>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { file, text, names, problems: Vec::new() };
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        reader.problem(offset, error.message().trim().replace('\n', ", "));
    }
    let mut tables: BTreeMap<&'static str, Vec<Table>> = BTreeMap::new();
    let mut named: BTreeMap<&'static str, Vec<NamedTable>> = BTreeMap::new();
    for (name, value) in root.get_ref() {
        let Some(section) = SECTIONS.iter().find(|section| section.name == name.get_ref()) else {
            let valid: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
            reader.unknown("section", name.get_ref(), name.span(), &valid);
            continue;
        };
        if let (Form::Named(keys, of), DeValue::Table(table)) = (&section.form, value.get_ref()) {
            named.insert(section.name, reader.named(keys, of, table));
        }
        tables.insert(section.name, reader.section(section, name.span(), value));
    }
    let problems = reader.problems;
    (Document { file: file.to_owned(), text: text.to_owned(), tables, named }, problems)
}

pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    names: &'a Names<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, offset: usize, message: String) {
        let (line, column) = position(self.text, offset);
        self.problems.push(Problem { file: self.file.to_owned(), line, column, message });
    }

    pub(super) fn unknown(&mut self, what: &str, given: &str, span: Range<usize>, valid: &[&str]) {
        let message = format!("unknown {what} `{given}`{}; valid: {}", suggestion(given, valid), listed(valid));
        self.problem(span.start, message);
    }

    fn section(&mut self, section: &'static Section, name: Range<usize>, value: &Spanned<DeValue<'_>>) -> Vec<Table> {
        match (&section.form, value.get_ref()) {
            (Form::Table(keys), DeValue::Table(table)) => vec![self.table(keys, "", value.span(), table)],
            (Form::Named(keys, _), DeValue::Table(table)) => {
                // What is a table and no key is one of the named ones.
                let is_own = |name: &str, value: &DeValue<'_>| {
                    !matches!(value, DeValue::Table(_)) || keys.iter().any(|key| key.name == name)
                };
                vec![self.part(keys, ("", value.span()), table, is_own)]
            }
            (Form::Table(_) | Form::Named(..), _) => {
                self.problem(name.start, format!("`{0}` is a section: write [{0}] and its keys below", section.name));
                Vec::new()
            }
            (_, DeValue::Array(items)) => items.iter().filter_map(|item| self.element(section, item)).collect(),
            _ => {
                self.problem(name.start, format!("`{0}` may occur several times: write [[{0}]]", section.name));
                Vec::new()
            }
        }
    }

    fn element(&mut self, section: &'static Section, item: &Spanned<DeValue<'_>>) -> Option<Table> {
        let DeValue::Table(table) = item.get_ref() else {
            self.problem(item.span().start, format!("`{0}` is a list of tables: write [[{0}]]", section.name));
            return None;
        };
        match &section.form {
            Form::Table(keys) | Form::Named(keys, _) | Form::List(keys) => {
                Some(self.table(keys, "", item.span(), table))
            }
            Form::Kinds(variants) => {
                let valid: Vec<&str> = variants.iter().map(|variant| variant.kind).collect();
                let Some(kind) = table.get("kind") else {
                    let message = format!("[[{}]] needs `kind`; valid: {}", section.name, listed(&valid));
                    self.problem(item.span().start, message);
                    return None;
                };
                let Some(variant) = variants.iter().find(|variant| kind.get_ref().as_str() == Some(variant.kind))
                else {
                    let given = kind.get_ref().as_str().unwrap_or("");
                    self.unknown(&format!("kind of {}", section.name), given, kind.span(), &valid);
                    return None;
                };
                Some(self.table(variant.keys, variant.kind, item.span(), table))
            }
        }
    }

    fn table(&mut self, keys: &'static [Key], kind: &'static str, span: Range<usize>, table: &DeTable<'_>) -> Table {
        self.part(keys, (kind, span), table, |_, _| true)
    }

    /// The keys of a table for which `is_own` holds.
    pub(super) fn part(
        &mut self,
        keys: &'static [Key],
        (kind, span): (&'static str, Range<usize>),
        table: &DeTable<'_>,
        is_own: impl Fn(&str, &DeValue<'_>) -> bool,
    ) -> Table {
        let (mut given, mut written) = (BTreeMap::new(), Vec::new());
        for (name, value) in table.iter().filter(|(name, value)| is_own(name.get_ref(), value.get_ref())) {
            if name.get_ref() == "kind" && !kind.is_empty() {
                continue;
            }
            let Some(key) = keys.iter().find(|key| key.name == name.get_ref()) else {
                let valid: Vec<&str> = keys.iter().map(|key| key.name).collect();
                self.unknown("key", name.get_ref(), name.span(), &valid);
                continue;
            };
            written.push(key.name);
            if let Some(read) = self.value(key, value) {
                given.insert(key.name, (read, value.span()));
            }
        }
        for key in keys.iter().filter(|key| key.required && !table.contains_key(key.name)) {
            self.problem(span.start, format!("`{}` is missing", key.name));
        }
        Table { kind, keys, given, written, span }
    }

    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Given> {
        match (&key.kind, value.get_ref()) {
            (Kind::Number { min, max, .. }, DeValue::Integer(_) | DeValue::String(_)) => {
                self.number(key, value, *min, *max).map(Given::Number)
            }
            (Kind::Flag { .. }, DeValue::Boolean(flag)) => Some(Given::Flag(*flag)),
            (Kind::Text { .. }, DeValue::String(_)) => self.expanded(value).map(Given::Text),
            (Kind::Secret, DeValue::String(_)) => self.secret(value).map(Given::Secret),
            (Kind::Choice { choices, .. }, DeValue::String(_)) => self.choice(key, value, choices).map(Given::Text),
            (Kind::Signed { min, max, .. }, DeValue::Integer(integer)) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
                let number = number.filter(|number| (min..=max).contains(&number));
                if number.is_none() {
                    self.not_as_wanted(key, value);
                }
                number.map(Given::Signed)
            }
            (Kind::Texts { choices, .. }, DeValue::Array(items)) => {
                let mut texts = Vec::new();
                for item in items {
                    if item.get_ref().as_str().is_none() {
                        self.problem(item.span().start, format!("`{}` is a list of texts in quotes", key.name));
                    } else if choices.is_empty() {
                        texts.extend(self.expanded(item));
                    } else {
                        texts.extend(self.choice(key, item, choices));
                    }
                }
                Some(Given::Texts(texts))
            }
            (Kind::Secrets, DeValue::Table(table)) => {
                let mut secrets = BTreeMap::new();
                for (name, item) in table {
                    if item.get_ref().as_str().is_none() {
                        self.problem(item.span().start, format!("a value in `{}` is a text in quotes", key.name));
                    } else if let Some(secret) = self.secret(item) {
                        secrets.insert(name.get_ref().to_string(), secret);
                    }
                }
                Some(Given::Secrets(secrets))
            }
            (Kind::Numbers, DeValue::Table(table)) => Some(Given::Numbers(self.numbers(key, table))),
            (Kind::TextLists, DeValue::Table(table)) => Some(Given::TextLists(self.text_lists(key, table))),
            _ => {
                self.not_as_wanted(key, value);
                None
            }
        }
    }

    fn not_as_wanted(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) {
        let wanted = match &key.kind {
            Kind::Number { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Signed { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Flag { .. } => "true or false".to_owned(),
            Kind::Text { .. } | Kind::Secret => "a text in quotes".to_owned(),
            Kind::Choice { choices, .. } => format!("one of {}", listed(choices)),
            Kind::Texts { .. } => "a list of texts, [\"like\", \"this\"]".to_owned(),
            Kind::Secrets => "a table of texts, { name = \"value\" }".to_owned(),
            Kind::Numbers => "a table of numbers, { name = 1 }".to_owned(),
            Kind::TextLists => "a table of lists of texts, { name = [\"like\", \"this\"] }".to_owned(),
        };
        self.problem(value.span().start, format!("`{}` must be {wanted}", key.name));
    }

    fn number(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, min: u64, max: u64) -> Option<u64> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            DeValue::String(text) if text.contains('$') => self.expanded(value)?.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let message = format!("`{}` must be a whole number from {min} to {max}", key.name);
            self.problem(value.span().start, message);
        }
        number
    }

    fn choice(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, choices: &[&str]) -> Option<String> {
        let text = self.expanded(value)?;
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        self.unknown(&format!("value of `{}`:", key.name), &text, value.span(), choices);
        None
    }

    /// A value that is never shown, and so may come from Secrets Manager.
    fn secret(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Secret> {
        self.resolved(value).map(Secret::new)
    }

    /// A value that may be shown: in logs, in problems and by `config check`.
    pub(super) fn expanded(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let secrets = names(value.get_ref().as_str()?).into_iter().filter(|name| name.starts_with(SECRETS_MANAGER));
        let secrets: Vec<String> = secrets.collect();
        for name in &secrets {
            let message = format!("`${{{name}}}` stands where a value is no secret and may be shown; write the value");
            self.problem(value.span().start, message);
        }
        if secrets.is_empty() { self.resolved(value) } else { None }
    }

    fn resolved(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match expand(value.get_ref().as_str()?, self.names) {
            Ok(text) => Some(text),
            Err(messages) => {
                for message in messages {
                    self.problem(value.span().start, message);
                }
                None
            }
        }
    }
}
