//! The shape of the code: what may depend on what, and what no file may contain.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use bedrock_watch_tests::repository::{files, root};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, PackageId};

/// What the pure engine must never pull in, not even through somebody else.
const IMPURE: [&str; 7] = ["tokio", "mio", "reqwest", "hyper", "axum", "socket2", "rustls"];
/// The only crate that may name an AWS SDK type.
const AWS: &str = "bedrock-watch-aws";
/// Lines of a Rust file at most.
const LINES_MAX: usize = 500;

fn metadata() -> Result<Metadata, cargo_metadata::Error> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(["--locked".to_owned()]);
    command.exec()
}

/// The names of everything a package is built from, itself left out; development dependencies do not count.
fn normal_dependencies(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let edges: BTreeMap<&PackageId, &Node> =
        metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).map(|node| (&node.id, node)).collect();
    let start = metadata.packages.iter().filter(|candidate| candidate.name.as_str() == package);
    let mut open = start.map(|package| &package.id).collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        for dependency in edges.get(id).into_iter().flat_map(|node| &node.deps) {
            let built = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if built && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    let seen_packages = metadata.packages.iter().filter(|package| seen.contains(&package.id));
    seen_packages.map(|package| package.name.to_string()).collect()
}

#[test]
fn the_engine_is_built_without_io_runtimes_and_aws() {
    let dependencies = normal_dependencies(&metadata().unwrap(), "bedrock-watch-engine");
    let impure = |name: &&String| IMPURE.contains(&name.as_str()) || name.starts_with("aws-");
    let found = dependencies.iter().filter(impure).collect::<Vec<_>>();
    assert!(found.is_empty(), "the engine depends on {found:?}");
    assert!(dependencies.contains("serde"), "the dependency walk sees nothing: {dependencies:?}");
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata().unwrap();
    let check = |package: &str, forbidden: &[&str]| {
        let dependencies = normal_dependencies(&metadata, package);
        let found = forbidden.iter().filter(|name| dependencies.contains(**name)).collect::<Vec<_>>();
        assert!(found.is_empty(), "{package} depends on {found:?}");
    };
    check("bedrock-watch-engine", &["bedrock-watch-service", AWS, "bedrock-watch"]);
    check("bedrock-watch-service", &[AWS, "bedrock-watch"]);
    check(AWS, &["bedrock-watch"]);
}

#[test]
fn only_the_aws_crate_names_the_aws_sdk() {
    // Tests make with it what they need in an emulator.
    const TESTS: &str = "bedrock-watch-tests";
    let metadata = metadata().unwrap();
    let offenders =
        metadata.workspace_packages().into_iter().filter(|package| ![AWS, TESTS].contains(&package.name.as_str()));
    for package in offenders {
        let sdk = package.dependencies.iter().filter(|dependency| dependency.name.starts_with("aws-"));
        let names = sdk.map(|dependency| dependency.name.as_str()).collect::<Vec<_>>();
        assert!(names.is_empty(), "{} depends on {names:?}; only {AWS} may", package.name);
    }
}

#[test]
fn no_native_tls_and_one_time_library() {
    // In what users build; a development dependency may bring its own.
    let dependencies = normal_dependencies(&metadata().unwrap(), "bedrock-watch");
    for banned in ["openssl", "openssl-sys", "native-tls", "chrono"] {
        assert!(!dependencies.contains(banned), "bedrock-watch is built with {banned}");
    }
}

#[test]
fn every_rust_file_says_what_it_is_and_is_of_a_size_one_can_read() {
    let mut faults = Vec::new();
    // In two parts, so that this file does not contain what it looks for.
    let forbidden = [concat!("#[", "allow("), concat!("#![", "allow("), concat!("#[", "ignore")];
    for path in files(&root(), "rs").unwrap() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if !text.starts_with("//! ") {
            faults.push(format!("{name} does not begin with a `//!` comment"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{name} has {lines} lines, more than {LINES_MAX}"));
        }
        for what in forbidden {
            if text.contains(what) {
                faults.push(format!("{name} contains `{what}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
