//! Standard input as a source.

use super::{
    Intake,
    reader::{Pending, pump},
};

/// Standard input; it ends when the other side closes it.
#[derive(Debug)]
pub struct Stdin {
    intake: Intake,
}

impl Stdin {
    /// Standard input, not yet read.
    #[must_use]
    pub const fn new(intake: Intake) -> Self {
        Self { intake }
    }

    /// Begins to read, on a thread of its own: a read from standard input cannot be interrupted.
    pub fn start(self) {
        std::thread::spawn(move || {
            pump("stdin", std::io::stdin(), Pending::new(self.intake), 0);
            tracing::info!("standard input has ended");
        });
    }
}
