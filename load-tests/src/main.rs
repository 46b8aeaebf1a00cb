//! Event generator, scenarios and comparisons with peers.
fn main() {}
