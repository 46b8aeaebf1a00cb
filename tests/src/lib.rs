//! Tests of the whole: what several test files share.

pub mod histories;
pub mod model;
pub mod receivers;
pub mod repository;
