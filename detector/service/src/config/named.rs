//! Sections below a section, one for each of many things that have a name: `[rules.NAME]`.

use std::{collections::BTreeMap, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{
    keys::{Key, Named},
    read::{Reader, Table},
};

/// `[section.NAME]` and what is below it.
#[derive(Debug)]
pub(super) struct NamedTable {
    pub(super) name: String,
    pub(super) table: Table,
    /// Each `[[section.NAME.list]]`, in the order of the text.
    pub(super) list: Vec<Table>,
}

impl Reader<'_> {
    /// Everything in `table` that is a table itself, and not the value of one of `keys`.
    pub(super) fn named(&mut self, keys: &[Key], of: &'static Named, table: &DeTable<'_>) -> Vec<NamedTable> {
        let mut found = Vec::new();
        for (name, value) in table {
            let DeValue::Table(inner) = value.get_ref() else { continue };
            let name_text = name.get_ref().to_string();
            if keys.iter().any(|key| key.name == name_text) {
                continue;
            }
            if name_text.contains('*') {
                self.problem(name.span().start, format!("name one {}; `*` is no wildcard here", of.what));
            }
            let (list_name, _, list_keys) = of.list;
            let own = self.part(of.keys, ("", name.span()), inner, |key, _| key != list_name);
            let list = match inner.get(list_name) {
                Some(list) => self.list(list_keys, (&format!("{name_text}.{list_name}"), list.span()), list.get_ref()),
                None => Vec::new(),
            };
            found.push(NamedTable { name: name_text, table: own, list });
        }
        found
    }

    fn list(&mut self, keys: &'static [Key], (name, span): (&str, Range<usize>), value: &DeValue<'_>) -> Vec<Table> {
        let mut found = Vec::new();
        let items = if let DeValue::Array(items) = value { Some(items) } else { None };
        for item in items.into_iter().flatten() {
            match item.get_ref() {
                DeValue::Table(table) => found.push(self.part(keys, ("", item.span()), table, |_, _| true)),
                _ => self.problem(item.span().start, format!("`{name}` is a list of tables: write [[...{name}]]")),
            }
        }
        if items.is_none() {
            self.problem(span.start, format!("`{name}` may occur several times: write [[...{name}]]"));
        }
        found
    }

    /// Numbers, whole or not, by names of the user's own.
    pub(super) fn numbers(&mut self, key: &Key, table: &DeTable<'_>) -> BTreeMap<String, f64> {
        let mut numbers = BTreeMap::new();
        for (name, item) in table {
            let number = match item.get_ref() {
                DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().replace('_', "").parse().ok(),
                DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
                _ => None,
            };
            match number.filter(|number: &f64| number.is_finite()) {
                Some(number) => drop(numbers.insert(name.get_ref().to_string(), number)),
                None => self.problem(item.span().start, format!("a value in `{}` is a number", key.name)),
            }
        }
        numbers
    }

    /// Texts or lists of texts, by names of the user's own.
    pub(super) fn text_lists(&mut self, key: &Key, table: &DeTable<'_>) -> BTreeMap<String, Vec<String>> {
        let mut lists = BTreeMap::new();
        for (name, value) in table {
            let items = match value.get_ref() {
                DeValue::Array(items) => items.iter().collect(),
                _ => vec![value],
            };
            let mut texts = Vec::new();
            for item in items {
                if item.get_ref().as_str().is_some() {
                    texts.extend(self.expanded(item));
                } else {
                    let message = format!("a value in `{}` is a text in quotes, or a list of them", key.name);
                    self.problem(item.span().start, message);
                }
            }
            lists.insert(name.get_ref().to_string(), texts);
        }
        lists
    }
}
