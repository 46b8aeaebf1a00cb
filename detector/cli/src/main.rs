//! The bedrock-watch command: arguments, configuration, wiring.
fn main() {}
