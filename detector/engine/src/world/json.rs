//! Reading JSON that may lack anything, and only when somebody looks into it.

use std::{cell::OnceCell, ops::Deref};

use serde_json::Value;

use crate::decode::section;

/// A field of an object; null where there is none.
pub(super) trait At {
    /// The field `key`, or null.
    fn at(&self, key: &str) -> &Value;
}

impl At for Value {
    fn at(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Self::Null)
    }
}

/// A section of a record, which is parsed as a whole only when one text of it is not enough.
#[derive(Debug)]
pub(super) struct Section<'a> {
    raw: Option<&'a str>,
    value: OnceCell<Value>,
}

impl<'a> Section<'a> {
    /// The section, or none.
    pub(super) const fn new(raw: Option<&'a str>) -> Self {
        Self { raw, value: OnceCell::new() }
    }

    /// The text of the field `key`.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let first = self.raw.and_then(|raw| section::first_field(raw, key));
        first.map(str::to_owned).or_else(|| super::group_rules::text(self.at(key)))
    }
}

impl Deref for Section<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value.get_or_init(|| self.raw.map_or(Value::Null, section::value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_stands() {
        let check = |raw: Option<&str>, expected: Option<&str>| {
            let section = Section::new(raw);
            assert_eq!(section.text("groupId").as_deref(), expected, "{raw:?}");
            assert_eq!(super::super::group_rules::text(section.at("groupId")).as_deref(), expected, "{raw:?}, parsed");
        };
        check(Some(r#"{"groupId":"sg-1"}"#), Some("sg-1"));
        check(Some(r#"{"groupId":"sg-1","dryRun":false}"#), Some("sg-1"));
        check(Some(r#"{"dryRun":false,"groupId":"sg-1"}"#), Some("sg-1"));
        check(Some(r#"{ "groupId" : "sg-1" }"#), Some("sg-1"));
        check(Some(r#"{"groupId":"sg\u002d1"}"#), Some("sg-1"));
        check(Some(r#"{"groupId":1}"#), Some("1"));
        check(Some(r#"{"groupId":{"groupId":"sg-1"}}"#), None);
        check(Some(r#"{"groupName":"groupId"}"#), None);
        check(Some("null"), None);
        check(None, None);
    }
}
