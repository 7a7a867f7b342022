//! The same options get the same verdict, the same text and the same warnings from doorward as from a mongod 6.0.5, as far as no
//! file is read; where doorward differs on purpose, the reason stands here.

use std::io;

use doorward::config::load;
use serde_json::Value;

/// Decided by what a file holds: the loader of certificates and keys has its own tests.
const NEEDS_FILES: [&str; 14] = [
    "missing cert file",
    "missing CA",
    "no key in pem",
    "key mismatch",
    "empty pem",
    "empty CA",
    "encrypted key no pw",
    "encrypted key wrong pw",
    "expired server cert",
    "not yet valid",
    "expired cluster file",
    "CRL not a CRL",
    "CRL missing",
    "tlsCATrusts junk",
];

/// Where doorward differs on purpose: label, what doorward says (nothing is: it starts), reason.
const DIFFERENT: [(&str, &str, &str); 10] = [
    ("opensslCipherConfig ok", "Unsupported option: setParameter.opensslCipherConfig", "the cipher list can not be honoured"),
    ("opensslCipherConfig bad", "Unsupported option: setParameter.opensslCipherConfig", "the cipher list can not be honoured"),
    ("opensslCipherSuiteConfig ok", "Unsupported option: setParameter.opensslCipherSuiteConfig", "the same"),
    ("opensslCipherSuiteConfig bad", "Unsupported option: setParameter.opensslCipherSuiteConfig", "the same"),
    ("tlsCipherConfig", "Unsupported option: net.tls.tlsCipherConfig", "the same"),
    ("tlsUseSystemCA", "Unsupported option: setParameter.tlsUseSystemCA", "of newer servers: refused too, but by name"),
    ("tlsUseSystemCA+CA", "Unsupported option: setParameter.tlsUseSystemCA", "of newer servers: refused too, but by name"),
    ("FIPS", "Unsupported option: net.tls.FIPSMode", "of the enterprise build: refused too, but with the reason"),
    (
        "certificateSelector",
        "Unsupported option: net.tls.certificateSelector",
        "of other platforms: refused too, with the reason",
    ),
    (
        "disabledProtocols=TLS1_0,TLS1_1,TLS1_2,TLS1_3",
        "net.tls.disabledProtocols leaves no TLS version: nobody could connect",
        "mongod starts and refuses every handshake",
    ),
];

/// Options of MongoDB 7.0, unknown to the server that was measured; doorward knows them.
const NEWER: &str = "--tlsClusterAuthX509";

/// Warnings that follow from options alone.
const WARNINGS: [u64; 3] = [22133, 22124, 22128];

fn cases() -> Vec<Value> {
    let text = include_str!("../data/startup-matrix.json");
    let matrix: Value = serde_json::from_str(text).unwrap();
    matrix["cases"].as_array().unwrap().clone()
}

fn label(case: &Value) -> &str {
    case["label"].as_str().unwrap()
}

/// mongod's text: a plain line, the `errmsg` of log line 20574, or the `error` of log line 20575.
fn mongods_text(case: &Value) -> String {
    let lines = ["stdout", "log"].iter().flat_map(|key| case[key].as_array().unwrap());
    let line = lines.map(|line| line.as_str().unwrap()).find(|line| !line.starts_with("try ")).unwrap();
    let Ok(log) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let error = &log.as_array().unwrap().last().unwrap()["error"];
    error["errmsg"].as_str().or_else(|| error.as_str()).unwrap().to_owned()
}

fn words(case: &Value) -> Vec<String> {
    let given = case["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    ["--proxyUpstreamAddress", "127.0.0.1:27018"].map(str::to_owned).into_iter().chain(given).collect()
}

#[test]
fn the_same_options_get_mongods_verdict() {
    let mut compared = 0;
    let mut deviations = Vec::new();
    for case in cases() {
        let label = label(&case);
        let words = words(&case);
        if NEEDS_FILES.contains(&label) || words.iter().any(|word| word.starts_with(NEWER)) {
            continue;
        }
        let outcome = load(&words, |_| Err(io::ErrorKind::NotFound.into()));
        let found = match &outcome {
            Ok(_) => "starts".to_owned(),
            Err(errors) => errors.iter().next().unwrap().text().to_owned(),
        };
        let expected = match DIFFERENT.iter().find(|(different, ..)| *different == label) {
            Some((_, text, _)) => (*text).to_owned(),
            None if case["starts"].as_bool().unwrap() => "starts".to_owned(),
            None => mongods_text(&case),
        };
        compared += 1;
        if found != expected {
            deviations.push(format!("{label}\n  mongod:   {expected}\n  doorward: {found}"));
        }
    }
    assert!(deviations.is_empty(), "{} of {compared}:\n{}", deviations.len(), deviations.join("\n"));
    assert!(compared > 120, "only {compared} combinations were compared");
}

#[test]
fn access_control_is_in_force_where_it_is_on_mongod() {
    for case in cases().iter().filter(|case| case["starts"] == true) {
        let Ok(loaded) = load(&words(case), |_| Err(io::ErrorKind::NotFound.into())) else { continue };
        let answer = case["unauthenticated_find"].as_str().unwrap();
        let enforced = loaded.settings.security.access_control && !loaded.settings.security.transition_to_auth;
        if answer.contains("13 Unauthorized") {
            assert!(enforced, "{}: mongod enforces, doorward does not", label(case));
        } else if answer.contains(": ok") && enforced {
            // doorward's deliberate difference: without any security option mongod lets everyone in, doorward does not.
            let written = words(case).iter().any(|word| matches!(word.as_str(), "--auth" | "--keyFile" | "--clusterAuthMode"));
            assert!(!written, "{}: doorward enforces, mongod does not", label(case));
        }
    }
}

#[test]
fn the_same_options_get_mongods_warnings() {
    for case in cases().iter().filter(|case| case["starts"] == true) {
        let Ok(loaded) = load(&words(case), |_| Err(io::ErrorKind::NotFound.into())) else { continue };
        let expected: Vec<u64> = case["warnings"].as_array().map_or(vec![], |warnings| {
            warnings.iter().filter_map(|warning| warning["id"].as_u64()).filter(|id| WARNINGS.contains(id)).collect()
        });
        let found: Vec<u64> =
            loaded.warnings.iter().filter_map(|warning| warning.id).map(u64::from).filter(|id| WARNINGS.contains(id)).collect();
        assert_eq!(found, expected, "{}", label(case));
    }
}

#[test]
fn the_options_of_newer_servers_are_known() {
    for case in cases().iter().filter(|case| words(case).iter().any(|word| word.starts_with(NEWER))) {
        let x509 = words(case).iter().any(|word| word == "x509");
        let outcome = load(&words(case), |_| Err(io::ErrorKind::NotFound.into()));
        assert_eq!(outcome.is_ok(), x509, "{}", label(case));
    }
}

#[test]
fn every_exception_is_a_combination_of_the_matrix() {
    let cases = cases();
    assert_eq!(cases.len(), 144);
    for name in NEEDS_FILES.iter().copied().chain(DIFFERENT.iter().map(|(label, ..)| *label)) {
        assert!(cases.iter().any(|case| label(case) == name), "{name}");
    }
}
