//! `cargo xtask tidy`: what must not be there. Each rule has its reason on its line.

use crate::shell::{cargo, output, root, say};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Which of our crates a crate may depend on (DESIGN 2). Development dependencies are free: tests may cross.
const OURS: &[(&str, &[&str])] = &[
    ("groundswell-proto", &[]),
    ("groundswell-core", &[]),
    ("groundswell-api", &["groundswell-core"]),
    ("groundswell-change", &[]),
    ("groundswell-helm", &["groundswell-core", "groundswell-change"]),
    ("groundswell-store", &["groundswell-core"]),
    (
        "groundswell-server",
        &["groundswell-core", "groundswell-api", "groundswell-change", "groundswell-helm", "groundswell-store", "groundswell-proto"],
    ),
    ("groundswell-agent", &["groundswell-core", "groundswell-change", "groundswell-helm", "groundswell-proto"]),
    ("groundswell", &["groundswell-core", "groundswell-api", "groundswell-change", "groundswell-helm"]),
    ("groundswell-sim", &["groundswell-core", "groundswell-store"]),
    ("groundswell-foundation", &[]),
    ("xtask", &["groundswell-foundation"]),
];

/// Who alone may depend on a crate from outside, and why.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    ("sled", &["groundswell-store"], "the store's trait hides it"),
    ("kube", &["groundswell-agent", "groundswell-tests"], "the server never talks to a Kubernetes API"),
    ("k8s-openapi", &["groundswell-agent", "groundswell-tests"], "the server never talks to a Kubernetes API"),
    ("tonic", &["groundswell-proto", "groundswell-server", "groundswell-agent", "groundswell-tests"], "gRPC is a shell's matter"),
    ("backoff", &["groundswell-agent"], "unmaintained: hidden behind one module"),
];

/// What the core may use: nothing that waits, reads, logs or draws.
const CORE_MAY_USE: &[&str] = &["serde", "serde_json", "thiserror"];

/// What the change summary and the path solver may use: they decide from texts, so they also read YAML and versions.
const CHANGE_MAY_USE: &[&str] = &["schemars", "semver", "serde", "serde_json", "serde-saphyr", "thiserror"];

/// Crates that may be nowhere in the tree, and why.
const NOWHERE: &[(&str, &str)] = &[
    ("ring", "one crypto provider: with two, rustls panics at the first use of TLS"),
    ("openssl-sys", "one crypto provider, and no C library of the host"),
    ("native-tls", "it brings OpenSSL"),
    ("serde_yaml", "unmaintained: serde-saphyr is used"),
];

/// A file of more lines is more than one thing; generated code does not count.
const MAX_LINES: usize = 500;

pub(crate) fn run() -> Result<()> {
    let metadata = metadata()?;
    let mut wrong = edges(&metadata);
    wrong.extend(nowhere()?);
    wrong.extend(sources()?);
    for line in &wrong {
        say(&format!("tidy: {line}"));
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{} findings", wrong.len()) }
}

fn metadata() -> Result<Value> {
    let found = output(&mut cargo(&["metadata", "--format-version", "1", "--locked"]))?;
    if !found.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&found.stderr));
    }
    serde_json::from_slice(&found.stdout).context("read what cargo metadata printed")
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Normal and build dependencies of each crate of ours.
fn dependencies(metadata: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let members: BTreeSet<&str> = list(metadata, "workspace_members").filter_map(Value::as_str).collect();
    let ours = list(metadata, "packages").filter(|package| members.contains(text(package, "id")));
    ours.map(|package| {
        let names =
            list(package, "dependencies").filter(|dependency| dependency["kind"] != "dev").map(|dependency| text(dependency, "name"));
        (text(package, "name"), names.collect())
    })
    .collect()
}

fn edges(metadata: &Value) -> Vec<String> {
    let all = dependencies(metadata);
    let mut wrong = Vec::new();
    for (crate_name, uses) in &all {
        if let Some((_, allowed)) = OURS.iter().find(|(name, _)| name == crate_name) {
            let ours = uses.iter().filter(|name| all.contains_key(*name) && !allowed.contains(name));
            wrong.extend(ours.map(|name| format!("{crate_name} may not depend on {name} (DESIGN 2)")));
        } else if *crate_name != "groundswell-tests" {
            wrong.push(format!("{crate_name} is not in the table of edges in xtask/src/tidy.rs"));
        }
        for (name, only, why) in ONLY_IN {
            if uses.contains(name) && !only.contains(crate_name) {
                wrong.push(format!("{crate_name} may not depend on {name}: {why}"));
            }
        }
    }
    for name in all.get("groundswell-core").into_iter().flatten().filter(|name| !CORE_MAY_USE.contains(name)) {
        wrong.push(format!("groundswell-core may not depend on {name}: the core decides, and does nothing"));
    }
    for name in all.get("groundswell-change").into_iter().flatten().filter(|name| !CHANGE_MAY_USE.contains(name)) {
        wrong.push(format!("groundswell-change may not depend on {name}: it decides, and does nothing"));
    }
    wrong
}

/// The lock file also names what no feature of ours turns on, so the tree that is built is asked, for every platform.
fn nowhere() -> Result<Vec<String>> {
    let args = ["tree", "--workspace", "--locked", "--target", "all", "-e", "normal,build,dev", "--prefix", "none", "--format", "{p}"];
    let tree = output(&mut cargo(&args))?;
    if !tree.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    }
    let text = String::from_utf8_lossy(&tree.stdout);
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    Ok(NOWHERE.iter().filter(|(name, _)| names.contains(name)).map(|(name, why)| format!("{name} is in the tree: {why}")).collect())
}

fn sources() -> Result<Vec<String>> {
    let listed = output(std::process::Command::new("git").current_dir(root()).args(["ls-files", "*.rs"]))?;
    let mut wrong = Vec::new();
    for name in String::from_utf8_lossy(&listed.stdout).lines() {
        let Ok(source) = std::fs::read_to_string(Path::new(&root()).join(name)) else { continue };
        let lines = source.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{name} has {lines} lines, at most {MAX_LINES}: is it one thing?"));
        }
        // The marks are spelled in two parts, or this file would find itself.
        for (mark, why) in [
            (concat!("#[", "ignore"), "a test that does not run proves nothing"),
            (concat!("unbounded", "_channel("), "every queue has a limit"),
        ] {
            if source.contains(mark) && !name.starts_with("xtask/") {
                wrong.push(format!("{name}: {mark}: {why}"));
            }
        }
    }
    Ok(wrong)
}
