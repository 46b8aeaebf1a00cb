//! Tells cargo that the embedded rules and recording are part of this crate, so that a new rule rebuilds it.

fn main() {
    for path in ["../../rules", "demo"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
