//! What others hear of the loop's work, once it is in the store.

use std::sync::Arc;

use bedrock_watch_engine::alert::ChangeKind;

use crate::store::StoredAlert;

/// A change that is in the store.
#[derive(Debug, Clone)]
pub struct Told {
    /// What happened.
    pub kind: ChangeKind,
    /// The alert after it.
    pub alert: Arc<StoredAlert>,
}
