//! The only crate that may name an AWS SDK type: stream readers, inventory and stores on AWS plug in here.
//!
//! Deliberately empty of SDK crates until the first reader needs one: they dominate the build.
