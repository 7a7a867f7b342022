use std::collections::BTreeSet;

use super::*;
use crate::config::raw::PARAMETER;
use crate::config::{number, reference};

#[test]
fn every_name_and_every_flag_stands_once() {
    let mut names = BTreeSet::new();
    let mut flags = BTreeSet::new();
    for option in all() {
        for name in option.legacy_names.iter().chain([&option.name]) {
            assert!(names.insert(*name), "{name} stands twice");
        }
        for flag in option.flags {
            assert!(flags.insert(flag.name), "--{} stands twice", flag.name);
        }
    }
    for name in names.into_iter().filter_map(|name| name.strip_prefix(PARAMETER)) {
        assert!(!parameters::is_database_only(name), "{name} is in two lists");
    }
}

#[test]
fn a_deprecated_flag_names_a_flag_of_its_own_row() {
    for option in all() {
        for flag in option.flags.iter().filter_map(|flag| flag.legacy_of) {
            assert!(option.flags.iter().any(|other| other.name == flag), "{}: {flag}", option.name);
        }
    }
}

#[test]
fn every_default_is_of_its_options_kind() {
    for option in all() {
        let Some(default) = option.default else { continue };
        match option.kind {
            Kind::Switch | Kind::Boolean => assert!(matches!(default, "true" | "false"), "{}", option.name),
            Kind::Integer(least, greatest) => {
                assert!((least..=greatest).contains(&number::integer(default).unwrap()), "{}", option.name);
            }
            Kind::Word(words) => assert!(words.contains(&default), "{}", option.name),
            Kind::Text | Kind::Path | Kind::Double | Kind::List | Kind::Entries(_) => {}
        }
    }
}

#[test]
fn every_option_of_the_section_proxy_has_a_flag_of_its_name() {
    for option in all().filter(|option| option.name.starts_with("proxy.")) {
        let joined: String =
            option.name.split('.').enumerate().map(|(index, part)| if index == 0 { part.into() } else { title(part) }).collect();
        assert_eq!(option.flags.first().map(|flag| flag.name), Some(joined.as_str()));
    }
}

fn title(part: &str) -> String {
    let (first, rest) = part.split_at(1);
    first.to_uppercase() + rest
}

#[test]
fn passwords_are_secret() {
    for option in all() {
        assert_eq!(
            option.secret,
            option.name.to_ascii_lowercase().ends_with("password") || option.name.ends_with("Token"),
            "{}",
            option.name
        );
    }
}

#[test]
fn the_reference_configuration_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/doorward.conf");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let expected = reference::text();
    if written != expected {
        let copy = std::env::temp_dir().join("doorward.conf");
        std::fs::write(&copy, expected).unwrap();
        panic!("config/doorward.conf is not what the table says; the right text is in {}", copy.display());
    }
}

#[test]
fn names_two_letters_away_are_near() {
    assert_eq!(nearest_name("net.prot"), Some("net.port"));
    assert_eq!(nearest_name("security.keyfile"), Some("security.keyFile"));
    assert_eq!(nearest_name("completely.different"), None);
    assert_eq!(nearest_flag("tlsCaFile"), Some("tlsCAFile"));
}
