//! Why a store could not do what it was asked.

/// An error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something else holds it.
    #[error("{place} is used by another bedrock-watch; stop it, or choose another [store] path")]
    InUse {
        /// The file or table.
        place: String,
    },
    /// It is something else, or of a version this program cannot read.
    #[error(
        "{place} is no store of this version of bedrock-watch: {reason}; choose another [store] path, or move it away"
    )]
    Foreign {
        /// The file or table.
        place: String,
        /// What was found.
        reason: String,
    },
    /// It is damaged.
    #[error("{place} is damaged: {reason}; restore it from a backup, or move it away to start without memory")]
    Damaged {
        /// The file or table.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Another worker has taken over what this one was writing; whoever wrote must stop.
    #[error("another worker has taken over {scope} in {place}; this one no longer writes to it")]
    Overtaken {
        /// The table.
        place: String,
        /// What was taken over.
        scope: String,
    },
    /// It may work later.
    #[error("cannot {action} {place}: {reason}")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// The file or table.
        place: String,
        /// Why not.
        reason: String,
    },
    /// A page was asked for by something that is no page token.
    #[error("`{0}` asks for no page of alerts; begin with the first page")]
    Token(String),
}
