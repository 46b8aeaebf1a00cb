//! Tells cargo that the embedded rules and recording are part of this crate, so that a new rule rebuilds it; and makes
//! the static program, which is the image, smaller.

fn main() {
    for path in ["../../rules", "demo"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let set = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let is_static = set("FEATURE").split(',').any(|feature| feature == "crt-static");
    if is_static && (set("ARCH"), set("OS"), set("ENV")) == ("x86_64".into(), "linux".into(), "gnu".into()) {
        // Functions that are the same byte for byte are there once, and relocations are packed: 15 % together. Rust
        // links with LLD here, which knows both.
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
