//! Reading JSON that may lack anything.

use serde_json::Value;

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
