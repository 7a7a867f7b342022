//! Imports point down only: each module may import what its row allows, and pure modules know no input or output.

#![expect(clippy::expect_used, reason = "a test that can not read the sources has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Module, and which modules of ours it may import. `error`, `names` and `secret` are everybody's.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("names", &[]),
    ("secret", &[]),
    ("wire", &[]),
    ("scram", &[]),
    ("x509", &[]),
    ("keyfile", &["scram"]),
    ("config", &[]),
    ("authz", &["wire"]),
    ("readiness", &["authz"]),
    ("session", &["authz", "config", "scram", "wire", "x509"]),
    ("net", &["config", "session"]),
    ("tls", &["config", "x509"]),
    ("upstream", &["config", "keyfile", "net", "scram", "session", "tls", "wire"]),
    ("relay", &["authz", "net", "wire"]),
    ("admin", &["authz", "config", "readiness"]),
    (
        "server",
        &[
            "admin",
            "authz",
            "config",
            "keyfile",
            "net",
            "readiness",
            "relay",
            "scram",
            "session",
            "tls",
            "upstream",
            "wire",
            "x509",
        ],
    ),
    ("inspect", &["admin", "config", "keyfile", "server", "tls", "x509"]),
    ("arguments", &[]),
    ("certs", &["arguments", "x509"]),
    ("sink", &["arguments", "wire"]),
    ("dev", &["arguments", "certs"]),
];
/// What pure modules must not name.
const IMPURE: &[&str] = &["tokio", "rustls::", "std::fs", "std::net::Tcp", "std::env", "SystemTime", "Instant::now", "getrandom"];
const PURE: &[&str] =
    &["error", "names", "secret", "wire", "scram", "x509", "keyfile", "config", "authz", "readiness", "session"];

fn files_of(module: &str) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let single = source.join(format!("{module}.rs"));
    let mut files: Vec<_> = Some(single).filter(|path| path.exists()).into_iter().collect();
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "module {module} has no files");
    files
}

/// The lines of code outside comments and outside the tests at the end of a file. `mod tests;` ends nothing: it may stand among the
/// modules at the beginning.
fn code(path: &Path) -> Vec<String> {
    let is_of_tests =
        path.components().any(|part| ["tests", "tests.rs", "testing.rs"].iter().any(|name| part.as_os_str() == *name));
    let text = if is_of_tests { String::new() } else { fs::read_to_string(path).expect("a source file") };
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

#[test]
fn every_module_has_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let mut modules: Vec<_> =
        code(&root).iter().filter_map(|line| Some(line.strip_suffix(';')?.split_once("mod ")?.1.to_owned())).collect();
    let mut placed: Vec<_> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    modules.sort();
    placed.sort_unstable();
    assert_eq!(modules, placed);
}

#[test]
fn imports_point_down_only() {
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        for path in files_of(module) {
            for line in code(&path) {
                for imported in line.split("crate::").skip(1) {
                    let name: String =
                        imported.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
                    let known = MAY_IMPORT.iter().any(|(other, _)| *other == name);
                    let everybodys = ["error", "names", "secret"].contains(&name.as_str()) || name == *module;
                    if known && !everybodys && !allowed.contains(&name.as_str()) {
                        wrong.push(format!("{}: {module} imports {name}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_know_no_input_or_output() {
    let mut wrong = Vec::new();
    for module in PURE {
        for path in files_of(module) {
            for line in code(&path) {
                for word in IMPURE {
                    if line.contains(word) {
                        wrong.push(format!("{}: {line}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
