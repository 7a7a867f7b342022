//! The same certificates before a real mongod and before the verdict: same answer, same reason.
//!
//! What the corpus expects is also checked without mongod, by the unit tests of `tls`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod client;
mod corpus;
mod mongod;
mod pki;

use std::time::{SystemTime, UNIX_EPOCH};

use doorward::tls::verdict::{Anchors, Trust, Verdict};
use doorward::tls::{Purpose, RevocationLists, provider};
use rustls::pki_types::CertificateDer;

/// Where doorward answers differently on purpose: the case, its own reason, and why. Nothing that mongod refuses is accepted.
///
/// Also refused, because the TLS library has no routine for them, and not in the corpus for the same reason: certificates with
/// Ed448, brainpool, P-224, secp256k1, DSA or RSA-PSS keys (`id-RSASSA-PSS`), RSA keys above 8192 bits, signatures with SHA-224 or
/// with PSS of another salt length than that of the digest. Certificates with RFC 3779 address blocks and lists of single
/// distribution points are refused because nobody compares them here.
pub(crate) const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("proxy certificate", "proxy certificates not allowed, please set the appropriate flag", "mongod has a later reason too"),
    ("twenty intermediates", "certificate chain too long", "each certificate costs a signature check before any login"),
];

#[test]
fn a_real_mongod_says_the_same_about_every_certificate() {
    let program = mongod::program();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut wrong = Vec::new();
    for server in corpus::servers(now) {
        let mut mongod = mongod::Mongod::start(&program, &server, now);
        for case in &server.cases {
            let theirs = mongod.offer(case);
            let ours = verdict(&server, case, now);
            let explained = DIFFERENCES.iter().find(|(name, ..)| *name == case.name).map(|(_, reason, _)| *reason);
            if ours.as_deref() != explained.or(case.reason) || theirs.as_deref() != case.reason {
                wrong.push(format!(
                    "{}: {}: mongod {theirs:?}, doorward {ours:?}, table {:?}",
                    server.name, case.name, case.reason
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn verdict(server: &corpus::Server, case: &corpus::Case, now: i64) -> Option<String> {
    let anchors = Anchors::new(server.authorities.iter().map(Vec::as_slice)).unwrap();
    let lists = server.lists.as_ref().map(|lists| RevocationLists::new(lists.iter().map(Vec::as_slice)).unwrap());
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let trust = Trust { anchors: &anchors, revocation_lists: lists.as_ref(), purpose: Purpose::Client, algorithms };
    let sent: Vec<CertificateDer<'_>> = case.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    match trust.judge(&sent, now) {
        Verdict::Valid => None,
        Verdict::Invalid(reason) => Some(reason.to_string()),
    }
}
