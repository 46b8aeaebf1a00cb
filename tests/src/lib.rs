//! Tests of the whole: what several test files share.

pub mod emulators;
pub mod histories;
pub mod insights;
pub mod kinesis;
pub mod model;
pub mod peers;
pub mod program;
pub mod receivers;
pub mod repository;
pub mod server;
pub mod store_conformance;
pub mod training;
pub mod units;
